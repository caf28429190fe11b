package journal

import (
	"errors"
	"slices"
	"time"

	"alignd/journal/spool"
)

// feed is a store and how it is doing.
type feed struct {
	store  Store
	name   string        // feedRecords, feedCounts, feedSpool
	wait   time.Duration // after the next failure
	until  time.Time     // it gets nothing before; zero while it works
	untidy bool          // the last Tidy failed, which was told
	// handed is the last record that it was given; stuck, the last when it failed. Until
	// it has that one it does not work again: what it took before it takes without a write.
	handed, stuck spool.Number
	careful       bool      // it failed by what may be a record
	unsure        []doubted // records that it failed on and has passed over since
	left          []doubted // by an earlier run; it has perhaps not passed over them
}

// What feeds are called in the log: the store of records comes first, the others follow
// from records; and the spool that all is read from.
const (
	feedRecords = "records"
	feedCounts  = "counts"
	feedSpool   = "spool"
)

// failing is what the log says when f begins to fail.
func (f *feed) failing() string {
	switch f.name {
	case feedCounts:
		return "the journal counts nothing (stats, reports, stop_if), what is to be counted stays in the spool"
	case feedSpool:
		return "the journal's spool is not read on, records stay in it"
	}
	return "the journal takes no records, they stay in the spool"
}

// failed has a store wait, longer each time, and tells of the first time.
func (l *Loader) failed(f *feed, err error) {
	if errors.Is(err, ErrMended) {
		f.until = time.Now().Add(loadEvery)
		return
	}
	if f.wait == loadEvery {
		l.log.Warn(f.failing(), "store", f.name, "err", err)
	}
	f.until, f.stuck = time.Now().Add(f.wait), max(f.stuck, f.handed)
	most := retryMost
	if f.name == feedCounts {
		most = retryOther
	} else {
		l.tookNone = true
	}
	f.wait = min(2*f.wait, most)
	l.set(func(s *Status) {
		if s.Err = err; s.Since.IsZero() {
			s.Since = time.Now()
		}
	})
}

// works says that a store took what it was given.
func (l *Loader) works(f *feed) {
	if f.handed < f.stuck {
		return
	}
	recovered := f.fails()
	f.wait, f.until, f.stuck, f.careful = loadEvery, time.Time{}, 0, false
	failing := false
	for _, other := range l.feeds {
		if !other.fails() {
			continue
		}
		if failing = true; recovered && other.away() { // what kept one may have kept the other
			other.until = time.Now()
		}
	}
	if !failing {
		l.again()
	}
}

// readsOn says that the spool was read to its end, and so past what failed before: a store
// that takes what comes first in it tells nothing of that.
func (l *Loader) readsOn() {
	if !l.reading.fails() {
		return
	}
	l.reading.wait, l.reading.until = loadEvery, time.Time{}
	if !slices.ContainsFunc(l.feeds, (*feed).fails) {
		l.again()
	}
}

// fails reports whether it failed and has not worked since.
func (f *feed) fails() bool { return f.wait != loadEvery }

// again ends what Status tells of a failure, once neither a store nor the reading fails.
func (l *Loader) again() {
	if l.reading.fails() {
		return
	}
	if since := l.Status().Since; !since.IsZero() {
		l.set(func(s *Status) { s.Err, s.Since = nil, time.Time{} })
		again := "the journal counts again"
		if l.tookNone {
			again = "the journal takes records again"
		}
		l.tookNone = false
		l.log.Info(again, "failing_s", int(time.Since(since).Seconds()))
	}
}

// away reports whether a store that failed is to wait still.
func (f *feed) away() bool { return !f.until.IsZero() }

// idle: no store works. until is when the first that failed is to be tried again; zero
// while all work.
func (l *Loader) idle() (idle bool, until time.Time) {
	idle = true
	for _, f := range l.feeds {
		idle = idle && f.away()
		if f.away() && (until.IsZero() || f.until.Before(until)) {
			until = f.until
		}
	}
	return idle, until
}

// tidy has each store that works do what is due beside.
func (l *Loader) tidy() {
	for _, f := range l.feeds {
		if f.away() {
			continue
		}
		err := f.store.Tidy(l.ctx, time.Now())
		if errors.Is(err, ErrAnew) {
			l.failed(f, err)
		} else if err != nil && !f.untidy {
			l.log.Warn("the journal was not tidied", "err", err)
		}
		f.untidy = err != nil
	}
}
