package policy

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"alignd/evidence"
)

// named is a value with the words that describe it.
type named[T any] struct {
	name  string
	value T
}

// classes are all kinds of evidence that the rules tell apart: each DMARC
// outcome, alone and beside a second Author Domain, from each kind of client,
// with each kind of ARC chain, to one and to two recipients.
func classes() []named[*evidence.Message] {
	evaluations := []named[evidence.DMARC]{}
	for _, p := range []evidence.DMARCPolicy{"none", "quarantine", "reject"} {
		for _, r := range []evidence.Result{"pass", "fail", "temperror", "permerror"} {
			for _, pct := range []int{0, 50, 51, 100} {
				if pct != 100 && r != "fail" {
					continue
				}
				d := failing(p)
				d.Result, d.Published.Pct, d.IdentifierTemporary = r, pct, r == "temperror"
				evaluations = append(evaluations, named[evidence.DMARC]{fmt.Sprintf("%s p=%s pct=%d", r, p, pct), d})
			}
		}
	}
	evaluations = append(evaluations,
		named[evidence.DMARC]{"t=y", with(failing("quarantine"), func(d *evidence.DMARC) {
			d.Published = evidence.DMARCRecord{P: "reject", Testing: true, HasTesting: true, Pct: 100}
		})},
		named[evidence.DMARC]{"none", evidence.DMARC{AuthorDomain: "bank.example", Result: "none"}},
		named[evidence.DMARC]{"policy unknown", evidence.DMARC{AuthorDomain: "bank.example", Result: "temperror", PolicyTemporary: true}},
		named[evidence.DMARC]{"not looked up", evidence.DMARC{AuthorDomain: "bank.example"}})
	second := with(failing("quarantine"), func(d *evidence.DMARC) { d.AuthorDomain, d.OrgDomain = "other.example", "other.example" })

	edits := []named[func(*evidence.Message)]{
		{"plain", func(*evidence.Message) {}},
		{"two Author Domains", func(m *evidence.Message) { m.DMARC = append(m.DMARC, second) }},
		{"unparsable From", func(m *evidence.Message) { m.From.Problem = evidence.FromUnparsable }},
		{"no From", func(m *evidence.Message) { m.From.Problem, m.DMARC = evidence.FromMissing, nil }},
		{"several From", func(m *evidence.Message) { m.From.Problem = evidence.FromSeveral }},
		{"authenticated", func(m *evidence.Message) { m.AuthUser = "jo" }},
		{"behind a relay", func(m *evidence.Message) { m.Client.Relay, m.Client.Original = "gw", m.Client.Peer }},
		{"trusted chain", sealed("pass", seal(1, "lists.example", vouches))},
		{"temporary chain", func(m *evidence.Message) {
			sealed("fail", seal(1, "lists.example", vouches))(m)
			m.ARC.Temporary = true
		}},
		{"two recipients", func(m *evidence.Message) {
			m.Recipients = append(m.Recipients, evidence.Recipient{Address: "ceo@here.example"})
		}},
		{"list traces", func(m *evidence.Message) { m.Traces.List, m.Traces.ListID = true, "dev.lists.example" }},
		{"spf fail", func(m *evidence.Message) { m.SPF.MailFrom.Result = "fail" }},
		{"another client", func(m *evidence.Message) { m.Client.Peer = netip.MustParseAddr("203.0.113.77") }},
		{"deferred for long", func(m *evidence.Message) { m.FirstSeen = m.Time.Add(-24 * time.Hour) }},
		{"nothing looked up", func(m *evidence.Message) {
			*m = evidence.Message{Time: now, Sample: -1, From: m.From, DMARC: m.DMARC}
		}},
	}
	var out []named[*evidence.Message]
	for _, e := range evaluations {
		for _, f := range edits {
			out = append(out, named[*evidence.Message]{e.name + ", " + f.name, change(message(e.value), f.value)})
		}
	}
	return out
}

