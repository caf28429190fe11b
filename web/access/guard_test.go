package access

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"alignd/web/internal/visitor"
)

// However a request says which name it is for, only ours is answered.
func TestOtherNamesAreRefused(t *testing.T) {
	s := serve(t, func(o *setup) { o.Hosts = []string{"localhost", "127.0.0.1", "::1", "mx.example.net"} })
	for _, row := range []struct {
		name, request string
		want          int
	}{
		{name: "another name", request: "GET /messages HTTP/1.1\r\nHost: evil.example\r\n\r\n", want: 421},
		{name: "another name and port", request: "GET /messages HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", want: 421},
		{name: "ours", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net\r\n\r\n", want: 200},
		{name: "ours in capitals with a dot and a port", request: "GET /messages HTTP/1.1\r\nHost: MX.example.net.:8443\r\n\r\n", want: 200},
		{name: "ours with two dots", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net..\r\n\r\n", want: 421},
		{name: "below another name", request: "GET /messages HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", want: 421},
		{name: "loopback of IPv6", request: "GET /messages HTTP/1.1\r\nHost: [::1]\r\n\r\n", want: 200},
		{name: "loopback of IPv6 and a port", request: "GET /messages HTTP/1.1\r\nHost: [::1]:8895\r\n\r\n", want: 200},
		{name: "another address of IPv6", request: "GET /messages HTTP/1.1\r\nHost: [2001:db8::1]:8895\r\n\r\n", want: 421},
		{name: "a literal of a name", request: "GET /messages HTTP/1.1\r\nHost: [evil.example]\r\n\r\n", want: 421},
		{name: "no port after the colon", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net:\r\n\r\n", want: 421},
		{name: "a port that is none", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net:80x\r\n\r\n", want: 421},
		{name: "a port above all", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net:99999\r\n\r\n", want: 421},
		{name: "two ports", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net:1:2\r\n\r\n", want: 421},
		{name: "somebody at ours", request: "GET /messages HTTP/1.1\r\nHost: evil.example@mx.example.net\r\n\r\n", want: 400},
		{name: "an empty one", request: "GET /messages HTTP/1.1\r\nHost:\r\n\r\n", want: 421},
		{name: "none", request: "GET /messages HTTP/1.1\r\n\r\n", want: 400},
		{name: "none, in HTTP/1.0", request: "GET /messages HTTP/1.0\r\n\r\n", want: 421},
		{name: "ours in HTTP/1.0", request: "GET /messages HTTP/1.0\r\nHost: localhost\r\n\r\n", want: 200},
		{name: "two", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net\r\nHost: evil.example\r\n\r\n", want: 400},
		{name: "another in the URL", request: "GET http://evil.example/messages HTTP/1.1\r\nHost: mx.example.net\r\n\r\n", want: 421},
		{name: "ours in the URL, which counts", request: "GET http://mx.example.net/messages HTTP/1.1\r\nHost: evil.example\r\n\r\n", want: 200},
		{name: "a tunnel", request: "CONNECT evil.example:443 HTTP/1.1\r\nHost: mx.example.net\r\n\r\n", want: 421},
		{name: "what a proxy was asked for is not looked at", request: "GET /messages HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: mx.example.net\r\n\r\n", want: 421},
		{name: "a form", request: "POST /login HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n", want: 421},
		{name: "the style sheet", request: "GET /static/style.css HTTP/1.1\r\nHost: evil.example\r\n\r\n", want: 421},
	} {
		if got := s.ask(row.request); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

func TestFormsNeedTheirToken(t *testing.T) {
	s := serve(t, withUsers(users(t, "ann:correct horse")))
	s.Get("/login")
	form := url.Values{"name": {"ann"}, "password": {"correct horse"}}
	for name, change := range map[string]func(*http.Request){
		"no token":     func(*http.Request) {},
		"another site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a name below ours that is another origin": func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
	} {
		r, _ := http.NewRequest(http.MethodPost, s.Server.URL+"/login", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)
		resp, err := s.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, _ := s.Read(resp); status != http.StatusForbidden {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// A cookie of forms that somebody planted, with its token, sends no form of who logged in.
func TestATokenIsOfItsSession(t *testing.T) {
	s := serve(t, withUsers(users(t, "ann:correct horse")))
	_, text, _ := s.Get("/login")
	planted := visitor.Token(text)
	s.login("ann", "correct horse")
	resp, err := s.Client.PostForm(s.Server.URL+"/logout", url.Values{"token": {planted}})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := s.Read(resp); status != http.StatusForbidden {
		t.Errorf("the token of the login: %d", status)
	}
	at, _ := url.Parse(s.Server.URL)
	old := s.Client.Jar.Cookies(at)
	if status, _, _ := s.Post("/messages", "/logout", url.Values{}); status != http.StatusSeeOther {
		t.Errorf("its own: %d", status)
	}
	s.Forget()
	s.Client.Jar.SetCookies(at, old)
	if status, _, _ := s.Get("/messages"); status != http.StatusSeeOther {
		t.Errorf("the cookie of before the logout: %d", status)
	}
}

// What nobody who is known sent is small; where pages say so, what an auditor sends is not.
func TestFormsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	s := serve(t, withUsers(users(t, "ann:correct horse", "vic:battery staple")))
	if status := s.login(long, "correct horse"); status != http.StatusBadRequest {
		t.Errorf("a long name: %d", status)
	}
	if status := s.login(strings.Repeat("x", 100), "correct horse"); status != http.StatusForbidden {
		t.Errorf("a name that is none: %d", status)
	}
	form := url.Values{"text": {long}}
	for name, want := range map[string]int{"ann:correct horse": http.StatusOK, "vic:battery staple": http.StatusBadRequest} {
		user, password, _ := strings.Cut(name, ":")
		if status := s.login(user, password); status != http.StatusSeeOther {
			t.Fatalf("%s: %d", user, status)
		}
		if status, _, _ := s.Post("/messages", "/large", form); status != want {
			t.Errorf("%s: %d, want %d", user, status, want)
		}
	}
}
