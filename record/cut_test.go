package record

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"alignd/evidence"
)

func TestAHostileMessageIsCutAndMarked(t *testing.T) {
	many := func(n int, s string) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("%s%d", s, i)
		}
		return list
	}
	long := strings.Repeat("x", 100<<10)
	for _, c := range []struct {
		name   string
		change func(*evidence.Message)
		cut    evidence.Sections
	}{
		{name: "10,000 recipients", cut: evidence.SectionRecipients, change: func(ev *evidence.Message) {
			for _, a := range many(10000, "recipient@host.example") {
				ev.Recipients = append(ev.Recipients, evidence.Recipient{Address: a})
			}
		}},
		{name: "70,000 recipients without a name", cut: evidence.SectionRecipients,
			change: func(ev *evidence.Message) { ev.Recipients = make([]evidence.Recipient, 70000) }},
		{name: "50 ARC Sets with long results", cut: evidence.SectionARC, change: func(ev *evidence.Message) {
			ev.ARC = evidence.ARC{Result: evidence.Pass, Instances: 50}
			for i := range 50 {
				ev.ARC.Sets = append(ev.ARC.Sets, evidence.ARCSet{Instance: i + 1,
					AAR: &evidence.AuthResults{Results: []evidence.MethodResult{{Method: "dkim", Reason: long[:3000]}}}})
			}
		}},
		{name: "h= of 20,000 names", cut: evidence.SectionSigned,
			change: func(ev *evidence.Message) { ev.DKIM[0].SignedHeaders = many(20000, "header") }},
		{name: "i= of 100 KiB", cut: evidence.SectionDKIM, change: func(ev *evidence.Message) { ev.DKIM[0].Identity = long }},
		{name: "b= of two signatures that differ in their last octet", cut: evidence.SectionDKIM, change: func(ev *evidence.Message) {
			ev.DKIM[0].B, ev.DKIM[1].B = long+"1", long+"2"
		}},
		{name: "an SPF record of 100 KiB", cut: evidence.SectionTexts, change: func(ev *evidence.Message) { ev.SPF.MailFrom.Record = long }},
		{name: "a DMARC record of 100 KiB", cut: evidence.SectionTexts, change: func(ev *evidence.Message) { ev.DMARC[0].Published.Text = long }},
		{name: "a Message-ID of 100 KiB", cut: evidence.SectionTexts, change: func(ev *evidence.Message) { ev.MessageID = long }},
		{name: "a Received field of 100 KiB", cut: evidence.SectionReceived, change: func(ev *evidence.Message) { ev.Received[0].From = long }},
		{name: "a List-Id of 100 KiB", cut: evidence.SectionTraces, change: func(ev *evidence.Message) { ev.Traces.ListID = long }},
		{name: "5,000 reverse names", cut: evidence.SectionIPRev, change: func(ev *evidence.Message) {
			ev.IPRev = evidence.IPRev{Result: evidence.Pass, Names: many(5000, "reverse-name.example")}
		}},
		{name: "a failed question of 100 KiB", cut: evidence.SectionQuestions,
			change: func(ev *evidence.Message) { ev.Failed = []evidence.FailedQuestion{{Name: long}} }},
		{name: "an Author Domain of 100 KiB", cut: evidence.SectionFrom, change: func(ev *evidence.Message) { ev.From.Domains = []string{long} }},
		{name: "two long things: both go, and nothing else", cut: evidence.SectionTexts | evidence.SectionReceived,
			change: func(ev *evidence.Message) { ev.MessageID, ev.Received[0].From = long, long }},
		{name: "recipients somewhat longer than questions: the questions go", cut: evidence.SectionQuestions, change: func(ev *evidence.Message) {
			ev.Recipients = []evidence.Recipient{{Address: long[:40<<10]}}
			ev.Failed = []evidence.FailedQuestion{{Name: long[:30<<10]}}
		}},
		{name: "recipients much longer than questions: the recipients go", cut: evidence.SectionRecipients, change: func(ev *evidence.Message) {
			ev.Recipients = []evidence.Recipient{{Address: long[:50<<10]}}
			ev.Failed = []evidence.FailedQuestion{{Name: long[:20<<10]}}
		}},
		{name: "an envelope of 100 KiB: nothing can be judged again", cut: evidence.AllSections, change: func(ev *evidence.Message) { ev.MailFrom = long }},
		{name: "a HELO of 100 KiB", cut: evidence.AllSections, change: func(ev *evidence.Message) { ev.Client.HELO = long }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ordinary()
			r.Evidence.IPRev = evidence.IPRev{Result: evidence.Pass, Names: []string{"mta00.provider.example"}}
			r.Evidence.ARC.Result = evidence.Pass
			c.change(&r.Evidence)
			checkKept(t, r, c.cut)
		})
	}
}

// checkKept writes r and reads it back: cut is marked and no longer looked at.
func checkKept(t *testing.T, r *Record, cut evidence.Sections) {
	t.Helper()
	before := fmt.Sprintf("%v", r)
	b := Append(nil, r)
	if len(b) > MaxSize {
		t.Fatalf("%d octets", len(b))
	}
	back, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if back.Cut != cut {
		t.Errorf("cut %v, want %v", back.Cut.Names(), cut.Names())
	}
	for bit := evidence.Sections(1); bit != 0; bit <<= 1 {
		if cut.Has(bit) && back.Evidence.Has(bit) {
			t.Errorf("%v was cut and still counts as looked at", bit.Names())
		}
		if !cut.Has(bit) && r.Evidence.Has(bit) && !back.Evidence.Has(bit) {
			t.Errorf("%v was not cut and is gone", bit.Names())
		}
	}
	if !Equal(back, Kept(r)) {
		t.Error("Kept says something else")
	}
	if fmt.Sprintf("%v", r) != before {
		t.Error("the record itself was changed")
	}
	if back.Evidence.Token != r.Evidence.Token || back.Verdict.Disposition != r.Verdict.Disposition {
		t.Error("what names it is gone")
	}
}

