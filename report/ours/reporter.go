package ours

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"alignd/header"
	"alignd/internal/owned"
	"alignd/journal/state"
	"alignd/metrics"
	"alignd/record"
	"alignd/report/send"
)

// Reporter sends reports while the daemon runs. A nil one sends none.
type Reporter struct {
	cancel context.CancelFunc
	ended  sync.WaitGroup
	sender atomic.Pointer[send.Sender] // nil until the store answers
	// notices are notifications that came through the milter.
	notices  chan incoming
	log      *slog.Logger
	state    *state.State
	every    time.Duration // of failure reports; 0 is none
	failures failureWatch
}

// Start sends what st counts. s names the process that sends in Holder.
func Start(st *state.State, s send.Settings, id send.Identity) *Reporter {
	r := &Reporter{state: st, notices: make(chan incoming, noticesWait), log: s.Log, every: s.Failures.Every}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.failures.start(ctx, st, &s, &r.ended)
	r.ended.Go(func() {
		owned.Guarded(r.log, "looking at what reports need", func() { tellReady(ctx, s.DNS, id, r.log) })
	})
	r.ended.Go(func() {
		owned.Guarded(r.log, "taking notifications about reports", func() { r.takeNotices(ctx, r.log) })
	})
	r.ended.Go(func() { owned.Guarded(r.log, "sending reports", func() { r.run(ctx, st, s, r.log) }) })
	return r
}

// NotesFailures: failure reports are on, so it wants to hear of messages.
func (r *Reporter) NotesFailures() bool { return r.every > 0 }

// Note is for filter.Failures.
func (r *Reporter) Note(x *record.Record, h *header.Fields) func(bool) { return r.failures.note(x, h) }

// run waits for a store that is away at the start.
func (r *Reporter) run(ctx context.Context, st *state.State, s send.Settings, log *slog.Logger) {
	for {
		sender, err := NewSender(ctx, st, s)
		if err == nil {
			r.sender.Store(sender)
			sender.Run(ctx)
			return
		}
		log.Warn("reports wait", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}

// Health is how reports are doing.
func (r *Reporter) Health() metrics.Reports {
	if r == nil {
		return metrics.Reports{}
	}
	all := metrics.Reports{Enabled: true}
	all.DroppedRows, all.DroppedOthers = r.state.Dropped()
	all.DroppedFailures = r.failures.left()
	sender := r.sender.Load()
	if sender == nil {
		return all
	}
	h := sender.Health()
	all.Unsent, all.WaitForDNS, all.Suppressed, all.Bounces = h.Unsent, h.WaitForDNS, h.Suppressed, h.Bounces
	all.Tries = map[string]uint64{"sent": h.Tries.Sent, "put_off": h.Tries.PutOff, "refused": h.Tries.Refused, "lost": h.Tries.Lost}
	all.Standing = map[string]int64{"waiting": h.Items[state.Waiting] - h.PutOff, "put_off": h.PutOff, "sending": h.Items[state.Sending], "sent": h.Items[state.Sent],
		"bounced": h.Items[state.Bounced], "suppressed": h.Items[state.Suppressed], "given_up": h.Items[state.GivenUp], "unknown": h.Items[state.Unknown]}
	return all
}

// Close ends what is under way: a mail that was offered may be offered again after the
// next start.
func (r *Reporter) Close() {
	if r != nil {
		r.cancel()
		r.ended.Wait()
	}
}

// NewSender sends what st has. The key of its envelope senders is drawn once, for all
// hosts: the site's own secret may be one that others of this machine can read.
func NewSender(ctx context.Context, st *state.State, s send.Settings) (*send.Sender, error) {
	var err error
	s.Key, err = st.Secret(ctx, "envelope senders of reports", func() []byte {
		key := make([]byte, 32)
		rand.Read(key) // it never fails
		return key
	})
	return send.New(st, s), err
}
