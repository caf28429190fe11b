package send

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"alignd/header"
	"alignd/journal/state"
	"alignd/record"
	"alignd/report/failure"
)

// The bounds are ours. They keep forged mail without number from filling memory, whatever
// it costs in reports.
const (
	// maxCaught is how many reports wait to be written down.
	maxCaught = 32
	// maxWindows is how many kinds of failures one host follows at a time.
	maxWindows = 1000
	// orgShare is of how many Policy Domains below one organization all kinds are followed.
	orgShare = 4
	// tellEvery is how often messages of a kind are written down, askEvery how often is
	// asked who deserves reports.
	tellEvery = 5 * time.Second
	askEvery  = 10 * time.Minute
	// sayEvery is how often the log tells how many messages are in no report.
	sayEvery = time.Hour
)

// Holder sees messages together with their header sections. Where a failure report is due
// and none of its kind is held, it takes what the report tells, redacted, and hands it to
// the state; of further messages it counts how many. Nobody waits for it.
type Holder struct {
	Failures
	own    func(domain string) bool
	optOut []string
	state  *state.State
	log    *slog.Logger
	now    func() time.Time

	deserving atomic.Pointer[map[string]bool]
	caught    chan caught
	left      atomic.Int64 // messages that are in no report, as a limit was reached
	said      int64        // of these, those that the log has
	failed    sync.Once    // a panic was told

	mu      sync.Mutex
	windows map[[32]byte]*window
	domains map[string]int // windows of each
	orgs    map[string]int // windows of each organization
}

// window is the time that one report stands for.
type window struct {
	domain string
	until  time.Time
	more   int64 // messages that the state was not told of yet
	held   bool  // the state has it; else nothing is to be told
}

type caught struct {
	kind   [32]byte
	report *failure.Report
}

