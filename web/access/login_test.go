package access

import (
	"net/http"
	"net/url"
	"testing"
)

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
		s := serve(t, withUsers(u))
		if status := s.login("ann", "correct horse"); status != http.StatusSeeOther {
			t.Fatalf("a login: %d", status)
		}
		if err := row.change(u.path); err != nil {
			t.Fatal(err)
		}
		if status, _, _ := s.Get("/messages"); status != row.want {
			t.Errorf("%s: %d, want %d", row.name, status, row.want)
		}
	}
}

func TestALoginLeadsNowhereElse(t *testing.T) {
	for _, to := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "/a\r\nX: y", "", "/\t/evil.example", "/\n/evil.example", "\t//evil.example", "/\x00/evil.example", "javascript:alert(1)"} {
		s := serve(t, withUsers(users(t, "ann:correct horse")))
		if _, _, h := s.Post("/login", "/login", url.Values{"name": {"ann"}, "password": {"correct horse"}, "to": {to}}); h.Get("Location") != "/first" {
			t.Errorf("%q leads to %q", to, h.Get("Location"))
		}
	}
}
