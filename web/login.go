package web

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
func (s *Server) sessionOf(r *http.Request) string {
	value := s.cookie(r, sessionCookie)
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.session[value]
	if value == "" || x == nil || !s.opt.Now().Before(x.ends) || s.opt.Users.Hash(x.name) != x.hash {
		return ""
	}
	return x.name
}

// begin begins a session. The oldest goes where there are too many.
func (s *Server) begin(name, hash string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opt.Now()
	oldest := ""
	for value, x := range s.session {
		if !now.Before(x.ends) {
			delete(s.session, value)
		} else if oldest == "" || x.ends.Before(s.session[oldest].ends) {
			oldest = value
		}
	}
	if len(s.session) >= maxSessions {
		delete(s.session, oldest)
	}
	value := encoded(random(32))
	s.session[value] = &session{name: name, hash: hash, ends: now.Add(sessionAge)}
	return value
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	s.loginPage(w, r, http.StatusOK, "")
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request, status int, alert string) {
	if s.opt.Users == nil {
		s.fail(w, r, http.StatusNotFound, "There are no passwords here.")
		return
	}
	p := &page{Title: "Log in", Blocks: []block{{Alert: alert}, {Form: &form{Action: "/login", Submit: "Log in", Post: true, Token: s.token(w, r), Fields: []field{
		{Name: "name", Label: "Name"}, {Name: "password", Label: "Password"}, {Name: "to", Value: r.FormValue("to"), Hidden: true},
	}}}}}
	s.write(w, r, status, p)
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if s.opt.Users == nil {
		s.fail(w, r, http.StatusNotFound, "There are no passwords here.")
		return
	}
	name, from := r.PostForm.Get("name"), networkOf(r.RemoteAddr)
	if CheckName(name) != nil { // nobody's, and not to be remembered or logged at its length
		name = ""
	}
	hash, status, alert := s.tryLogin(r, name, from)
	if status != http.StatusOK {
		if status != http.StatusForbidden {
			w.Header().Set("Retry-After", "30")
		}
		s.loginPage(w, r, status, alert)
		return
	}
	s.end(r)
	s.setCookie(w, sessionCookie, s.begin(name, hash), int(sessionAge/time.Second))
	s.setCookie(w, knownCookie, s.knownValue(encoded(random(16)), name, hash), int(knownAge/time.Second))
	s.opt.Log.Info("login", "user", name, "client_ip", from)
	http.Redirect(w, r, ownPage(r.PostForm.Get("to")), http.StatusSeeOther)
}

// tryLogin checks a password, where that may be tried now; else why not.
func (s *Server) tryLogin(r *http.Request, name, from string) (hash string, status int, alert string) {
	limits, known := s.limitsOf(r, name, from)
	lane, logins := s.strangers, s.logins
	if known {
		lane, logins = s.returning, s.browsers
	}
	if !lane.enter() {
		return "", http.StatusServiceUnavailable, "Too many log in at once. Try again in some seconds."
	}
	defer lane.leave()
	if first, ok := logins.begin(limits...); !ok {
		if first { // a line for each that is refused would fill the disk
			s.opt.Log.Warn("login refused, there were too many", "user", name, "client_ip", from)
		}
		return "", http.StatusTooManyRequests, "Too many logins failed. Try again in some minutes."
	}
	hash, ok := lane.check(r.Context(), s.opt.Users, name, r.PostForm.Get("password"))
	if !ok {
		s.opt.Log.Warn("login failed", "user", name, "client_ip", from)
		return "", http.StatusForbidden, "Name or password is wrong."
	}
	logins.forgive(limits...)
	return hash, http.StatusOK, ""
}

// ownPage is a path of these pages, or that of the first one. Browsers leave out tabs and
// line ends of an address, and take a backslash for a slash, before they look for a host.
func ownPage(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f }) {
		return "/today"
	}
	return to
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	s.end(r)
	s.setCookie(w, sessionCookie, "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// end ends the session of a request, if it has one.
func (s *Server) end(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.session, s.cookie(r, sessionCookie))
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
