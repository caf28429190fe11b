package access

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxName is how long the name of somebody may be, in octets; ours. A distinguished name,
// which some proxies send, has room.
const maxName = 300

// who is the person that sent a request; ok is false where nobody may look without
// saying who he is.
func (c *Control) who(r *http.Request) (p Person, ok bool) {
	name := ""
	switch {
	case c.opt.Proxy.Header != "" && c.fromProxy(r):
		// Of several fields one may be what the browser sent: a proxy that adds its own and
		// leaves others in says nothing.
		if all := r.Header.Values(c.opt.Proxy.Header); len(all) != 1 || all[0] == "" {
			return p, false
		} else {
			name = all[0]
		}
	case c.opt.Certificates && r.TLS != nil && len(r.TLS.VerifiedChains) > 0:
		cert := r.TLS.VerifiedChains[0][0]
		// A connection may last longer than what it began with.
		if name = cert.Subject.CommonName; name == "" || !cert.NotAfter.IsZero() && c.pages.Now().After(cert.NotAfter) {
			return p, false
		}
	case c.asksForPasswords():
		if name = c.sessionOf(r); name == "" {
			return p, false
		}
	case c.opt.Open:
		p.Role, _ = c.opt.Roles()
		return p, true
	default:
		return p, false
	}
	if len(name) > maxName || !utf8.ValidString(name) {
		return p, false
	}
	role, auditors := c.opt.Roles()
	p = Person{Name: name, Role: role}
	if slices.Contains(auditors, name) {
		p.Role = Auditor
	}
	return p, true
}

// fromProxy reports whether the proxy is who is connected. What comes by a unix socket is
// the proxy's: rights guard it.
func (c *Control) fromProxy(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return c.opt.Socket
	}
	return c.ofProxy(at.Addr().Unmap())
}

func (c *Control) ofProxy(ip netip.Addr) bool {
	return slices.ContainsFunc(c.opt.Proxy.Networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// known is for those who may look.
func (c *Control) known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, ok := c.who(r)
		switch {
		case ok:
			next(w, r.WithContext(context.WithValue(r.Context(), personKey{}, p)))
		case c.asksForPasswords() && r.Method == http.MethodGet && !strings.Contains(r.URL.Path, "."):
			http.Redirect(w, r, "/login?"+url.Values{"to": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		default:
			c.pages.Fail(w, r, http.StatusUnauthorized, "Nobody said who you are.")
		}
	}
}
