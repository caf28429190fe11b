package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Bounds of sessions; ours.
const (
	sessionAge  = 12 * time.Hour
	maxSessions = 10_000
)

// session is somebody who logged in.
type session struct {
	name string
	hash string // of the password at the login: a new one ends it
	ends time.Time
}

// sessionOf is the name of who logged in; empty for nobody.
func (c *Control) sessionOf(r *http.Request) string {
	value := c.cookie(r, sessionCookie)
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.session[value]
	if value == "" || x == nil || !c.pages.Now().Before(x.ends) || c.opt.Users.Hash(x.name) != x.hash {
		return ""
	}
	return x.name
}

// LoggedIn reports whether a request is of somebody who can log out.
func (c *Control) LoggedIn(r *http.Request) bool {
	return c.asksForPasswords() && c.sessionOf(r) != ""
}

// begin begins a session. The oldest goes where there are too many.
func (c *Control) begin(name, hash string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.pages.Now()
	oldest := ""
	for value, x := range c.session {
		if !now.Before(x.ends) {
			delete(c.session, value)
		} else if oldest == "" || x.ends.Before(c.session[oldest].ends) {
			oldest = value
		}
	}
	if len(c.session) >= maxSessions {
		delete(c.session, oldest)
	}
	value := encoded(random(32))
	c.session[value] = &session{name: name, hash: hash, ends: now.Add(sessionAge)}
	return value
}

func (c *Control) showLogin(w http.ResponseWriter, r *http.Request) {
	c.loginPage(w, r, http.StatusOK, "")
}

func (c *Control) loginPage(w http.ResponseWriter, r *http.Request, status int, alert string) {
	if !c.asksForPasswords() {
		c.pages.Fail(w, r, http.StatusNotFound, "There are no passwords here.")
		return
	}
	c.pages.Login(w, r, status, LoginForm{Token: c.Token(w, r), To: r.FormValue("to"), Alert: alert})
}

func (c *Control) login(w http.ResponseWriter, r *http.Request) {
	if !c.asksForPasswords() {
		c.pages.Fail(w, r, http.StatusNotFound, "There are no passwords here.")
		return
	}
	name, from := r.PostForm.Get("name"), networkOf(r.RemoteAddr)
	if CheckName(name) != nil { // nobody's, and not to be remembered or logged at its length
		name = ""
	}
	hash, status, alert := c.tryLogin(r, name, from)
	if status != http.StatusOK {
		if status != http.StatusForbidden {
			w.Header().Set("Retry-After", "30")
		}
		c.loginPage(w, r, status, alert)
		return
	}
	c.end(r)
	c.setCookie(w, sessionCookie, c.begin(name, hash), int(sessionAge/time.Second))
	c.setCookie(w, knownCookie, c.knownValue(encoded(random(16)), name, hash), int(knownAge/time.Second))
	c.pages.Log.Info("login", "user", name, "client_ip", from)
	http.Redirect(w, r, c.ownPage(r.PostForm.Get("to")), http.StatusSeeOther)
}

// tryLogin checks a password, where that may be tried now; else why not.
func (c *Control) tryLogin(r *http.Request, name, from string) (hash string, status int, alert string) {
	limits, known := c.limitsOf(r, name, from)
	lane, logins := c.strangers, c.logins
	if known {
		lane, logins = c.returning, c.browsers
	}
	if !lane.enter() {
		return "", http.StatusServiceUnavailable, "Too many log in at once. Try again in some seconds."
	}
	defer lane.leave()
	if first, ok := logins.begin(limits...); !ok {
		if first { // a line for each that is refused would fill the disk
			c.pages.Log.Warn("login refused, there were too many", "user", name, "client_ip", from)
		}
		return "", http.StatusTooManyRequests, "Too many logins failed. Try again in some minutes."
	}
	hash, ok := lane.check(r.Context(), c.opt.Users, name, r.PostForm.Get("password"))
	if !ok {
		c.pages.Log.Warn("login failed", "user", name, "client_ip", from)
		return "", http.StatusForbidden, "Name or password is wrong."
	}
	logins.forgive(limits...)
	return hash, http.StatusOK, ""
}

// ownPage is a path of these pages, or that of the first one. Browsers leave out tabs and
// line ends of an address, and take a backslash for a slash, before they look for a host.
func (c *Control) ownPage(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f }) {
		return c.pages.First
	}
	return to
}

func (c *Control) logout(w http.ResponseWriter, r *http.Request) {
	c.end(r)
	c.setCookie(w, sessionCookie, "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// end ends the session of a request, if it has one.
func (c *Control) end(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.session, c.cookie(r, sessionCookie))
}

// networkOf is where somebody comes from: IPv4 the address, IPv6 its /64.
func networkOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return "socket"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return "socket"
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		p, _ := ip.Prefix(64)
		return p.String()
	}
	return ip.String()
}
