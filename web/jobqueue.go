package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// start begins a job of who asks, or has it wait for a place; an error is for him.
func (a *asked) start(j *job, run func(context.Context, Progress) (any, error)) error {
	s, now := a.Server, a.opt.Now()
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	waiting, own := s.jobs.tidy(now, a.person.Name)
	j.viewers = !a.person.Auditor()
	switch {
	case s.jobs.closed || waiting >= waitingJobs && (j.viewers || waiting >= 2*waitingJobs):
		return said{http.StatusServiceUnavailable, fmt.Sprintf("%d jobs wait already. Wait for one to end, or cancel it (page Jobs).", waiting)}
	case own > 0 && a.person.Name != "" && j.viewers:
		return said{http.StatusServiceUnavailable, "A job of yours runs or waits already. Wait for it to end, or cancel it (page Jobs)."}
	}
	ctx, cancel := context.WithCancelCause(s.work)
	s.jobs.begun++
	j.ID, j.begun, j.cancel, j.owner, j.Number, j.turn = newID(), now, cancel, a.person.Name, s.jobs.begun, make(chan struct{})
	s.jobs.list = append(s.jobs.list, j)
	s.jobs.running.Go(func() {
		defer cancel(nil)
		j.run(ctx, s, run)
		s.jobs.mu.Lock()
		defer s.jobs.mu.Unlock()
		s.jobs.next(s.opt.Now())
	})
	s.jobs.next(now)
	return nil
}

var errGaveWay = errors.New("it gave way to others who waited")

// run does the job once it is its turn.
func (j *job) run(ctx context.Context, s *Server, do func(context.Context, Progress) (any, error)) {
	var result any
	var err error
	select {
	case <-ctx.Done():
	case <-j.turn:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, jobTime)
		defer cancel()
		timer := time.AfterFunc(jobTurn, func() {
			s.jobs.mu.Lock()
			defer s.jobs.mu.Unlock()
			s.jobs.next(s.opt.Now())
		})
		defer timer.Stop()
		result, err = s.guarded(func() (any, error) { return do(ctx, j.progress) })
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.result, j.err, j.done = result, err, s.opt.Now()
	switch cause := context.Cause(ctx); {
	case cause == nil:
	case cause == errGaveWay:
		j.result, j.err = nil, fmt.Errorf("it ran for %v, and %w; ask for a shorter span, or of fewer messages", jobTurn, errGaveWay)
	case cause == context.DeadlineExceeded:
		j.result, j.err = nil, fmt.Errorf("it took longer than %v; ask for a shorter span", jobTime)
	default:
		j.result, j.err = nil, context.Canceled
	}
}

// next has those run whose turn it is: the first that waits, but viewers have one place
// together, so that auditors find one. A job of a viewer that had its time gives way where
// somebody waits for its place.
func (s *jobs) next(now time.Time) {
	if s.closed {
		return
	}
	busy, viewers := 0, 0
	var late *job
	for _, j := range s.list {
		j.mu.Lock()
		if j.runs() {
			busy++
			if j.viewers {
				viewers++
				if now.Sub(j.ran) >= jobTurn {
					late = j
				}
			}
		}
		j.mu.Unlock()
	}
	for _, j := range s.list {
		j.mu.Lock()
		switch {
		case !j.ran.IsZero() || !j.done.IsZero():
		case busy < runningJobs && (!j.viewers || viewers < viewersJobs):
			j.ran = now
			close(j.turn)
			busy++
			if j.viewers {
				viewers++
			}
		case late != nil && late != j && (j.viewers || busy >= runningJobs):
			late.cancel(errGaveWay)
		}
		j.mu.Unlock()
	}
}

// runs: it does, and does not wait or end. The caller has the lock.
func (j *job) runs() bool { return !j.ran.IsZero() && j.done.IsZero() }

// newID is one that nobody can guess.
func newID() string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// tidy forgets what is old, or too much, and counts those that wait, and those of a person
// that have not ended.
func (s *jobs) tidy(now time.Time, owner string) (waiting, own int) {
	at := func(j *job) (ran, done time.Time) {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.ran, j.done
	}
	s.list = slices.DeleteFunc(s.list, func(j *job) bool {
		_, done := at(j)
		return !done.IsZero() && now.Sub(done) > jobAge
	})
	over := len(s.list) - keptJobs + 1
	s.list = slices.DeleteFunc(s.list, func(j *job) bool {
		ran, done := at(j)
		if done.IsZero() {
			if ran.IsZero() {
				waiting++
			}
			if j.owner == owner {
				own++
			}
			return false
		}
		over--
		return over >= 0
	})
	return waiting, own
}

// place is how many jobs that wait come before this one, and itself; 0: it waits not.
func (s *jobs) place(j *job) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.list {
		x.mu.Lock()
		waits := x.ran.IsZero() && x.done.IsZero()
		x.mu.Unlock()
		if waits {
			n++
		}
		if x == j {
			if !waits {
				return 0
			}
			return n
		}
	}
	return 0
}
