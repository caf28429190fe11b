// Package web shows the journal to people: pages of what became of mail, who sends as
// whom, and what another configuration would have done. It decides nothing and writes
// nothing but its log: all it shows comes from the queries and functions that the command
// lines use, and each page names the command line that says the same.
//
// Pages are a list of blocks (page.go) that one template shows, so text from outside goes
// one way: through terminal.Line where a block is made, and through html/template. The
// same tables make the CSV. Viewers are shown no local parts of addresses: records lose
// them before anything is made of them, and each text of a page once more.
//
// A page never slows mail: it is made in a process of its own, in bounded time, by a
// bounded number at once, of a bounded number of rows.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
	"alignd/resolver"
)

// Options are what the pages are made with.
type Options struct {
	// Backend is what questions are put to.
	Backend Backend
	// Users are those with a password; nil for none.
	Users *Users
	// Proxy names who a trusted reverse proxy says is asking.
	Proxy Proxy
	// Certificates: the subject's common name of a verified client certificate is who asks.
	Certificates bool
	// Socket: it is a unix socket that is listened on.
	Socket bool
	// Open: the way to the socket is what rights guard, so nobody is asked who he is.
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
	// Timeout bounds the making of a page, Parallel how many are made at once.
	Timeout  time.Duration
	Parallel int
	Version  string
	Log      *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
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

// Backend is the journal and its configuration. Its functions are safe for concurrent use.
type Backend interface {
	// Config is the configuration in force, as its file says now; the error says why that
	// is an older one.
	Config() (*config.Config, error)
	// Reader opens the journal. skipped hears of what cannot be read of it.
	Reader(skipped func(error)) (journal.Reader, error)
	// State opens the counts.
	State(ctx context.Context) (*state.State, error)
	// Query reads the flags of alignd log by their names; the error begins with that of a flag.
	Query(flag func(name string) string, now time.Time) (journal.Query, error)
	// Named are the queries for what a person has in hand, one after the other.
	Named(id string) []journal.Query
	// AsKept has a query ask for what the journal has of addresses.
	AsKept(q *journal.Query) error
	// RulesOf are the rules that judged a record, or others and what to say of that.
	RulesOf(ctx context.Context, r *record.Record) (*policy.Rules, string)
	// Again judges a record by the configuration in force.
	Again(r *record.Record) (replay.Judgement, error)

	// Stats, ReportStatus, JournalStatus and Survey are what alignd stats, report status,
	// journal status and sources print with --json.
	Stats(ctx context.Context, now time.Time) (json.RawMessage, error)
	// ReportStatus has the newest, of one domain and state or of all.
	ReportStatus(ctx context.Context, domain, state string) (json.RawMessage, error)
	JournalStatus(ctx context.Context) (json.RawMessage, error)
	Survey(ctx context.Context, ask *SurveyAsk, p Progress) (json.RawMessage, error)
	// Report is a report of the outbox, with its mail to one of its addresses, by number.
	Report(ctx context.Context, id string, n int) (*Report, error)
	// Behind is what of the journal is late, lost or at a standstill, in words; empty where
	// all is well.
	Behind(ctx context.Context) []string
	// Metrics are those that the daemon of this host exports, by name.
	Metrics(ctx context.Context) ([]Metric, error)
	// Own tells whether an Author Domain is one of own_domains; Organization is the
	// Organizational Domain of a name by the Public Suffix List.
	Own(cfg *config.Config) func(author string) bool
	Organization(name string) string
	// DNS answers questions about what domains publish.
	DNS() (resolver.Lookuper, error)
	// File is the name of the configuration file, as faults have it.
	File() string
	// Running is the text of the running configuration without secrets, Parse reads one
	// in its place, and Without is the running one without an entry.
	Running() string
	Parse(text []byte) (*config.Config, error)
	Without(e EntryName) (*config.Config, error)
	// Replay judges past messages again, behind mail; it ends when ctx does.
	Replay(ctx context.Context, ask *ReplayAsk, p Progress) (*Replayed, error)
}

// Server makes pages.
type Server struct {
	opt   Options
	key   []byte        // of tokens
	slots chan struct{} // views that are made
	files chan struct{} // and of them CSV and JSON
	guard *http.CrossOriginProtection
	// Logins of strangers, and those of browsers in which that name logged in before: each
	// has failures and places of its own, so that the ones do not keep out the others.
	logins, browsers     *attempts
	strangers, returning *lane
	mux                  *http.ServeMux
	views                []*view
	mu                   sync.Mutex // for sessions
	session              map[string]*session
	conns                atomic.Int64 // that are open
	sending              atomic.Int64 // octets of answers that are being sent
	jobs                 jobs
	pairs                pairCache
	beside               besideCache
	asks                 asks
}

// New makes a server. It refuses to run open to everybody.
func New(opt Options) (*Server, error) {
	if opt.Users == nil && opt.Proxy.Header == "" && !opt.Certificates && !opt.Open {
		return nil, errors.New("nobody may look: there are no users (alignd web passwd), no proxy and no client certificates")
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Roles == nil {
		opt.Roles = func() (Role, []string) { return opt.Role, opt.Auditors }
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opt: opt, key: random(32), slots: make(chan struct{}, max(1, opt.Parallel)), files: make(chan struct{}, max(1, opt.Parallel/4)), guard: http.NewCrossOriginProtection(),
		logins: newAttempts(opt.Now), browsers: newAttempts(opt.Now), strangers: newLane(), returning: newLane(), mux: http.NewServeMux(), session: map[string]*session{}}
	s.routes()
	return s, nil
}

// Handler answers requests.
func (s *Server) Handler() http.Handler { return s.checked(s.mux) }

// HTTP is a server of the pages with bounds on what a client may send and take.
func (s *Server) HTTP() *http.Server {
	s.warm()
	return &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second,
		WriteTimeout: s.opt.Timeout + 60*time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug),
	}
}

func (s *Server) routes() {
	s.mux.Handle("GET /static/", http.HandlerFunc(static))
	s.mux.HandleFunc("GET /login", s.showLogin)
	s.mux.HandleFunc("POST /login", s.login)
	s.mux.HandleFunc("POST /logout", s.logout)
	for path, h := range s.forms() {
		s.mux.HandleFunc("POST "+path, h)
	}
	s.views = s.pages()
	for _, v := range s.views {
		for _, f := range []format{asHTML, asCSV, asJSON} {
			if path := v.path + string(f); v.path != "/" {
				s.mux.HandleFunc("GET "+path, s.known(s.show(v, f)))
			}
		}
	}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/today", http.StatusSeeOther) })
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusNotFound, "There is no such page.")
	})
}
