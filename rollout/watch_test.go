package rollout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/spool"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
)

// rollingOut is a site that rolls out, with counters of its own.
type rollingOut struct {
	*Watch
	t     *testing.T
	dir   string
	url   string // of the database that hosts share, if there is one
	file  string
	cfg   *config.Config
	state *state.State
	n     int
	lines bytes.Buffer
}

const stopping = `domains:
  - id: bank
    author_domains: [bank.example]
    rollout: [{stage: quarantine}, {stage: reject, stop_if: {failing_share: 10%, over: 6h}}]
`

func rollOut(t *testing.T, rollout string) *rollingOut { return rollOutWith(t, rollout, "") }

// rollOutWith shares the state over a database.
func rollOutWith(t *testing.T, rollout, url string) *rollingOut {
	t.Helper()
	s := &rollingOut{t: t, dir: t.TempDir(), url: url}
	s.file = filepath.Join(s.dir, "alignd.yaml")
	s.configure(rollout)
	var err error
	if s.state, err = place.OpenState(s.cfg, slog.New(slog.DiscardHandler), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.state.Close() })
	s.restart(s.state)
	return s
}

func (s *rollingOut) configure(rollout string) {
	s.t.Helper()
	text := fmt.Sprintf("journal: {store: sqlite, path: %q, url: %q}\n%s", filepath.Join(s.dir, "state"), s.url, rollout)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var err error
	if s.cfg, err = config.Load(s.file); err != nil {
		s.t.Fatal(err)
	}
}

// restart is the watch of a daemon that begins.
func (s *rollingOut) restart(from State) {
	s.Watch = New(from, place.StopsFile(s.cfg), slog.New(slog.NewTextHandler(&s.lines, nil)))
	s.Use(s.cfg.Rules)
}

// mail comes, of one client, with this result. What passes does so by SPF.
func (s *rollingOut) mail(n int, client string, result evidence.Result, ago time.Duration) {
	s.t.Helper()
	s.changed(n, client, result, ago, func(r *record.Record) { r.Evidence.DMARC[0].SPFAligned = result == evidence.Pass })
}

// steady has a client pass by SPF on this day and two before.
func (s *rollingOut) steady(n int, client string) {
	s.t.Helper()
	for days := range 3 {
		s.mail(n, client, evidence.Pass, time.Duration(days)*24*time.Hour)
	}
}

// sentAgain is mail that passes by DKIM, as each copy of a signed message does.
func sentAgain(r *record.Record) { r.Evidence.DMARC[0].DKIMAligned = true }

func (s *rollingOut) changed(n int, client string, result evidence.Result, ago time.Duration, f func(*record.Record)) {
	s.t.Helper()
	var list []journal.Raw
	for range n {
		s.n++
		r := &record.Record{Evidence: evidence.Message{
			Time: time.Now().Add(-ago), Client: evidence.Client{Peer: netip.MustParseAddr(client)}, From: evidence.From{Domains: []string{"bank.example"}},
			DMARC: []evidence.DMARC{{AuthorDomain: "bank.example", Result: result, Policy: evidence.PolicyReject}},
		}, Verdict: policy.Verdict{Evaluation: 1, Delivery: policy.Deliver}}
		f(r)
		list = append(list, journal.Raw{Entry: journal.Entry{Number: spool.Number(s.n), Record: r}, Encoded: record.Append(nil, r)})
	}
	if err := s.state.Take(s.t.Context(), spool.ID{1}, list); err != nil {
		s.t.Fatal(err)
	}
	if err := s.state.Tidy(s.t.Context(), time.Now().Add(time.Duration(s.n)*2*time.Minute)); err != nil {
		s.t.Fatal(err)
	}
}

// expect is what is stopped after a look, and what the log says since the last one.
func (s *rollingOut) expect(what, want string, logged ...string) {
	s.t.Helper()
	s.look()
	if got := strings.Join(s.stops.IDs(), " "); got != want || int(s.count.Load()) != len(s.stops.IDs()) {
		s.t.Errorf("%s: stopped is %q, want %q", what, got, want)
	}
	text := s.lines.String()
	for _, line := range logged {
		if !strings.Contains(text, line) {
			s.t.Errorf("%s: %q is missing in\n%s", what, line, text)
		}
	}
	if len(logged) == 0 && text != "" {
		s.t.Errorf("%s: the log says\n%s", what, text)
	}
	s.lines.Reset()
}

// shows is what Show says.
func (s *rollingOut) shows(stopped bool, has string) {
	s.t.Helper()
	var out strings.Builder
	got, err := Show(s.t.Context(), &out, s.state, s.cfg.Rules.Watches(), time.Now())
	if err != nil || got != stopped || !strings.Contains(out.String(), has) {
		s.t.Errorf("stopped is %v, want %v, and %q in\n%s%v", got, stopped, has, out.String(), err)
	}
}

func (s *rollingOut) resume(id string, want error) {
	s.t.Helper()
	if err := s.state.Resume(s.t.Context(), id, time.Now()); !errors.Is(err, want) {
		s.t.Errorf("resuming %s: %v, want %v", id, err, want)
	}
}

