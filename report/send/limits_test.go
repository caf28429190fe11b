package send

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/state"
	"alignd/policy"
)

// A restart, and another host that sends next, are no reason for more mails a day.
func TestLimitsOfADayOutliveTheProcess(t *testing.T) {
	for _, row := range []struct {
		name   string
		limits Limits
		days   []int // mails in all by the end of each
	}{
		{name: "all", limits: Limits{PerDay: 3}, days: []int{3, 6, 8}},
		{name: "one organization", limits: Limits{PerOrganization: 2}, days: []int{4, 6, 8}}, // 6 and 2 reports
		{name: "no limit", days: []int{8, 8, 8}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			change := func(s *Settings) { s.To, s.Limits = Audience{All: true}, row.limits }
			w.open(change)
			for i := range 8 {
				w.mail(fmt.Sprintf("d%d.org%d.example", i, i%5/3), true, fmt.Sprintf("mailto:r@d%d.org%d.example", i, i%5/3))
			}
			for i, want := range row.days {
				for end := day.Add(time.Duration(i+2)*24*time.Hour - time.Minute); w.now.Before(end); w.now = w.now.Add(4 * time.Hour) {
					w.open(change)
					w.step()
				}
				if got := len(w.relay.took); got != want {
					t.Errorf("%d mails by the end of day %d, want %d", got, i+1, want)
				}
			}
		})
	}
}

// Who reads reports for many agrees to whatever names them; so one organization with domains
// without number could use up what that one may get a day.
func TestOneOrganizationCrowdsNobodyOut(t *testing.T) {
	w := newWorld(t)
	dns := zoneOf(t, `*._report._dmarc.reader.example. TXT "v=DMARC1"`+"\n")
	w.open(func(s *Settings) { s.To.All, s.DNS, s.Limits = true, dns, Limits{PerOrganization: 8} })
	for i := range 20 {
		w.mail(fmt.Sprintf("a%d.evil.example", i), true, "mailto:x@reader.example", "mailto:y@reader.example")
	}
	for i := range 3 {
		w.mail(fmt.Sprintf("shop%d.example", i), true, "mailto:r@reader.example")
	}
	w.until(day.Add(47 * time.Hour)) // to the end of the day on which they leave
	honest := 0
	for _, x := range w.relay.took {
		if strings.Contains(x, "shop") {
			honest++
		}
	}
	if honest != 3 || len(w.relay.took) != 5 {
		t.Errorf("%d of 3 reports, beside %d", honest, len(w.relay.took)-honest)
	}
	for ; w.now.Before(day.Add(7 * 24 * time.Hour)); w.now = w.now.Add(6 * time.Hour) { // what had no turn for three days ends
		w.step()
	}
	items, err := w.state.Items(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range items {
		if !x.State.Over() {
			t.Fatalf("it waits for ever: %+v", x)
		}
	}
}

// A day that is used up is in the way of no failure report, and what it keeps here ends.
func TestADayThatIsUsedUp(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t)
	w.open(func(s *Settings) { s.To.All, s.Limits = true, Limits{PerDay: 1} })
	for i := range 6 {
		name := fmt.Sprintf("d%d.example", i)
		w.mail(name, true, "mailto:r@"+name)
	}
	for ; w.now.Before(day.Add(6 * 24 * time.Hour)); w.now = w.now.Add(2 * time.Hour) {
		w.step()
	}
	items, err := w.state.Items(ctx)
	if err != nil {
		t.Fatal(err)
	}
	count := map[state.Progress]int{}
	for _, x := range items {
		count[x.State]++
	}
	if count[state.Waiting] > 0 || count[state.GivenUp] == 0 || count[state.Sent] < 3 {
		t.Errorf("%v", count)
	}
	w.sender.used.sent = map[string]int64{"": 1}
	if limit, whole := w.sender.room(&state.Item{ID: state.FailurePrefix + "1", Target: "f@d0.example"}); limit != "" || whole {
		t.Errorf("a failure report: %q, %v", limit, whole)
	}
}

// Addresses of any length are kept nowhere.
func TestLongAddressesAreNotKept(t *testing.T) {
	long := "mailto:" + strings.Repeat("a", 60_000) + "@shop.example"
	list := usable([]string{long, "mailto:r@shop.example", "mailto:" + strings.Repeat("%61", 300) + "@shop.example", "https://shop.example/"})
	if len(list) != 1 || list[0] != "mailto:r@shop.example" {
		t.Errorf("%.200q", list)
	}
}