// NewHolder is one over st. Its Run has to be called.
func NewHolder(st *state.State, s *Settings) *Holder {
	h := &Holder{Failures: s.Failures, own: s.Own, optOut: s.OptOut.Domains, state: st, log: s.Log, now: time.Now,
		caught: make(chan caught, maxCaught), windows: map[[32]byte]*window{},
		domains: map[string]int{}, orgs: map[string]int{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// Note looks at a message before it is answered. What it returns, if anything, is called
// when the answer was written, or could not be. fields are not kept.
func (h *Holder) Note(r *record.Record, fields *header.Fields) (sent func(written bool)) {
	defer func() {
		if p := recover(); p != nil { // mail goes on
			sent = nil
			h.left.Add(1)
			h.failed.Do(func() {
				h.log.Error("a failure report could not be made", "queue_id", r.Evidence.QueueID, "panic", fmt.Sprint(p))
			})
		}
	}()
	t := failure.Due(r)
	if t == failure.NotDue || !h.gets(r.Evidence.DMARC[0].PolicyDomain) || h.toUs(r) || failure.IsReport(fields) {
		return nil
	}
	kind := failure.Kind(r, t)
	if !h.opens(kind, r.Evidence.DMARC[0].PolicyDomain) {
		return func(written bool) { h.count(kind, written) }
	}
	c := caught{kind, failure.Make(r, fields, t, h.Key)}
	return func(written bool) { h.catch(c, written) }
}

func (h *Holder) toUs(r *record.Record) bool {
	if h.Ours == nil {
		return false
	}
	for i := range r.Evidence.Recipients {
		if h.Ours(r.Evidence.Recipients[i].Address) {
			return true
		}
	}
	return h.Ours(r.Evidence.MailFrom)
}

// gets reports whether a Policy Domain is to get failure reports.
func (h *Holder) gets(domain string) bool {
	if slices.Contains(h.optOut, domain) {
		return false
	}
	if h.To.All || h.own != nil && h.own(domain) || slices.Contains(h.To.Domains, domain) {
		return true
	}
	who := h.deserving.Load()
	return h.To.Deserving && who != nil && (*who)[domain]
}

// opens begins the window of a kind, if there is none and there is room.
func (h *Holder) opens(kind [32]byte, domain string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	most, org := maxWindows, organization(domain)
	if h.own == nil || !h.own(domain) { // the rest is for own ones
		most /= 2
		if h.orgs[org] >= orgShare*h.PerDomain { // whoever has one domain has names without number
			return false
		}
	}
	if h.windows[kind] != nil || len(h.windows) >= most || h.domains[domain] >= h.PerDomain {
		return false
	}
	h.windows[kind] = &window{domain: domain, until: h.now().Add(h.Every)}
	h.domains[domain]++
	h.orgs[org]++
	return true
}

// count is for a message that a report stands for already.
func (h *Holder) count(kind [32]byte, written bool) {
	if !written { // it comes again
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.windows[kind]; w != nil {
		w.more++
	} else {
		h.left.Add(1)
	}
}

// catch hands a report on. One that cannot be taken now gives its window up.
func (h *Holder) catch(c caught, written bool) {
	if written {
		select {
		case h.caught <- c:
			return
		default:
			h.left.Add(1)
		}
	}
	h.end(c.kind)
}

func (h *Holder) end(kind [32]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.close(kind)
}

// close ends a window. mu is held.
func (h *Holder) close(kind [32]byte) {
	w := h.windows[kind]
	if w == nil {
		return
	}
	h.left.Add(w.more)
	delete(h.windows, kind)
	if h.domains[w.domain]--; h.domains[w.domain] <= 0 {
		delete(h.domains, w.domain)
	}
	org := organization(w.domain)
	if h.orgs[org]--; h.orgs[org] <= 0 {
		delete(h.orgs, org)
	}
}

// Run writes down what is caught until ctx is over.
func (h *Holder) Run(ctx context.Context) {
	h.ask(ctx)
	tell, ask, say := time.NewTicker(tellEvery), time.NewTicker(askEvery), time.NewTicker(sayEvery)
	defer tell.Stop()
	defer ask.Stop()
	defer say.Stop()
	for {
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellEvery)
			defer cancel()
			h.drain(end)
			h.tell(end)
			h.say()
			return
		case c := <-h.caught:
			h.hold(ctx, c)
		case <-tell.C:
			h.tell(ctx)
		case <-ask.C:
			h.ask(ctx)
		case <-say.C:
			h.say()
		}
	}
}

func (h *Holder) drain(ctx context.Context) {
	for {
		select {
		case c := <-h.caught:
			h.hold(ctx, c)
		default:
			return
		}
	}
}

// ask learns who deserves reports. Without an answer those of before do.
func (h *Holder) ask(ctx context.Context) {
	if !h.To.Deserving {
		return
	}
	who, err := h.state.Deserving(ctx, h.now().Add(-passesWithin), deservingDays)
	if err != nil {
		h.log.Warn("who gets failure reports is not known for now", "err", err)
		return
	}
	h.deserving.Store(&who)
}

// hold writes a report down. Where that cannot be, its messages are in none.
func (h *Holder) hold(ctx context.Context, c caught) {
	now := h.now().UTC()
	f := state.Failure{Kind: c.kind, Domain: c.report.Domain, Opened: now, Due: now.Add(h.Every), Incidents: 1, Data: encode(c.report),
		Own: h.own != nil && h.own(c.report.Domain)}
	held, err := h.state.HoldFailure(ctx, &f, h.PerDomain)
	if err != nil {
		h.log.Warn("a failure report was not kept", "policy_domain", c.report.Domain, "err", err)
	}
	if !held {
		h.left.Add(1)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.windows[c.kind]; w != nil {
		w.held = held
	}
}

// tell has the state add the messages that came since, and ends windows that are over.
func (h *Holder) tell(ctx context.Context) {
	for kind, more := range h.gathered() {
		ok, err := h.state.AddFailures(ctx, kind, more)
		if err != nil {
			h.log.Warn("messages of a failure report were not counted", "messages", more, "err", err)
		}
		if !ok { // it has left, so the next message begins another one
			h.left.Add(more)
			h.end(kind)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for kind, w := range h.windows {
		if !h.now().Before(w.until) {
			h.close(kind)
		}
	}
}

// gathered takes the counts of all windows. What no report stands for is left out.
func (h *Holder) gathered() map[[32]byte]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := map[[32]byte]int64{}
	for kind, w := range h.windows {
		if w.held && w.more > 0 {
			list[kind], w.more = w.more, 0
		}
	}
	return list
}

// Left is how many messages are in no failure report, as a limit was reached.
func (h *Holder) Left() int64 { return h.left.Load() }

func (h *Holder) say() {
	if n := h.Left(); n > h.said {
		h.log.Info("messages are in no failure report, as limits were reached", "messages", n-h.said)
		h.said = n
	}
}