// specs are rules of every kind, alone and together.
func specs() []named[Spec] {
	base := []named[Spec]{
		{"defaults", Spec{}},
		{"hold", Spec{Handling: Handling{QuarantineAs: Hold}}},
		{"quarantine refused", Spec{Handling: Handling{QuarantineAs: Reject}}},
		{"corroborated", Spec{Handling: Handling{RejectMode: Corroborated}}},
		{"pct ignored", Spec{Handling: Handling{Pct: PctIgnore}}},
		{"own", Spec{Own: []OwnDomains{{Domains: []string{"bank.example"}}}}},
		{"no record", Spec{NoRecord: NoRecord{Unauthenticated: Tag, SPFFail: Reject}}},
		{"executives", Spec{Profiles: []Profile{{Recipients: []string{"ceo@here.example"}, Handling: Handling{Quarantine: Reject, None: Tag}}}}},
		{"lenient profile", Spec{Profiles: []Profile{{Recipients: []string{"user@here.example"}, Handling: Handling{Quarantine: Accept, Reject: Tag}}}}},
		{"rollout", Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageQuarantine, Percent: 51}, {Name: StageReject, Start: now.AddDate(1, 0, 0)}}}}},
		{"rollout at monitor", Spec{Handling: Handling{Rollout: []Stage{{Name: StageMonitor}}}}},
		{"domain rule", Spec{Domains: []DomainRule{{AuthorDomains: []string{"org:bank.example"}, Handling: Handling{Reject: Tempfail, Quarantine: Hold}}}}},
		{"strict errors", Spec{PermError: Reject, TempErrors: TempErrors{PolicyUnknown: Tempfail}, From: FromActions{Unparsable: Reject}}},
		{"lenient errors", Spec{TempErrors: TempErrors{Unresolved: Accept}, From: FromActions{Missing: Accept, Several: Accept, Unparsable: Accept}}},
	}
	out := slices.Clone(base)
	for _, b := range base {
		s := b.value
		s.Sealers = []Sealer{{ID: "lists", Domains: []string{"lists.example"}}}
		out = append(out, named[Spec]{b.name + ", sealer", s})
	}
	return out
}

// additions are exceptions to add to any rules.
func additions() []named[Exception] {
	var out []named[Exception]
	proofs := []named[Proof]{
		{"client", Proof{Clients: nets("192.0.2.0/24")}},
		{"ptr", Proof{PTR: []string{".example.net"}}},
	}
	scopes := []named[Scope]{
		{"all", Scope{}},
		{"author", Scope{AuthorDomains: []string{"bank.example"}}},
		{"recipient", Scope{Recipients: []string{"user@here.example"}}},
	}
	for _, a := range anyAction {
		for _, k := range []Kind{Allow, Block} {
			if a == Accept && k == Block || a == Reject && k == Allow {
				continue
			}
			for _, p := range proofs {
				for _, s := range scopes {
					x := entry(a, s.value, p.value)
					x.Kind = k
					out = append(out, named[Exception]{fmt.Sprintf("%s %s by %s for %s", k, a, p.name, s.name), x})
				}
			}
		}
	}
	return out
}

func TestInvariants(t *testing.T) {
	messages, rules := classes(), specs()
	unrelated := entry(Reject, Scope{AuthorDomains: []string{"unrelated.example"}}, Proof{Clients: nets("10.0.0.0/8")})
	unrelated.ID = "unrelated"
	n := 0
	for _, s := range rules {
		plain := rulesOf(t, s.value)
		monitor := rulesOf(t, with(s.value, func(s *Spec) { s.Mode = Monitor }))
		added := rulesOf(t, with(s.value, func(s *Spec) { s.Exceptions = []Exception{unrelated} }))
		for _, m := range messages {
			n++
			v := Decide(m.value, plain)
			fail := func(format string, args ...any) {
				t.Errorf("%s | %s: %s\n%+v", s.name, m.name, fmt.Sprintf(format, args...), v)
			}
			for _, problem := range soundness(m.value, &v) {
				fail("%s", problem)
			}
			if again := Decide(m.value, plain); !reflect.DeepEqual(v, again) {
				fail("the verdict differs on a retry: %+v", again)
			}
			if w := Decide(m.value, monitor); w.Delivery != Deliver || w.Disposition != DispositionAccept || w.Reply != (Reply{}) || w.TagName != "" {
				fail("monitor acts: %+v", w)
			}
			if w := Decide(m.value, added); w.Undecidable == NoFact && !reflect.DeepEqual(v, w) {
				fail("an unrelated entry changes the verdict: %+v", w)
			}
		}
	}
	t.Logf("%d pairs of evidence and rules", n)
}

