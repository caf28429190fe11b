package web

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func (s *site) login(name, password string) int {
	status, _, _ := s.post("/login", "/login", url.Values{"name": {name}, "password": {password}})
	return status
}

// A new password, or the file's loss of a user, ends what was begun with the old one.
func TestASessionEndsWithItsPassword(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(path string) error
		want   int
	}{
		{name: "nothing", change: func(string) error { return nil }, want: http.StatusOK},
		{name: "another user's password", change: func(p string) error { return SetPassword(p, "vic", "battery staple two") }, want: http.StatusOK},
		{name: "a new password", change: func(p string) error { return SetPassword(p, "ann", "correct horse two") }, want: http.StatusSeeOther},
		{name: "taken out", change: func(p string) error { return SetPassword(p, "ann", "") }, want: http.StatusSeeOther},
		{name: "taken out and in again", change: func(p string) error {
			if err := SetPassword(p, "ann", ""); err != nil {
				return err
			}
			return SetPassword(p, "ann", "correct horse")
		}, want: http.StatusSeeOther},
	} {
		u := users(t, "ann:correct horse", "vic:battery staple")
		s := serve(t, plant(t, usual(3)...), withUsers(u))
		if status := s.login("ann", "correct horse"); status != http.StatusSeeOther {
			t.Fatalf("a login: %d", status)
		}
		if err := row.change(u.path); err != nil {
			t.Fatal(err)
		}
		if status, _, _ := s.get("/messages"); status != row.want {
			t.Errorf("%s: %d, want %d", row.name, status, row.want)
		}
	}
}

// Names that were tried take bounded room, and who may log in forgets no failures of others.
func TestTriesAreBounded(t *testing.T) {
	a := newAttempts(time.Now)
	for i := range 1000 {
		a.begin(limit{"from 192.0.2.1", maxTries}, limit{fmt.Sprint("name ", i), maxOfName})
	}
	if n := len(a.tries); n > maxTries+1 {
		t.Errorf("one network has %d names remembered", n)
	}
	s := serve(t, plant(t), withUsers(users(t, "ann:correct horse", "vic:battery staple")))
	for range 2 {
		for range 2 {
			s.login("ann", "guess guess")
		}
		s.login("vic", "battery staple")
	}
	for range 4 { // where vic logged in this counts for ann in that browser not at all
		s.login("ann", "guess guess")
	}
	if status := s.login("vic", "battery staple"); status != http.StatusSeeOther {
		t.Errorf("after the failures of others, in a browser that is known: %d", status)
	}
	s.client.Jar, _ = cookiejar.New(nil)
	if status := s.login("vic", "battery staple"); status != http.StatusTooManyRequests {
		t.Errorf("after five failures from here, in another browser: %d", status)
	}
}

// Somebody who fails from elsewhere keeps nobody out, unless very many do; and those keep
// out nobody whose browser is known. A line of the log says so once.
func TestFailuresOfOthersLockNobodyOut(t *testing.T) {
	var log bytes.Buffer
	s, err := New(Options{Backend: plant(t), Users: users(t, "ann:correct horse"), Role: Viewer, Hosts: []string{"localhost"}, Timeout: time.Minute,
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	login := func(from, password string, with ...*http.Cookie) (int, []*http.Cookie) {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/login", strings.NewReader(url.Values{"name": {"ann"}, "password": {password},
			"token": {s.tokenOf(httptest.NewRequest(http.MethodGet, "/", nil), strings.Repeat("x", 43))}}.Encode()))
		r.RemoteAddr = from
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(&http.Cookie{Name: formCookie, Value: strings.Repeat("x", 43)})
		for _, c := range with {
			if c.Name == knownCookie {
				r.AddCookie(c)
			}
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code, w.Result().Cookies()
	}
	_, known := login("198.51.100.1:1", "correct horse")
	for range 100 {
		login("192.0.2.1:1", "guess guess")
	}
	if n := strings.Count(log.String(), "login refused"); n != 1 {
		t.Errorf("%d lines about what was refused", n)
	}
	if status, _ := login("198.51.100.2:1", "correct horse"); status != http.StatusSeeOther {
		t.Errorf("from elsewhere: %d", status)
	}
	for i := range 2 * maxOfName {
		login(fmt.Sprintf("[2001:db8:0:%x::1]:1", i), "guess guess")
	}
	if status, _ := login("198.51.100.2:1", "correct horse"); status != http.StatusTooManyRequests {
		t.Errorf("a name that very many guess at: %d", status)
	}
	for from, want := range map[string]int{"198.51.100.1:1": http.StatusSeeOther, "192.0.2.1:1": http.StatusSeeOther} {
		if status, _ := login(from, "correct horse", known...); status != want {
			t.Errorf("a browser that is known, from %s: %d, want %d", from, status, want)
		}
	}
	for range maxTries {
		login("198.51.100.1:1", "guess guess", known...)
	}
	if status, _ := login("198.51.100.1:1", "correct horse", known...); status != http.StatusTooManyRequests {
		t.Errorf("a browser that is known guesses: %d", status)
	}
}

