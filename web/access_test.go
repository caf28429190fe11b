package web

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"alignd/config"
	"alignd/web/access"
	"alignd/web/internal/visitor"
)

// withUsers lets in those of lines NAME:PASSWORD; ann is an auditor.
func withUsers(t *testing.T, lines ...string) func(*Options) {
	t.Helper()
	u, err := access.OpenUsers(visitor.UsersFile(t, lines...))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) {
		o.Access.Users, o.Access.Open, o.Access.Socket, o.Access.Auditors = u, false, false, []string{"ann"}
	}
}

func TestNobodyLooksWithoutSayingWhoHeIs(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a server that is open to everybody")
	}
	s := serve(t, plant(t, usual(5)...), withUsers(t, "ann:correct horse", "vic:battery staple"))
	for path, want := range map[string]int{"/messages": 303, "/messages.json": 401, "/messages.csv": 401, "/": 303, "/login": 200, "/static/style.css": 200, "/message?id=1": 303, "/nothing": 404} {
		if status, text, _ := s.Get(path); status != want || strings.Contains(text, "author0") {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	if status, text, _ := s.Post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct hose"}}); status != 403 || !strings.Contains(text, "wrong") {
		t.Errorf("a wrong password: %d", status)
	}
	status, _, h := s.Post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct horse"}, "to": {"/messages?domain=a.example"}})
	if status != 303 || h.Get("Location") != "/messages?domain=a.example" {
		t.Fatalf("a login: %d to %s", status, h.Get("Location"))
	}
	for _, c := range h.Values("Set-Cookie") {
		if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") {
			t.Errorf("cookie %s", c)
		}
	}
	if status, text, _ := s.Get("/messages"); status != 200 || !strings.Contains(text, "ann, auditor") {
		t.Errorf("logged in: %d", status)
	}
	if status, _, _ := s.Post("/messages", "/logout", url.Values{}); status != 303 {
		t.Errorf("logout: %d", status)
	}
	if status, _, _ := s.Get("/messages"); status != 303 {
		t.Errorf("after the logout: %d", status)
	}
}

// An auditor may send a configuration, which is large; nobody else may.
func TestAConfigurationIsALargeForm(t *testing.T) {
	form := url.Values{"text": {"# " + strings.Repeat("x", 100<<10) + "\nmode: monitor\n"}, "do": {"check"}}
	s := serve(t, plant(t), withUsers(t, "ann:correct horse", "vic:battery staple"))
	for name, want := range map[string]int{"ann:correct horse": http.StatusOK, "vic:battery staple": http.StatusBadRequest} {
		user, password, _ := strings.Cut(name, ":")
		if status, _, _ := s.Post("/login", "/login", url.Values{"name": {user}, "password": {password}}); status != http.StatusSeeOther {
			t.Fatalf("%s: %d", user, status)
		}
		if status, _, _ := s.Post("/today", "/whatif/try", form); status != want {
			t.Errorf("%s: %d, want %d", user, status, want)
		}
	}
}

// The name of who looks is text from outside, too.
func TestANameIsShownPrintably(t *testing.T) {
	s := serve(t, plant(t), func(o *Options) { o.Access.Certificates = true })
	r := httptest.NewRequest(http.MethodGet, "https://127.0.0.1/messages", nil)
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{Subject: pkix.Name{CommonName: "vic\u202erotidua"}}}}}
	w := httptest.NewRecorder()
	s.web.Handler().ServeHTTP(w, r)
	if text := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(text, "vic?rotidua, viewer") {
		t.Errorf("%d %s", w.Code, text)
	}
}

// Who asks when all places are taken is told at once, however many they are.
func TestAThousandViewers(t *testing.T) {
	b := slow{plant(t, usual(3)...), make(chan struct{}, 2000), make(chan struct{})}
	s, err := New(Options{Backend: b, Access: access.Options{Open: true, Socket: true, Role: access.Viewer, Hosts: []string{"localhost"}, Parallel: 4}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var told atomic.Int64
	ask := func() int {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/messages", nil))
		return w.Code
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if ask() != http.StatusOK {
				t.Error("one of those that had a place got no page")
			}
		})
	}
	for range 4 {
		<-b.entered
	}
	var others sync.WaitGroup
	for range 1000 {
		others.Go(func() {
			if ask() == http.StatusServiceUnavailable {
				told.Add(1)
			}
		})
	}
	others.Wait()
	close(b.wait)
	all.Wait()
	if told.Load() != 1000 {
		t.Errorf("%d of 1000 were told to come later", told.Load())
	}
}

func TestPagesSayWhatBrowsersMayDo(t *testing.T) {
	s := serve(t, plant(t), func(o *Options) { o.Access.Secure = true })
	for _, path := range []string{"/messages", "/messages.json", "/login", "/nothing", "/static/style.css"} {
		_, _, h := s.Get(path)
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Strict-Transport-Security": "max-age"} {
			if !strings.Contains(h.Get(name), want) {
				t.Errorf("%s: %s: %q", path, name, h.Get(name))
			}
		}
		if csp := h.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s: %s", path, csp)
		}
	}
}

// slow is a backend that answers when it is told to.
type slow struct {
	*backend
	entered, wait chan struct{}
}

func (s slow) Config() (*config.Config, error) {
	s.entered <- struct{}{}
	<-s.wait
	return s.backend.Config()
}

func TestAboveTheLimitPagesAreToldToComeLater(t *testing.T) {
	b := slow{plant(t, usual(3)...), make(chan struct{}, 10), make(chan struct{})}
	s := serve(t, b, func(o *Options) { o.Access.Parallel = 2 })
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { s.Get("/messages") })
	}
	for range 2 {
		<-b.entered
	}
	if status, _, h := s.Get("/messages"); status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("with all places taken: %d", status)
	}
	close(b.wait)
	both.Wait()
	if status, _, _ := s.Get("/messages"); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

func TestViewersAskForNoAddress(t *testing.T) {
	b := plant(t, usual(5)...)
	if status, _, _ := serve(t, b, nil).Get("/messages?mail-from=ann%40a.example"); status != http.StatusForbidden {
		t.Errorf("a viewer: %d", status)
	}
	var log bytes.Buffer
	s := serve(t, b, func(o *Options) { o.Access.Role, o.Log = access.Auditor, slog.New(slog.NewTextHandler(&log, nil)) })
	if status, _, _ := s.Get("/messages?mail-from=ann%40a.example"); status != http.StatusOK {
		t.Errorf("an auditor: %d", status)
	}
	if !strings.Contains(log.String(), `msg="auditor looked"`) || !strings.Contains(log.String(), "mail-from") {
		t.Errorf("the log: %s", log.String())
	}
	log.Reset()
	s.Post("/whatif", "/job/cancel", url.Values{"id": {"sought"}, "text": {"mode: monitor"}})
	s.Get("/messages?domain=" + strings.Repeat("x", 8000) + "&rule=%E2%80%AE%0A\u202e")
	if text := log.String(); !strings.Contains(text, `query="id=sought"`) || strings.Contains(text, "token") || strings.Contains(text, "monitor") || len(text) > 5000 || strings.Contains(text, "\u202e") {
		t.Errorf("the log: %.800s", text)
	}
}
