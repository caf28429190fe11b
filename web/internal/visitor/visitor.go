// Package visitor is who looks at the pages in tests: a browser as far as cookies, forms
// and their tokens go, and the file of users that lets him in.
package visitor

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Visitor looks at a server. He follows no redirect.
type Visitor struct {
	Server *httptest.Server
	Client *http.Client

	t testing.TB
}

// New visits a handler until the test ends.
func New(t testing.TB, h http.Handler) *Visitor {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &Visitor{Server: server, Client: browser(nil), t: t}
}

// Another is somebody else who looks at the same server, by a transport of his own; nil is
// the usual one.
func (v *Visitor) Another(by http.RoundTripper) *Visitor {
	return &Visitor{Server: v.Server, Client: browser(by), t: v.t}
}

func browser(by http.RoundTripper) *http.Client {
	jar, _ := cookiejar.New(nil) // it never fails
	return &http.Client{Jar: jar, Transport: by, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Forget loses all cookies.
func (v *Visitor) Forget() { v.Client.Jar, _ = cookiejar.New(nil) }

// Get is a page's status, text and header.
func (v *Visitor) Get(path string) (int, string, http.Header) {
	v.t.Helper()
	resp, err := v.Client.Get(v.Server.URL + path)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.Read(resp)
}

// Read is what an answer has.
func (v *Visitor) Read(resp *http.Response) (int, string, http.Header) {
	v.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

var tokenInPage = regexp.MustCompile(`name="token" value="([^"]+)"`)

// Token is what the forms of a page prove themselves with; empty where it has none.
func Token(page string) string {
	if m := tokenInPage.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

// Post sends a form with the token that a page has.
func (v *Visitor) Post(page, path string, form url.Values) (int, string, http.Header) {
	v.t.Helper()
	_, text, _ := v.Get(page)
	if token := Token(text); token != "" {
		form.Set("token", token)
	}
	resp, err := v.Client.PostForm(v.Server.URL+path, form)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.Read(resp)
}

// UsersFile is a file of users: lines NAME:PASSWORD, hashed at the least cost.
func UsersFile(t testing.TB, lines ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "users")
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
	return path
}
