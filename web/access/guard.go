package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// policyOfContent lets a browser load what comes from here and run nothing that stands in
// a page (CSP level 3). No page asks anything of another host.
const policyOfContent = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Checked puts before next what holds for every request: headers, the name that was asked
// for, and whether another site sends it.
func (c *Control) Checked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policyOfContent)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if c.opt.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if c.conns.Load() > crowded {
			h.Set("Connection", "close")
		}
		// A name of others that leads here (DNS rebinding) is not ours.
		if !c.knowsHost(r.Host) {
			http.Error(w, "These pages have another name (web.hosts).", http.StatusMisdirectedRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			r.Body = http.MaxBytesReader(w, r.Body, c.maxForm(r))
			if err := c.origin.Check(r); err != nil {
				c.pages.Fail(w, r, http.StatusForbidden, "This was sent by another site.")
				return
			}
			if err := r.ParseForm(); err != nil {
				c.pages.Fail(w, r, http.StatusBadRequest, "The form cannot be read, or is too large.")
				return
			}
			if !c.tokenHolds(r) {
				c.pages.Fail(w, r, http.StatusForbidden, "The form is too old. Go back, load the page anew, and send it again.")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// maxForm is what a form may hold, in octets; ours, but for those that auditors send to
// where pages take more. Forms are read before anything else is asked, and of all who are
// connected at once.
func (c *Control) maxForm(r *http.Request) int64 {
	if p, ok := c.who(r); ok && p.Auditor() && c.pages.LargeForms[r.URL.Path] != 0 {
		return c.pages.LargeForms[r.URL.Path]
	}
	return 16 << 10
}

// knowsHost reports whether a name that was asked for, as the field Host or the URL has
// it, is ours: a name or address with or without a port (RFC 9110 section 7.2).
func (c *Control) knowsHost(host string) bool {
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		name = h
	} else if literal, ok := strings.CutPrefix(host, "["); ok {
		name = strings.TrimSuffix(literal, "]")
	}
	return slices.Contains(c.opt.Hosts, strings.ToLower(strings.TrimSuffix(name, ".")))
}

// random are octets that nobody can guess.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Cookies: that of a session, and that which tokens of forms belong to.
const (
	sessionCookie = "alignd"
	formCookie    = "alignd-form"
)

// cookieName has browsers keep the cookie to this host and to TLS, where there is TLS
// (RFC 6265bis section 4.1.3.2).
func (c *Control) cookieName(name string) string {
	if c.opt.Secure {
		return "__Host-" + name
	}
	return name
}

func (c *Control) setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: c.cookieName(name), Value: value, Path: "/", MaxAge: age, Secure: c.opt.Secure,
		HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

func (c *Control) cookie(r *http.Request, name string) string {
	found, err := r.Cookie(c.cookieName(name))
	if err != nil {
		return ""
	}
	return found.Value
}

// Token is for the forms of a browser, in a field of that name: what its cookie says, by
// our key.
func (c *Control) Token(w http.ResponseWriter, r *http.Request) string {
	value := c.cookie(r, formCookie)
	if len(value) != 43 { // 32 octets
		value = encoded(random(32))
		c.setCookie(w, formCookie, value, 0)
	}
	return c.tokenOf(r, value)
}

// tokenOf is also of the session and the person, so that a cookie that somebody else
// planted in the browser, with the token that he was given for it, is good for nothing.
func (c *Control) tokenOf(r *http.Request, value string) string {
	p, _ := c.who(r)
	m := hmac.New(sha256.New, c.key)
	fmt.Fprintf(m, "form %q %q %q", value, c.cookie(r, sessionCookie), p.Name)
	return encoded(m.Sum(nil))
}

func (c *Control) tokenHolds(r *http.Request) bool {
	value := c.cookie(r, formCookie)
	return value != "" && hmac.Equal([]byte(c.tokenOf(r, value)), []byte(r.PostForm.Get("token")))
}
