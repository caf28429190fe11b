package access

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"alignd/web/internal/visitor"
)

// setup is what a site is made with.
type setup struct {
	Options
	Pages
}

// site is two pages and a form behind a Control, with somebody who may look.
type site struct {
	*visitor.Visitor
	t       testing.TB
	control *Control
	handler http.Handler
}

func serve(t testing.TB, change func(*setup)) *site {
	t.Helper()
	s := &site{t: t}
	o := &setup{Options{Open: true, Socket: true, Role: Viewer, Hosts: []string{"127.0.0.1"}, Parallel: 8},
		Pages{Fail: s.fail, Login: s.form, First: "/first", LargeForms: map[string]int64{"/large": 1 << 20}, Log: slog.New(slog.DiscardHandler), Now: time.Now}}
	if change != nil {
		change(o)
	}
	var err error
	if s.control, err = New(o.Options, o.Pages); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.control.Routes(mux)
	mux.HandleFunc("GET /messages", s.control.Admit(Needs{}, s.page))
	mux.HandleFunc("GET /messages.csv", s.control.Admit(Needs{Large: true}, s.page))
	mux.HandleFunc("POST /large", s.control.Admit(Needs{}, s.page))
	s.handler = s.control.Checked(mux)
	s.Visitor = visitor.New(t, s.handler)
	return s
}

// page says who looks, and has what its forms need.
func (s *site) page(w http.ResponseWriter, r *http.Request) {
	p, _ := PersonOf(r.Context())
	fmt.Fprintf(w, `%s, %s name="token" value="%s"`, p.Name, p.Role, s.control.Token(w, r))
}

func (s *site) form(w http.ResponseWriter, _ *http.Request, status int, f LoginForm) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `%s name="token" value="%s"`, f.Alert, f.Token)
}

func (s *site) fail(w http.ResponseWriter, _ *http.Request, status int, text string) {
	http.Error(w, text, status)
}

// ask sends a request as it stands, and returns the status; 0 for no answer.
func (s *site) ask(request string) int {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Server.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, request)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (s *site) login(name, password string) int {
	status, _, _ := s.Post("/login", "/login", url.Values{"name": {name}, "password": {password}})
	return status
}

func withUsers(u *Users) func(*setup) {
	return func(o *setup) { o.Users, o.Open, o.Socket, o.Auditors = u, false, false, []string{"ann"} }
}
