package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"alignd/evidence"
)

func TestEntriesThatAnotherOneShadowsAreFound(t *testing.T) {
	soon := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	nets := func(list ...string) (p []netip.Prefix) {
		for _, n := range list {
			p = append(p, netip.MustParsePrefix(n))
		}
		return p
	}
	allow := func(id string, x Exception) Exception {
		x.ID, x.Action = id, Accept
		x.NeverExpires = x.Expires.IsZero()
		return x
	}
	block := func(id string, x Exception) Exception {
		x.ID, x.Action, x.NeverExpires = id, Reject, true
		return x
	}
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{name: "a narrower network behind a wider one", want: "b by a",
			spec: Spec{Exceptions: []Exception{
				allow("a", Exception{Proof: Proof{Clients: nets("192.0.2.0/24")}}),
				allow("b", Exception{Proof: Proof{Clients: nets("192.0.2.8/29", "192.0.2.77/32")}}),
			}}},
		{name: "a wider network behind a narrower one decides", spec: Spec{Exceptions: []Exception{
			allow("a", Exception{Proof: Proof{Clients: nets("192.0.2.8/29")}}),
			allow("b", Exception{Proof: Proof{Clients: nets("192.0.2.0/24")}}),
		}}},
		{name: "a further condition behind an entry without it", want: "b by a", spec: Spec{Exceptions: []Exception{
			allow("a", Exception{Proof: Proof{DKIM: []string{".vendor.example"}}}),
			allow("b", Exception{Scope: Scope{AuthorDomains: []string{"bank.example"}}, Proof: Proof{DKIM: []string{"news.vendor.example"}}}),
		}}},
		{name: "another condition", spec: Spec{Exceptions: []Exception{
			allow("a", Exception{Proof: Proof{DKIM: []string{"vendor.example"}}}),
			allow("b", Exception{Proof: Proof{SPF: []string{"vendor.example"}}}),
		}}},
		{name: "an entry that ends sooner shadows for a while only", spec: Spec{Exceptions: []Exception{
			allow("a", Exception{Proof: Proof{DKIM: []string{"vendor.example"}}, Expires: soon}),
			allow("b", Exception{Proof: Proof{DKIM: []string{"vendor.example"}}}),
		}}},
		{name: "a block entry shadows an allow entry before it", want: "a by b", spec: Spec{Exceptions: []Exception{
			allow("a", Exception{Scope: Scope{AuthorDomains: []string{"bank.example"}}, Proof: Proof{DKIM: []string{"vendor.example"}}}),
			block("b", Exception{Scope: Scope{AuthorDomains: []string{"org:bank.example"}}}),
		}}},
		{name: "the allow entry never shadows the block entry", want: "a by b", spec: Spec{Exceptions: []Exception{
			allow("a", Exception{Proof: Proof{Clients: nets("192.0.2.0/24")}}),
			block("b", Exception{Proof: Proof{Clients: nets("192.0.2.0/24")}}),
		}}},
		{name: "recipients: an address behind its domain", want: "b by a", spec: Spec{Profiles: []Profile{
			{ID: "a", Recipients: []string{"example.com"}}, {ID: "b", Recipients: []string{"ceo@example.com"}},
		}}},
		{name: "recipients: a domain behind an address", spec: Spec{Profiles: []Profile{
			{ID: "a", Recipients: []string{"ceo@example.com"}}, {ID: "b", Recipients: []string{"example.com"}},
		}}},
		{name: "own domains: the most specific decides, so only the same shadows", want: "c by a", spec: Spec{Own: []OwnDomains{
			{ID: "a", Domains: []string{".example.com", "example.net"}}, {ID: "b", Domains: []string{"mail.example.com"}},
			{ID: "c", Domains: []string{"example.net"}},
		}}},
		{name: "own networks", want: "b by a", spec: Spec{NotJudged: NotJudged{Networks: []Network{
			{ID: "a", Prefix: nets("2001:db8::/32")[0]}, {ID: "b", Prefix: nets("2001:db8:7::/48")[0]},
		}}}},
		{name: "sealers", want: "b by a", spec: Spec{Sealers: []Sealer{
			{ID: "a", Domains: []string{"list.example"}, Clients: nets("192.0.2.0/24")},
			{ID: "b", Domains: []string{"list.example"}, Clients: nets("192.0.2.1/32"), AuthorDomains: []string{"x.example"}},
			{ID: "c", Domains: []string{"list.example"}},
		}}},
	}
	for _, tt := range tests {
		rules, err := Compile(tt.spec)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := ""
		for _, s := range rules.Shadowed() {
			got += fmt.Sprintf("%s by %s", s.Entry.ID, s.By.ID)
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Whatever the message, where a shadowed entry matches, so does the one that shadows it.
func TestWhatShadowsMatchesAll(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) []string {
		var some []string
		for _, x := range list {
			if random.IntN(3) == 0 {
				some = append(some, x)
			}
		}
		return some
	}
	net := func() (list []netip.Prefix) {
		for _, p := range pick("192.0.2.0/24", "192.0.2.0/28", "192.0.2.1/32", "2001:db8::/32") {
			list = append(list, netip.MustParsePrefix(p))
		}
		return list
	}
	domains := []string{"a.example", ".a.example", "b.a.example", ".b.a.example"}
	shadows := 0
	for range 20_000 {
		var spec Spec
		for i := range 3 {
			x := Exception{ID: fmt.Sprint(i), Action: []Action{Accept, Reject}[random.IntN(2)], NeverExpires: true}
			x.Scope = Scope{
				AuthorDomains: pick(append(domains, "org:a.example", "*")...),
				Recipients:    pick("a.example", "u@a.example", ".a.example", "u@b.a.example", "*"),
				MailFrom:      pick("a.example", "u@a.example", "<>", "*"),
				ListIDs:       pick("l.a.example", ".a.example"),
			}
			x.Proof = Proof{Clients: net(), DKIM: pick(domains...), PTR: pick(domains...)}
			spec.Exceptions = append(spec.Exceptions, x)
		}
		rules, err := Compile(spec)
		if err != nil {
			continue // without proof
		}
		for _, s := range rules.Shadowed() {
			shadows++
			for range 20 {
				one := func(list ...string) string { return list[random.IntN(len(list))] }
				ev := evidence.Message{Looked: evidence.SectionDKIM | evidence.SectionTraces, MailFrom: one("", "u@a.example", "v@b.a.example")}
				ev.Client.Peer = netip.MustParseAddr(one("192.0.2.1", "192.0.2.99", "2001:db8::1"))
				ev.IPRev = evidence.IPRev{Result: evidence.Pass, Names: []string{one("a.example", "b.a.example", "c.b.a.example")}}
				ev.DKIM = []evidence.Signature{{Domain: one("a.example", "b.a.example", "c.b.a.example"), Result: evidence.Pass}}
				ev.Traces.ListID = one("l.a.example", "m.a.example")
				for range random.IntN(2) + 1 {
					ev.Recipients = append(ev.Recipients, evidence.Recipient{Address: one("u@a.example", "v@a.example", "u@b.a.example", "u@[192.0.2.1]")})
				}
				dm := &evidence.DMARC{AuthorDomain: one("a.example", "b.a.example", "z.example"), OrgDomain: one("", "a.example"), Looked: evidence.SectionOrg}
				d := decision{ev: &ev, rules: rules}
				if inner := entryOf(rules, s.Entry.ID); matchesFor(d, inner, dm) && !matchesFor(d, entryOf(rules, s.By.ID), dm) {
					t.Fatalf("%+v\nshadows\n%+v\nbut not for %+v, %+v", s.By, inner.Exception, ev, dm)
				}
			}
		}
	}
	if shadows < 100 {
		t.Errorf("only %d shadows were tried", shadows)
	}
}

func entryOf(r *Rules, id string) *exception {
	for _, list := range [][]exception{r.block.list, r.allow.list} {
		for i := range list {
			if list[i].ID == id {
				return &list[i]
			}
		}
	}
	return nil
}

func matchesFor(d decision, x *exception, dm *evidence.DMARC) bool {
	ok, _ := d.matches(x, dm)
	return ok
}
