package send

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"alignd/journal"
	"alignd/journal/state"
	"alignd/report/aggregate"
)

// When what is done, after midnight UTC. The numbers are ours.
const (
	// cutLatest is when a day is cut although a host has not told that it has counted
	// all of it. What comes later is in a further report.
	cutLatest = 2 * time.Hour
	// sendFirst and sendLast are between when reports leave, each at a time of its own.
	sendFirst = 30 * time.Minute
	sendLast  = 6 * time.Hour
	// liveHost is how long ago a host may have told so to be waited for.
	liveHost = 48 * time.Hour
	// tryFor is how long a report is tried.
	tryFor = 72 * time.Hour
	// maxLost is how many lost answers end the tries to one target.
	maxLost = 2
	// suppressFirst and suppressMost are how long an address gets nothing that refused a
	// report for good.
	suppressFirst = 7 * 24 * time.Hour
	suppressMost  = 180 * 24 * time.Hour
	// leaseTime is how long a process is the one that sends, unless it says so again, as it
	// does before each mail: longer than one may take.
	leaseTime = 30 * time.Minute
	// keepDrafts is how long is kept what nobody gets.
	keepDrafts = 7 * 24 * time.Hour
	// deservingDays is what Audience.Deserving wants, within passesWithin.
	deservingDays = 2
	passesWithin  = 30 * 24 * time.Hour
	pollEvery     = time.Minute
	// lookAgain is how often is looked for days to be cut.
	lookAgain = 10 * time.Minute
	// cutAgain is how long messages gather that came after a report was cut.
	cutAgain = 12 * time.Hour
)

// backOff is how long after a failed try the next one comes; the last holds on.
var backOff = []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour}

// Sender sends. Its methods are called by one goroutine, but for Expects, Bounce and
// Health, which others may call beside it.
type Sender struct {
	Settings
	state *state.State
	// now is the clock; tests have their own.
	now  func() time.Time
	used used
	held bool // the lease
	// adopted: what was on its way when the lease came here is dealt with.
	adopted bool
	looked  time.Time // when cutDue last looked
	// submitter is the domain of From.
	submitter string
	watch     watch
	patience  patience
	aged      journal.Retention
	// passed is how long ago it was made, by a clock that nobody sets; tests have their own.
	passed func() time.Duration
}

// New is a Sender over st.
func New(st *state.State, s Settings) *Sender {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	_, host, _ := strings.Cut(s.From, "@")
	made := s.Now() // with the monotonic clock, as long as it is the real one
	return &Sender{Settings: s, state: st, now: s.Now, submitter: host, watch: watch{dns: map[[32]byte]bool{}}, patience: newPatience(),
		aged: journal.Retention{Log: s.Log, Of: journal.Reports}, passed: func() time.Duration { return s.Now().Sub(made) }}
}

// Run cuts and sends until ctx is over.
func (s *Sender) Run(ctx context.Context) {
	for {
		if err := s.Step(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("reports wait", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pollEvery):
		}
	}
}

// Step does what is due, if this process holds the lease.
func (s *Sender) Step(ctx context.Context) error {
	may := s.mayForget() // a jump is seen also where another host sends
	held, err := s.state.Lease(ctx, "reports", s.Holder, leaseTime)
	if err != nil {
		s.held = false
		return err
	}
	if !held {
		s.held = false
		return s.look(ctx)
	}
	s.adopted = s.adopted && s.held
	s.held = true
	errs := []error{s.cutDue(ctx), s.cutFailures(ctx), s.sendDue(ctx)}
	if may {
		errs = append(errs, s.forget(ctx))
	}
	return errors.Join(append(errs, s.look(ctx))...)
}

// forgetAfter is how long nothing is removed after the start: a clock may be set late. Ours.
const forgetAfter = time.Hour

// mayForget reports whether the clock can be believed so far that what is old by it may go.
func (s *Sender) mayForget() bool {
	passed := s.passed()
	return s.aged.DueAfter(s.now().Round(0), passed, time.Time{}) && passed >= forgetAfter
}

// forget removes what is old.
func (s *Sender) forget(ctx context.Context) error {
	return errors.Join(s.state.ForgetReports(ctx, s.now(), s.KeepSent), s.state.Drop(ctx, s.now().Add(-keepDrafts)))
}

// gathered is when a report that was cut is cut again, for messages that came later.
func gathered(d *state.Draft) time.Time {
	return d.Day.Add(24*time.Hour + cutLatest + time.Duration(d.Cut)*cutAgain)
}

// cutDue cuts the days that are over and counted.
func (s *Sender) cutDue(ctx context.Context) error {
	if s.now().Before(s.looked.Add(lookAgain)) && !s.now().Before(s.looked) {
		return nil
	}
	s.looked = s.now()
	today := s.now().UTC().Truncate(24 * time.Hour)
	through, err := s.state.Through(ctx, s.now().Add(-liveHost))
	if err != nil {
		return err
	}
	who, err := s.deserving(ctx)
	if err != nil {
		return err
	}
	var due []state.Draft
	var ask []asking
	err = s.state.Drafts(ctx, today, func(d *state.Draft) {
		end := d.Day.Add(24 * time.Hour)
		switch {
		case through.Before(end) && s.now().Before(end.Add(cutLatest)):
		case d.Cut > 0 && s.now().Before(gathered(d)):
		case s.why(d, who) != "": // it stays, as its domain may come to deserve it
		default:
			due, ask = append(due, *d), append(ask, asking{d.Report, d.Domain})
		}
	})
	errs := []error{err}
	if !s.patience.each(ctx, ask, s.now(), func(i int) {
		if err := s.Cut(ctx, &due[i]); err != nil && !errors.Is(err, state.ErrUnknown) {
			errs = append(errs, err)
		}
	}) {
		s.looked = time.Time{} // the rest in the next step
	}
	return errors.Join(errs...)
}

