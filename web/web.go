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
// Who may look, and how much is made at once, is said by package access.
//
// A page never slows mail: it is made in a process of its own, in bounded time, by a
// bounded number at once, of a bounded number of rows.
package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"time"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
	"alignd/resolver"
	"alignd/web/access"
)

// Options are what the pages are made with.
type Options struct {
	// Backend is what questions are put to.
	Backend Backend
	// Access is who may look, and how many at once.
	Access access.Options
	// Timeout bounds the making of a page.
	Timeout time.Duration
	Version string
	Log     *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Backend is the journal and its configuration. Its functions are safe for concurrent use.
type Backend interface {
	// Config is the configuration in force, as its file says now; the error says why that
	// is an older one.
	Config() (*config.Config, error)
	// Reader opens the journal. skipped hears of what cannot be read of it.
	Reader(skipped func(error)) (journal.Reader, error)
	// Warm opens of the journal what most looks need.
	Warm(ctx context.Context)
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
	// journal status and sources print with --json. Pages have types of what they show of
	// it: those of the commands stand in cmd/alignd and rest on report, neither of which is
	// lower than web. What a daemon tells of itself is of a lower one (state.Daemon).
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
	opt    Options
	access *access.Control
	mux    *http.ServeMux
	views  []*view
	// work is of all that goes on beside requests: Close ends it.
	work    context.Context
	cancel  context.CancelFunc
	jobs    jobs
	pairs   pairCache
	sources sourceCache
	asks    asks
}

// New makes a server. It refuses to run open to everybody, as access.New does.
func New(opt Options) (*Server, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opt: opt, mux: http.NewServeMux()}
	var err error
	if s.access, err = access.New(opt.Access, access.Pages{Fail: s.fail, Login: s.loginPage, First: firstPage, LargeForms: largeForms, Log: opt.Log, Now: opt.Now}); err != nil {
		return nil, err
	}
	s.work, s.cancel = context.WithCancel(context.Background())
	s.routes()
	return s, nil
}

// Listen bounds how many are connected by ln, as access.Control.Listen does.
func (s *Server) Listen(ln net.Listener) net.Listener { return s.access.Listen(ln) }

// Handler answers requests.
func (s *Server) Handler() http.Handler { return s.access.Checked(s.mux) }

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
	s.access.Routes(s.mux)
	for path, h := range s.forms() {
		s.mux.HandleFunc("POST "+path, h)
	}
	s.views = s.pages()
	for _, v := range s.views {
		for _, f := range []format{asHTML, asCSV, asJSON} {
			if path := v.path + string(f); v.path != "/" {
				s.mux.HandleFunc("GET "+path, s.show(v, f))
			}
		}
	}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, firstPage, http.StatusSeeOther) })
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusNotFound, "There is no such page.")
	})
}
