// Package filter is one SMTP session as alignd sees it: what the MTA told us,
// what we tell it. It feeds verify with the events of package milter, asks
// policy.Decide, and renders evidence and verdict as header edits, reply and
// log line. It decides nothing itself.
//
// Each message is judged with one snapshot of Settings, taken at MAIL FROM;
// SetSettings replaces it for the messages that begin later.
package filter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"alignd/authres"
	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/header"
	"alignd/policy"
	"alignd/resolver"
	"alignd/verify"
)

// Strip says which incoming Authentication-Results fields are deleted.
type Strip string

// The values of Strip (RFC 8601 section 5).
const (
	StripOwn  Strip = "own"  // those that claim an id of ours
	StripAll  Strip = "all"  // every one
	StripNone Strip = "none" // none; only for hosts behind a border of our own
)

// Settings are what one message is judged with. They are read only.
type Settings struct {
	Rules  *policy.Rules
	Verify verify.Options
	// AuthservID is written to Authentication-Results; empty means the MTA's
	// own name, macro {j}.
	AuthservID string
	// OwnIDs are further authserv-ids of ours, whose fields are stripped.
	OwnIDs []string
	// OwnNameOnly leaves the ids of the site's other hosts to whoever uses them:
	// ours are AuthservID, the MTA's name, OwnIDs, and what is below them.
	OwnNameOnly bool
	Strip       Strip
	// TagName is the field that carries the disposition; incoming fields of
	// that name are always deleted.
	TagName string
	// ReceivedSPF adds a Received-SPF field (RFC 7208 section 9.1).
	ReceivedSPF bool
	// MaxForged is how many fields of a message may be deleted; one with more is
	// refused. 0 means DefaultMaxForged.
	MaxForged int
	// SamplingSecret keys the sample of pct and rollout percentages.
	SamplingSecret []byte

	lastOwn   atomic.Pointer[ownOf]
	keyMakers sync.Pool // of *keyMaker, for SamplingSecret
}

// ownOf is what own returned for an MTA.
type ownOf struct {
	mta string
	ids authres.Own
}

// ServID is the authserv-id for an MTA that calls itself mta. It is never empty,
// so that what own knows is what is written.
func (s *Settings) ServID(mta string) string {
	return cmp.Or(s.AuthservID, mta, authres.Unnamed)
}

// own is the set of ids whose fields are stripped for an MTA named mta. The
// last one is kept, as a site seldom has two.
func (s *Settings) own(mta string) authres.Own {
	if last := s.lastOwn.Load(); last != nil && last.mta == mta {
		return last.ids
	}
	names := []string{s.ServID(mta), mta}
	if !s.OwnNameOnly {
		names = []string{authres.Site(s.ServID(mta)), authres.Site(mta)}
	}
	ids := authres.NewOwn(append(names, s.OwnIDs...)...)
	s.lastOwn.Store(&ownOf{mta, ids})
	return ids
}

// Filter makes the sessions of a milter.Server.
type Filter struct {
	lookup   resolver.Lookuper
	log      *slog.Logger
	settings atomic.Pointer[Settings]
	waits    *waits
	// spaceless counts messages; see Spaceless.
	spaceless atomic.Int64
}

// New returns a Filter that asks DNS through lk and writes its log to log.
func New(lk resolver.Lookuper, log *slog.Logger, s *Settings) *Filter {
	f := &Filter{lookup: lk, log: log, waits: newWaits(maxWaits)}
	f.settings.Store(s)
	return f
}

// SetSettings replaces the settings for messages that begin from now on.
func (f *Filter) SetSettings(s *Settings) { f.settings.Store(s) }

// Spaceless is how many messages came without the space after the colon of their
// header fields (milter.Conn.LeadingSpace).
func (f *Filter) Spaceless() int64 { return f.spaceless.Load() }

// Session is a milter.Options.Handler.
func (f *Filter) Session(c *milter.Conn) milter.Session {
	return &session{filter: f, conn: c}
}

// Judgement is the outcome for one message.
type Judgement struct {
	Evidence *evidence.Message
	Verdict  policy.Verdict
	Results  authres.Header // the Authentication-Results field
	key      messageKey
}

// Content is what a message's key is made from, beside its evidence. A
// *verify.Message is one.
type Content interface {
	Fields() *header.Fields
	BodyHash() [sha256.Size]byte
}

// Judge completes the evidence with what needs the site's secret and decides, as of
// a message that was not tried before.
func (s *Settings) Judge(ev *evidence.Message, c Content) Judgement { return s.judge(ev, c, nil) }

// judge is Judge with what w knows of earlier tries.
func (s *Settings) judge(ev *evidence.Message, c Content, w *waits) Judgement {
	key := s.keyOf(ev, c.Fields(), c.BodyHash())
	ev.Sample = key.sample()
	if w != nil {
		ev.FirstSeen, ev.Deferrals = w.Of(key, ev)
	}
	v := policy.Decide(ev, s.Rules)
	return Judgement{Evidence: ev, Verdict: v, Results: Results(s.ServID(ev.MTA), ev, &v), key: key}
}

// judge runs the end of one message in the daemon.
func (f *Filter) judge(s *Settings, ev *evidence.Message, c Content, m *marks) Judgement {
	j := s.judge(ev, c, f.waits)
	s.limitForged(&j, m)
	switch {
	case j.Verdict.Disposition == policy.DispositionTempfail:
		f.waits.Deferred(j.key, ev)
	case j.Verdict.Waited:
		f.waits.Served(j.key, ev)
	}
	return j
}

// logMessage writes the one line that tells a message's whole story. It goes
// past slog.Logger, which looks up the caller for each line.
func (f *Filter) logMessage(j *Judgement) {
	ctx, h := context.Background(), f.log.Handler()
	if !h.Enabled(ctx, slog.LevelInfo) {
		return
	}
	var few [32]slog.Attr
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "message judged", 0)
	line.AddAttrs(appendLog(few[:0], j)...)
	_ = h.Handle(ctx, line) // there is no place left to complain
}
