package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"alignd/internal/terminal"
)

// Bounds of jobs; ours.
const (
	runningJobs = 2
	viewersJobs = 1 // of these, of one who is no auditor
	keptJobs    = 30
	jobAge      = 6 * time.Hour
	jobTime     = time.Hour
)

// job is what takes longer than a page may: it goes on beside requests, tells how far it
// is, and can be cancelled. Who began it may see it and cancel it, and auditors; what its
// result shows follows the role of who looks.
type job struct {
	ID, Title string
	Command   string
	Number    int    // of the jobs of this server
	owner     string // the name of who began it
	auditors  bool   // it is of a page that only auditors see
	text      string // of the configuration that is judged by, where it is that of an editor
	begun     time.Time
	cancel    context.CancelFunc
	show      func(*asked, any) *page // the page of its result

	mu      sync.Mutex
	newest  time.Time
	first   time.Time
	records uint64
	of      uint64
	done    time.Time
	result  any
	err     error
}

// Progress hears how far a job is: the time of the newest message so far, how many there
// were, and of how many about; 0 where nobody knows.
type Progress func(newest time.Time, records, of uint64)

func (j *job) progress(newest time.Time, records, of uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.first.IsZero() {
		j.first = newest
	}
	j.newest, j.records, j.of = newest, records, of
}

// part is how much is done, in percent: by the number of messages where it is known, else
// by their time.
func (j *job) part(now time.Time) int {
	switch {
	case !j.done.IsZero():
		return 100
	case j.of > 0:
		return int(min(99, 100*j.records/j.of))
	case j.newest.IsZero():
		return 0
	}
	whole := now.Sub(j.first)
	if whole <= 0 {
		return 99
	}
	return int(min(99, max(0, 100*j.newest.Sub(j.first)/whole)))
}

// jobs are those of a server.
type jobs struct {
	mu      sync.Mutex
	list    []*job // newest last
	begun   int    // how many there were
	running sync.WaitGroup
	closed  bool
}

// start begins a job of who asks; an error is for him.
func (a *asked) start(j *job, run func(context.Context, Progress) (any, error)) error {
	s, now := a.Server, a.opt.Now()
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	busy, own := s.jobs.tidy(now, a.person.Name)
	switch {
	case busy >= runningJobs || s.jobs.closed:
		return said{http.StatusServiceUnavailable, fmt.Sprintf("%d jobs run already. Wait for one to end, or cancel it (page Jobs).", busy)}
	case own >= viewersJobs && a.person.Name != "" && !a.person.Auditor():
		return said{http.StatusServiceUnavailable, "A job of yours runs already. Wait for it to end, or cancel it (page Jobs)."}
	}
	ctx, cancel := context.WithTimeout(context.Background(), jobTime)
	s.jobs.begun++
	j.ID, j.begun, j.cancel, j.owner, j.Number = newID(), now, cancel, a.person.Name, s.jobs.begun
	s.jobs.list = append(s.jobs.list, j)
	s.jobs.running.Go(func() {
		defer cancel()
		result, err := guarded(func() (any, error) { return run(ctx, j.progress) })
		j.mu.Lock()
		defer j.mu.Unlock()
		j.result, j.err, j.done = result, err, s.opt.Now()
		switch ctx.Err() {
		case context.Canceled:
			j.result, j.err = nil, context.Canceled
		case context.DeadlineExceeded:
			j.result, j.err = nil, fmt.Errorf("it took longer than %v; ask for a shorter span", jobTime)
		}
	})
	return nil
}

// newID is one that nobody can guess.
func newID() string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// tidy forgets what is old, or too much, and counts those that run, and of these those of
// a person.
func (s *jobs) tidy(now time.Time, owner string) (busy, own int) {
	ended := func(j *job) (at time.Time) {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.done
	}
	s.list = slices.DeleteFunc(s.list, func(j *job) bool {
		at := ended(j)
		return !at.IsZero() && now.Sub(at) > jobAge
	})
	over := len(s.list) - keptJobs + 1
	s.list = slices.DeleteFunc(s.list, func(j *job) bool {
		if ended(j).IsZero() {
			if busy++; j.owner == owner {
				own++
			}
			return false
		}
		over--
		return over >= 0
	})
	return busy, own
}

// guarded has a panic end the job and nothing else.
func guarded(run func() (any, error)) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	return run()
}

// sees reports whether who asks may see a job, and cancel it.
func (a *asked) sees(j *job) bool {
	return a.person.Auditor() || j.owner == a.person.Name && !j.auditors
}

// job is one that who asks may see; nil for all others.
func (a *asked) job(id string) *job {
	for _, j := range a.jobsSeen() {
		if j.ID == id && id != "" {
			return j
		}
	}
	return nil
}