// A known browser is that of one name with one password, and what it says cannot be made.
func TestAKnownBrowserIsOfOneUser(t *testing.T) {
	u := users(t, "ann:correct horse", "vic:battery staple")
	s, err := New(Options{Backend: plant(t), Users: u, Role: Viewer, Hosts: []string{"localhost"}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nonce := encoded(random(16))
	value := s.knownValue(nonce, "ann", u.Hash("ann"))
	for _, row := range []struct {
		name, user, value string
		want              bool
	}{
		{name: "its own", user: "ann", value: value, want: true},
		{name: "another user", user: "vic", value: value},
		{name: "nobody", user: "eve", value: s.knownValue(nonce, "eve", "")},
		{name: "another nonce", user: "ann", value: encoded(random(16)) + value[22:]},
		{name: "none", user: "ann"},
		{name: "a short one", user: "ann", value: "." + value[23:]},
	} {
		r := httptest.NewRequest(http.MethodPost, "/login", nil)
		r.AddCookie(&http.Cookie{Name: knownCookie, Value: row.value})
		if _, known := s.limitsOf(r, row.user, "192.0.2.1"); known != row.want {
			t.Errorf("%s: %v", row.name, known)
		}
	}
}

// However many log in at once, one password is checked at a time, few wait, and the
// others are told to come later.
func TestPasswordsAreCheckedOneAtATime(t *testing.T) {
	s := serve(t, plant(t), withUsers(users(t, "ann:correct horse")))
	for range maxLogins {
		if !s.web.strangers.enter() {
			t.Fatal("no place")
		}
	}
	if status := s.login("ann", "correct horse"); status != http.StatusServiceUnavailable {
		t.Errorf("with all places taken: %d", status)
	}
	s.web.strangers.leave()
	if status := s.login("ann", "correct horse"); status != http.StatusSeeOther {
		t.Errorf("with one place: %d", status)
	}
}

// What nobody who is known sent is small; a configuration is not.
func TestFormsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	s := serve(t, plant(t), withUsers(users(t, "ann:correct horse", "vic:battery staple")))
	if status := s.login(long, "correct horse"); status != http.StatusBadRequest {
		t.Errorf("a long name: %d", status)
	}
	if status := s.login(strings.Repeat("x", 100), "correct horse"); status != http.StatusForbidden {
		t.Errorf("a name that is none: %d", status)
	}
	form := url.Values{"text": {"# " + long + "\nmode: monitor\n"}, "do": {"check"}}
	for name, want := range map[string]int{"ann:correct horse": http.StatusOK, "vic:battery staple": http.StatusBadRequest} {
		user, password, _ := strings.Cut(name, ":")
		if status := s.login(user, password); status != http.StatusSeeOther {
			t.Fatalf("%s: %d", user, status)
		}
		if status, _, _ := s.post("/today", "/whatif/try", form); status != want {
			t.Errorf("%s: %d, want %d", user, status, want)
		}
	}
}

// A cookie of forms that somebody planted, with its token, sends no form of who logged in.
func TestATokenIsOfItsSession(t *testing.T) {
	s := serve(t, plant(t, usual(3)...), withUsers(users(t, "ann:correct horse")))
	_, text, _ := s.get("/login")
	planted := tokenInPage.FindStringSubmatch(text)[1]
	s.login("ann", "correct horse")
	resp, err := s.client.PostForm(s.server.URL+"/logout", url.Values{"token": {planted}})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := s.read(resp); status != http.StatusForbidden {
		t.Errorf("the token of the login: %d", status)
	}
	at, _ := url.Parse(s.server.URL)
	old := s.client.Jar.Cookies(at)
	if status, _, _ := s.post("/messages", "/logout", url.Values{}); status != http.StatusSeeOther {
		t.Errorf("its own: %d", status)
	}
	s.client.Jar, _ = cookiejar.New(nil)
	s.client.Jar.SetCookies(at, old)
	if status, _, _ := s.get("/messages"); status != http.StatusSeeOther {
		t.Errorf("the cookie of before the logout: %d", status)
	}
}

// A name that nobody has takes as long as one that is in the file, whatever wrote that.
func TestNobodysHashCostsWhatOthersDo(t *testing.T) {
	u := users(t, "ann:correct horse")
	for _, cost := range []int{5, 6, 11} {
		like := costing(u.nobody, cost)
		if got, err := bcrypt.Cost(like); err != nil || got != cost {
			t.Errorf("cost %d, %v, want %d", got, err, cost)
		}
	}
	if u.cost != bcrypt.MinCost || bcrypt.CompareHashAndPassword(costing(u.nobody, u.cost), []byte("x")) != bcrypt.ErrMismatchedHashAndPassword {
		t.Errorf("cost %d of the file", u.cost)
	}
}
