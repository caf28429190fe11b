package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"alignd/evidence"
)

func nets(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// entry is an exception with the id x that never expires.
func entry(a Action, scope Scope, proof Proof) Exception {
	return Exception{ID: "x", Action: a, Scope: scope, Proof: proof, NeverExpires: true, Reason: "known", Source: Source{File: "x.yaml", Line: 12}}
}

func TestExceptionConditions(t *testing.T) {
	here := Proof{Clients: nets("192.0.2.0/24")}
	tests := []struct {
		name  string
		x     Exception
		f     func(*evidence.Message)
		match bool
	}{
		{name: "client in the network", x: entry(Accept, Scope{}, here), match: true},
		{name: "client outside of it", x: entry(Accept, Scope{}, Proof{Clients: nets("198.51.100.0/24", "2001:db8::/32")})},
		{name: "one of several networks", x: entry(Accept, Scope{}, Proof{Clients: nets("2001:db8::/32", "192.0.2.1/32")}), match: true},
		{name: "IPv4-mapped network and client", x: entry(Accept, Scope{}, Proof{Clients: nets("::ffff:192.0.2.0/120")}),
			f: func(m *evidence.Message) { m.Client.Peer = netip.MustParseAddr("::ffff:192.0.2.7") }, match: true},
		{name: "the original client counts, not the relay", x: entry(Accept, Scope{}, here), f: func(m *evidence.Message) { m.Client.Original = netip.MustParseAddr("203.0.113.1") }},
		{name: "forward-confirmed name", x: entry(Accept, Scope{}, Proof{PTR: []string{".example.net"}}), match: true},
		{name: "a name that is not confirmed", x: entry(Accept, Scope{}, Proof{PTR: []string{".example.net"}}), f: func(m *evidence.Message) { m.IPRev.Result = evidence.Fail }},
		{name: "a passing signature", x: entry(Accept, Scope{}, Proof{DKIM: []string{"vendor.example"}}),
			f: func(m *evidence.Message) {
				m.DKIM = []evidence.Signature{{Result: "fail", Domain: "a.example"}, {Result: "pass", Domain: "vendor.example"}}
			}, match: true},
		{name: "a broken signature", x: entry(Accept, Scope{}, Proof{DKIM: []string{"vendor.example"}}), f: func(m *evidence.Message) { m.DKIM = []evidence.Signature{{Result: "fail", Domain: "vendor.example"}} }},
		{name: "a signature of a subdomain is not of the domain", x: entry(Accept, Scope{}, Proof{DKIM: []string{"vendor.example"}}), f: func(m *evidence.Message) { m.DKIM = []evidence.Signature{{Result: "pass", Domain: "a.vendor.example"}} }},
		{name: "SPF pass", x: entry(Accept, Scope{}, Proof{SPF: []string{"sender.example"}}), f: func(m *evidence.Message) { m.SPF.MailFrom.Result = evidence.Pass }, match: true},
		{name: "SPF softfail", x: entry(Accept, Scope{}, Proof{SPF: []string{"sender.example"}}), f: func(m *evidence.Message) { m.SPF.MailFrom.Result = evidence.SoftFail }},
		{name: "scope and proof both hold", x: entry(Accept, Scope{AuthorDomains: []string{"bank.example"}, MailFrom: []string{"sender.example"}, ListIDs: []string{".lists.example"}}, here),
			f: func(m *evidence.Message) { m.Traces.ListID = "dev.lists.example" }, match: true},
		{name: "the scope does not hold", x: entry(Accept, Scope{AuthorDomains: []string{"other.example"}}, here)},
		{name: "the proof does not hold", x: entry(Accept, Scope{AuthorDomains: []string{"bank.example"}}, Proof{DKIM: []string{"bank.example"}})},
		{name: "MAIL FROM address, any case", x: entry(Accept, Scope{MailFrom: []string{"Bounce@Sender.example"}}, here), match: true},
		{name: "the null reverse-path", x: entry(Accept, Scope{MailFrom: []string{"<>"}}, here), f: func(m *evidence.Message) { m.MailFrom, m.MailFromDomain = "", "" }, match: true},
		{name: "a reverse-path is not the null one", x: entry(Accept, Scope{MailFrom: []string{"<>"}}, here)},
		{name: "MAIL FROM with a U-label is compared as A-label", x: entry(Accept, Scope{MailFrom: []string{"a@xn--bcher-kva.example"}}, here),
			f: func(m *evidence.Message) { m.MailFrom, m.MailFromDomain = "a@bücher.example", "xn--bcher-kva.example" }, match: true},
		{name: "allow: every recipient in scope", x: entry(Accept, Scope{Recipients: []string{"here.example"}}, here),
			f: func(m *evidence.Message) {
				m.Recipients = append(m.Recipients, evidence.Recipient{Address: "b@HERE.example"})
			}, match: true},
		{name: "allow: one recipient out of scope", x: entry(Accept, Scope{Recipients: []string{"here.example"}}, here),
			f: func(m *evidence.Message) {
				m.Recipients = append(m.Recipients, evidence.Recipient{Address: "b@there.example"})
			}},
		{name: "allow: no recipients known", x: entry(Accept, Scope{Recipients: []string{"*"}}, here), f: func(m *evidence.Message) { m.Recipients = nil }},
		{name: "an expired entry", x: with(entry(Accept, Scope{}, here), func(x *Exception) { x.NeverExpires, x.Expires = false, now })},
		{name: "an entry in its last second", x: with(entry(Accept, Scope{}, here), func(x *Exception) { x.NeverExpires, x.Expires = false, now.Add(time.Second) }), match: true},
	}
	for _, row := range tests {
		t.Run(row.name, func(t *testing.T) {
			ev := message(failing("reject"))
			if row.f != nil {
				row.f(ev)
			}
			v := Decide(ev, rulesOf(t, Spec{Exceptions: []Exception{row.x}}))
			if got := v.Delivery == Deliver; got != row.match {
				t.Errorf("matches = %v, want %v: %+v", got, row.match, v)
			}
			if row.match && (v.Step != StepException || v.Rule != "x" || v.Line != 12 || v.Override != OverrideLocalPolicy ||
				v.OverrideComment != "exception x" || v.Requested != RequestedReject || v.Reason != "Exception x: known") {
				t.Errorf("got %+v", v)
			}
		})
	}
}

func TestExceptionOrder(t *testing.T) {
	proof := Proof{Clients: nets("192.0.2.1/32")}
	named := func(id string, a Action) Exception { x := entry(a, Scope{}, proof); x.ID = id; return x }
	anyRcpt := entry(Reject, Scope{Recipients: []string{"b@here.example"}}, Proof{})
	for _, row := range []struct {
		name     string
		list     []Exception
		ev       *evidence.Message
		delivery Delivery
		rule     string
	}{
		{name: "the first match wins", list: []Exception{named("a", Tag), named("b", Accept)}, ev: message(failing("reject")), delivery: DeliverTag, rule: "a"},
		{name: "block beats allow wherever it stands", list: []Exception{named("a", Accept), named("b", Hold), named("c", Reject)}, ev: message(failing("none")), delivery: DeliverHold, rule: "b"},
		{name: "a block entry that keeps an allow entry away is named", list: []Exception{named("a", Accept), named("c", Reject)}, ev: message(failing("reject")), delivery: Refuse, rule: "c"},
		{name: "a block entry that changes nothing is not", list: []Exception{named("c", Reject)}, ev: message(failing("reject")), delivery: Refuse},
		{name: "a block entry never softens", list: []Exception{named("a", Quarantine)}, ev: message(failing("reject")), delivery: Refuse},
		{name: "an allow entry never hardens", list: []Exception{named("a", Tag)}, ev: message(failing("none")), delivery: Deliver},
		{name: "a block entry by what the sender writes", list: []Exception{entry(Reject, Scope{AuthorDomains: []string{"org:bank.example"}}, Proof{})}, ev: message(failing("none")), delivery: Refuse, rule: "x"},
		{name: "a block entry holds if one recipient matches", list: []Exception{anyRcpt},
			ev: change(message(failing("none")), func(m *evidence.Message) {
				m.Recipients = append(m.Recipients, evidence.Recipient{Address: "b@here.example"})
			}), delivery: Refuse, rule: "x"},
		{name: "a tag entry of the kind block tags", list: []Exception{with(named("a", Tag), func(x *Exception) { x.Kind = Block })}, ev: message(failing("none")), delivery: DeliverTag, rule: "a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Decide(row.ev, rulesOf(t, Spec{Exceptions: row.list}))
			if v.Delivery != row.delivery || v.Rule != row.rule {
				t.Errorf("got %s by %q, want %s by %q", v.Delivery, v.Rule, row.delivery, row.rule)
			}
		})
	}
}

