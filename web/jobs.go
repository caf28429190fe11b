package web

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"alignd/internal/terminal"
)

// Bounds of jobs; ours.
const (
	runningJobs = 2
	viewersJobs = 1 // of these, of all who are no auditors
	waitingJobs = 10
	keptJobs    = 30
	jobAge      = 6 * time.Hour
	jobTime     = time.Hour
)

// jobTurn is for how long a job of a viewer runs where others wait for its place; ours.
var jobTurn = 10 * time.Minute

// job is what takes longer than a page may: it goes on beside requests, tells how far it
// is, and can be cancelled. Who began it may see it and cancel it, and auditors; what its
// result shows follows the role of who looks.
type job struct {
	ID, Title string
	Command   string
	Number    int    // of the jobs of this server
	owner     string // the name of who began it
	auditors  bool   // it is of a page that only auditors see
	viewers   bool   // who began it is no auditor
	text      string // of the configuration that is judged by, where it is that of an editor
	begun     time.Time
	turn      chan struct{} // closed when it may run
	cancel    context.CancelCauseFunc
	show      func(*asked, any) *page // the page of its result

	mu      sync.Mutex
	ran     time.Time // since when; zero: it waits
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

// guarded has a panic end what goes on beside requests, and nothing else.
func (s *Server) guarded(run func() (any, error)) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("panic: %v", p)
			s.opt.Log.Error("what goes on beside the pages failed", "err", err, "stack", string(debug.Stack()))
		}
	}()
	return run()
}

// background runs something in a goroutine that no request waits for, unless the server ends.
func (s *Server) background(run func()) (runs bool) {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	if !s.jobs.closed {
		s.jobs.running.Go(run)
	}
	return !s.jobs.closed
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
	s.jobs.mu.Unlock()
	s.cancel()
	s.jobs.running.Wait()
}

// jobPage tells how far a job is, or what it found.
func (a *asked) jobPage() (*page, error) {
	j := a.job(a.get("id"))
	if j == nil {
		return nil, said{http.StatusNotFound, "There is no such job of yours any more. Results are kept for some hours, and not over a restart."}
	}
	at := a.standing(j)
	title := j.title()
	how := &table{Columns: columns("#Messages", "State"), Rows: [][]cell{{number(at.records), at.state()}}}
	switch {
	case !at.ended:
		p := &page{Title: title, Rows: how, Command: j.Command, Refresh: 2, Data: map[string]any{"id": j.ID, "done": false, "place": at.place, "percent": at.percent, "records": at.records, "of": at.of}}
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
	place   int // of those that wait; 0: it does not
	percent int
	records uint64
	of      uint64
	newest  time.Time
	result  any
	err     error
}

// standing is taken under the lock and shown without it: what is shown asks for other
// jobs, and two that held one each would wait for each other.
func (a *asked) standing(j *job) standing {
	place := a.jobs.place(j)
	j.mu.Lock()
	defer j.mu.Unlock()
	return standing{!j.done.IsZero(), place, j.part(a.now), j.records, j.of, j.newest, j.result, j.err}
}

// text is how far it is, in words.
func (s *standing) text() string {
	if s.place > 0 {
		return fmt.Sprintf("Others run. It waits for its turn, at place %d of those that wait, also when you leave this page.", s.place)
	}
	of := ""
	if s.of > 0 {
		of = fmt.Sprintf(" of about %d", s.of)
	}
	return fmt.Sprintf("%d%s messages so far; the last one of %s. It goes on when you leave this page.", s.records, of, dayOrNone(s.newest))
}

// state is how it stands, in a word.
func (s *standing) state() cell {
	switch {
	case s.place > 0:
		return cell{Text: fmt.Sprintf("waits, place %d", s.place), Class: "none", Sign: "·"}
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
		at := a.standing(j)
		if !at.ended {
			p.Refresh = 5
		}
		t.Rows = append(t.Rows, []cell{number(j.Number), linked(j.Title, "/job", "id", j.ID), plain(j.owner), plain(timeOrNone(j.begun)), at.state()})
		data = append(data, map[string]any{"id": j.ID, "number": j.Number, "title": j.Title, "of": j.owner, "begun": j.begun, "state": at.state().Text})
	}
	p.Blocks, p.Data = []block{{Note: "What reads much of the journal goes on beside the pages, after mail; two at once, one of viewers. Others wait for their turn.", Table: t}}, map[string]any{"jobs": data}
	return p, nil
}

func (a *asked) cancelJob() (*page, error) {
	if j := a.job(a.form.Get("id")); j != nil {
		j.cancel(nil)
		return nil, redirect{to("/job", "id", j.ID)}
	}
	return nil, said{http.StatusNotFound, "There is no such job of yours any more."}
}