func TestARolloutStopsItself(t *testing.T) {
	s := rollOut(t, stopping)
	s.expect("nothing came", "")
	s.shows(false, "bank/reject: has begun")
	s.mail(100, "192.0.2.1", evidence.Pass, 10*24*time.Hour)
	s.mail(100, "192.0.2.1", evidence.Pass, 29*24*time.Hour) // counts two hours later too, when that is another day
	s.mail(100, "192.0.2.1", evidence.Pass, time.Hour)
	s.mail(5000, "203.0.113.9", evidence.Fail, time.Hour)
	s.expect("a flood of forgeries", "")
	s.mail(10, "192.0.2.1", evidence.Fail, time.Hour)
	s.expect("below the bound", "")
	s.mail(5, "192.0.2.2", evidence.Fail, time.Hour) // of one network
	s.expect("above it", "bank/reject", `msg="rollout stopped"`, "stage=reject", "stays_at=quarantine", "15 of 115 messages fail (13 %) within 6 h, more than 10 %",
		"5015 failing messages of the last 6 h would come under reject, not quarantine; 15 are of senders that passed steadily", "alignd.yaml:5")
	s.expect("it is told once", "bank/reject")
	s.shows(true, "stopped since")

	s.restart(s.state)
	s.expect("a restart", "bank/reject", "rollout is stopped")
	s.configure(strings.Replace(stopping, "quarantine}", "quarantine, percent: 50}", 1))
	s.lines.Reset()
	s.rules.Store(s.cfg.Rules)
	s.mail(1000, "192.0.2.1", evidence.Pass, time.Hour)
	s.expect("the entry was changed", "", "rollout goes on")
	s.configure(stopping)
	s.Use(s.cfg.Rules)
	s.expect("and changed back", "bank/reject", "rollout is stopped")

	s.resume("other/reject", state.ErrUnknown)
	s.resume("bank/reject", nil)
	s.resume("bank/reject", state.ErrUnknown)
	s.expect("an admin resumed it", "", "rollout goes on")
	s.mail(5000, "192.0.2.1", evidence.Fail, 0)
	s.expect("what was counted before, and in that hour, says nothing", "")
	s.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	s.mail(100, "192.0.2.1", evidence.Fail, -90*time.Minute)
	s.expect("it exceeds its bound anew", "bank/reject", "rollout stopped")
}

// Hosts that share their state, each with records of its own, stop and go on together.
func TestHostsStopARolloutTogether(t *testing.T) {
	url := pgtest.Start(t).URL("postgres")
	a, b := rollOutWith(t, stopping, url), rollOutWith(t, stopping, url)
	a.steady(100, "192.0.2.1")
	b.expect("nothing fails", "")
	a.mail(30, "192.0.2.1", evidence.Fail, 0)
	a.expect("above the bound", "bank/reject", `msg="rollout stopped"`)
	b.expect("stopped by the other host", "bank/reject", "rollout is stopped")
	b.restart(b.state)
	b.expect("a restart", "bank/reject", "rollout is stopped")
	b.resume("bank/reject", nil)
	b.expect("resumed here", "", "rollout goes on")
	a.expect("and there", "", "rollout goes on")
}

// Nobody stops a rollout with copies of signed mail, and forgeries from where he sends them.
func TestWhoseFailingMailCounts(t *testing.T) {
	const attacker = "203.0.113.5"
	days := func(n int, f func(time.Duration)) {
		for i := range n {
			f(time.Duration(i) * 24 * time.Hour)
		}
	}
	for _, c := range []struct {
		name  string
		sends func(*rollingOut)
		want  string
	}{
		{name: "one signed message is sent again", sends: func(s *rollingOut) { s.changed(1, attacker, evidence.Pass, 0, sentAgain) }},
		{name: "signed messages are sent again, many on each day", sends: func(s *rollingOut) {
			days(20, func(ago time.Duration) { s.changed(50, attacker, evidence.Pass, ago, sentAgain) })
		}},
		{name: "SPF passes by a record that matches everybody", sends: func(s *rollingOut) {
			days(20, func(ago time.Duration) {
				s.changed(50, attacker, evidence.Pass, ago, func(r *record.Record) {
					r.Evidence.DMARC[0].SPFAligned, r.Evidence.MailFrom = true, "x@bank.example"
					r.Evidence.SPF.MailFrom = &evidence.SPFCheck{Result: evidence.Pass, Domain: "bank.example", Wide: true}
				})
			})
		}},
		{name: "SPF passes on a day", sends: func(s *rollingOut) { s.mail(50, attacker, evidence.Pass, 0) }},
		{name: "on two", sends: func(s *rollingOut) { days(2, func(ago time.Duration) { s.mail(50, attacker, evidence.Pass, ago) }) }},
		{name: "on three, but for one message of eleven", sends: func(s *rollingOut) {
			days(3, func(ago time.Duration) { s.mail(1, attacker, evidence.Pass, ago) })
		}},
		{name: "on three, long ago", sends: func(s *rollingOut) {
			days(3, func(ago time.Duration) { s.mail(50, attacker, evidence.Pass, ago+31*24*time.Hour) })
		}},
		{name: "on three", sends: func(s *rollingOut) { days(3, func(ago time.Duration) { s.mail(2, attacker, evidence.Pass, ago) }) }, want: "bank/reject"},
	} {
		s := rollOut(t, stopping)
		c.sends(s)
		s.mail(30, attacker, evidence.Fail, time.Minute)
		s.look()
		if got := strings.Join(s.stops.IDs(), " "); got != c.want {
			t.Errorf("%s: stopped is %q, want %q", c.name, got, c.want)
		}
	}
}

