package web

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"alignd/config"
)

// A password is hashed at the least cost in tests.
func users(t *testing.T, lines ...string) *Users {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	text := ""
	for _, line := range lines {
		name, password, _ := strings.Cut(line, ":")
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		text += name + ":" + string(hash) + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestMain(m *testing.M) {
	hashCost = bcrypt.MinCost
	os.Exit(m.Run())
}

func withUsers(u *Users) func(*Options) {
	return func(o *Options) { o.Users, o.Open, o.Socket, o.Auditors = u, false, false, []string{"ann"} }
}

func TestNobodyLooksWithoutSayingWhoHeIs(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a server that is open to everybody")
	}
	s := serve(t, plant(t, usual(5)...), withUsers(users(t, "ann:correct horse", "vic:battery staple")))
	for path, want := range map[string]int{"/messages": 303, "/messages.json": 401, "/messages.csv": 401, "/": 303, "/login": 200, "/static/style.css": 200, "/message?id=1": 303, "/nothing": 404} {
		if status, text, _ := s.get(path); status != want || strings.Contains(text, "author0") {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	if status, text, _ := s.post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct hose"}}); status != 403 || !strings.Contains(text, "wrong") {
		t.Errorf("a wrong password: %d", status)
	}
	status, _, h := s.post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct horse"}, "to": {"/messages?domain=a.example"}})
	if status != 303 || h.Get("Location") != "/messages?domain=a.example" {
		t.Fatalf("a login: %d to %s", status, h.Get("Location"))
	}
	for _, c := range h.Values("Set-Cookie") {
		if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") {
			t.Errorf("cookie %s", c)
		}
	}
	if status, text, _ := s.get("/messages"); status != 200 || !strings.Contains(text, "ann, auditor") {
		t.Errorf("logged in: %d", status)
	}
	if status, _, _ := s.post("/messages", "/logout", url.Values{}); status != 303 {
		t.Errorf("logout: %d", status)
	}
	if status, _, _ := s.get("/messages"); status != 303 {
		t.Errorf("after the logout: %d", status)
	}
}

func TestALoginLeadsNowhereElse(t *testing.T) {
	for _, to := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "/a\r\nX: y", "", "/\t/evil.example", "/\n/evil.example", "\t//evil.example", "/\x00/evil.example", "javascript:alert(1)"} {
		s := serve(t, plant(t), withUsers(users(t, "ann:correct horse")))
		if _, _, h := s.post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct horse"}, "to": {to}}); h.Get("Location") != "/today" {
			t.Errorf("%q leads to %q", to, h.Get("Location"))
		}
	}
}

func TestPasswordsCannotBeGuessedAtSpeed(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	s := serve(t, plant(t), func(o *Options) {
		withUsers(users(t, "ann:correct horse"))(o)
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	last := 0
	for range maxTries + 1 {
		last, _, _ = s.post("/login", "/login", url.Values{"name": {"ann"}, "password": {"guess guess"}})
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the sixth try: %d", last)
	}
	if status, _, _ := s.post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct horse"}}); status != http.StatusTooManyRequests {
		t.Errorf("the right password meanwhile: %d", status)
	}
	mu.Lock()
	now = now.Add(tryWindow + time.Minute)
	mu.Unlock()
	if status, _, _ := s.post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct horse"}}); status != http.StatusSeeOther {
		t.Errorf("later: %d", status)
	}
}

func TestFormsNeedTheirToken(t *testing.T) {
	s := serve(t, plant(t), withUsers(users(t, "ann:correct horse")))
	s.get("/login")
	form := url.Values{"name": {"ann"}, "password": {"correct horse"}}
	for name, change := range map[string]func(*http.Request){
		"no token":     func(*http.Request) {},
		"another site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a name below ours that is another origin": func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
	} {
		r, _ := http.NewRequest(http.MethodPost, s.server.URL+"/login", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)
		resp, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, _ := s.read(resp); status != http.StatusForbidden {
			t.Errorf("%s: %d", name, status)
		}
	}
}

func TestAProxySaysWhoAsks(t *testing.T) {
	for _, row := range []struct {
		name, network, header, second string
		want                          int
		role                          string
	}{
		{name: "a listed proxy", network: "127.0.0.0/8", header: "vic", want: 200, role: "vic, viewer"},
		{name: "an auditor", network: "127.0.0.0/8", header: "ann", want: 200, role: "ann, auditor"},
		{name: "a proxy that says nothing", network: "127.0.0.0/8", want: 401},
		{name: "somebody else", network: "192.0.2.0/24", header: "ann", want: 401},
		{name: "a proxy that leaves in what it was sent", network: "127.0.0.0/8", header: "ann", second: "vic", want: 401},
		{name: "the same name twice", network: "127.0.0.0/8", header: "ann", second: "ann", want: 401},
	} {
		s := serve(t, plant(t, usual(3)...), func(o *Options) {
			o.Open, o.Socket, o.Auditors = false, false, []string{"ann"}
			o.Proxy = Proxy{Header: "X-Remote-User", Networks: []netip.Prefix{netip.MustParsePrefix(row.network)}}
		})
		r, _ := http.NewRequest(http.MethodGet, s.server.URL+"/messages", nil)
		if row.header != "" {
			r.Header.Set("X-Remote-User", row.header)
		}
		if row.second != "" {
			r.Header.Add("x-remote-user", row.second)
		}
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
		resp, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if status, text, _ := s.read(resp); status != row.want || !strings.Contains(text, row.role) {
			t.Errorf("%s: %d, want %d", row.name, status, row.want)
		}
	}
}

