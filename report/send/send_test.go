package send

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
	"alignd/report/aggregate"
	"alignd/report/read"
	"alignd/resolver"
)

var day = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// world is a site that reports, with a clock and a relay of its own.
type world struct {
	t      *testing.T
	path   string
	state  *state.State
	sender *Sender
	relay  *relay
	now    time.Time
	number int
}

// relay takes mail as it is told; without a word it does.
type relay struct {
	answers []error
	took    []string // "target domain messages"
	ids     []string
	onSend  func()
	from    string
}

func (r *relay) Send(_ context.Context, from, to string, mail []byte) error {
	r.from = from
	if r.onSend != nil {
		r.onSend()
	}
	var answer error
	if len(r.answers) > 0 {
		answer, r.answers = r.answers[0], r.answers[1:]
	}
	if answer == nil || errors.Is(answer, ErrLost) {
		k := &keeper{}
		if n, err := read.New(k, read.Limits{}).File("mail", bytes.NewReader(mail)); n != 1 || err != nil {
			return fmt.Errorf("%d reports, %w", n, err)
		}
		r.took = append(r.took, fmt.Sprintf("%s %s %d", to, k.head.Domain, k.messages))
		r.ids = append(r.ids, k.head.ReportID)
	}
	return answer
}

type keeper struct {
	head     read.Aggregate
	messages int64
}

func (k *keeper) Aggregate(head *read.Aggregate, records *read.Records) error {
	k.head = *head
	for r, err := range records.All() {
		if err != nil {
			return err
		}
		k.messages += *r.Count
	}
	return nil
}
func (k *keeper) Failure(*read.Failure) error { return nil }
func (k *keeper) Problem(read.Problem)        {}

const zone = `
shop.example._report._dmarc.other.example. TXT "v=DMARC1"
moved.example._report._dmarc.other.example. TXT "v=DMARC1; rua=mailto:new@other.example"
away.example._report._dmarc.other.example. TXT "v=DMARC1; rua=mailto:new@third.example"
down.example._report._dmarc.other.example. SERVFAIL
`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "state.db"), relay: &relay{}, now: day.Add(12 * time.Hour)}
	w.open(nil)
	return w
}

// open starts the process anew.
func (w *world) open(change func(*Settings)) {
	w.t.Helper()
	if w.state != nil {
		w.state.Close()
	}
	c := Counting{Addresses: []string{"dmarc@here.test"}, OptOut: []string{"silent.example"}}
	st, err := state.OpenFile(context.Background(), w.path, state.Options{Tally: c.Tally})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { st.Close() })
	z, err := resolver.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		w.t.Fatal(err)
	}
	s := Settings{
		From: "dmarc@here.test", Organization: "Here", Schema: aggregate.RFC9990, To: Audience{Deserving: true},
		Own: func(d string) bool { return d == "here.test" }, Transport: w.relay, DNS: z, Holder: "one", KeepSent: 7 * 24 * time.Hour,
		Now: func() time.Time { return w.now },
	}
	if change != nil {
		change(&s)
	}
	w.state, w.sender = st, New(st, s)
}

// mail counts a message.
func (w *world) mail(domain string, pass bool, rua ...string) {
	w.mailTo("bob@here.test", domain, pass, rua...)
}