func TestRepliesOfLocalPolicy(t *testing.T) {
	for action, want := range map[Action]string{
		Reject:   "550 5.7.1 Email rejected by local policy",
		Tempfail: "451 4.7.1 Email deferred by local policy, try again later",
	} {
		x := entry(action, Scope{AuthorDomains: []string{"bank.example"}}, Proof{})
		if v := Decide(message(failing("none")), rulesOf(t, Spec{Exceptions: []Exception{x}})); v.Reply.String() != want {
			t.Errorf("%s: got %q, want %q", action, v.Reply, want)
		}
	}
}

func TestFactsThatWereNotLookedUp(t *testing.T) {
	client := Proof{Clients: nets("192.0.2.1/32")}
	for _, row := range []struct {
		name string
		spec Spec
		ev   *evidence.Message
		want []Fact
	}{
		{name: "an entry by PTR without iprev", spec: Spec{Exceptions: []Exception{entry(Accept, Scope{}, Proof{PTR: []string{"a.example"}})}},
			ev: change(message(failing("reject")), func(m *evidence.Message) { m.IPRev = evidence.IPRev{} }), want: []Fact{FactIPRev}},
		{name: "an entry by SPF without SPF", spec: Spec{Exceptions: []Exception{entry(Accept, Scope{}, Proof{SPF: []string{"a.example"}})}},
			ev: change(message(failing("reject")), func(m *evidence.Message) { m.SPF = evidence.SPF{} }), want: []Fact{FactSPF}},
		{name: "an entry by client without address", spec: Spec{Exceptions: []Exception{entry(Accept, Scope{}, client)}},
			ev: change(message(failing("reject")), func(m *evidence.Message) { m.Client = evidence.Client{} }), want: []Fact{FactClient}},
		{name: "an entry that could not change the outcome", spec: Spec{Exceptions: []Exception{entry(Accept, Scope{}, client)}},
			ev: change(message(failing("none")), func(m *evidence.Message) { m.Client = evidence.Client{} })},
		{name: "trusted sealers without ARC", spec: Spec{Sealers: []Sealer{{Domains: []string{"lists.example"}}}},
			ev: change(message(failing("reject")), func(m *evidence.Message) { m.ARC = evidence.ARC{} }), want: []Fact{FactARC}},
		{name: "pct without a sample", ev: change(message(with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 10 })),
			func(m *evidence.Message) { m.Sample = -1 }), want: []Fact{FactSample}},
		{name: "no evaluation", ev: message(), want: []Fact{FactDMARC}},
		{name: "everything looked up", spec: Spec{Exceptions: []Exception{entry(Accept, Scope{}, client)}}, ev: message(failing("reject"))},
	} {
		t.Run(row.name, func(t *testing.T) {
			if v := Decide(row.ev, rulesOf(t, row.spec)); !slices.Equal(v.Undecidable, row.want) {
				t.Errorf("Undecidable = %q, want %q", v.Undecidable, row.want)
			}
		})
	}
}