// Nobody stops one with copies that are refused for where they come from, or how large they are.
func TestWhichRefusalsCount(t *testing.T) {
	refused := func(step policy.Step, bySPF bool) func(*record.Record) {
		return func(r *record.Record) {
			r.Verdict.Delivery, r.Verdict.Step = policy.Refuse, step
			r.Evidence.DMARC[0].SPFAligned, r.Evidence.DMARC[0].DKIMAligned = bySPF, !bySPF
		}
	}
	for _, c := range []struct {
		name string
		is   func(*record.Record)
		want string
	}{
		{name: "a block entry has copies of a signed message refused", is: refused(policy.StepException, false)},
		{name: "a limit has", is: refused(policy.StepLimit, false)},
		{name: "a limit has the domain's own mail refused", is: refused(policy.StepLimit, true)},
		{name: "a block entry has", is: refused(policy.StepException, true), want: "bank/reject"},
	} {
		s := rollOut(t, strings.Replace(stopping, "failing_share: 10%", "passing_refused: 10", 1))
		s.changed(12, "203.0.113.5", evidence.Pass, 0, c.is)
		s.look()
		if got := strings.Join(s.stops.IDs(), " "); got != c.want {
			t.Errorf("%s: stopped is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAStageThatIsToBeStoppedDoesNotBegin(t *testing.T) {
	soon := time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	s := rollOut(t, "rollout: [{stage: tag}, {stage: quarantine, from: "+soon+", stop_if: {failing_share: 10%}}, {stage: reject, from: "+later+", stop_if: {failing_share: 1%}}]\n")
	s.steady(30, "192.0.2.1")
	s.mail(10, "192.0.2.1", evidence.Fail, 0)
	s.expect("a minute before", "rollout/quarantine", "stays_at=tag")
	s.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	s.expect("what stands behind it is not asked", "rollout/quarantine")
	s.shows(true, "rollout/reject: does not begin")
}

// awayState has counters that cannot be read, as where the database is away.
type awayState struct{ State }

func (awayState) Stops(context.Context) ([]state.Stop, error) {
	return nil, errors.New("no connection")
}

func TestCountersThatCannotBeReadChangeNothing(t *testing.T) {
	s := rollOut(t, stopping)
	s.steady(30, "192.0.2.1")
	s.mail(10, "192.0.2.1", evidence.Fail, time.Hour)
	s.expect("above the bound", "bank/reject", "rollout stopped")
	s.Watch.state = awayState{}
	s.expect("the database is away", "bank/reject", "cannot be read, what is stopped stays so")
	s.expect("that is told once", "bank/reject")
	s.restart(awayState{})
	s.expect("a restart meanwhile", "bank/reject", "rollout is stopped")
	s.Watch.state = s.state
	s.expect("it is back", "bank/reject")
	s.Watch.state = struct{ State }{}
	s.expect("it panics", "bank/reject", "a part of alignd failed", "cannot be read, what is stopped stays so")

	s.restart(nil)
	s.expect("no state at all", "bank/reject", "rollout is stopped")
}

// A stop holds though the state has lost it, as where somebody removes its file or puts an
// earlier copy in its place, while the daemon runs or not; until somebody says to go on.
func TestAStopOutlivesTheState(t *testing.T) {
	s := rollOut(t, stopping)
	file := place.StateFile(s.cfg)
	s.steady(10, "192.0.2.1")
	s.mail(15, "192.0.2.1", evidence.Fail, time.Hour)
	s.expect("above the bound", "bank/reject", `msg="rollout stopped"`)
	lost := "a stop of a rollout was lost with the counts and is kept again"
	for _, restart := range []bool{false, true} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // a second passes until it is noticed
		if restart {
			s.Watch = New(s.state, place.StopsFile(s.cfg), slog.New(slog.NewTextHandler(&s.lines, nil)))
			s.rules.Store(s.cfg.Rules)
		}
		s.expect("its file is gone", "bank/reject", lost)
		s.expect("it is told once", "bank/reject")
		s.shows(true, "stopped since")
	}
	s.resume("bank/reject", nil)
	s.expect("an admin says to go on", "", "rollout goes on")
	s.restart(s.state)
	s.expect("a restart", "")
}
