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
				evaluations = append(evaluations, named[evidence.DMARC]{name: fmt.Sprintf("%s p=%s pct=%d", r, p, pct), value: d})
			}
		}
	}
	evaluations = append(evaluations,
		named[evidence.DMARC]{name: "t=y", value: with(failing("quarantine"), func(d *evidence.DMARC) {
			d.Published = evidence.DMARCRecord{P: "reject", Testing: true, HasTesting: true, Pct: 100}
		})},
		named[evidence.DMARC]{name: "none", value: evidence.DMARC{AuthorDomain: "bank.example", OrgDomain: "bank.example", Result: "none"}},
		named[evidence.DMARC]{name: "policy unknown", value: evidence.DMARC{AuthorDomain: "bank.example", Result: "temperror", PolicyTemporary: true}},
		named[evidence.DMARC]{name: "not looked up", value: evidence.DMARC{AuthorDomain: "bank.example"}})
	second := with(failing("quarantine"), func(d *evidence.DMARC) { d.AuthorDomain, d.OrgDomain = "other.example", "other.example" })

	edits := []named[func(*evidence.Message)]{
		{name: "plain", value: func(*evidence.Message) {}},
		{name: "two Author Domains", value: func(m *evidence.Message) { m.DMARC = append(m.DMARC, second) }},
		{name: "unparsable From", value: func(m *evidence.Message) { m.From.Problem = evidence.FromUnparsable }},
		{name: "no From", value: func(m *evidence.Message) { m.From.Problem, m.DMARC = evidence.FromMissing, nil }},
		{name: "several From", value: func(m *evidence.Message) { m.From.Problem = evidence.FromSeveral }},
		{name: "authenticated", value: func(m *evidence.Message) { m.AuthUser = "jo" }},
		{name: "behind a relay", value: func(m *evidence.Message) { m.Client.Relay, m.Client.Original = "gw", m.Client.Peer }},
		{name: "trusted chain", value: sealed("pass", seal(1, "lists.example", vouches))},
		{name: "temporary chain", value: func(m *evidence.Message) {
			sealed("fail", seal(1, "lists.example", vouches))(m)
			m.ARC.Temporary = true
		}},
		{name: "two recipients", value: func(m *evidence.Message) {
			m.Recipients = append(m.Recipients, evidence.Recipient{Address: "ceo@here.example"})
		}},
		{name: "list traces", value: func(m *evidence.Message) { m.Traces.List, m.Traces.ListID = true, "dev.lists.example" }},
		{name: "spf fail", value: func(m *evidence.Message) { m.SPF.MailFrom.Result = "fail" }},
		{name: "another client", value: func(m *evidence.Message) { m.Client.Peer = netip.MustParseAddr("203.0.113.77") }},
		{name: "deferred for long", value: func(m *evidence.Message) { m.FirstSeen, m.Deferrals = m.Time.Add(-24*time.Hour), 2 }},
		{name: "reverse name unresolved", value: func(m *evidence.Message) { m.IPRev = evidence.IPRev{Result: evidence.TempError} }},
		{name: "key unresolved", value: func(m *evidence.Message) {
			m.DKIM = []evidence.Signature{{Result: evidence.TempError, Domain: "vendor.example"}}
		}},
		{name: "nothing looked up", value: func(m *evidence.Message) {
			*m = evidence.Message{Time: now, Sample: -1, From: m.From, DMARC: m.DMARC}
		}},
	}
	var out []named[*evidence.Message]
	for _, e := range evaluations {
		for _, f := range edits {
			out = append(out, named[*evidence.Message]{name: e.name + ", " + f.name, value: change(message(e.value), f.value)})
		}
	}
	return out
}