// TestNoRecordIsTooLongToKeep makes every string or every list long.
func TestNoRecordIsTooLongToKeep(t *testing.T) {
	for _, g := range []*generator{
		{maxString: 20000, maxList: 1}, {maxString: 3, maxList: 12}, {maxString: 300, maxList: 5}, {maxString: 70000, maxList: 1},
	} {
		for seed := range uint64(3) {
			g.rng, g.filled = newGenerator(seed).rng, true
			r := g.record()
			r.Cut = 0
			whole, _ := encode(nil, r)
			b := Append(nil, r)
			back, err := Decode(b)
			if err != nil || len(b) > MaxSize {
				t.Fatalf("%d octets, %v", len(b), err)
			}
			if len(whole) > MaxSize && back.Cut == 0 {
				t.Error("nothing is marked")
			}
			if !Equal(back, Kept(r)) {
				t.Error("Kept says something else")
			}
		}
	}
}

// TestOnlyTheEnvelopeCostsAllEvidence makes each string long in turn. One that a
// sender can make long belongs to a part, so that no more than the part goes.
func TestOnlyTheEnvelopeCostsAllEvidence(t *testing.T) {
	// An MTA bounds these, or our configuration, a closed set of words, or the short form of b=.
	bounded := regexp.MustCompile(`^Record\.(Outcome|Basis)\.|^Record\.Verdict\.(Disposition|Delivery|Requested|Step|Rule|File|Override|` +
		`Reply|TagName|Monitor|Stage|TrustedSealer|Undecidable)\b|^Record\.Evidence\.(Token|QueueID|MTA|Client|AuthUser|AuthType|MailFrom|MailFromDomain|MailArgs|Stopped)\b|\.B$`)
	g := newGenerator(11)
	g.filled, g.maxList, g.maxString = true, 1, 3
	r := g.record()
	r.Cut = 0
	walkValues(reflect.ValueOf(r).Elem(), "Record", func(path string, v reflect.Value) {
		if v.Kind() != reflect.String || bounded.MatchString(path) {
			return
		}
		old := v.String()
		v.SetString(strings.Repeat("x", 70<<10))
		if kept := Kept(r); kept.Cut == 0 || kept.Cut == evidence.AllSections {
			t.Errorf("%s is in no part: %v went", path, kept.Cut.Names())
		}
		v.SetString(old)
	})
}

func TestTheRoomsOfAllPartsLeaveHalfARecord(t *testing.T) {
	sum := 0
	for _, p := range parts {
		sum += p.room
	}
	if sum > MaxSize/2 {
		t.Errorf("%d octets", sum)
	}
}

func TestEverySectionHasAName(t *testing.T) {
	if n := len(evidence.AllSections.Names()); n == 0 || len(strings.Split(fmt.Sprintf("%b", evidence.AllSections), "1"))-1 != n {
		t.Errorf("%d names for %b", n, evidence.AllSections)
	}
	for _, p := range parts {
		if !evidence.AllSections.Has(p.sections) {
			t.Errorf("%b", p.sections)
		}
	}
}

func TestSignaturesAreKeptAsFarAsTheyTellThemApart(t *testing.T) {
	same := strings.Repeat("A", 40)
	for _, c := range []struct {
		name string
		b    []string
		want []string
	}{
		{name: "sixteen characters", b: []string{"abcdefghijklmnopqrstuvwxyz", ""}, want: []string{"abcdefghijklmnop", ""}},
		{name: "shorter ones whole", b: []string{"abc"}, want: []string{"abc"}},
		{name: "as many as tell them apart (RFC 6008 section 3)", b: []string{same + "1zzz", same + "2zzz"}, want: []string{same + "1", same + "2"}},
		{name: "copies of one signature stay the same", b: []string{same, same, "b"}, want: []string{same[:16], same[:16], "b"}},
		{name: "one that is the beginning of another", b: []string{same, same + "1zz"}, want: []string{same, same + "1"}},
	} {
		r := ordinary()
		r.Evidence.DMARC[0].AlignedDKIM = nil
		r.Evidence.DKIM = nil
		for _, b := range c.b {
			r.Evidence.DKIM = append(r.Evidence.DKIM, evidence.Signature{B: b})
		}
		back, err := Decode(Append(nil, r))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range back.Evidence.DKIM {
			got = append(got, s.B)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if r.Evidence.DKIM[0].B != c.b[0] {
			t.Errorf("%s: the record itself was changed", c.name)
		}
	}
}

func TestAnAddressKeepsItsZoneAndForm(t *testing.T) {
	for _, a := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0"} {
		r := ordinary()
		r.Evidence.Client.Peer = netip.MustParseAddr(a)
		back, err := Decode(Append(nil, r))
		if err != nil || back.Evidence.Client.Peer.String() != a {
			t.Errorf("%s: got %v, %v", a, back.Evidence.Client.Peer, err)
		}
	}
}
