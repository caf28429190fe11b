package web

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
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
		a.wait("from 192.0.2.1", fmt.Sprint("name ", i))
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
	s.login("ann", "guess guess")
	if status := s.login("vic", "battery staple"); status != http.StatusTooManyRequests {
		t.Errorf("after five failures from here: %d", status)
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
