package web

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"alignd/record"
	"alignd/web/access"
)

// Hostile text in every place of a record changes no page: no element, no attribute and
// no address that the template does not write comes of it, and nothing that cannot be
// seen. Viewers see no local part.
func TestHostileTextIsShownAndDoesNothing(t *testing.T) {
	var all []*record.Record
	for i, text := range hostile {
		all = append(all, spoiled(i, text))
	}
	b := plant(t, all...)
	for _, role := range []access.Role{access.Viewer, access.Auditor} {
		s := serve(t, b, func(o *Options) { o.Access.Role = role })
		for _, path := range hostilePaths(all) {
			status, text, _ := s.Get(path)
			if status >= 500 {
				t.Errorf("%s: %d %.300s", path, status, text)
			}
			for _, f := range harmless(text) {
				t.Errorf("%s: %s", path, f)
			}
			if role == access.Viewer && (strings.Contains(text, "secretlocal") || strings.Contains(text, "secretsender")) {
				t.Errorf("%s shows a viewer an address", path)
			}
		}
	}
}

// hostilePaths are all pages, with and without hostile parameters.
func hostilePaths(all []*record.Record) (paths []string) {
	for _, v := range (&Server{}).pages() {
		paths = append(paths, v.path)
		for _, text := range hostile {
			if len(text) > 2000 {
				text = text[:2000]
			}
			q := url.QueryEscape(text)
			paths = append(paths, fmt.Sprintf("%s?id=%s&domain=%s&source=%s&rule=%s&since=%s&skip=%s&by=%s", v.path, q, q, q, q, q, q, q))
		}
	}
	for _, r := range all {
		paths = append(paths, to("/message", "id", r.Evidence.QueueID), to("/message/again", "id", r.Evidence.QueueID),
			to("/messages", "rule", r.Verdict.Rule))
	}
	paths = append(paths, "/domain?name=evil.example", "/domain?name=s._domainkey.evil.example", "/rule?id=vendor", "/whatif?entry="+url.QueryEscape("exceptions:\n  - id: x\n"),
		"/sender?domain=author00001-company.example&source="+url.QueryEscape(hostile[0]))
	return append(paths, "/login?to="+url.QueryEscape(hostile[0]), "/"+url.PathEscape(hostile[0]))
}

var (
	mayBe = []string{"html", "head", "meta", "title", "link", "script", "body", "a", "header", "nav", "ul", "ol", "li", "p", "form", "input", "button",
		"main", "h1", "h2", "section", "footer", "code", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "div", "dl", "dt", "dd", "pre",
		"label", "select", "option", "textarea", "strong", "details", "summary", "svg", "g", "rect", "line", "text", "path", "title", "desc", "circle", "desc", "progress"}
	hrefs = []string{"href", "src", "action"}
)

// harmless tells what in a page should not be there.
func harmless(page string) (faults []string) {
	z := html.NewTokenizer(strings.NewReader(page))
	scripts := 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			if scripts > 1 {
				faults = append(faults, fmt.Sprintf("%d scripts", scripts))
			}
			if i := strings.IndexFunc(page, func(r rune) bool {
				return r != '\n' && r != '\t' && !unicode.IsPrint(r)
			}); i >= 0 {
				faults = append(faults, fmt.Sprintf("%q cannot be seen", page[max(0, i-20):min(len(page), i+20)]))
			}
			return faults
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			if tok.Data == "script" {
				scripts++
			}
			if !slices.Contains(mayBe, tok.Data) {
				faults = append(faults, "element "+tok.Data)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" {
					faults = append(faults, fmt.Sprintf("attribute %s=%q", a.Key, a.Val))
				}
				if slices.Contains(hrefs, a.Key) && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
					faults = append(faults, fmt.Sprintf("%s=%q", a.Key, a.Val))
				}
			}
		}
	}
}

// A spreadsheet takes no cell for a formula, and JSON is JSON.
func TestHostileTextInFiles(t *testing.T) {
	var all []*record.Record
	for i, text := range hostile {
		all = append(all, spoiled(i, text))
	}
	b := plant(t, all...)
	for _, role := range []access.Role{access.Viewer, access.Auditor} {
		s := serve(t, b, func(o *Options) { o.Access.Role = role })
		for _, v := range (&Server{}).pages() {
			id := "?id=" + url.QueryEscape(all[0].Evidence.QueueID)
			if v.path == "/messages" { // with an id it leads to the message
				id = ""
			}
			status, text, _ := s.Get(v.path + ".json" + id)
			if !json.Valid([]byte(text)) {
				t.Errorf("%s.json: %d, no JSON: %.200s", v.path, status, text)
			}
			if role == access.Viewer && strings.Contains(text, "secretlocal") || role == access.Viewer && strings.Contains(text, "secretsender") {
				t.Errorf("%s.json shows a viewer an address: %.300s", v.path, text)
			}
			status, text, _ = s.Get(v.path + ".csv" + id)
			if status != 200 {
				continue
			}
			rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil {
				t.Errorf("%s.csv: %v", v.path, err)
			}
			for _, row := range rows {
				for _, c := range row {
					if c != "" && strings.ContainsAny(c[:1], "=+-@\t\r|%") {
						t.Errorf("%s.csv: a spreadsheet calculates %.60q", v.path, c)
					}
				}
			}
			if role == access.Viewer && strings.Contains(text, "secretlocal") || role == access.Viewer && strings.Contains(text, "secretsender") {
				t.Errorf("%s.csv shows a viewer an address: %q", v.path, text[max(0, strings.Index(text, "secret")-60):][:120])
			}
		}
	}
}