// A client certificate of the CA that is trusted says who asks; without one nobody does.
func TestCertificatesSayWhoAsks(t *testing.T) {
	for _, row := range []struct {
		name, common string
		ended        bool
		verified     bool
		want         int
		role         string
	}{
		{name: "a certificate", common: "vic", verified: true, want: 200, role: "vic, viewer"},
		{name: "an auditor's", common: "ann", verified: true, want: 200, role: "ann, auditor"},
		{name: "one with a name that shows otherwise", common: "vic\u202erotidua", verified: true, want: 200, role: "vic?rotidua, viewer"},
		{name: "one without a name", verified: true, want: 401},
		{name: "one that was not verified", common: "ann", want: 401},
		{name: "one that ended while it was connected", common: "ann", ended: true, verified: true, want: 401},
	} {
		s, err := New(Options{Backend: plant(t, usual(3)...), Certificates: true, Role: Viewer, Auditors: []string{"ann"}, Hosts: []string{"mx.example.net"}, Timeout: time.Minute, Parallel: 1})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "https://mx.example.net/messages", nil)
		cert := &x509.Certificate{Subject: pkix.Name{CommonName: row.common}}
		if row.ended {
			cert.NotAfter = time.Now().Add(-time.Minute)
		}
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		if row.verified {
			r.TLS.VerifiedChains = [][]*x509.Certificate{{cert}}
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != row.want || !strings.Contains(w.Body.String(), row.role) {
			t.Errorf("%s: %d, want %d", row.name, w.Code, row.want)
		}
		s.Close()
	}
}

// Who is an auditor no more is none at the next page.
func TestRolesAreThoseOfNow(t *testing.T) {
	auditors := []string{"ann"}
	s := serve(t, plant(t, usual(3)...), func(o *Options) {
		withUsers(users(t, "ann:correct horse"))(o)
		o.Roles = func() (Role, []string) { return Viewer, auditors }
	})
	s.login("ann", "correct horse")
	if _, text, _ := s.get("/messages"); !strings.Contains(text, "ann, auditor") {
		t.Error("no auditor")
	}
	auditors = nil
	if _, text, _ := s.get("/messages"); !strings.Contains(text, "ann, viewer") {
		t.Error("no viewer afterwards")
	}
}

// Who asks when all places are taken is told at once, however many they are.
func TestAThousandViewers(t *testing.T) {
	b := slow{plant(t, usual(3)...), make(chan struct{}, 2000), make(chan struct{})}
	s, err := New(Options{Backend: b, Open: true, Socket: true, Role: Viewer, Hosts: []string{"localhost"}, Timeout: time.Minute, Parallel: 4})
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
	s := serve(t, plant(t), func(o *Options) { o.Secure = true })
	for _, path := range []string{"/messages", "/messages.json", "/login", "/nothing", "/static/style.css"} {
		_, _, h := s.get(path)
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
	s := serve(t, b, func(o *Options) { o.Parallel = 2 })
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { s.get("/messages") })
	}
	for range 2 {
		<-b.entered
	}
	if status, _, h := s.get("/messages"); status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("with all places taken: %d", status)
	}
	close(b.wait)
	both.Wait()
	if status, _, _ := s.get("/messages"); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

func TestViewersAskForNoAddress(t *testing.T) {
	b := plant(t, usual(5)...)
	if status, _, _ := serve(t, b, nil).get("/messages?mail-from=ann%40a.example"); status != http.StatusForbidden {
		t.Errorf("a viewer: %d", status)
	}
	var log bytes.Buffer
	s := serve(t, b, func(o *Options) { o.Role, o.Log = Auditor, slog.New(slog.NewTextHandler(&log, nil)) })
	if status, _, _ := s.get("/messages?mail-from=ann%40a.example"); status != http.StatusOK {
		t.Errorf("an auditor: %d", status)
	}
	if !strings.Contains(log.String(), `msg="auditor looked"`) || !strings.Contains(log.String(), "mail-from") {
		t.Errorf("the log: %s", log.String())
	}
	log.Reset()
	s.post("/whatif", "/job/cancel", url.Values{"id": {"sought"}, "text": {"mode: monitor"}})
	s.get("/messages?domain=" + strings.Repeat("x", 8000) + "&rule=%E2%80%AE%0A\u202e")
	if text := log.String(); !strings.Contains(text, `query="id=sought"`) || strings.Contains(text, "token") || strings.Contains(text, "monitor") || len(text) > 5000 || strings.Contains(text, "\u202e") {
		t.Errorf("the log: %.800s", text)
	}
}

func TestTheFileOfUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	for _, row := range []struct {
		name, user, password string
		fails                bool
	}{
		{name: "the first", user: "ann", password: "correct horse"},
		{name: "another", user: "bob", password: "battery staple"},
		{name: "a new password", user: "ann", password: "correct horse two"},
		{name: "a short one", user: "ann", password: "short", fails: true},
		{name: "a name with a colon", user: "a:b", password: "correct horse", fails: true},
		{name: "taken out", user: "bob"},
		{name: "who is not there", user: "bob", fails: true},
	} {
		if err := SetPassword(path, row.user, row.password); (err != nil) != row.fails {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	u, err := OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, password := range map[string]string{"ann": "correct horse", "bob": "battery staple", "eve": strings.Repeat("x", 100)} {
		if _, ok := u.Check(name, password); ok {
			t.Errorf("%s has the password %q", name, password)
		}
	}
	if hash, ok := u.Check("ann", "correct horse two"); !ok || hash != u.Hash("ann") || u.Hash("bob") != "" || u.Count() != 1 {
		t.Error("the file holds something else")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
}
