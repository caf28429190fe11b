package send

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
	"alignd/report/failure"
	"alignd/report/read"
	"alignd/resolver"
)

const failureZone = `
_dmarc.a.example. TXT "v=DMARC1; p=none"
_dmarc.apart.a.example. TXT "v=DMARC1; p=none; psd=n"
_dmarc.bank.example. TXT "v=DMARC1; p=none; psd=y"
_dmarc.gone.example. SERVFAIL
shop.example._report._dmarc.other.example. TXT "v=DMARC1"
moved.example._report._dmarc.other.example. TXT "v=DMARC1; ruf=mailto:new@other.example; rua=mailto:no@other.example"
away.example._report._dmarc.other.example. TXT "v=DMARC1; ruf=mailto:new@third.example"
down.example._report._dmarc.other.example. SERVFAIL
`

// failureWorld is a site that sends failure reports, with a clock and a relay of its own.
type failureWorld struct {
	t      *testing.T
	state  *state.State
	holder *Holder
	sender *Sender
	relay  *failureRelay
	mu     sync.Mutex
	now    time.Time
}

// failureRelay keeps what comes, and answers as it is told.
type failureRelay struct {
	answers []error
	mails   []string
	from    []string
	got     []string // "target domain incidents"
}

func (r *failureRelay) Send(_ context.Context, from, to string, mail []byte) error {
	var answer error
	if len(r.answers) > 0 {
		answer, r.answers = r.answers[0], r.answers[1:]
	}
	if answer == nil || errors.Is(answer, ErrLost) {
		k := &failureKeeper{}
		if n, err := read.New(k, read.Limits{}).File("mail", bytes.NewReader(mail)); n != 1 || err != nil {
			return fmt.Errorf("%d reports, %w", n, err)
		}
		r.mails, r.from = append(r.mails, string(mail)), append(r.from, from)
		r.got = append(r.got, fmt.Sprintf("%s %s %s", to, k.f.ReportedDomain, k.f.Fields["incidents"]))
	}
	return answer
}

type failureKeeper struct{ f *read.Failure }

func (k *failureKeeper) Aggregate(*read.Aggregate, *read.Records) error { return nil }
func (k *failureKeeper) Failure(f *read.Failure) error                  { k.f = f; return nil }
func (k *failureKeeper) Problem(read.Problem)                           {}

