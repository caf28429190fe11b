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

// Kept is what is kept for a while.
type Kept int

// What a Retention may be about.
const (
	Records Kept = iota
	Counts
	Reports // those that we send
)

// What the log is told.
var (
	jumped = [...]string{
		Records: "the clock jumped, so nothing is removed from the journal until a restart",
		Counts:  "the clock jumped, so no old counts are removed until a restart",
		Reports: "the clock jumped, so no old reports are removed until a restart",
	}
	idle = [...]string{
		Records: "the newest record of the journal is over a day old: if the clock is right, old ones are removed in an hour",
		Counts:  "the newest counts are over a day old: if the clock is right, old ones are removed in an hour",
		Reports: "the newest report is over a day old: if the clock is right, old ones are removed in an hour",
	}
)

// Retention says when a store may remove what is old. It is used by one goroutine.
type Retention struct {
	// Log hears why nothing is removed.
	Log *slog.Logger
	// Of is what is removed.
	Of Kept

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
	return r.DueAfter(now.Round(0), time.Since(r.begun), newest)
}

// DueAfter is Due for who measures himself how much time passed, by a clock that nobody sets.
func (r *Retention) DueAfter(now time.Time, passed time.Duration, newest time.Time) bool {
	if by := now.Sub(r.clock) - (passed - r.passed); r.looked && !r.stopped && by.Abs() > clockJump {
		r.stopped = true
		r.Log.Warn(jumped[r.Of], "by", by.String())
	}
	r.clock, r.passed = now, passed
	if !r.looked {
		r.looked, r.begins = true, passed
		if !newest.IsZero() && now.Sub(newest) > clockJump {
			r.begins = passed + idleWait
			r.Log.Warn(idle[r.Of], "newest", newest.UTC().Format(time.RFC3339), "clock", now.UTC().Format(time.RFC3339))
		}
	}
	return !r.stopped && passed >= r.begins
}