// jobsSeen are those that who asks may see, newest last.
func (a *asked) jobsSeen() (list []*job) {
	a.jobs.mu.Lock()
	defer a.jobs.mu.Unlock()
	for _, j := range a.jobs.list {
		if a.sees(j) {
			list = append(list, j)
		}
	}
	return list
}

// Close ends what goes on beside requests.
func (s *Server) Close() {
	s.jobs.mu.Lock()
	s.jobs.closed = true
	for _, j := range s.jobs.list {
		j.cancel()
	}
	s.jobs.mu.Unlock()
	s.jobs.running.Wait()
}

// jobPage tells how far a job is, or what it found.
func (a *asked) jobPage() (*page, error) {
	j := a.job(a.get("id"))
	if j == nil {
		return nil, said{http.StatusNotFound, "There is no such job of yours any more. Results are kept for some hours, and not over a restart."}
	}
	at := j.standing(a.now)
	title := j.title()
	how := &table{Columns: columns("#Messages", "State"), Rows: [][]cell{{number(at.records), at.state()}}}
	switch {
	case !at.ended:
		p := &page{Title: title, Rows: how, Command: j.Command, Refresh: 2, Data: map[string]any{"id": j.ID, "done": false, "percent": at.percent, "records": at.records, "of": at.of}}
		p.Blocks = []block{{Note: at.text(), Meter: &meter{at.percent}, Table: how,
			Form: &form{Action: "/job/cancel", Submit: "Cancel", Post: true, Token: a.formToken, Fields: []field{{Name: "id", Value: j.ID, Hidden: true}}}}}
		return p, nil
	case at.err == context.Canceled:
		return &page{Title: title, Command: j.Command, Rows: how, Data: map[string]any{"id": j.ID, "done": true, "cancelled": true}, Blocks: []block{{Alert: "It was cancelled.", Table: how}}}, nil
	case at.err != nil:
		return &page{Title: title, Command: j.Command, Rows: how, Data: map[string]any{"id": j.ID, "done": true, "error": at.err.Error()}, Blocks: []block{{Alert: terminal.Line(at.err.Error()), Table: how}}}, nil
	}
	p := j.show(a, at.result)
	p.Title, p.Command = title, j.Command
	return p, nil
}

func (j *job) title() string { return fmt.Sprintf("%s (job %d)", j.Title, j.Number) }

// standing is how a job stands.
type standing struct {
	ended   bool
	percent int
	records uint64
	of      uint64
	newest  time.Time
	result  any
	err     error
}

// standing is taken under the lock and shown without it: what is shown asks for other
// jobs, and two that held one each would wait for each other.
func (j *job) standing(now time.Time) standing {
	j.mu.Lock()
	defer j.mu.Unlock()
	return standing{!j.done.IsZero(), j.part(now), j.records, j.of, j.newest, j.result, j.err}
}

// text is how far it is, in words.
func (s *standing) text() string {
	of := ""
	if s.of > 0 {
		of = fmt.Sprintf(" of about %d", s.of)
	}
	return fmt.Sprintf("%d%s messages so far; the last one of %s. It goes on when you leave this page.", s.records, of, dayOrNone(s.newest))
}

// state is how it stands, in a word.
func (s *standing) state() cell {
	switch {
	case !s.ended:
		return cell{Text: fmt.Sprintf("runs, %d %%", s.percent), Class: "later", Sign: "↻"}
	case s.err == context.Canceled:
		return cell{Text: "cancelled", Class: "none", Sign: "·"}
	case s.err != nil:
		return cell{Text: "failed", Class: "bad", Sign: "✗"}
	}
	return cell{Text: "done", Class: "good", Sign: "✓"}
}

// jobList are the jobs that who asks may see.
func (a *asked) jobList() (*page, error) {
	t := &table{Caption: "The newest first; results are kept for some hours", Columns: columns("#Job", "What", "Of", "Begun", "State"), Empty: "There are none."}
	data := []map[string]any{}
	p := &page{Rows: t, Command: "alignd replay; alignd sources"}
	for _, j := range slices.Backward(a.jobsSeen()) {
		at := j.standing(a.now)
		if !at.ended {
			p.Refresh = 5
		}
		t.Rows = append(t.Rows, []cell{number(j.Number), linked(j.Title, "/job", "id", j.ID), plain(j.owner), plain(timeOrNone(j.begun)), at.state()})
		data = append(data, map[string]any{"id": j.ID, "number": j.Number, "title": j.Title, "of": j.owner, "begun": j.begun, "state": at.state().Text})
	}
	p.Blocks, p.Data = []block{{Note: "What reads much of the journal goes on beside the pages, after mail; two at once.", Table: t}}, map[string]any{"jobs": data}
	return p, nil
}

func (a *asked) cancelJob() (*page, error) {
	if j := a.job(a.form.Get("id")); j != nil {
		j.cancel()
		return nil, elsewhere{to("/job", "id", j.ID)}
	}
	return nil, said{http.StatusNotFound, "There is no such job of yours any more."}
}