// manyExceptions are n entries for n vendors, and one for bank.example.
func manyExceptions(n int) []Exception {
	list := make([]Exception, 0, n)
	for i := range n {
		name := fmt.Sprintf("v%d.example", i)
		list = append(list, Exception{ID: name, Action: Accept, NeverExpires: true,
			Scope: Scope{AuthorDomains: []string{name}}, Proof: Proof{Clients: nets(fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255))}})
	}
	return list
}

func TestUnrelatedExceptionsChangeNothing(t *testing.T) {
	x := entry(Accept, Scope{AuthorDomains: []string{"bank.example"}}, Proof{Clients: nets("192.0.2.0/24")})
	few, many := rulesOf(t, Spec{Exceptions: []Exception{x}}), rulesOf(t, Spec{Exceptions: append(manyExceptions(1000), x)})
	a, b := Decide(message(failing("reject")), few), Decide(message(failing("reject")), many)
	if a.Rule != "x" || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("got %+v and %+v", a, b)
	}
}

var sink Verdict

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 1000, 100000} {
		rules := rulesOf(b, Spec{Exceptions: manyExceptions(n)})
		for name, ev := range map[string]*evidence.Message{
			"fail": message(failing("reject")),
			"pass": message(with(failing("reject"), func(d *evidence.DMARC) { d.Result = evidence.Pass })),
			"hit": change(message(with(failing("reject"), func(d *evidence.DMARC) { d.AuthorDomain, d.OrgDomain = "v7.example", "v7.example" })),
				func(m *evidence.Message) { m.Client.Peer = netip.MustParseAddr("10.0.0.7") }),
		} {
			b.Run(fmt.Sprintf("exceptions=%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					sink = Decide(ev, rules)
				}
			})
		}
	}
}