// Who finds that another host has begun to send meanwhile does not send.
func TestWhatAnotherHostHasBegunIsLeftToIt(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.mail("here.test", false, "mailto:r@here.test")
	w.now = day.Add(24*time.Hour + 5*time.Minute)
	w.step() // it is cut, and waits for its time
	items, err := w.state.Items(ctx)
	if err != nil || len(items) != 1 || items[0].State != state.Waiting {
		t.Fatalf("%+v, %v", items, err)
	}
	theirs := items[0]
	theirs.State = state.Sending
	if err := w.state.SetItem(ctx, state.Waiting, &theirs); err != nil {
		t.Fatal(err)
	}
	if err := w.sender.deliver(ctx, &items[0]); err != nil || len(w.relay.took) != 0 {
		t.Errorf("%d mails, %v", len(w.relay.took), err)
	}
}

// A mail that was on its way when another process ended is sent again, also where that
// could not be noted in the first step.
func TestWhatWasOnItsWayIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	w.mail("here.test", false, "mailto:r@here.test")
	w.now = day.Add(24*time.Hour + 5*time.Minute)
	w.step() // it is cut, and waits for its time
	items, err := w.state.Items(t.Context())
	if err != nil || len(items) != 1 {
		t.Fatalf("%+v, %v", items, err)
	}
	items[0].State = state.Sending
	if err := w.state.SetItem(t.Context(), state.Waiting, &items[0]); err != nil {
		t.Fatal(err)
	}
	w.open(nil)
	away, cancel := context.WithCancel(t.Context())
	cancel()
	w.sender.held = true
	if err := w.sender.sendDue(away); err == nil {
		t.Error("the state was away, and nobody says so")
	}
	w.step()
	w.states("r@here.test sent")
}

// What finds no room for three days is given up, as anything else.
func TestWhatIsOverALimitIsGivenUp(t *testing.T) {
	w := newWorld(t)
	change := func(s *Settings) { s.To, s.Limits = Audience{All: true}, Limits{PerOrganization: 1} }
	w.open(change)
	for i := range 8 {
		w.mail(fmt.Sprintf("d%d.org.example", i), true, fmt.Sprintf("mailto:r@d%d.org.example", i))
	}
	for end := day.Add(6 * 24 * time.Hour); w.now.Before(end); w.now = w.now.Add(2 * time.Hour) {
		w.step()
	}
	items, err := w.state.Items(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	states := map[state.Progress]int{}
	for i := range items {
		states[items[i].State]++
	}
	if sent := len(w.relay.took); sent < 3 || sent > 4 || states[state.GivenUp] != 8-sent || states[state.Waiting] > 0 {
		t.Errorf("%d mails, %v", sent, states)
	}
}

// timed notes how long a mail may take.
type timed struct{ left time.Duration }

func (t *timed) Send(ctx context.Context, _, _ string, _ []byte) error {
	if end, ok := ctx.Deadline(); ok {
		t.left = time.Until(end)
	}
	return nil
}

// A relay that never ends keeps no mail longer than the lease, or another host sends it, too.
func TestAMailTakesNoLongerThanTheLease(t *testing.T) {
	w := newWorld(t)
	relay := &timed{}
	w.open(func(s *Settings) { s.Transport = relay })
	w.mail("here.test", false, "mailto:r@here.test")
	w.now = day.Add(31 * time.Hour)
	w.step()
	if relay.left <= finalTime || relay.left >= leaseTime {
		t.Errorf("%s, the lease is %s", relay.left, leaseTime)
	}
}

// What only those want who want none is not counted at all.
func TestWhoWantsNoneIsNotCounted(t *testing.T) {
	c := Counting{OptOut: []string{"silent.example"}, Not: OptOut{Addresses: []string{"a@shop.example"}, Hosts: []string{"quiet.example"}}}
	for _, row := range []struct {
		name, domain string
		rua          []string
		want         string // addresses that are kept; "-": it is not counted
	}{
		{name: "wanted", domain: "shop.example", rua: []string{"mailto:b@shop.example"}, want: "mailto:b@shop.example"},
		{name: "one of two", domain: "shop.example", rua: []string{"mailto:A@shop.example", "mailto:b@shop.example"}, want: "mailto:b@shop.example"},
		{name: "the only address", domain: "shop.example", rua: []string{"mailto:a@shop.example"}, want: "-"},
		{name: "all of a mail domain", domain: "shop.example", rua: []string{"mailto:x@QUIET.example", "mailto:a@shop.example"}, want: "-"},
		{name: "the reported domain", domain: "silent.example", rua: []string{"mailto:b@shop.example"}, want: "-"},
	} {
		r := forgedMail(row.domain)
		r.Evidence.DMARC[0].Published.RUA = row.rua
		r.Verdict.Authors = []policy.AuthorOutcome{{AuthorDomain: row.domain, Disposition: policy.DispositionReject}}
		got := "-"
		for _, x := range c.Tally(&journal.Entry{Record: r}) {
			var a about
			if err := json.Unmarshal(x.About, &a); err != nil {
				t.Fatal(err)
			}
			got = strings.Join(a.RUA, " ")
		}
		if got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}
