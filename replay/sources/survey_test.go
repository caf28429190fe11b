package sources

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

var today = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func lastTwo(name string) string { // every top-level domain of the tests has names right below it
	dots := 0
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			if dots++; dots == 2 {
				return name[i+1:]
			}
		}
	}
	if dots == 0 {
		return ""
	}
	return name
}

func own(author string) bool { return isAtOrBelow(author, "own.example") }

func message(author string, at time.Time, ip string, result evidence.Result) *record.Record {
	r := &record.Record{Evidence: evidence.Message{
		Time:   at,
		Client: evidence.Client{Peer: netip.MustParseAddr(ip)},
		From:   evidence.From{Fields: 1, Domains: []string{author}},
		DMARC:  []evidence.DMARC{{AuthorDomain: author, Result: result}},
	}}
	r.Verdict.Delivery = policy.Deliver
	if result == evidence.Fail {
		r.Verdict.Delivery = policy.Refuse
	}
	return r
}

func TestInfrastructure(t *testing.T) {
	for _, c := range []struct {
		name  string
		iprev evidence.IPRev
		ip    string
		want  string
	}{
		{name: "a confirmed name stands for its organization", ip: "192.0.2.7", want: "vendor.example",
			iprev: evidence.IPRev{Result: evidence.Pass, Names: []string{"out7.mail.vendor.example"}}},
		{name: "of several names the first of the alphabet", ip: "192.0.2.7", want: "a.example",
			iprev: evidence.IPRev{Result: evidence.Pass, Names: []string{"z.a.example", "a.z.example"}}},
		{name: "an unconfirmed name is nobody's word", ip: "192.0.2.7", want: "192.0.2.0/24",
			iprev: evidence.IPRev{Result: evidence.Fail, Unconfirmed: []string{"out7.mail.vendor.example"}}},
		{name: "IPv6", ip: "2001:db8:1:2::7", want: "2001:db8:1::/48"},
		{name: "IPv4 within IPv6", ip: "::ffff:192.0.2.7", want: "192.0.2.0/24"},
		{name: "no address", want: "unknown"},
	} {
		ev := &evidence.Message{IPRev: c.iprev}
		if c.ip != "" {
			ev.Client.Peer = netip.MustParseAddr(c.ip)
		}
		if got := Infrastructure(ev, lastTwo); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestOwnDomainsComeFirstAndThenTheMostFailingAndLastWhatCameOnce(t *testing.T) {
	s := New(Options{Own: own, Organization: lastTwo, Now: today})
	at := func(days int) time.Time { return today.AddDate(0, 0, -days) }
	for day := 20; day > 0; day-- {
		s.Add(message("bank.example", at(day), "192.0.2.1", evidence.Fail))
		s.Add(message("shop.example", at(day), "192.0.2.1", evidence.Pass))
	}
	s.Add(message("news.own.example", at(3), "198.51.100.1", evidence.Pass))
	for range 5 {
		s.Add(message("own.example", at(2), "203.0.113.1", evidence.Fail))
	}
	s.Add(message("own.example", at(2), "203.0.114.1", evidence.Fail))
	r := s.Report()
	var got []string
	for _, p := range r.Sources {
		got = append(got, fmt.Sprintln(p.Author, p.Pass, p.Fail, p.Refused, p.New, p.Days()))
	}
	want := "[own.example 0 5 5 true 1\n news.own.example 1 0 0 true 1\n bank.example 0 20 20 false 20\n shop.example 20 0 0 false 20\n own.example 0 1 1 true 1\n]"
	if fmt.Sprint(got) != want || r.Messages != 47 {
		t.Errorf("got %v of %d messages", got, r.Messages)
	}
}

func TestAFloodOfDomainsTakesBoundedMemory(t *testing.T) {
	s := New(Options{Own: own, Organization: lastTwo, Now: today})
	for i := range 5 {
		s.Add(message("own.example", today.AddDate(0, 0, i-9), "203.0.113.1", evidence.Pass))
		s.Add(message("bank.example", today.AddDate(0, 0, i-9), "203.0.113.1", evidence.Pass))
	}
	for i := range 3 * maxPairs {
		s.Add(message(fmt.Sprintf("d%d.attacker.example", i), today, "192.0.2.1", evidence.Pass))
		s.Add(message("own.example", today, fmt.Sprintf("10.%d.%d.1", i>>8&255, i&255), evidence.Fail))
	}
	r := s.Report()
	if n := len(r.Sources); n > maxPairs+maxOwnPairs {
		t.Errorf("%d sources are kept", n)
	}
	total, kept := r.Rest.Messages, 0
	for _, p := range r.Sources {
		total += p.Messages
		if p.Infrastructure == "203.0.113.0/24" && p.Messages == 5 {
			kept++
		}
	}
	if total != r.Messages || kept != 2 {
		t.Errorf("%d of %d messages are counted, %d of 2 sources are kept whole", total, r.Messages, kept)
	}
}

func TestWhoSentBeforeIsNotNew(t *testing.T) {
	s := New(Options{Own: own, Organization: lastTwo, Now: today, Before: func(author, infrastructure string) bool {
		return author == "bank.example" && infrastructure == "192.0.2.0/24"
	}})
	s.Add(message("old.example", today.AddDate(0, 0, -20), "192.0.2.1", evidence.Pass))
	s.Add(message("bank.example", today.AddDate(0, 0, -1), "192.0.2.1", evidence.Pass))
	s.Add(message("bank.example", today.AddDate(0, 0, -1), "203.0.113.1", evidence.Pass))
	for _, p := range s.Report().Sources {
		if want := p.Infrastructure == "203.0.113.0/24"; p.New != want {
			t.Errorf("%s from %s: new is %v", p.Author, p.Infrastructure, p.New)
		}
	}
}

// What suggestions rest on is bounded too: each message of the flood has names of its own.
func TestAFloodOfSignersTakesBoundedMemory(t *testing.T) {
	w := newWorld(t, 1, "fwd.example")
	w.office()
	w.vendorByDKIM()
	s := New(Options{Own: own, Organization: lastTwo, Now: today, Rules: w.base.Rules, With: func([]byte) (*policy.Rules, error) { return w.base.Rules, nil }})
	for _, r := range w.records {
		s.Add(r)
	}
	for i := range 3 * maxClasses {
		r := message("own.example", today, "192.0.2.1", evidence.Fail)
		if i%2 == 0 {
			r = message(fmt.Sprintf("a%d.example", i), today, "192.0.2.1", evidence.Fail)
		}
		name := fmt.Sprintf("s%d.example", i)
		ev := &r.Evidence
		ev.DMARC[0].Policy, ev.DMARC[0].Published.P, ev.DMARC[0].Published.Pct = evidence.PolicyReject, evidence.PolicyReject, 100
		ev.DKIM = []evidence.Signature{{Domain: name, Result: evidence.Pass}}
		ev.SPF.MailFrom = &evidence.SPFCheck{Domain: name, Result: evidence.Pass, Record: "v=spf1 include:" + name}
		ev.Client.Peer = netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})
		ev.Received = []evidence.Hop{{By: "gw.own.example", Addr: netip.MustParseAddr("100.64.1.1")}}
		s.Add(r)
	}
	if n := [...]int{len(s.classes.rows), len(s.words.rows), len(s.ownWords.rows), len(s.gateways.rows)}; n[0] > maxClasses || n[1] > maxVoices || n[2] > maxVoices || n[3] > maxGateways {
		t.Errorf("kept are %v classes, words and gateways", n)
	}
	if s.classes.get(classKey{kind: vendor, author: "own.example", signer: "vendor.example", sender: "b.vendor.example"}) == nil {
		t.Error("the vendor was forgotten")
	}
}