// specs are rules of every kind, alone and together.
func specs() []named[Spec] {
	base := []named[Spec]{
		{name: "defaults"},
		{name: "hold", value: Spec{Handling: Handling{QuarantineAs: Hold}}},
		{name: "quarantine refused", value: Spec{Handling: Handling{QuarantineAs: Reject}}},
		{name: "corroborated", value: Spec{Handling: Handling{RejectMode: Corroborated}}},
		{name: "pct ignored", value: Spec{Handling: Handling{Pct: PctIgnore}}},
		{name: "own", value: Spec{Own: []OwnDomains{{Domains: []string{"bank.example"}}}}},
		{name: "no record", value: Spec{NoRecord: NoRecord{Unauthenticated: Tag, SPFFail: Reject}}},
		{name: "executives", value: Spec{Profiles: []Profile{{Recipients: []string{"ceo@here.example"}, Handling: Handling{Quarantine: Reject, None: Tag}}}}},
		{name: "lenient profile", value: Spec{Profiles: []Profile{{Recipients: []string{"user@here.example"}, Handling: Handling{Quarantine: Accept, Reject: Tag}}}}},
		{name: "rollout", value: Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageQuarantine, Percent: 51}, {Name: StageReject, Start: now.AddDate(1, 0, 0)}}}}},
		{name: "rollout at monitor", value: Spec{Handling: Handling{Rollout: []Stage{{Name: StageMonitor}}}}},
		{name: "domain rule", value: Spec{Domains: []DomainRule{{AuthorDomains: []string{"org:bank.example"}, Handling: Handling{Reject: Tempfail, Quarantine: Hold}}}}},
		{name: "strict errors", value: Spec{PermError: Reject, TempErrors: TempErrors{PolicyUnknown: Tempfail}, From: FromActions{Unparsable: Reject}}},
		{name: "lenient errors", value: Spec{TempErrors: TempErrors{Unresolved: Accept}, From: FromActions{Missing: Accept, Several: Accept, Unparsable: Accept}}},
	}
	out := slices.Clone(base)
	for _, b := range base {
		s := b.value
		s.Sealers = []Sealer{{ID: "lists", Domains: []string{"lists.example"}}}
		out = append(out, named[Spec]{name: b.name + ", sealer", value: s})
	}
	return out
}

// additions are exceptions to add to any rules.
func additions() []named[Exception] {
	var out []named[Exception]
	proofs := []named[Proof]{
		{name: "client", value: Proof{Clients: nets("192.0.2.0/24")}},
		{name: "ptr", value: Proof{PTR: []string{".example.net"}}},
		{name: "dkim", value: Proof{DKIM: []string{"vendor.example"}}},
	}
	scopes := []named[Scope]{
		{name: "all", value: Scope{}},
		{name: "author", value: Scope{AuthorDomains: []string{"bank.example"}}},
		{name: "recipient", value: Scope{Recipients: []string{"user@here.example"}}},
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
					out = append(out, named[Exception]{name: fmt.Sprintf("%s %s by %s for %s", k, a, p.name, s.name), value: x})
				}
			}
		}
	}
	return out
}

func TestInvariants(t *testing.T) {
	messages, rules := classes(), specs()
	n := 0
	for _, s := range rules {
		plain := rulesOf(t, s.value)
		monitor := rulesOf(t, with(s.value, func(s *Spec) { s.Mode = Monitor }))
		added := rulesOf(t, with(s.value, func(s *Spec) { s.Exceptions = unrelated() }))
		names := slices.Sorted(plain.Names())
		for _, m := range messages {
			n++
			v := Decide(m.value, plain)
			fail := func(format string, args ...any) {
				t.Errorf("%s | %s: %s\n%+v", s.name, m.name, fmt.Sprintf(format, args...), v)
			}
			for _, problem := range soundness(m.value, &v) {
				fail("%s", problem)
			}
			if _, known := slices.BinarySearch(names, v.Rule); v.Rule != "" && !known {
				fail("the rule is none of Names")
			}
			if again := Decide(retried(m.value), plain); !reflect.DeepEqual(v, again) {
				fail("the verdict differs on a retry: %+v", again)
			}
			if w := Decide(m.value, monitor); w.Delivery != Deliver || w.Disposition != DispositionAccept || w.Reply != (Reply{}) || w.TagName != "" {
				fail("monitor acts: %+v", w)
			}
			w := Decide(m.value, added)
			if len(m.value.Recipients) == 0 { // a fact that the entry needs is missing
				w.Undecidable = v.Undecidable
			}
			if !reflect.DeepEqual(v, w) {
				fail("an unrelated entry changes the verdict: %+v", w)
			}
		}
	}
	t.Logf("%d pairs of evidence and rules", n)
}

