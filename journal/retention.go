package journal

import (
	"log/slog"
	"time"
)

// Guards of retention against a clock that is wrong, which would remove what is young.
// The numbers are ours.
const (
	// clockJump stops it: the clock went that much further than time did.
	clockJump = 24 * time.Hour
	// idleWait is how long it waits at the start where nothing was kept for a day.
	idleWait = time.Hour
)

// Retention says when a store may remove what is old. It is used by one goroutine.
type Retention struct {
	// Log hears why nothing is removed.
	Log *slog.Logger
	// Counts are what is removed, not records.
	Counts bool

	looked  bool
	begun   time.Time // of the first look, with the monotonic clock
	clock   time.Time // at the last look
	passed  time.Duration
	begins  time.Duration // since begun: not before
	stopped bool
}

// Stopped reports whether the clock jumped, so that nothing is removed until a restart.
func (r *Retention) Stopped() bool { return r.stopped }

// Due reports whether something may be removed now, by the clock. newest, the time of the
// newest of what is kept, is for the first look; the zero time where there is none.
func (r *Retention) Due(now, newest time.Time) bool {
	if !r.looked {
		r.begun = time.Now()
	}
	return r.due(now.Round(0), time.Since(r.begun), newest)
}

// due is Due at a time after the first look, by the monotonic clock.
func (r *Retention) due(now time.Time, passed time.Duration, newest time.Time) bool {
	if by := now.Sub(r.clock) - (passed - r.passed); r.looked && !r.stopped && by.Abs() > clockJump {
		r.stopped = true
		text := "the clock jumped, so nothing is removed from the journal until a restart"
		if r.Counts {
			text = "the clock jumped, so no old counts are removed until a restart"
		}
		r.Log.Warn(text, "by", by.String())
	}
	r.clock, r.passed = now, passed
	if !r.looked {
		r.looked, r.begins = true, passed
		if !newest.IsZero() && now.Sub(newest) > clockJump {
			r.begins = passed + idleWait
			text := "the newest record of the journal is over a day old: if the clock is right, old ones are removed in an hour"
			if r.Counts {
				text = "the newest counts are over a day old: if the clock is right, old ones are removed in an hour"
			}
			r.Log.Warn(text, "newest", newest.UTC().Format(time.RFC3339), "clock", now.UTC().Format(time.RFC3339))
		}
	}
	return !r.stopped && passed >= r.begins
}
