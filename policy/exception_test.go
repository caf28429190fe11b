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
	return Exception{ID: "x", Action: a, Scope: scope, Proof: proof, NeverExpires: true, Reason: "known", Source: Source{"x.yaml", 12}}
}

func TestExceptionConditions(t *testing.T) {
	here := Proof{Clients: nets("192.0.2.0/24")}
	tests := []struct {
		name  string
		x     Exception
		f     func(*evidence.Message)
		match bool
	}{
		{"client in the network", entry(Accept, Scope{}, here), nil, true},
		{"client outside of it", entry(Accept, Scope{}, Proof{Clients: nets("198.51.100.0/24", "2001:db8::/32")}), nil, false},
		{"one of several networks", entry(Accept, Scope{}, Proof{Clients: nets("2001:db8::/32", "192.0.2.1/32")}), nil, true},
		{"IPv4-mapped network and client", entry(Accept, Scope{}, Proof{Clients: nets("::ffff:192.0.2.0/120")}),
			func(m *evidence.Message) { m.Client.Peer = netip.MustParseAddr("::ffff:192.0.2.7") }, true},
		{"the original client counts, not the relay", entry(Accept, Scope{}, here), func(m *evidence.Message) { m.Client.Original = netip.MustParseAddr("203.0.113.1") }, false},
		{"forward-confirmed name", entry(Accept, Scope{}, Proof{PTR: []string{".example.net"}}), nil, true},
		{"a name that is not confirmed", entry(Accept, Scope{}, Proof{PTR: []string{".example.net"}}), func(m *evidence.Message) { m.IPRev.Result = evidence.Fail }, false},
		{"a passing signature", entry(Accept, Scope{}, Proof{DKIM: []string{"vendor.example"}}),
			func(m *evidence.Message) {
				m.DKIM = []evidence.Signature{{Result: "fail", Domain: "a.example"}, {Result: "pass", Domain: "vendor.example"}}
			}, true},
		{"a broken signature", entry(Accept, Scope{}, Proof{DKIM: []string{"vendor.example"}}), func(m *evidence.Message) { m.DKIM = []evidence.Signature{{Result: "fail", Domain: "vendor.example"}} }, false},
		{"a signature of a subdomain is not of the domain", entry(Accept, Scope{}, Proof{DKIM: []string{"vendor.example"}}), func(m *evidence.Message) { m.DKIM = []evidence.Signature{{Result: "pass", Domain: "a.vendor.example"}} }, false},
		{"SPF pass", entry(Accept, Scope{}, Proof{SPF: []string{"sender.example"}}), func(m *evidence.Message) { m.SPF.MailFrom.Result = evidence.Pass }, true},
		{"SPF softfail", entry(Accept, Scope{}, Proof{SPF: []string{"sender.example"}}), func(m *evidence.Message) { m.SPF.MailFrom.Result = evidence.SoftFail }, false},
		{"scope and proof both hold", entry(Accept, Scope{AuthorDomains: []string{"bank.example"}, MailFrom: []string{"sender.example"}, ListIDs: []string{".lists.example"}}, here),
			func(m *evidence.Message) { m.Traces.ListID = "dev.lists.example" }, true},
		{"the scope does not hold", entry(Accept, Scope{AuthorDomains: []string{"other.example"}}, here), nil, false},
		{"the proof does not hold", entry(Accept, Scope{AuthorDomains: []string{"bank.example"}}, Proof{DKIM: []string{"bank.example"}}), nil, false},
		{"MAIL FROM address, any case", entry(Accept, Scope{MailFrom: []string{"Bounce@Sender.example"}}, here), nil, true},
		{"the null reverse-path", entry(Accept, Scope{MailFrom: []string{"<>"}}, here), func(m *evidence.Message) { m.MailFrom, m.MailFromDomain = "", "" }, true},
		{"a reverse-path is not the null one", entry(Accept, Scope{MailFrom: []string{"<>"}}, here), nil, false},
		{"MAIL FROM with a U-label is compared as A-label", entry(Accept, Scope{MailFrom: []string{"a@xn--bcher-kva.example"}}, here),
			func(m *evidence.Message) { m.MailFrom, m.MailFromDomain = "a@bücher.example", "xn--bcher-kva.example" }, true},
		{"allow: every recipient in scope", entry(Accept, Scope{Recipients: []string{"here.example"}}, here),
			func(m *evidence.Message) {
				m.Recipients = append(m.Recipients, evidence.Recipient{Address: "b@HERE.example"})
			}, true},
		{"allow: one recipient out of scope", entry(Accept, Scope{Recipients: []string{"here.example"}}, here),
			func(m *evidence.Message) {
				m.Recipients = append(m.Recipients, evidence.Recipient{Address: "b@there.example"})
			}, false},
		{"allow: no recipients known", entry(Accept, Scope{Recipients: []string{"*"}}, here), func(m *evidence.Message) { m.Recipients = nil }, false},
		{"an expired entry", with(entry(Accept, Scope{}, here), func(x *Exception) { x.NeverExpires, x.Expires = false, now }), nil, false},
		{"an entry in its last second", with(entry(Accept, Scope{}, here), func(x *Exception) { x.NeverExpires, x.Expires = false, now.Add(time.Second) }), nil, true},
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
		name string
		list []Exception
		ev   *evidence.Message
		del  Delivery
		rule string
	}{
		{"the first match wins", []Exception{named("a", Tag), named("b", Accept)}, message(failing("reject")), DeliverTag, "a"},
		{"block beats allow wherever it stands", []Exception{named("a", Accept), named("b", Hold), named("c", Reject)}, message(failing("none")), DeliverHold, "b"},
		{"a block entry that keeps an allow entry away is named", []Exception{named("a", Accept), named("c", Reject)}, message(failing("reject")), Refuse, "c"},
		{"a block entry that changes nothing is not", []Exception{named("c", Reject)}, message(failing("reject")), Refuse, ""},
		{"a block entry never softens", []Exception{named("a", Quarantine)}, message(failing("reject")), Refuse, ""},
		{"an allow entry never hardens", []Exception{named("a", Tag)}, message(failing("none")), Deliver, ""},
		{"a block entry by what the sender writes", []Exception{entry(Reject, Scope{AuthorDomains: []string{"org:bank.example"}}, Proof{})}, message(failing("none")), Refuse, "x"},
		{"a block entry holds if one recipient matches", []Exception{anyRcpt},
			change(message(failing("none")), func(m *evidence.Message) {
				m.Recipients = append(m.Recipients, evidence.Recipient{Address: "b@here.example"})
			}), Refuse, "x"},
		{"a tag entry of the kind block tags", []Exception{with(named("a", Tag), func(x *Exception) { x.Kind = Block })}, message(failing("none")), DeliverTag, "a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Decide(row.ev, rulesOf(t, Spec{Exceptions: row.list}))
			if v.Delivery != row.del || v.Rule != row.rule {
				t.Errorf("got %s by %q, want %s by %q", v.Delivery, v.Rule, row.del, row.rule)
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
		{"an entry by PTR without iprev", Spec{Exceptions: []Exception{entry(Accept, Scope{}, Proof{PTR: []string{"a.example"}})}},
			change(message(failing("reject")), func(m *evidence.Message) { m.IPRev = evidence.IPRev{} }), []Fact{FactIPRev}},
		{"an entry by SPF without SPF", Spec{Exceptions: []Exception{entry(Accept, Scope{}, Proof{SPF: []string{"a.example"}})}},
			change(message(failing("reject")), func(m *evidence.Message) { m.SPF = evidence.SPF{} }), []Fact{FactSPF}},
		{"an entry by client without address", Spec{Exceptions: []Exception{entry(Accept, Scope{}, client)}},
			change(message(failing("reject")), func(m *evidence.Message) { m.Client = evidence.Client{} }), []Fact{FactClient}},
		{"an entry that could not change the outcome", Spec{Exceptions: []Exception{entry(Accept, Scope{}, client)}},
			change(message(failing("none")), func(m *evidence.Message) { m.Client = evidence.Client{} }), nil},
		{"trusted sealers without ARC", Spec{Sealers: []Sealer{{Domains: []string{"lists.example"}}}},
			change(message(failing("reject")), func(m *evidence.Message) { m.ARC = evidence.ARC{} }), []Fact{FactARC}},
		{"pct without a sample", Spec{}, change(message(with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 10 })),
			func(m *evidence.Message) { m.Sample = -1 }), []Fact{FactSample}},
		{"no evaluation", Spec{}, message(), []Fact{FactDMARC}},
		{"everything looked up", Spec{Exceptions: []Exception{entry(Accept, Scope{}, client)}}, message(failing("reject")), nil},
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
		{"a key that cannot be looked up", entry(Accept, scope, dkim), key, DeliverDefer},
		{"an entry that would only tag", entry(Tag, scope, dkim), key, DeliverDefer},
		{"a key of another domain", entry(Accept, scope, Proof{DKIM: []string{"other.example"}}), key, Refuse},
		{"another condition that does not hold", entry(Accept, Scope{AuthorDomains: []string{"other.example"}}, dkim), key, Refuse},
		{"an entry that has expired", with(entry(Accept, scope, dkim), func(x *Exception) { x.NeverExpires, x.Expires = false, now }), key, Refuse},
		{"an SPF record that cannot be looked up", entry(Accept, scope, Proof{SPF: []string{"sender.example"}}),
			func(m *evidence.Message) { m.SPF.MailFrom.Result = evidence.TempError }, DeliverDefer},
		{"a reverse name that cannot be looked up", entry(Accept, scope, Proof{PTR: []string{"mail.example.net"}}),
			func(m *evidence.Message) { m.IPRev = evidence.IPRev{Result: evidence.TempError} }, DeliverDefer},
		{"not where the name is all the entry asks for, as many reverse zones fail", entry(Accept, Scope{}, Proof{PTR: []string{"mail.example.net"}}),
			func(m *evidence.Message) { m.IPRev = evidence.IPRev{Result: evidence.TempError} }, Refuse},
		{"a chain whose key cannot be looked up", entry(Accept, scope, Proof{Sealers: []string{"lists"}}), func(m *evidence.Message) {
			sealed("fail", seal(1, "lists.example", "dmarc=none"))(m)
			m.ARC.Temporary = true
		}, DeliverDefer},
		{"a message that was deferred for long", entry(Accept, scope, dkim), func(m *evidence.Message) {
			key(m)
			m.FirstSeen = now.Add(-DefaultTempErrorFor)
		}, Refuse},
		{"a policy that is only tagged is not put off", entry(Accept, scope, dkim), func(m *evidence.Message) {
			key(m)
			m.DMARC[0] = failing("quarantine")
		}, DeliverTag},
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