// A refusal that only a temporary error kept an allow entry from preventing is
// put off (step 7), and comes after all where the error lasts.
func TestProofThatIsUnresolvedDefers(t *testing.T) {
	scope := Scope{AuthorDomains: []string{"bank.example"}}
	sealer := []Sealer{{ID: "lists", Domains: []string{"lists.example"}}}
	key := func(m *evidence.Message) {
		m.DKIM = []evidence.Signature{{Result: evidence.TempError, Domain: "vendor.example"}}
	}
	dkim := Proof{DKIM: []string{"vendor.example"}}
	tests := []struct {
		name string
		x    Exception
		f    func(*evidence.Message)
		want Delivery
	}{
		{name: "a key that cannot be looked up", x: entry(Accept, scope, dkim), f: key, want: DeliverDefer},
		{name: "an entry that would only tag", x: entry(Tag, scope, dkim), f: key, want: DeliverDefer},
		{name: "a key of another domain", x: entry(Accept, scope, Proof{DKIM: []string{"other.example"}}), f: key, want: Refuse},
		{name: "another condition that does not hold", x: entry(Accept, Scope{AuthorDomains: []string{"other.example"}}, dkim), f: key, want: Refuse},
		{name: "an entry that has expired", x: with(entry(Accept, scope, dkim), func(x *Exception) { x.NeverExpires, x.Expires = false, now }), f: key, want: Refuse},
		{name: "an SPF record that cannot be looked up", x: entry(Accept, scope, Proof{SPF: []string{"sender.example"}}),
			f: func(m *evidence.Message) { m.SPF.MailFrom.Result = evidence.TempError }, want: DeliverDefer},
		{name: "a reverse name that cannot be looked up", x: entry(Accept, scope, Proof{PTR: []string{"mail.example.net"}}),
			f: func(m *evidence.Message) { m.IPRev = evidence.IPRev{Result: evidence.TempError} }, want: DeliverDefer},
		{name: "not where the name is all the entry asks for, as many reverse zones fail", x: entry(Accept, Scope{}, Proof{PTR: []string{"mail.example.net"}}),
			f: func(m *evidence.Message) { m.IPRev = evidence.IPRev{Result: evidence.TempError} }, want: Refuse},
		{name: "a chain whose key cannot be looked up", x: entry(Accept, scope, Proof{Sealers: []string{"lists"}}), f: func(m *evidence.Message) {
			sealed("fail", seal(1, "lists.example", "dmarc=none"))(m)
			m.ARC.Temporary = true
		}, want: DeliverDefer},
		{name: "a message that was deferred for long", x: entry(Accept, scope, dkim), f: func(m *evidence.Message) {
			key(m)
			m.FirstSeen = now.Add(-DefaultTempErrorFor)
		}, want: Refuse},
		{name: "a policy that is only tagged is not put off", x: entry(Accept, scope, dkim), f: func(m *evidence.Message) {
			key(m)
			m.DMARC[0] = failing("quarantine")
		}, want: DeliverTag},
	}
	for _, row := range tests {
		t.Run(row.name, func(t *testing.T) {
			ev := message(failing("reject"))
			row.f(ev)
			v := Decide(ev, rulesOf(t, Spec{Sealers: sealer, Exceptions: []Exception{row.x}}))
			if v.Delivery != row.want {
				t.Errorf("got %+v, want %s", v, row.want)
			}
			if v.Delivery == DeliverDefer && (v.Step != StepTempError || v.Rule != "x" || v.Line != 12 || v.Reply.Code != 451 || v.Override != NoOverride) {
				t.Errorf("got %+v", v)
			}
		})
	}
	block := entry(Reject, scope, Proof{})
	block.ID = "block"
	ev := change(message(failing("reject")), key)
	if v := Decide(ev, rulesOf(t, Spec{Exceptions: []Exception{entry(Accept, scope, dkim), block}})); v.Delivery != Refuse {
		t.Errorf("a block entry: got %+v", v)
	}
	if v := Decide(ev, rulesOf(t, Spec{TempErrors: TempErrors{Unresolved: Accept}, Exceptions: []Exception{entry(Accept, scope, dkim)}})); v.Delivery != Refuse {
		t.Errorf("where nothing is deferred: got %+v", v)
	}
}
