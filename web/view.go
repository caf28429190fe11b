package web

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"alignd/config"
	"alignd/internal/terminal"
	"alignd/web/access"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"lines": func(s string) []string { return strings.Split(s, "\n") }}).
	ParseFS(templateFiles, "templates/*.html"))

// static are the style sheet and the script, which anybody may have.
func static(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	http.FileServerFS(staticFiles).ServeHTTP(w, r)
}

// format is how a view is written: the end of its path.
type format string

const (
	asHTML format = ""
	asCSV  format = ".csv"
	asJSON format = ".json"
)

// view is a page that has a URL, with the same data as CSV and JSON.
type view struct {
	path  string // "/messages"
	title string
	nav   bool
	make  func(*asked) (*page, error)
	// auditors: others get none of it.
	auditors bool
	// hidden are parameters that name somebody's address, which only auditors may ask for.
	hidden []string
}

// asked is one question for a page.
type asked struct {
	*Server
	ctx    context.Context
	person access.Person
	format format
	query  url.Values
	form   url.Values // what was posted; nil for a question
	// formToken goes into the forms of the page.
	formToken string
	cfg       *config.Config
	stale     error // why cfg is not what the file says
	// crossSite: another site's page made the browser ask.
	crossSite bool
	now       time.Time
	unread    []string // what of the journal cannot be read
}

// redirect is an error that leads to another page, which answers the question.
type redirect struct{ href string }

func (e redirect) Error() string { return "see " + e.href }

// said is told as it is.
type said struct {
	status int
	text   string
}

func (s said) Error() string { return s.text }

func wrong(format string, args ...any) error {
	return said{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// get is a parameter, bounded and without what is no text.
func (a *asked) get(name string) string {
	v := strings.TrimSpace(a.query.Get(name))
	if len(v) > maxParameter {
		v = strings.ToValidUTF8(v[:maxParameter], "")
	}
	return v
}

// maxParameter is how long a parameter may be, in octets; ours. A Message-ID may have
// 998 (RFC 5322 section 2.1.1).
const maxParameter = 1000

// show makes a view for those who may look.
func (s *Server) show(v *view, f format) http.HandlerFunc {
	return s.access.Admit(access.Needs{Auditor: v.auditors, Large: f != asHTML}, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, v, f) })
}

// answer makes a view in a bounded time.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, v *view, f format) {
	p, _ := access.PersonOf(r.Context())
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Timeout)
	defer cancel()
	a := &asked{Server: s, ctx: ctx, person: p, format: f, query: r.URL.Query(), now: s.opt.Now().UTC(), form: r.PostForm,
		crossSite: r.Header.Get("Sec-Fetch-Site") == "cross-site"}
	if f == asHTML {
		a.formToken = s.access.Token(w, r)
	}
	for _, name := range v.hidden {
		if strings.Contains(a.get(name), "@") && !p.Auditor() {
			s.fail(w, r, http.StatusForbidden, "Only auditors may ask for an address (web.auditors). Ask for its domain.")
			return
		}
	}
	if p.Auditor() {
		s.opt.Log.Info("auditor looked", "user", p.Name, "page", r.URL.Path, "query", lookedFor(r))
	}
	page, err := a.page(v)
	if e := (redirect{}); errors.As(err, &e) {
		http.Redirect(w, r, e.href, http.StatusSeeOther)
		return
	}
	if d := (download{}); errors.As(err, &d) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Header().Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
		_, _ = w.Write([]byte(d.text))
		return
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if err := a.finish(page, v); err != nil {
		s.failed(w, r, err)
		return
	}
	s.send(w, r, a, page)
}

// lookedFor is what an auditor asked for, in bounded length: of a form all but the token
// and a configuration.
func lookedFor(r *http.Request) string {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		asked := url.Values{}
		for name, values := range r.PostForm {
			if name != "token" && name != "text" {
				asked[name] = values
			}
		}
		text = asked.Encode()
	}
	if len(text) > maxParameter {
		text = strings.ToValidUTF8(text[:maxParameter], "") + "…"
	}
	return text
}

// page asks the configuration, and makes the page.
func (a *asked) page(v *view) (p *page, err error) {
	if a.cfg, a.stale = a.opt.Backend.Config(); a.cfg == nil {
		return nil, a.stale
	}
	p, err = v.make(a)
	return p, a.late(err)
}

// late is what is said of an error that came of the end of the time.
func (a *asked) late(err error) error {
	if err != nil && a.ctx.Err() == context.DeadlineExceeded {
		err = said{http.StatusServiceUnavailable, fmt.Sprintf("This took longer than %s (web.timeout). Narrow it down: a shorter span, a domain, a queue id.", a.opt.Timeout)}
	}
	return err
}