func (s *Sender) deserving(ctx context.Context) (map[string]bool, error) {
	return s.state.Deserving(ctx, s.now().Add(-passesWithin), deservingDays)
}

// Why says of each draft why it is not sent; empty where it is.
func (s *Sender) Why(ctx context.Context) (func(*state.Draft) string, error) {
	who, err := s.deserving(ctx)
	return func(d *state.Draft) string { return s.why(d, who) }, err
}

// WhyOf is Why of one.
func (s *Sender) WhyOf(ctx context.Context, d *state.Draft) (string, error) {
	does, err := s.state.Deserves(ctx, d.Domain, s.now().Add(-passesWithin), deservingDays)
	return s.why(d, map[string]bool{d.Domain: does}), err
}

func (s *Sender) why(d *state.Draft, deserving map[string]bool) string {
	switch {
	case s.To.None:
		return "reports.to is none"
	case d.Wanted == 0:
		return "all its messages are reports, notifications or answers to them"
	case s.domainOptedOut(d.Domain):
		return "the domain is in opt_out.domains"
	case s.To.All, d.Domain == host(s.From), s.Own != nil && s.Own(d.Domain), slices.Contains(s.To.Domains, d.Domain):
		return ""
	case !s.To.Deserving:
		return "the domain is neither in reports.to nor in own_domains, nor that of reports.from"
	case !deserving[d.Domain]:
		return fmt.Sprintf("its mail did not pass on %d days within 30", deservingDays)
	}
	return ""
}

// Cut makes reports of a draft and puts them into the outbox, if an address may get them.
func (s *Sender) Cut(ctx context.Context, d *state.Draft) error {
	data, err := s.state.About(ctx, d)
	if err != nil {
		return err
	}
	var a about
	if err := json.Unmarshal(data, &a); err != nil {
		return fmt.Errorf("report on %s: %w", d.Domain, err)
	}
	targets := s.targetsOf(ctx, &a)
	if err := ctx.Err(); err != nil { // what was not asked is no refusal
		return err
	}
	delete(s.watch.dns, d.Report)
	later := slices.ContainsFunc(targets, func(t target) bool { return t.later }) && s.now().Before(d.Day.Add(24*time.Hour+tryFor))
	s.patience.note(d.Report, d.Domain, targets, later, s.now())
	if later {
		s.watch.dns[d.Report] = true
		return nil // it is looked at again
	}
	var to []string
	for _, t := range targets {
		if t.refused == "" && !slices.Contains(to, t.address) {
			to = append(to, t.address)
		} else if t.refused != "" {
			s.Log.Info("a report does not go to an address", "policy_domain", d.Domain, "target", t.address, "reason", t.refused)
		}
	}
	if len(to) == 0 {
		return s.state.Cut(ctx, d, nil)
	}
	parts, err := s.parts(ctx, &a, d, to)
	if err != nil {
		return err
	}
	return s.state.Cut(ctx, d, parts)
}

// parts are the reports of a draft.
func (s *Sender) parts(ctx context.Context, a *about, d *state.Draft, to []string) (list []state.Part, err error) {
	report := aggregate.Report{
		Organization: s.Organization, Email: s.From, Contact: s.Contact, Generator: s.Generator,
		Scope: a.Scope, Dropped: d.Dropped,
	}
	err = s.state.EachLine(ctx, d, func(l state.Line) error {
		row := aggregate.Counted{Count: l.Messages}
		if err := json.Unmarshal(l.Data, &row.Row); err != nil {
			return fmt.Errorf("a row of the report on %s: %w", d.Domain, err)
		}
		report.Rows = append(report.Rows, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	parts, err := aggregate.Split(&report, s.Schema, func(part int) string {
		return aggregate.ID(s.submitter, &a.Scope, int(d.Cut), part)
	})
	if err != nil {
		return nil, err
	}
	for i := range parts {
		parts[i].Report.Rows = nil // they are in the file
		p := state.Part{ID: parts[i].Report.ID, Domain: d.Domain, Day: d.Day, Made: s.now(),
			About: encode(kept{Report: parts[i].Report, Messages: parts[i].Messages}), Data: parts[i].GZIP}
		for _, address := range to {
			p.Targets = append(p.Targets, state.Target{Address: address, Next: leaves(&p, address)})
		}
		list = append(list, p)
	}
	return list, nil
}

// kept is what is known of a report that was cut, beside its file.
type kept struct {
	Report   *aggregate.Report
	Messages int64
}

// leaves is when a report leaves for a target: a time of its own, the same each time.
func leaves(p *state.Part, target string) time.Time {
	h := fnv.New64a()
	h.Write([]byte(p.Domain + "\x00" + target))
	return p.Day.Add(24*time.Hour + sendFirst + time.Duration(h.Sum64()%uint64((sendLast-sendFirst)/time.Second))*time.Second)
}

// organization is whom an address belongs to.
func organization(address string) string {
	host := address[strings.LastIndexByte(address, '@')+1:]
	if org, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return org
	}
	return host
}
