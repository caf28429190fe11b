// Package filter is one SMTP session as alignd sees it: what the MTA told us,
// what we tell it. It feeds verify with the events of package milter, asks
// package judge, renders the judgement as header edits and reply, and hands on
// a record of each message. It decides nothing itself.
//
// Each message is judged with one snapshot of settings, taken at MAIL FROM;
// SetSettings replaces it for the messages that begin later.
package filter

import (
	"sync/atomic"

	"alignd/filter/milter"
	"alignd/header"
	"alignd/judge"
	"alignd/record"
	"alignd/resolver"
)

// Filter makes the sessions of a milter.Server.
type Filter struct {
	lookup   resolver.Lookuper
	sink     record.Sink
	settings atomic.Pointer[judge.Settings]
	waits    *judge.Waits
	failures Failures // nil for none
	notices  Notices  // nil where none are taken
	// spaceless counts messages; see Spaceless.
	spaceless atomic.Int64
}

// New returns a Filter that asks DNS through lk and gives each message's record to
// sink.
func New(lk resolver.Lookuper, sink record.Sink, s *judge.Settings) *Filter {
	f := &Filter{lookup: lk, sink: sink, waits: judge.NewWaits()}
	f.settings.Store(s)
	return f
}

// Share has mail that was put off known to other hosts, too. It is called before the
// first message.
func (f *Filter) Share(s judge.Shared) { f.waits.Share(s) }

// Failures hears of each answered message with its header section, for failure reports. It
// takes what it wants at once, changes neither, returns soon, and never panics. What Note
// returns, if anything, is called when the reply was written, or could not be.
type Failures interface {
	Note(*record.Record, *header.Fields) (sent func(written bool))
}

// ReportFailures has f hear of messages. It is called before the first one.
func (f *Filter) ReportFailures(r Failures) { f.failures = r }

// SetSettings replaces the settings for messages that begin from now on.
func (f *Filter) SetSettings(s *judge.Settings) { f.settings.Store(s) }

// Spaceless is how many messages came without the space after the colon of their
// header fields (milter.Conn.LeadingSpace).
func (f *Filter) Spaceless() int64 { return f.spaceless.Load() }

// Session is a milter.Options.Handler.
func (f *Filter) Session(c *milter.Conn) milter.Session {
	return &session{filter: f, conn: c}
}
