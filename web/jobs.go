package web

import (
	"context"
	"encoding/json"
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
	keptJobs    = 30
	jobAge      = 6 * time.Hour
	jobTime     = time.Hour
)

// job is what takes longer than a page may: it goes on beside requests, tells how far it
// is, and can be cancelled.
type job struct {
	ID, Kind, Title string
	Command         string
	begun           time.Time
	cancel          context.CancelFunc
	show            func(*asked, any) *page // the page of its result

	mu      sync.Mutex
	newest  time.Time
	first   time.Time
	records uint64
	done    time.Time
	result  any
	err     error
}

// Progress hears how far a job is.
type Progress func(newest time.Time, records uint64)

func (j *job) progress(newest time.Time, records uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.first.IsZero() {
		j.first = newest
	}
	j.newest, j.records = newest, records
}

// part is how much is done, in percent: by the time of the messages, as nobody has counted
// them before.
func (j *job) part(now time.Time) int {
	switch {
	case !j.done.IsZero():
		return 100
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
	running sync.WaitGroup
	closed  bool
}

// start begins a job; an error is for who asks.
func (s *Server) start(j *job, run func(context.Context, Progress) (any, error)) error {
	now := s.opt.Now()
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	busy := 0
	s.jobs.list = slices.DeleteFunc(s.jobs.list, func(x *job) bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.done.IsZero() {
			busy++
			return false
		}
		return now.Sub(x.done) > jobAge
	})
	if busy >= runningJobs || s.jobs.closed {
		return said{http.StatusServiceUnavailable, fmt.Sprintf("%d jobs run already. Wait for one to end, or cancel it.", busy)}
	}
	if over := len(s.jobs.list) - keptJobs + 1; over > 0 {
		s.jobs.list = slices.DeleteFunc(s.jobs.list, func(x *job) bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			over--
			return over >= 0 && !x.done.IsZero()
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), jobTime)
	j.ID, j.begun, j.cancel = encoded(random(9)), now, cancel
	s.jobs.list = append(s.jobs.list, j)
	s.jobs.running.Go(func() {
		defer cancel()
		result, err := guarded(func() (any, error) { return run(ctx, j.progress) })
		j.mu.Lock()
		defer j.mu.Unlock()
		j.result, j.err, j.done = result, err, s.opt.Now()
		if ctx.Err() == context.Canceled {
			j.result, j.err = nil, context.Canceled
		}
	})
	return nil
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

func (s *Server) job(id string) *job {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	for _, j := range s.jobs.list {
		if j.ID == id && id != "" {
			return j
		}
	}
	return nil
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
		return nil, said{http.StatusNotFound, "There is no such job any more. Results are kept for some hours, and not over a restart."}
	}
	at := j.standing(a.now)
	switch {
	case !at.ended:
		p := &page{Title: j.Title, Command: j.Command, Refresh: 2, Data: map[string]any{"id": j.ID, "done": false, "percent": at.percent, "records": at.records}}
		p.Blocks = []block{{Note: fmt.Sprintf("%d messages so far; the last one of %s.", at.records, dayOrNone(at.newest)), Meter: &meter{at.percent},
			Form: &form{Action: "/job/cancel", Submit: "Cancel", Post: true, Token: a.formToken, Fields: []field{{Name: "id", Value: j.ID, Hidden: true}}}}}
		return p, nil
	case at.err == context.Canceled:
		return &page{Title: j.Title, Data: map[string]any{"id": j.ID, "done": true, "cancelled": true}, Blocks: []block{{Alert: "It was cancelled."}}}, nil
	case at.err != nil:
		return &page{Title: j.Title, Data: map[string]any{"id": j.ID, "done": true, "error": at.err.Error()}, Blocks: []block{{Alert: terminal.Line(at.err.Error())}}}, nil
	}
	p := j.show(a, at.result)
	p.Title, p.Command = j.Title, j.Command
	return p, nil
}

// standing is how a job stands.
type standing struct {
	ended   bool
	percent int
	records uint64
	newest  time.Time
	result  any
	err     error
}

// standing is taken under the lock and shown without it: what is shown asks for other
// jobs, and two that held one each would wait for each other.
func (j *job) standing(now time.Time) standing {
	j.mu.Lock()
	defer j.mu.Unlock()
	return standing{!j.done.IsZero(), j.part(now), j.records, j.newest, j.result, j.err}
}

func (a *asked) cancelJob() (*page, error) {
	if j := a.job(a.form.Get("id")); j != nil {
		j.cancel()
		return nil, elsewhere{to("/job", "id", j.ID)}
	}
	return nil, said{http.StatusNotFound, "There is no such job any more."}
}

