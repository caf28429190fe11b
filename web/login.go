package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Bounds of sessions and logins; ours.
const (
	sessionAge  = 12 * time.Hour
	maxSessions = 10_000
	// maxTries is how many logins may fail for a name or from a network in tryWindow.
	maxTries  = 5
	tryWindow = 5 * time.Minute
	maxTried  = 10_000 // names and networks that are remembered
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
	// The network first: who has tried too often has no further name remembered.
	if wait := s.logins.wait("from "+from, "name "+name); wait > 0 {
		w.Header().Set("Retry-After", "60")
		s.opt.Log.Warn("login refused, there were too many", "user", name, "client_ip", from)
		s.loginPage(w, r, http.StatusTooManyRequests, "Too many logins failed. Try again in some minutes.")
		return
	}
	hash, ok := s.opt.Users.Check(name, r.PostForm.Get("password"))
	if !ok {
		s.opt.Log.Warn("login failed", "user", name, "client_ip", from)
		s.loginPage(w, r, http.StatusForbidden, "Name or password is wrong.")
		return
	}
	s.logins.forgive("from "+from, "name "+name)
	s.end(r)
	s.setCookie(w, sessionCookie, s.begin(name, hash), int(sessionAge/time.Second))
	s.opt.Log.Info("login", "user", name, "client_ip", from)
	http.Redirect(w, r, ownPage(r.PostForm.Get("to")), http.StatusSeeOther)
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

// attempts counts logins, so that passwords cannot be guessed at speed. A login counts
// when it begins, so that many at once are no way around.
type attempts struct {
	now   func() time.Time
	mu    sync.Mutex
	tries map[string]*tried
}

type tried struct {
	count int
	since time.Time
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, tries: map[string]*tried{}}
}

// wait counts a try for each of keys, up to the first that has too many; above 0 it is not
// to be made.
func (a *attempts) wait(keys ...string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if len(a.tries) > maxTried {
		for k, t := range a.tries {
			if now.Sub(t.since) > tryWindow {
				delete(a.tries, k)
			}
		}
		if len(a.tries) > maxTried {
			return tryWindow // somebody tries many names; nobody new logs in meanwhile
		}
	}
	for _, k := range keys {
		t := a.tries[k]
		if t == nil || now.Sub(t.since) > tryWindow {
			t = &tried{since: now}
			a.tries[k] = t
		}
		if t.count++; t.count > maxTries {
			return tryWindow - now.Sub(t.since) + time.Second
		}
	}
	return 0
}

// forgive takes back a try that was right. Others stay: who may log in himself must not
// guess the passwords of others in between.
func (a *attempts) forgive(keys ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range keys {
		if t := a.tries[k]; t != nil {
			if t.count--; t.count <= 0 {
				delete(a.tries, k)
			}
		}
	}
}