func (w *world) mailTo(to, domain string, pass bool, rua ...string) {
	w.t.Helper()
	dm := evidence.DMARC{AuthorDomain: domain, PolicyDomain: domain, Result: evidence.Fail, Policy: evidence.PolicyReject,
		Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100}}
	author := policy.AuthorOutcome{AuthorDomain: domain, Disposition: policy.DispositionReject}
	if pass {
		dm.Result, dm.DKIMAligned, author.Disposition = evidence.Pass, true, policy.DispositionAccept
	}
	for _, uri := range rua {
		dm.Published.RUA = append(dm.Published.RUA, uri)
		if !strings.HasSuffix(uri, domain) {
			dm.Published.OtherRUA = append(dm.Published.OtherRUA, uri)
		}
	}
	w.number++
	r := &record.Record{
		Evidence: evidence.Message{Time: w.now, MailFrom: "x@" + domain, MailFromDomain: domain, DMARC: []evidence.DMARC{dm},
			Client: evidence.Client{Peer: netip.MustParseAddr("192.0.2.1")}, Recipients: []evidence.Recipient{{Address: to}}},
		Verdict: policy.Verdict{Disposition: author.Disposition, Authors: []policy.AuthorOutcome{author}},
		Outcome: record.Outcome{End: record.EndAnswered},
	}
	err := w.state.Take(context.Background(), spool.ID{1}, []journal.Raw{{Entry: journal.Entry{Number: spool.Number(w.number), Record: r}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// until lets the clock go on, in steps of half an hour.
func (w *world) until(t time.Time) {
	w.t.Helper()
	for ; w.now.Before(t); w.now = w.now.Add(30 * time.Minute) {
		w.step()
	}
	w.now = t
	w.step()
}

func (w *world) step() {
	w.t.Helper()
	if err := w.state.Tidy(context.Background(), w.now); err != nil {
		w.t.Fatal(err)
	}
	// The lease is by the database's clock, which does not jump.
	if err := w.sender.Step(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) took(want ...string) {
	w.t.Helper()
	slices.Sort(w.relay.took)
	slices.Sort(want)
	if got := strings.Join(w.relay.took, "\n"); got != strings.Join(want, "\n") {
		w.t.Errorf("sent:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	w.relay.took = nil
}

func (w *world) states(want ...string) {
	w.t.Helper()
	items, err := w.state.Items(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, x := range items {
		got = append(got, x.Target+" "+string(x.State))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("outbox:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOnlyWhoDeservesItGetsAReport(t *testing.T) {
	w := newWorld(t)
	const rua = "mailto:r@"
	for range 2 {
		w.mail("shop.example", true, rua+"shop.example")
		w.mail("victim.example", false, rua+"victim.example")
		w.mail("silent.example", true, rua+"silent.example")
		w.mail("here.test", false, rua+"here.test")
		w.until(w.now.Add(24 * time.Hour))
		if w.now.Equal(day.Add(36 * time.Hour)) {
			w.mail("oneday.example", true, rua+"oneday.example")
			// shop.example passed on one day: that is not enough.
			w.took("r@here.test here.test 1")
		}
	}
	w.took("r@shop.example shop.example 1", "r@here.test here.test 1", "r@shop.example shop.example 1")
}

func TestEveryAddressThatMayGetOneDoes(t *testing.T) {
	w := newWorld(t)
	w.open(func(s *Settings) { s.To = Audience{All: true}; s.OptOut.Hosts = []string{"optout.example"} })
	w.mail("shop.example", true, "mailto:a@shop.example", "mailto:b@other.example", "mailto:c@third.example", "https://shop.example/", "mailto:a@shop.example")
	w.mail("moved.example", true, "mailto:old@other.example")
	w.mail("away.example", true, "mailto:old@other.example")
	w.mail("down.example", true, "mailto:a@other.example")
	w.mail("fourth.example", true, "mailto:x@optout.example")
	w.mail("hidden.example", true, "mailto:ceo@victim.example#@hidden.example", `mailto:"a@victim.example"@hidden.example`)
	w.until(day.Add(48 * time.Hour))
	seen := map[string]bool{}
	for _, x := range w.relay.took {
		seen[x] = true
	}
	for _, want := range []string{"a@shop.example shop.example 1", "b@other.example shop.example 1", "new@other.example moved.example 1"} {
		if !seen[want] {
			t.Errorf("%q was not sent: %q", want, w.relay.took)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("also sent: %v", seen)
	}
}

func TestReportsAreNoReasonForReports(t *testing.T) {
	w := newWorld(t)
	w.open(func(s *Settings) { s.To = Audience{All: true} })
	w.mailTo("DMARC@here.test", "peer.example", true, "mailto:r@peer.example")
	w.mailTo("dmarc@here.test", "shop.example", true, "mailto:r@shop.example")
	w.mail("shop.example", true, "mailto:r@shop.example")
	w.until(day.Add(48 * time.Hour))
	w.took("r@shop.example shop.example 2")
}

// tooSlowUnderRace leaves out what opens many stores, or goes many steps with one.
func tooSlowUnderRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("left out with the race detector: make test runs it without, with ALIGND_E2E")
	}
}

func TestWhatBecomesOfAReport(t *testing.T) {
	tooSlowUnderRace(t)
	busy, never := &Refusal{Temporary: true, Text: "451 later"}, &Refusal{Text: "550 no such user"}
	for _, test := range []struct {
		name    string
		answers []error
		hours   int
		state   string
		copies  int
	}{
		{name: "taken", state: "sent", copies: 1},
		{name: "put off three times", answers: []error{busy, busy, busy}, state: "sent", copies: 1},
		{name: "the relay is away for a while", answers: []error{errors.New("connection refused"), errors.New("connection refused")}, state: "sent", copies: 1},
		{name: "put off for ever", answers: repeated(busy, 50), hours: 120, state: "given up"},
		{name: "refused", answers: []error{never}, state: "given up"},
		{name: "the answer to the final dot was lost: an identical copy goes", answers: []error{ErrLost}, state: "sent", copies: 2},
		{name: "and was lost again", answers: []error{ErrLost, ErrLost}, state: "unknown, given up", copies: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.relay.answers = test.answers
			w.mail("here.test", false, "mailto:r@here.test")
			w.until(day.Add(time.Duration(max(test.hours, 60)) * time.Hour))
			w.states("r@here.test " + test.state)
			if len(w.relay.took) != test.copies {
				t.Errorf("%d copies, want %d", len(w.relay.took), test.copies)
			}
			for _, id := range w.relay.ids {
				if id != w.relay.ids[0] {
					t.Errorf("copies differ: %q", w.relay.ids)
				}
			}
		})
	}
}

func repeated(err error, n int) (list []error) {
	for range n {
		list = append(list, err)
	}
	return list
}

func TestAKillBetweenAnswerAndOurNote(t *testing.T) {
	w := newWorld(t)
	w.mail("here.test", false, "mailto:r@here.test")
	for i := range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		w.relay.onSend = func() { cancel(); w.state.Close() } // nothing is noted after that
		for w.now.Before(day.Add(time.Duration(60+i) * time.Hour)) {
			w.now = w.now.Add(10 * time.Minute)
			w.state.Tidy(ctx, w.now)
			w.sender.Step(ctx)
			if ctx.Err() != nil {
				break
			}
		}
		cancel()
		w.relay.onSend = nil
		w.open(nil)
	}
	w.step()
	w.states("r@here.test unknown, given up")
	if len(w.relay.took) != 2 {
		t.Errorf("%d copies, want 2", len(w.relay.took))
	}
}

func TestAnAddressThatRefusesIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.relay.answers = []error{&Refusal{NoMailbox: true, Text: "550 no such user"}}
	for range 3 {
		w.mail("here.test", false, "mailto:r@here.test")
		w.until(w.now.Add(24 * time.Hour))
	}
	w.took()
	w.states("r@here.test suppressed", "r@here.test suppressed", "r@here.test given up")
}

// What one report is refused for says nothing about the next, or about other domains that
// have their reports sent to the same address.
func TestARefusedReportSilencesNobody(t *testing.T) {
	w := newWorld(t)
	w.relay.answers = []error{&Refusal{Text: "554 5.6.0 no such mail here"}}
	for range 3 {
		w.mail("here.test", false, "mailto:r@here.test")
		w.until(w.now.Add(24 * time.Hour))
	}
	w.states("r@here.test sent", "r@here.test sent", "r@here.test given up")
}

func TestAnswersToOurAddressesAreNoReasonForReports(t *testing.T) {
	c := Counting{Addresses: []string{"dmarc@here.test", "b@here.test"}, Delimiters: "+-"}
	for address, want := range map[string]bool{"dmarc@here.test": true, "Dmarc+x@here.test": true, "b+0123@Here.test": true, "b-x@here.test": true,
		"bob@here.test": false, "x+b@here.test": false, "b@there.test": false} {
		if got := c.optional(&evidence.Message{MailFrom: "a@x.example", Recipients: []evidence.Recipient{{Address: address}}}); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

// Many names below one domain get a hundred reports a day, and take no place of others.
func TestNamesWithoutNumberCrowdNobodyOut(t *testing.T) {
	w := newWorld(t)
	w.open(func(s *Settings) { s.To = Audience{All: true} })
	for i := range 150 {
		name := fmt.Sprintf("a%d.flood.example", i)
		w.mail(name, true, "mailto:r@"+name)
	}
	w.mail("shop.example", true, "mailto:r@shop.example")
	w.until(day.Add(48 * time.Hour))
	flood := 0
	for _, x := range w.relay.took {
		if strings.Contains(x, "flood") {
			flood++
		}
	}
	if flood != 100 || len(w.relay.took) != 101 {
		t.Errorf("%d reports, %d of them to the flood", len(w.relay.took), flood)
	}
}

func TestLateMessagesGoIntoAFurtherReport(t *testing.T) {
	w := newWorld(t)
	w.mail("here.test", false, "mailto:r@here.test")
	w.until(day.Add(32 * time.Hour))
	w.took("r@here.test here.test 1")
	now := w.now
	w.now = day.Add(23 * time.Hour) // the spool of a host that was away
	w.mail("here.test", false, "mailto:r@here.test")
	w.mail("here.test", false, "mailto:r@here.test")
	w.now = now
	w.until(day.Add(60 * time.Hour))
	w.took("r@here.test here.test 2")
	if w.relay.ids[0] == w.relay.ids[1] {
		t.Error("both reports have one id")
	}
}

func TestOneHostSends(t *testing.T) {
	w := newWorld(t)
	w.mail("here.test", false, "mailto:r@here.test")
	w.until(day.Add(23 * time.Hour))
	other := New(w.state, w.sender.Settings)
	other.Holder, other.now = "two", w.sender.now
	if err := other.Step(context.Background()); err != nil || other.held {
		t.Errorf("both hold the lease: %v", err)
	}
}

func TestSignaturesAreRight(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	mail := []byte("From: <dmarc@here.test>\r\nTo: <a@b.example>\r\nSubject: x\r\nDate: Fri, 20 Nov 2026 00:00:00 +0000\r\nMessage-Id: <1@here.test>\r\n\r\nbody\r\n")
	signed, err := sign(mail, "here.test", []Key{{"ed", edKey}, {"rsa", rsaKey}})
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(signed, []byte("DKIM-Signature:")); n != 2 || !bytes.HasSuffix(signed, mail) {
		t.Errorf("%d signatures\n%s", n, signed)
	}
	checkSignatures(t, signed, map[string]any{"ed": edKey.Public(), "rsa": rsaKey.Public()})
}

// A clock that is wrong for a while, as at a start without a time server, removes nothing:
// not in the first hour, and after a jump not until a restart.
func TestAWrongClockRemovesNothing(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, c := range []struct {
		name   string
		clock  []time.Duration // after noon, at each look
		passed []time.Duration // since the start, by the monotonic clock
		other  int             // so many of the looks are while another host sends
		left   int
		said   string
	}{
		{name: "a right one, and an old draft", clock: []time.Duration{9 * 24 * time.Hour, 9*24*time.Hour + time.Hour}, passed: []time.Duration{0, time.Hour}},
		{name: "one that is set by minutes", clock: []time.Duration{9 * 24 * time.Hour, 9*24*time.Hour + time.Hour - time.Minute}, passed: []time.Duration{0, time.Hour}},
		{name: "a young draft", clock: []time.Duration{time.Hour, 3 * time.Hour}, passed: []time.Duration{0, 2 * time.Hour}, left: 1},
		{name: "a year ahead for the first hour", clock: []time.Duration{year, year + 59*time.Minute}, passed: []time.Duration{0, 59 * time.Minute}, left: 1},
		{name: "a year ahead for a while", clock: []time.Duration{time.Hour, 2 * time.Hour, year, year + 5*time.Hour, 8 * time.Hour},
			passed: []time.Duration{0, time.Hour, 2 * time.Hour, 7 * time.Hour, 8 * time.Hour}, left: 1, said: "the clock jumped, so no old reports are removed until a restart"},
		{name: "a jump while another host sends", clock: []time.Duration{time.Hour, year, year + time.Hour, year + 2*time.Hour},
			passed: []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour}, other: 3, left: 1, said: "the clock jumped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			var said bytes.Buffer
			w.mail("young.example", false, "mailto:r@young.example") // nobody gets it yet
			w.open(func(s *Settings) { s.Log = slog.New(slog.NewTextHandler(&said, nil)) })
			for i, after := range c.clock {
				if c.other > 0 {
					span := time.Duration(0) // it gives the lease up
					if i < c.other {
						span = time.Hour
					}
					if held, err := w.state.Lease(t.Context(), "reports", "two", span); err != nil || !held {
						t.Fatal(held, err)
					}
				}
				w.now, w.sender.passed = day.Add(12*time.Hour+after), func() time.Duration { return c.passed[i] }
				w.step()
			}
			left := 0
			if err := w.state.Drafts(t.Context(), day.AddDate(2, 0, 0), func(*state.Draft) { left++ }); err != nil {
				t.Fatal(err)
			}
			if left != c.left || (c.said == "") == strings.Contains(said.String(), "clock jumped") || !strings.Contains(said.String(), c.said) {
				t.Errorf("%d drafts are left, want %d; said %q", left, c.left, said.String())
			}
		})
	}
}

// A report that cannot be written ends as all do.
func TestAReportThatCannotBeWrittenEnds(t *testing.T) {
	w := newWorld(t)
	w.mail("here.test", false, "mailto:r@here.test")
	w.now = day.Add(24*time.Hour + 5*time.Minute)
	w.step()
	w.sender.Keys = []Key{{Selector: "s"}} // none that signs
	for range 5 {
		w.now = w.now.Add(24 * time.Hour)
		w.sender.Step(t.Context())
	}
	w.states("r@here.test given up")
}
