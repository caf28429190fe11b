package send

import (
	"context"
	"sync/atomic"
	"time"

	"alignd/journal/state"
)

// Health is how reports are doing, for who watches.
type Health struct {
	state.Standing
	// Unsent is when the oldest day was over of which a report that somebody is to get
	// has not left; zero without one.
	Unsent time.Time
	// WaitForDNS is how many reports are not cut, as DNS does not say who may get them.
	WaitForDNS int
	// Tries counts mails of this process by what became of them, Bounces notifications
	// that it took.
	Tries   Tries
	Bounces uint64
}

// Tries counts mails.
type Tries struct{ Sent, PutOff, Refused, Lost uint64 }

// watch is what a Sender knows of its health. It is read by other goroutines.
type watch struct {
	sent, putOff, refused, lost, bounces atomic.Uint64
	standing                             atomic.Pointer[standing]
	// drafts is the oldest day that is not cut and should be, as of counted.
	drafts, counted time.Time
	// dns are drafts that wait for it.
	dns map[[32]byte]bool
}

type standing struct {
	state.Standing
	unsent time.Time
	dns    int
}

// Health is of the last Step.
func (s *Sender) Health() Health {
	w := &s.watch
	h := Health{Tries: Tries{w.sent.Load(), w.putOff.Load(), w.refused.Load(), w.lost.Load()}, Bounces: w.bounces.Load()}
	if is := w.standing.Load(); is != nil {
		h.Standing, h.Unsent, h.WaitForDNS = is.Standing, is.unsent, is.dns
	}
	return h
}

// look finds out how reports are doing, on hosts that do not send, too.
func (s *Sender) look(ctx context.Context) error {
	is, err := s.state.Standing(ctx, s.now())
	if err != nil {
		return err
	}
	if s.held { // who does not cut does not know which days wait for DNS
		err = s.lookAtDrafts(ctx)
	} else {
		s.watch.drafts, s.watch.counted = time.Time{}, time.Time{}
	}
	if err != nil {
		return err
	}
	oldest := is.Oldest
	if d := s.watch.drafts; oldest.IsZero() || !d.IsZero() && d.Before(oldest) {
		oldest = d
	}
	all := &standing{Standing: *is, dns: len(s.watch.dns)}
	if !oldest.IsZero() {
		all.unsent = oldest.Add(24 * time.Hour)
	}
	s.watch.standing.Store(all)
	return nil
}

// lookAtDrafts looks for days that should have been cut, not each time, as there may be
// many.
func (s *Sender) lookAtDrafts(ctx context.Context) error {
	w := &s.watch
	if since := s.now().Sub(w.counted); !w.counted.IsZero() && since >= 0 && since < lookAgain {
		return nil
	}
	who, err := s.deserving(ctx)
	if err != nil {
		return err
	}
	w.counted, w.drafts = s.now(), time.Time{}
	waits := map[[32]byte]bool{}
	err = s.state.Drafts(ctx, s.now().UTC().Truncate(24*time.Hour), func(d *state.Draft) {
		switch {
		case s.why(d, who) != "":
		case w.dns[d.Report]:
			waits[d.Report] = true
		case d.Cut > 0 && s.now().Before(gathered(d)):
		case w.drafts.IsZero() || d.Day.Before(w.drafts):
			w.drafts = d.Day
		}
	})
	w.dns = waits
	return err
}