// unrelated are entries of both kinds, with each kind of condition, none of
// which any message of classes meets.
func unrelated() []Exception {
	const other = "unrelated.example"
	scopes := []Scope{{}, {AuthorDomains: []string{other, "." + other, "org:" + other}}, {MailFrom: []string{"jo@" + other}},
		{Recipients: []string{other}}, {ListIDs: []string{"." + other}}}
	proofs := []Proof{{Clients: nets("10.0.0.0/8", "2001:db8:1::/48")}, {PTR: []string{"." + other}}, {DKIM: []string{other}}, {SPF: []string{other}}}
	var out []Exception
	for _, a := range []Action{Accept, Reject} {
		for _, s := range scopes {
			for _, p := range proofs {
				x := entry(a, s, p)
				x.ID = fmt.Sprintf("unrelated%d", len(out))
				out = append(out, x)
			}
		}
	}
	return out
}

// retried is the same message on its next try, a quarter of an hour later:
// another connection, another queue ID, and seen before.
func retried(ev *evidence.Message) *evidence.Message {
	again := *ev
	again.Time, again.QueueID = ev.Time.Add(15*time.Minute), ""
	again.Traces.Received++
	if ev.FirstSeen.IsZero() {
		again.FirstSeen = ev.Time
		again.Deferrals = 1
	}
	return &again
}

// severity orders deliveries, mildest first.
func severity(d Delivery) int {
	return slices.Index([]Delivery{Deliver, DeliverTag, DeliverHold, DeliverDefer, Refuse}, d)
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
	say(v.Rule == "" && v.Step != StepPolicy && (v.Step != StepTempError || v.Delivery != Deliver), "something other than the sender's policy decided, and no rule is named")
	say(v.Delivery == Refuse && v.Reply.Code/100 != 5, "refused without a 5yz reply")
	say(v.Delivery == DeliverDefer && v.Reply.Code/100 != 4, "deferred without a 4yz reply")
	say(severity(v.Delivery) < severity(DeliverDefer) && v.Reply != (Reply{}), "delivered with a reply")
	say((v.Delivery == DeliverTag) != (v.TagName != ""), "tag field without tag, or tag without field")
	say(v.Evaluation > len(ev.DMARC) || v.Evaluation < 1 && len(ev.DMARC) > 0, "no such evaluation")
	say(v.Requested != RequestedNone && v.Requested.disposition() != v.Disposition && v.Override == NoOverride &&
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
				if x.value.Kind == Allow && severity(v.Delivery) > severity(b.Delivery) {
					fail("an allow entry makes the outcome worse")
				}
				if x.value.Kind == Block && severity(b.Delivery) > severity(v.Delivery) {
					fail("a block entry makes the outcome better")
				}
				if x.value.Kind == Allow && len(x.value.Scope.Recipients) > 0 && len(m.value.Recipients) != 1 && v.Rule == "x" {
					fail("a lenient entry holds though not every recipient matches")
				}
				if b, matches := blocks(x.value, m.value); matches && severity(v.Delivery) < severity(b) {
					fail(fmt.Sprintf("a restrictive entry matches one recipient and does not hold: want at least %s", b))
				}
				if w := Decide(m.value, expired); w.Rule == "x" || w.Delivery != b.Delivery || w.Step != b.Step {
					fail(fmt.Sprintf("an expired entry matches: %+v", w))
				}
			}
		}
	}
	t.Logf("%d triples of evidence, rules and entry", n)
}

// blocks reports whether a Block entry holds for ev by what the message
// classes have, and what is then done at least. An entry for a recipient holds
// if any recipient is that one.
func blocks(x Exception, ev *evidence.Message) (least Delivery, ok bool) {
	judged := !ev.Authenticated() && ev.Client.IP() == netip.MustParseAddr("192.0.2.1") && len(ev.DMARC) == 1 && ev.DMARC[0].AuthorDomain == "bank.example"
	if x.Kind != Block || !judged || len(x.Proof.Clients) == 0 || ev.Client.Relay != "" {
		return "", false
	}
	if len(x.Scope.Recipients) > 0 && !slices.Contains(ev.Recipients, evidence.Recipient{Address: "user@here.example"}) {
		return "", false
	}
	return x.Action.outcome(Tag).delivery(), true
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
			if want := slices.MaxFunc(alone, func(a, b Delivery) int { return severity(a) - severity(b) }); both.Delivery != want {
				t.Errorf("%s | %s: got %s, want the worst of %v", s.name, m.name, both.Delivery, alone)
			}
		}
	}
}