func TestDaysAreCountedOnce(t *testing.T) {
	var d daySet
	day := func(n int) time.Time { return today.AddDate(0, 0, n) }
	for n := range 200 {
		d.add(day(n))
		d.add(day(n - 1))
	}
	d.add(day(1000))
	if got := d.count(); got != 202 {
		t.Errorf("got %d days, want 202", got)
	}
}

func TestATallyForgetsSingles(t *testing.T) {
	var c tally
	for i := range 3 {
		c.add("a.example")
		c.add(fmt.Sprint("b", i))
	}
	for i := range 1000 {
		c.add(fmt.Sprint("flood", i))
	}
	if got := c.sorted(); len(got) != maxNames || got[0] != (Count{"a.example", 3}) {
		t.Errorf("got %v", got)
	}
}

// However many forge once, who sends steadily is seen first.
func TestWhatCameOnceIsLast(t *testing.T) {
	w := newWorld(t, 0)
	for i := range 40 {
		w.send("attacker", mail{day: i % 20, ip: fmt.Sprintf("11.9.%d.1", i), from: "own.example", sender: "evil.example", signers: []string{"evil.example"}})
	}
	days(8, 1, func(day int) {
		w.send("vendor", mail{day: day, ip: "100.64.9.7", from: "shop.example", sender: "bank.example", signers: []string{"bank.example"}})
	})
	w.office()
	list := w.survey().Sources
	if len(list) != 42 || list[0].Author != "own.example" || list[0].Pass == 0 || list[1].Author != "shop.example" || !list[2].once() {
		t.Errorf("%d: %+v", len(list), list[:3])
	}
}
