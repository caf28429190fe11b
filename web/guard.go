package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// policyOfContent lets a browser load what comes from here and run nothing that stands in
// a page (CSP level 3). No page asks anything of another host.
const policyOfContent = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// checked is what holds for every request: headers, the name that was asked for, and
// whether another site sends it.
func (s *Server) checked(next http.Handler) http.Handler {
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
		if s.opt.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if s.conns.Load() > crowded {
			h.Set("Connection", "close")
		}
		// A name of others that leads here (DNS rebinding) is not ours.
		if !s.knowsHost(r.Host) {
			http.Error(w, "These pages have another name (web.hosts).", http.StatusMisdirectedRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			r.Body = http.MaxBytesReader(w, r.Body, s.maxForm(r))
			if err := s.guard.Check(r); err != nil {
				s.fail(w, r, http.StatusForbidden, "This was sent by another site.")
				return
			}
			if err := r.ParseForm(); err != nil {
				s.fail(w, r, http.StatusBadRequest, "The form cannot be read, or is too large.")
				return
			}
			if !s.tokenHolds(r) {
				s.fail(w, r, http.StatusForbidden, "The form is too old. Go back, load the page anew, and send it again.")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// maxForm is what a form may hold, in octets; ours: a configuration has room in that of
// What if, where an auditor sends it. Forms are read before anything else is asked, and
// of all who are connected at once.
func (s *Server) maxForm(r *http.Request) int64 {
	if p, ok := s.who(r); ok && p.auditor() && r.URL.Path == "/whatif/try" {
		return 4 << 20
	}
	return 16 << 10
}

// knowsHost reports whether a name that was asked for, as the field Host or the URL has
// it, is ours: a name or address with or without a port (RFC 9110 section 7.2).
func (s *Server) knowsHost(host string) bool {
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		name = h
	} else if literal, ok := strings.CutPrefix(host, "["); ok {
		name = strings.TrimSuffix(literal, "]")
	}
	return slices.Contains(s.opt.Hosts, strings.ToLower(strings.TrimSuffix(name, ".")))
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
func (s *Server) cookieName(name string) string {
	if s.opt.Secure {
		return "__Host-" + name
	}
	return name
}

func (s *Server) setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", MaxAge: age, Secure: s.opt.Secure,
		HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

func (s *Server) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// token is for the forms of a browser: what its cookie says, by our key.
func (s *Server) token(w http.ResponseWriter, r *http.Request) string {
	value := s.cookie(r, formCookie)
	if len(value) != 43 { // 32 octets
		value = encoded(random(32))
		s.setCookie(w, formCookie, value, 0)
	}
	return s.tokenOf(r, value)
}

// tokenOf is also of the session and the person, so that a cookie that somebody else
// planted in the browser, with the token that he was given for it, is good for nothing.
func (s *Server) tokenOf(r *http.Request, value string) string {
	p, _ := s.who(r)
	m := hmac.New(sha256.New, s.key)
	fmt.Fprintf(m, "form %q %q %q", value, s.cookie(r, sessionCookie), p.Name)
	return encoded(m.Sum(nil))
}

func (s *Server) tokenHolds(r *http.Request) bool {
	value := s.cookie(r, formCookie)
	return value != "" && hmac.Equal([]byte(s.tokenOf(r, value)), []byte(r.PostForm.Get("token")))
}

// person is who asks.
type person struct {
	Name string // empty where nobody is asked
	Role Role
}

func (p person) auditor() bool { return p.Role == Auditor }

type personKey struct{}

func personOf(ctx context.Context) person {
	p, _ := ctx.Value(personKey{}).(person)
	if p.Role == "" {
		p.Role = Viewer
	}
	return p
}

// maxName is how long the name of somebody may be, in octets; ours. A distinguished name,
// which some proxies send, has room.
const maxName = 300

// who is the person that sent a request; ok is false where nobody may look without
// saying who he is.
func (s *Server) who(r *http.Request) (p person, ok bool) {
	name := ""
	switch {
	case s.opt.Proxy.Header != "" && s.fromProxy(r):
		// Of several fields one may be what the browser sent: a proxy that adds its own and
		// leaves others in says nothing.
		if all := r.Header.Values(s.opt.Proxy.Header); len(all) != 1 || all[0] == "" {
			return p, false
		} else {
			name = all[0]
		}
	case s.opt.Certificates && r.TLS != nil && len(r.TLS.VerifiedChains) > 0:
		cert := r.TLS.VerifiedChains[0][0]
		// A connection may last longer than what it began with.
		if name = cert.Subject.CommonName; name == "" || !cert.NotAfter.IsZero() && s.opt.Now().After(cert.NotAfter) {
			return p, false
		}
	case s.opt.Users != nil:
		if name = s.sessionOf(r); name == "" {
			return p, false
		}
	case s.opt.Open:
		p.Role, _ = s.opt.Roles()
		return p, true
	default:
		return p, false
	}
	if len(name) > maxName || !utf8.ValidString(name) {
		return p, false
	}
	role, auditors := s.opt.Roles()
	p = person{Name: name, Role: role}
	if slices.Contains(auditors, name) {
		p.Role = Auditor
	}
	return p, true
}

// fromProxy reports whether the proxy is who is connected. What comes by a unix socket is
// the proxy's: rights guard it.
func (s *Server) fromProxy(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return s.opt.Socket
	}
	return s.ofProxy(at.Addr().Unmap())
}

func (s *Server) ofProxy(ip netip.Addr) bool {
	return slices.ContainsFunc(s.opt.Proxy.Networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// known is for those who may look.
func (s *Server) known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, ok := s.who(r)
		switch {
		case ok:
			next(w, r.WithContext(context.WithValue(r.Context(), personKey{}, p)))
		case s.opt.Users != nil && r.Method == http.MethodGet && !strings.Contains(r.URL.Path, "."):
			http.Redirect(w, r, to("/login", "to", r.URL.RequestURI()), http.StatusSeeOther)
		default:
			s.fail(w, r, http.StatusUnauthorized, "Nobody said who you are.")
		}
	}
}
