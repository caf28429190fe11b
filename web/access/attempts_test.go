package access

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPasswordsCannotBeGuessedAtSpeed(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	s := serve(t, func(o *setup) {
		withUsers(users(t, "ann:correct horse"))(o)
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	last := 0
	for range maxTries + 1 {
		last, _, _ = s.Post("/login", "/login", url.Values{"name": {"ann"}, "password": {"guess guess"}})
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the sixth try: %d", last)
	}
	if status, _, _ := s.Post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct horse"}}); status != http.StatusTooManyRequests {
		t.Errorf("the right password meanwhile: %d", status)
	}
	mu.Lock()
	now = now.Add(tryWindow + time.Minute)
	mu.Unlock()
	if status, _, _ := s.Post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct horse"}}); status != http.StatusSeeOther {
		t.Errorf("later: %d", status)
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
	s := serve(t, withUsers(users(t, "ann:correct horse", "vic:battery staple")))
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
	s.Forget()
	if status := s.login("vic", "battery staple"); status != http.StatusTooManyRequests {
		t.Errorf("after five failures from here, in another browser: %d", status)
	}
}

// Somebody who fails from elsewhere keeps nobody out, unless very many do; and those keep
// out nobody whose browser is known. A line of the log says so once.
func TestFailuresOfOthersLockNobodyOut(t *testing.T) {
	var log bytes.Buffer
	s := serve(t, func(o *setup) {
		withUsers(users(t, "ann:correct horse"))(o)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	login := func(from, password string, with ...*http.Cookie) (int, []*http.Cookie) {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/login", strings.NewReader(url.Values{"name": {"ann"}, "password": {password},
			"token": {s.control.tokenOf(httptest.NewRequest(http.MethodGet, "/", nil), strings.Repeat("x", 43))}}.Encode()))
		r.RemoteAddr = from
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(&http.Cookie{Name: formCookie, Value: strings.Repeat("x", 43)})
		for _, c := range with {
			if c.Name == knownCookie {
				r.AddCookie(c)
			}
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
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
	c := serve(t, withUsers(u)).control
	nonce := encoded(random(16))
	value := c.knownValue(nonce, "ann", u.Hash("ann"))
	for _, row := range []struct {
		name, user, value string
		want              bool
	}{
		{name: "its own", user: "ann", value: value, want: true},
		{name: "another user", user: "vic", value: value},
		{name: "nobody", user: "eve", value: c.knownValue(nonce, "eve", "")},
		{name: "another nonce", user: "ann", value: encoded(random(16)) + value[22:]},
		{name: "none", user: "ann"},
		{name: "a short one", user: "ann", value: "." + value[23:]},
	} {
		r := httptest.NewRequest(http.MethodPost, "/login", nil)
		r.AddCookie(&http.Cookie{Name: knownCookie, Value: row.value})
		if _, known := c.limitsOf(r, row.user, "192.0.2.1"); known != row.want {
			t.Errorf("%s: %v", row.name, known)
		}
	}
}

// However many log in at once, one password is checked at a time, few wait, and the
// others are told to come later.
func TestPasswordsAreCheckedOneAtATime(t *testing.T) {
	s := serve(t, withUsers(users(t, "ann:correct horse")))
	for range maxLogins {
		if !s.control.strangers.enter() {
			t.Fatal("no place")
		}
	}
	if status := s.login("ann", "correct horse"); status != http.StatusServiceUnavailable {
		t.Errorf("with all places taken: %d", status)
	}
	s.control.strangers.leave()
	if status := s.login("ann", "correct horse"); status != http.StatusSeeOther {
		t.Errorf("with one place: %d", status)
	}
}