// soundness lists what is wrong in a verdict whatever the rules are.
func soundness(ev *evidence.Message, v *Verdict) []string {
	var out []string
	say := func(bad bool, what string) {
		if bad {
			out = append(out, what)
		}
	}
	pairs := map[Delivery]Disposition{Deliver: DispositionAccept, DeliverTag: DispositionQuarantine,
		DeliverHold: DispositionQuarantine, DeliverDefer: DispositionTempfail, Refuse: DispositionReject}
	say(pairs[v.Delivery] != v.Disposition, "disposition and delivery do not belong together")
	say(v.Step == "" || v.Reason == "", "no step or reason")
	say(v.Requested == "", "no request")
	say(v.Delivery == Refuse && v.Reply.Code/100 != 5, "refused without a 5yz reply")
	say(v.Delivery == DeliverDefer && v.Reply.Code/100 != 4, "deferred without a 4yz reply")
	say(v.Delivery.severity() < DeliverDefer.severity() && v.Reply != (Reply{}), "delivered with a reply")
	say((v.Delivery == DeliverTag) != (v.TagName != ""), "tag field without tag, or tag without field")
	say(v.Decisive >= len(ev.DMARC) || v.Decisive < 0 && len(ev.DMARC) > 0, "no such evaluation")
	say(v.Requested != RequestedNone && disposition(v.Requested) != v.Disposition && v.Override == NoOverride &&
		v.Delivery != DeliverDefer, "not what was asked for, and no override (RFC 9990 section 3.1.1.9)")
	say(v.Delivery == Refuse && ev.Client.Relay != "", "refused behind a relay")
	say(ev.Authenticated() && v.Delivery != Deliver, "an authenticated client was judged")
	say(v.Delivery == Refuse && v.Step == StepTempError, "refused for a temporary error")
	say(v.Delivery == DeliverDefer && v.Step == StepTempError && !ev.FirstSeen.IsZero() && ev.Time.Sub(ev.FirstSeen) >= DefaultTempErrorFor,
		"deferred for longer than temperror_for")
	return out
}

func TestInvariantsOfExceptions(t *testing.T) {
	messages, rules, entries := classes(), specs(), additions()
	n := 0
	for _, s := range rules {
		plain := rulesOf(t, s.value)
		before := make([]Verdict, len(messages))
		for i, m := range messages {
			before[i] = Decide(m.value, plain)
		}
		for _, x := range entries {
			changed := rulesOf(t, with(s.value, func(s *Spec) { s.Exceptions = []Exception{x.value} }))
			expired := rulesOf(t, with(s.value, func(s *Spec) {
				y := x.value
				y.NeverExpires, y.Expires = false, now.Add(-time.Hour)
				s.Exceptions = []Exception{y}
			}))
			for i, m := range messages {
				n++
				v, b := Decide(m.value, changed), &before[i]
				fail := func(what string) {
					t.Errorf("%s | %s | %s: %s\nwas %+v\n is %+v", s.name, m.name, x.name, what, *b, v)
				}
				for _, problem := range soundness(m.value, &v) {
					fail(problem)
				}
				if x.value.Kind == Allow && v.worse(b) {
					fail("an allow entry makes the outcome worse")
				}
				if x.value.Kind == Block && b.worse(&v) {
					fail("a block entry makes the outcome better")
				}
				if x.value.Kind == Allow && len(x.value.Scope.Recipients) > 0 && len(m.value.Recipients) != 1 && v.Rule == "x" {
					fail("a lenient entry holds though not every recipient matches")
				}
				if w := Decide(m.value, expired); w.Rule == "x" || w.Delivery != b.Delivery || w.Step != b.Step {
					fail(fmt.Sprintf("an expired entry matches: %+v", w))
				}
			}
		}
	}
	t.Logf("%d triples of evidence, rules and entry", n)
}

func TestSeveralRecipientsGetTheWorstOfEach(t *testing.T) {
	for _, s := range specs() {
		rules := rulesOf(t, s.value)
		for _, m := range classes() {
			if len(m.value.Recipients) != 2 {
				continue
			}
			both := Decide(m.value, rules)
			var alone []Delivery
			for _, r := range m.value.Recipients {
				one := *m.value
				one.Recipients = []evidence.Recipient{r}
				v := Decide(&one, rules)
				alone = append(alone, v.Delivery)
			}
			if want := slices.MaxFunc(alone, func(a, b Delivery) int { return a.severity() - b.severity() }); both.Delivery != want {
				t.Errorf("%s | %s: got %s, want the worst of %v", s.name, m.name, both.Delivery, alone)
			}
		}
	}
}