// finish adds what all pages have, and takes out what the role may not see.
func (a *asked) finish(p *page, v *view) error {
	if p.Title == "" {
		p.Title = v.title
	}
	var first []block
	for _, what := range a.unread {
		first = append(first, block{Alert: "The journal is read in part: " + terminal.Line(what)})
	}
	if a.stale != nil {
		first = append(first, block{Alert: "The configuration file is faulty, so these pages go by an earlier state of it: " + terminal.Line(Told(a.stale))})
	}
	p.Blocks = append(first, p.Blocks...)
	if !a.person.Auditor() {
		p.hide(hidden)
		data, err := hiddenData(a.ctx, p.Data)
		if err != nil {
			return a.late(err)
		}
		p.Data = data
	}
	if a.format == asHTML {
		p.fit()
	}
	return nil
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, a *asked, p *page) {
	switch a.format {
	case asJSON:
		text, err := json.Marshal(p.Data)
		if err = cmp.Or(err, a.ctx.Err()); err != nil {
			s.failed(w, r, a.late(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
		_, _ = w.Write([]byte{'\n'})
	case asCSV:
		if p.Rows == nil {
			s.fail(w, r, http.StatusNotFound, "There is no table on this page.")
			return
		}
		var text bytes.Buffer // in part it would look like all of it
		if err := writeCSV(a.ctx, &text, p.Rows); err != nil {
			s.failed(w, r, a.late(err))
			return
		}
		w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
		w.Header().Set("Content-Disposition", `attachment; filename="alignd`+strings.ReplaceAll(strings.TrimSuffix(r.URL.Path, ".csv"), "/", "-")+`.csv"`)
		_, _ = w.Write(text.Bytes())
	default:
		s.write(w, r, http.StatusOK, p)
	}
}

// layout is what the template gets.
type layout struct {
	*page
	Nav     []navLink
	Person  string
	Role    access.Role
	Token   string
	CSV     string
	JSON    string
	Login   bool
	Version string
}

type navLink struct {
	link
	Here bool
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, p *page) {
	who, known := access.PersonOf(r.Context())
	l := layout{page: p, Person: terminal.Line(who.Name), Role: who.Role, Version: s.opt.Version}
	if known {
		for _, v := range s.views {
			if v.nav && (!v.auditors || who.Auditor()) {
				l.Nav = append(l.Nav, navLink{link{v.title, v.path}, r.URL.Path == v.path || strings.HasPrefix(r.URL.Path, v.path+"/")})
			}
		}
		l.Login = s.access.LoggedIn(r)
		if l.Login {
			l.Token = s.access.Token(w, r)
		}
		if q := r.URL.RawQuery; status == http.StatusOK && r.Method == http.MethodGet {
			if q != "" {
				q = "?" + q
			}
			if p.Rows != nil {
				l.CSV = r.URL.Path + ".csv" + q
			}
			if p.Data != nil {
				l.JSON = r.URL.Path + ".json" + q
			}
		}
	}
	printable(p.Blocks)
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "page.html", l); err != nil {
		s.opt.Log.Error("a page cannot be made", "page", r.URL.Path, "err", err)
		http.Error(w, "This page cannot be made; the log of alignd web says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// printable makes what was asked for safe to be shown in the fields of forms.
func printable(list []block) {
	for i := range list {
		for _, column := range list[i].Beside {
			printable(column)
		}
		if list[i].Form == nil {
			continue
		}
		for j := range list[i].Form.Fields {
			if f := &list[i].Form.Fields[j]; f.Text { // a configuration has tabs
				f.Value = strings.Map(func(r rune) rune {
					if r != '\n' && r != '\t' && r != '\u00a0' && !unicode.IsPrint(r) {
						return '?'
					}
					return r
				}, strings.ToValidUTF8(f.Value, "?"))
			} else {
				f.Value = terminal.Line(f.Value)
			}
		}
	}
}

// failed tells what went wrong: what was asked wrongly in full, else that the log has it.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	if x := (said{}); errors.As(err, &x) {
		s.fail(w, r, x.status, x.text)
		return
	}
	if r.Context().Err() != nil {
		return // nobody waits any more
	}
	s.opt.Log.Error("a page cannot be made", "page", r.URL.Path, "err", err)
	s.fail(w, r, http.StatusInternalServerError, "This page cannot be made: "+Told(err))
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	text = terminal.Line(text)
	if p, _ := access.PersonOf(r.Context()); !p.Auditor() {
		text = hidden(text)
	}
	if strings.HasSuffix(r.URL.Path, ".json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
		return
	}
	s.write(w, r, status, &page{Title: http.StatusText(status), Blocks: []block{{Alert: text}}})
}