// suggestionForm asks for the survey that finds entries to paste, which reads the journal.
func (a *asked) suggestionForm(name, source string) block {
	return block{ID: "entry", Heading: "An entry that lets it in",
		Note: "Looks for what speaks for the failing mail of this domain, and measures what an entry would do to all mail of 30 days. It reads the journal, which may take a while.",
		Form: &form{Action: "/sender/measure", Submit: "Suggest an entry, with its effect", Post: true, Token: a.formToken,
			Fields: []field{{Name: "domain", Value: name, Hidden: true}, {Name: "source", Value: source, Hidden: true}}}}
}

// measure begins a survey of a domain, as alignd sources makes it.
func (a *asked) measure() (*page, error) {
	a.query = a.form
	name, err := a.domainAsked()
	if err != nil || name == "" {
		return nil, wrong("Name a domain.")
	}
	source, since := a.get("source"), a.now.AddDate(0, 0, -30)
	j := &job{Kind: "sources", Title: "Entries for " + terminal.Line(name), Command: "alignd sources " + shellWord(name), show: func(a *asked, result any) *page {
		return a.surveyed(result.(json.RawMessage), name, source)
	}}
	err = a.start(j, func(ctx context.Context, p Progress) (any, error) { return a.opt.Backend.Survey(ctx, name, since, p) })
	if err != nil {
		return nil, err
	}
	return nil, elsewhere{to("/job", "id", j.ID)}
}

// survey is what of the JSON of alignd sources is shown; docs/sources.md has its keys.
type survey struct {
	Messages int
	Sources  []struct {
		Infrastructure string
		Messages       int
		Pass, Fail     int
		DKIM           []count
		SPF            []count
		Suggested      []string
		NotSuggested   string `json:"not_suggested"`
	}
	Suggestions []struct {
		ID, Entry string
		Because   []string
		Effect    struct {
			LetIn          int     `json:"let_in"`
			AuthorDomains  []count `json:"author_domains"`
			Infrastructure []count
			Others         []count
			Samples        []string
		}
	}
}

type count struct {
	Name  string
	Count int
}

// surveyed shows entries to paste, with what each does.
func (a *asked) surveyed(raw json.RawMessage, name, source string) *page {
	var s survey
	p := &page{Data: raw}
	if err := json.Unmarshal(raw, &s); err != nil {
		p.Blocks = []block{{Alert: terminal.Line(err.Error())}}
		return p
	}
	t := &table{Caption: "Who sends as " + terminal.Line(name), Columns: columns("Sent from", "#Messages", "#Pass", "#Fail", "Signed by", "SPF of", "Suggested", "Why not"), Empty: "No message of it."}
	for i := range s.Sources {
		x := &s.Sources[i]
		if len(t.Rows) == 20 && a.format == asHTML {
			t.Caption += fmt.Sprintf(", 20 of %d", len(s.Sources))
			break
		}
		t.Rows = append(t.Rows, []cell{linked(x.Infrastructure, "/sender", "domain", name, "source", x.Infrastructure), number(x.Messages), number(x.Pass), number(x.Fail),
			plain(inWords(x.DKIM)), plain(inWords(x.SPF)), plain(fmt.Sprint(len(x.Suggested))), plain(x.NotSuggested)})
	}
	p.Rows = t
	for i := range s.Suggestions {
		x := &s.Suggestions[i]
		b := block{Heading: "Entry " + terminal.Line(x.ID), Entry: printableLines(x.Entry), Note: "Can be a file of /etc/alignd/conf.d; then alignd config check, and alignd reload."}
		for _, why := range x.Because {
			b.Points = append(b.Points, terminal.Line("Because "+why))
		}
		b.Points = append(b.Points, fmt.Sprintf("It would have let in %d messages of 30 days.", x.Effect.LetIn),
			terminal.Line("Their Author Domains: "+inWords(x.Effect.AuthorDomains)), terminal.Line("Sent from: "+inWords(x.Effect.Infrastructure)),
			terminal.Line("Others who have the same proofs: "+inWords(x.Effect.Others)))
		for _, id := range x.Effect.Samples {
			b.Links = append(b.Links, link{"Sample " + terminal.Line(id), to("/message", "id", id)})
		}
		if a.person.auditor() {
			b.Links = append(b.Links, link{"Open in What if", to("/whatif", "entry", x.Entry)})
		}
		p.Blocks = append(p.Blocks, b)
	}
	if len(s.Suggestions) == 0 {
		p.Blocks = append(p.Blocks, block{Note: "No entry is suggested; the table says why."})
	}
	p.Blocks = append(p.Blocks, block{Table: t, Links: []link{{"Back to the pair", to("/sender", "domain", name, "source", source)}}})
	return p
}

func inWords(list []count) string {
	if len(list) == 0 {
		return "none"
	}
	text := ""
	for i, c := range list {
		if i == 5 {
			return text + fmt.Sprintf(" and %d more", len(list)-5)
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %d", c.Name, c.Count)
	}
	return text
}
