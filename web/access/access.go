// Package access says who may look at pages, and bounds what a client may ask for before a
// page is made: names of hosts, sessions, proxies, client certificates, forms of other
// sites, passwords that are guessed, connections, and how many answers are made and sent
// at once. It knows nothing of what the pages show: it is given a handler, and hands it
// the Person who asks (PersonOf) in the context of the request.
//
// What is refused is told by the functions of Pages, so that it looks like a page.
package access

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Options are who may look, and how many at once.
type Options struct {
	// Users are those with a password; nil for none.
	Users *Users
	// Proxy names who a trusted reverse proxy says is asking.
	Proxy Proxy
	// Certificates: the subject's common name of a verified client certificate is who asks.
	Certificates bool
	// Socket: it is a unix socket that is listened on.
	Socket bool
	// Open: the way to the socket is what rights guard, so nobody is asked who he is as long
	// as Users has nobody.
	Open bool
	// Role is what those who look may see, unless they are among Auditors.
	Role     Role
	Auditors []string
	// Roles is asked for both at each request; nil for those above.
	Roles func() (usual Role, auditors []string)
	// Hosts are the names under which the pages are asked for, without port.
	Hosts []string
	// Secure: browsers reach it by TLS, here or at a proxy.
	Secure bool
	// Parallel bounds how many answers are made at once.
	Parallel int
}

// Proxy is a reverse proxy that says who asks. The zero Proxy is none.
type Proxy struct {
	Header   string
	Networks []netip.Prefix
}

// Role says what somebody may see.
type Role string

// The roles.
const (
	Viewer  Role = "viewer"  // no local parts of addresses
	Auditor Role = "auditor" // all, and each look is logged
)

// Pages are what is guarded, as far as Control has to know them.
type Pages struct {
	// Fail answers with what went wrong, in words.
	Fail func(w http.ResponseWriter, r *http.Request, status int, text string)
	// Login answers with the form of the login, which is sent to /login.
	Login func(w http.ResponseWriter, r *http.Request, status int, f LoginForm)
	// First is the path to which a login leads that names none.
	First string
	// LargeForms are the paths to which auditors may send more than others, in octets.
	LargeForms map[string]int64
	Log        *slog.Logger
	// Now is the clock.
	Now func() time.Time
}

// LoginForm is what the form of the login has beside the fields name and password: the
// fields token and to, which nobody sees, and what went wrong; empty for nothing.
type LoginForm struct{ Token, To, Alert string }

// Control lets in who may look. It is safe for concurrent use.
type Control struct {
	opt    Options
	pages  Pages
	key    []byte        // of tokens
	slots  chan struct{} // answers that are made
	large  chan struct{} // and the large ones of them
	origin *http.CrossOriginProtection
	// Logins of strangers, and those of browsers in which that name logged in before: each
	// has failures and places of its own, so that the ones do not keep out the others.
	logins, browsers     *attempts
	strangers, returning *lane
	mu                   sync.Mutex // for session
	session              map[string]*session
	conns                atomic.Int64 // that are open
	sending              atomic.Int64 // octets of answers that are being sent
	hadUsers             atomic.Bool  // for asksForPasswords
}

// New makes a Control. It refuses to be open to everybody.
func New(opt Options, pages Pages) (*Control, error) {
	if opt.Users == nil && opt.Proxy.Header == "" && !opt.Certificates && !opt.Open {
		return nil, errors.New("nobody may look: there are no users (alignd web passwd), no proxy and no client certificates")
	}
	if opt.Roles == nil {
		opt.Roles = func() (Role, []string) { return opt.Role, opt.Auditors }
	}
	return &Control{opt: opt, pages: pages, key: random(32), slots: make(chan struct{}, max(1, opt.Parallel)), large: make(chan struct{}, max(1, opt.Parallel/4)),
		origin: http.NewCrossOriginProtection(), logins: newAttempts(pages.Now), browsers: newAttempts(pages.Now), strangers: newLane(), returning: newLane(),
		session: map[string]*session{}}, nil
}

// asksForPasswords: there are users, or were since the start: who takes the last one out, or
// damages their file, does not open the pages by that.
func (c *Control) asksForPasswords() bool {
	switch {
	case c.opt.Users == nil:
		return false
	case !c.opt.Open || c.hadUsers.Load():
		return true
	case c.opt.Users.Count() == 0:
		return false
	}
	c.hadUsers.Store(true)
	return true
}

// Routes adds /login and /logout to those of the pages.
func (c *Control) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", c.showLogin)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /logout", c.logout)
}

// Person is who asks.
type Person struct {
	Name string // empty where nobody is asked
	Role Role
}

// Auditor reports whether a person may see all.
func (p Person) Auditor() bool { return p.Role == Auditor }

type personKey struct{}

// PersonOf is who sent the request that a context is of. known is false where that was not
// asked, or nobody said: then he is a Viewer without a name.
func PersonOf(ctx context.Context) (p Person, known bool) {
	p, known = ctx.Value(personKey{}).(Person)
	if p.Role == "" {
		p.Role = Viewer
	}
	return p, known
}