func newFailureWorld(t *testing.T, change func(*Settings)) *failureWorld {
	t.Helper()
	st, err := state.OpenFile(context.Background(), filepath.Join(t.TempDir(), "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	z, err := resolver.ParseZone(strings.NewReader(failureZone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	w := &failureWorld{t: t, state: st, relay: &failureRelay{}, now: day.Add(12 * time.Hour)}
	c := Counting{Addresses: []string{"dmarc@here.test", "bounces@here.test"}, Delimiters: "+"}
	s := Settings{From: "dmarc@here.test", Bounces: "bounces@here.test", Delimiter: "+", Organization: "Here", Generator: "alignd 1",
		Own: func(d string) bool { return d == "own.example" }, Transport: w.relay, DNS: z, Holder: "one", KeepSent: 7 * 24 * time.Hour,
		Failures: Failures{To: Audience{All: true}, Every: time.Hour, PerDomain: 2, PerAddress: 5, PerDay: 100, Ours: c.Ours, Key: []byte("0123456789abcdef")}}
	if change != nil {
		change(&s)
	}
	w.holder, w.sender = NewHolder(st, &s), New(st, s)
	w.holder.now, w.sender.now = w.clock, w.clock
	w.holder.ask(context.Background())
	return w
}

func (w *failureWorld) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// forgedMail is a message that failed.
func forgedMail(domain string, ruf ...string) *record.Record {
	return &record.Record{
		Evidence: evidence.Message{Time: day.Add(12 * time.Hour), MailFrom: "x@" + domain, MailFromDomain: domain, MessageID: "<1@" + domain + ">",
			Client: evidence.Client{Peer: netip.MustParseAddr("192.0.2.1")}, Recipients: []evidence.Recipient{{Address: "bob@here.test"}},
			From: evidence.From{Fields: 1, Domains: []string{domain}},
			DMARC: []evidence.DMARC{{AuthorDomain: domain, PolicyDomain: domain, OrgDomain: domain, Result: evidence.Fail, Policy: evidence.PolicyReject,
				Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100, FailureOpts: "0", RUF: ruf}}}},
		Verdict: policy.Verdict{Disposition: policy.DispositionReject, Delivery: policy.Refuse, Step: policy.StepPolicy, Evaluation: 1},
		Outcome: record.Outcome{End: record.EndAnswered},
	}
}

func plainHeader(more ...string) *header.Fields {
	var h header.Fields
	for _, l := range append([]string{"From: a@shop.example", "To: bob@here.test", "Subject: hello"}, more...) {
		name, value, _ := strings.Cut(l, ":")
		h.Add([]byte(name), []byte(value))
	}
	return &h
}

// mail has n messages answered.
func (w *failureWorld) mail(n int, r *record.Record, more ...string) {
	for range n {
		if sent := w.holder.Note(r, plainHeader(more...)); sent != nil {
			sent(true)
		}
	}
	w.holder.drain(context.Background())
}

// pass lets the clock go on.
func (w *failureWorld) pass(d time.Duration) {
	w.t.Helper()
	for end := w.clock().Add(d); w.clock().Before(end); {
		w.holder.tell(context.Background())
		if err := w.sender.Step(context.Background()); err != nil {
			w.t.Fatal(err)
		}
		w.mu.Lock()
		w.now = w.now.Add(time.Minute)
		w.mu.Unlock()
	}
}

func (w *failureWorld) got(want ...string) {
	w.t.Helper()
	slices.Sort(w.relay.got)
	slices.Sort(want)
	if got := strings.Join(w.relay.got, "\n"); got != strings.Join(want, "\n") {
		w.t.Errorf("sent:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	w.relay.got = nil
}

func TestOneFailureReportStandsForAllOfItsKind(t *testing.T) {
	w := newFailureWorld(t, nil)
	r := forgedMail("shop.example", "mailto:f@shop.example")
	w.mail(1, r)
	w.got()
	w.mail(100, r)
	w.pass(30 * time.Minute)
	w.got() // it stands for an hour
	w.pass(40 * time.Minute)
	w.got("f@shop.example shop.example 101")
	mail := w.relay.mails[0]
	if strings.Contains(mail, "bob") || strings.Contains(mail, "hello") || !strings.HasPrefix(w.relay.from[0], "bounces+") {
		t.Errorf("from %s:\n%s", w.relay.from[0], mail)
	}
	w.mail(1, r)
	w.pass(2 * time.Hour)
	w.got("f@shop.example shop.example ")
	// What it told is not kept once it has left.
	items, err := w.state.Items(context.Background())
	if err != nil || len(items) != 2 {
		t.Fatal(items, err)
	}
	for _, x := range items {
		if p, err := w.state.Part(context.Background(), x.ID); err != nil || len(p.Data) > 0 || x.State != state.Sent || p.Domain != "shop.example" {
			t.Errorf("%+v, %+v, %v", x, p, err)
		}
	}
}

func TestWhoGetsAFailureReport(t *testing.T) {
	tooSlowUnderRace(t)
	for _, test := range []struct {
		name   string
		change func(*Settings)
		r      *record.Record
		more   []string
		alter  func(*record.Record)
		want   []string
	}{
		{name: "its own address", r: forgedMail("a.example", "mailto:f@a.example"), want: []string{"f@a.example"}},
		{name: "below it", r: forgedMail("a.example", "mailto:f@mail.a.example"), want: []string{"f@mail.a.example"}},
		{name: "at the Organizational Domain", r: forgedMail("news.a.example", "mailto:f@a.example"), want: []string{"f@a.example"}},
		{name: "beside it in the organization", r: forgedMail("news.a.example", "mailto:f@reports.a.example"), want: []string{"f@reports.a.example"}},
		{name: "below it, and of another organization", r: forgedMail("a.example", "mailto:victim@apart.a.example")},
		{name: "above it, and of another organization", r: forgedMail("apart.a.example", "mailto:victim@a.example")},
		{name: "below a public suffix", r: forgedMail("bank.example", "mailto:victim@giant.bank.example")},
		{name: "beside it below a public suffix", r: forgedMail("small.bank.example", "mailto:victim@giant.bank.example")},
		{name: "by the list, below a private suffix", r: forgedMail("one.github.io", "mailto:victim@two.github.io"), alter: func(r *record.Record) { r.Evidence.DMARC[0].Discovery = evidence.PSL }},
		{name: "by the list, one organization", r: forgedMail("news.a.example", "mailto:f@a.example"), alter: func(r *record.Record) { r.Evidence.DMARC[0].Discovery = evidence.PSL }, want: []string{"f@a.example"}},
		{name: "DNS does not say which organization", r: forgedMail("a.example", "mailto:victim@x.gone.example")},
		{name: "each once", r: forgedMail("a.example", "mailto:f@a.example", "mailto:g@a.example", "mailto:f@a.example"), want: []string{"f@a.example", "g@a.example"}},
		{name: "others that agree", r: forgedMail("shop.example", "mailto:f@other.example"), want: []string{"f@other.example"}},
		{name: "others that name another ruf", r: forgedMail("moved.example", "mailto:f@other.example"), want: []string{"new@other.example"}},
		{name: "others that name another host", r: forgedMail("away.example", "mailto:f@other.example")},
		{name: "others that do not agree", r: forgedMail("a.example", "mailto:victim@other.example")},
		{name: "others whose DNS does not say", r: forgedMail("down.example", "mailto:f@other.example")},
		{name: "only mailto", r: forgedMail("a.example", "https://a.example/x", "mailto:a b@a.example")},
		{name: "psd=y", r: forgedMail("a.example", "mailto:f@a.example"), alter: func(r *record.Record) { r.Evidence.DMARC[0].Published.PSD = "y" }},
		{name: "authenticated mail", r: forgedMail("a.example", "mailto:f@a.example"), alter: func(r *record.Record) { r.Evidence.AuthType = "PLAIN" }},
		{name: "a notification", r: forgedMail("a.example", "mailto:f@a.example"), alter: func(r *record.Record) { r.Evidence.MailFrom = "" }},
		{name: "a report", r: forgedMail("a.example", "mailto:f@a.example"), more: []string{"Content-Type: multipart/report; report-type=feedback-report"}},
		{name: "an automatic answer", r: forgedMail("a.example", "mailto:f@a.example"), more: []string{"Auto-Submitted: auto-replied"}},
		{name: "mail to where reports come in", r: forgedMail("a.example", "mailto:f@a.example"), alter: func(r *record.Record) { r.Evidence.Recipients[0].Address = "Dmarc+x@here.test" }},
		{name: "mail from there", r: forgedMail("here.test", "mailto:f@here.test"), alter: func(r *record.Record) { r.Evidence.MailFrom = "bounces+0123@here.test" }},
		{name: "an address of our own reports", r: forgedMail("here.test", "mailto:dmarc@here.test", "mailto:bounces+x@here.test")},
		{name: "opted out by domain", r: forgedMail("a.example", "mailto:f@a.example"), change: func(s *Settings) { s.OptOut.Domains = []string{"a.example"} }},
		{name: "opted out by mail domain", r: forgedMail("a.example", "mailto:f@a.example"), change: func(s *Settings) { s.OptOut.Hosts = []string{"a.example"} }},
		{name: "opted out by address", r: forgedMail("a.example", "mailto:f@a.example", "mailto:g@a.example"), change: func(s *Settings) { s.OptOut.Addresses = []string{"f@a.example"} }, want: []string{"g@a.example"}},
		{name: "a domain that is not deserving", r: forgedMail("a.example", "mailto:f@a.example"), change: func(s *Settings) { s.Failures.To = Audience{Deserving: true} }},
		{name: "own domains", r: forgedMail("own.example", "mailto:f@own.example"), change: func(s *Settings) { s.Failures.To = Audience{} }, want: []string{"f@own.example"}},
		{name: "a domain that is named", r: forgedMail("a.example", "mailto:f@a.example"), change: func(s *Settings) { s.Failures.To = Audience{Domains: []string{"a.example"}} }, want: []string{"f@a.example"}},
	} {
		w := newFailureWorld(t, test.change)
		if test.alter != nil {
			test.alter(test.r)
		}
		w.mail(1, test.r, test.more...)
		w.pass(63 * time.Minute)
		var want []string
		for _, to := range test.want {
			want = append(want, to+" "+test.r.Evidence.DMARC[0].AuthorDomain+" ")
		}
		slices.Sort(want)
		slices.Sort(w.relay.got)
		if !slices.Equal(w.relay.got, want) {
			t.Errorf("%s: got %q, want %q", test.name, w.relay.got, want)
		}
	}
}

// A message whose answer the MTA did not hear comes again, and counts then.
func TestAMessageThatWasNotAnsweredIsInNoFailureReport(t *testing.T) {
	w := newFailureWorld(t, nil)
	r := forgedMail("a.example", "mailto:f@a.example")
	w.holder.Note(r, plainHeader())(false)
	w.holder.Note(r, plainHeader())(true)
	w.holder.Note(r, plainHeader())(false)
	w.holder.drain(context.Background())
	w.pass(63 * time.Minute)
	w.got("f@a.example a.example ")
}

// A lost answer has the same mail go once more, a second one ends it; what the relay puts
// off is tried again.
func TestAFailureReportIsNotLostAndNotDoubled(t *testing.T) {
	w := newFailureWorld(t, nil)
	w.relay.answers = []error{&Refusal{Temporary: true, Text: "451 later"}, fmt.Errorf("%w: x", ErrLost), nil}
	w.mail(3, forgedMail("a.example", "mailto:f@a.example"))
	w.pass(3 * time.Hour)
	w.got("f@a.example a.example 3", "f@a.example a.example 3")
	if w.relay.mails[0] != w.relay.mails[1] {
		t.Errorf("the copies differ:\n%s\n%s", w.relay.mails[0], w.relay.mails[1])
	}
}

// After a second loss nobody knows whether the copies came, so no third one goes.
func TestAFailureReportWhoseAnswerIsLostTwiceEnds(t *testing.T) {
	tooSlowUnderRace(t)
	w := newFailureWorld(t, nil)
	lost := fmt.Errorf("%w: x", ErrLost)
	w.relay.answers = []error{lost, lost}
	w.mail(3, forgedMail("a.example", "mailto:f@a.example"))
	w.pass(48 * time.Hour)
	w.got("f@a.example a.example 3", "f@a.example a.example 3")
	items, err := w.state.Items(t.Context())
	if err != nil || len(items) != 1 || items[0].State != state.Unknown {
		t.Fatalf("%+v, %v", items, err)
	}
	if w.relay.mails[0] != w.relay.mails[1] {
		t.Errorf("the copies differ:\n%s\n%s", w.relay.mails[0], w.relay.mails[1])
	}
	if p, err := w.state.Part(t.Context(), items[0].ID); err != nil || len(p.Data) > 0 {
		t.Errorf("what it told is kept: %+v, %v", p, err)
	}
}

// The process ends with the answer, twice: the mark made before says so.
func TestAKillBetweenAFailureReportAndOurNote(t *testing.T) {
	w := newFailureWorld(t, nil)
	w.mail(1, forgedMail("a.example", "mailto:f@a.example"))
	w.pass(63 * time.Minute)
	for range 3 {
		items, err := w.state.Items(t.Context())
		if err != nil || len(items) != 1 {
			t.Fatalf("%+v, %v", items, err)
		}
		x := items[0]
		if was := x.State; was == state.Waiting || was == state.Sent { // as it stood while the mail was on its way
			x.State = state.Sending
			if err := w.state.SetItem(t.Context(), was, &x); err != nil {
				t.Fatal(err)
			}
		}
		w.sender.held = false // another process
		w.pass(10 * time.Minute)
	}
	items, _ := w.state.Items(t.Context())
	if len(items) != 1 || items[0].State != state.Unknown || items[0].Lost != 2 || len(w.relay.got) > 2 {
		t.Errorf("%+v, %q", items, w.relay.got)
	}
}

func TestDeservingDomainsGetFailureReports(t *testing.T) {
	w := newFailureWorld(t, nil)
	passed := func(n uint64, at time.Time) []state.Tally {
		r := forgedMail("a.example", "mailto:f@a.example")
		r.Evidence.Time, r.Evidence.DMARC[0].Result = at, evidence.Pass
		return passes(r)
	}
	if list := passed(1, day); len(list) != 1 || !list[0].OnlyPassed || list[0].Domain != "a.example" || !list[0].Day.Equal(day) {
		t.Fatalf("%+v", list)
	}
	who := map[string]bool{"a.example": true}
	w.holder.To = Audience{Deserving: true}
	w.holder.deserving.Store(&who)
	w.mail(1, forgedMail("a.example", "mailto:f@a.example"))
	w.mail(1, forgedMail("b.example", "mailto:f@b.example"))
	w.pass(63 * time.Minute)
	w.got("f@a.example a.example ")
}

// A storm of forged mail from everywhere makes a few reports, within all limits, and
// memory stays as it is.
func TestAStormOfForgedMail(t *testing.T) {
	tooSlowUnderRace(t)
	w := newFailureWorld(t, nil)
	storm := func(domains int) {
		for i := range 5000 {
			d := fmt.Sprintf("d%d.example", i%domains)
			r := forgedMail(d, "mailto:f@"+d)
			if domains == 1 {
				r = forgedMail("shop.example", "mailto:f@shop.example")
			}
			r.Evidence.Client.Peer = netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
			if sent := w.holder.Note(r, plainHeader()); sent != nil {
				sent(true)
			}
			if i%20 == 0 {
				w.holder.drain(context.Background())
			}
		}
		w.holder.drain(context.Background())
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 6 {
		storm(1)
		w.pass(63 * time.Minute)
	}
	if len(w.relay.got) != w.holder.PerDomain*3-1 { // 2 an hour, 5 a day to one address
		t.Errorf("%d mails to one victim: %q", len(w.relay.got), w.relay.got)
	}
	w.relay.got = nil
	storm(5000) // each domain another one
	w.pass(2 * time.Hour)
	if n := len(w.relay.got); n != 95 { // 100 a day to all
		t.Errorf("%d mails to all", n)
	}
	if len(w.holder.windows) > maxWindows || w.holder.Left() < 20000 {
		t.Errorf("%d windows", len(w.holder.windows))
	}
	w.relay.mails, w.relay.got = nil, nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+8<<20 {
		t.Errorf("the heap has grown from %d to %d", before.HeapAlloc, after.HeapAlloc)
	}
}

// The collector that is stuck costs reports and no mail.
// Names below one domain take no room of other organizations.
func TestFailuresOfOneOrganizationLeaveRoomForOthers(t *testing.T) {
	w := newFailureWorld(t, nil)
	for range 2 { // once more when the first windows are over
		for i := range 100 {
			name := fmt.Sprintf("a%d.evil.example", i)
			w.mail(1, forgedMail(name, "mailto:f@"+name))
		}
		w.mail(1, forgedMail("shop.example", "mailto:f@shop.example"))
		list, err := w.state.Failures(t.Context(), w.now.Add(24*time.Hour))
		if want := orgShare*w.holder.PerDomain + 1; err != nil || len(list) != want {
			t.Errorf("%d are held, want %d, %v", len(list), want, err)
		}
		w.pass(65 * time.Minute)
	}
	if len(w.holder.orgs) != 0 || len(w.holder.domains) != 0 {
		t.Errorf("%v, %v", w.holder.orgs, w.holder.domains)
	}
}

// Domains of others without number take no room of own ones.
func TestFailuresOfOthersLeaveRoomForOwnOnes(t *testing.T) {
	w := newFailureWorld(t, nil)
	for i := range maxWindows {
		name := fmt.Sprintf("a%d.example", i)
		if sent := w.holder.Note(forgedMail(name, "mailto:f@"+name), plainHeader()); sent != nil {
			sent(true)
		}
		w.holder.drain(t.Context())
	}
	w.mail(1, forgedMail("own.example", "mailto:f@own.example"))
	list, err := w.state.Failures(t.Context(), w.now.Add(24*time.Hour))
	if err != nil || len(list) != maxWindows/2+1 || !slices.ContainsFunc(list, func(f state.Failure) bool { return f.Domain == "own.example" }) {
		t.Errorf("%d are held, %v", len(list), err)
	}
}

func TestNobodyWaitsForFailureReports(t *testing.T) {
	w := newFailureWorld(t, nil)
	began := time.Now()
	for i := range 2000 {
		d := fmt.Sprintf("d%d.example", i)
		if sent := w.holder.Note(forgedMail(d, "mailto:f@"+d), plainHeader()); sent != nil {
			sent(true)
		}
	}
	if len(w.holder.caught) != maxCaught || w.holder.Left() != 2000-maxCaught || len(w.holder.windows) != maxCaught {
		t.Errorf("%d wait, %d windows", len(w.holder.caught), len(w.holder.windows))
	}
	t.Logf("2,000 messages in %v", time.Since(began))
	// A failure inside is told once.
	if sent := w.holder.Note(forgedMail("x.example", "mailto:f@x.example"), nil); sent != nil {
		t.Error("a message without header")
	}
}

func BenchmarkNote(b *testing.B) {
	h := &Holder{Failures: Failures{To: Audience{All: true}, Every: time.Hour, PerDomain: 1}, now: time.Now,
		windows: map[[32]byte]*window{}, domains: map[string]int{}}
	r, f := forgedMail("a.example", "mailto:f@a.example"), plainHeader()
	h.opens(failure.Kind(r, failure.DMARC), "a.example")
	b.ReportAllocs()
	for b.Loop() {
		h.Note(r, f)(true)
	}
}
