package policy

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// everything is what verify marks as looked at in a message whose header it read.
const everything = evidence.SectionFrom | evidence.SectionTraces | evidence.SectionReceived | evidence.SectionDKIM | evidence.SectionDMARC

// message is a complete, unauthenticated message from outside with one Author
// Domain whose evaluation is dm.
func message(dm ...evidence.DMARC) *evidence.Message {
	ev := &evidence.Message{
		Schema: evidence.SchemaVersion, QueueID: "4Q9", Time: now,
		Client:   evidence.Client{Peer: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.net"},
		MailFrom: "bounce@sender.example", MailFromDomain: "sender.example",
		Recipients: []evidence.Recipient{{Address: "user@here.example"}},
		SPF:        evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "sender.example", Result: evidence.None}},
		ARC:        evidence.ARC{Result: evidence.None},
		IPRev:      evidence.IPRev{Result: evidence.Pass, Names: []string{"mail.example.net"}},
		DMARC:      dm, Sample: 50, Looked: everything,
	}
	ev.From.Fields = 1
	for _, e := range dm {
		ev.From.Domains = append(ev.From.Domains, e.AuthorDomain)
	}
	return ev
}

// failing is an evaluation of bank.example that fails with policy p.
func failing(p evidence.DMARCPolicy) evidence.DMARC {
	return evidence.DMARC{AuthorDomain: "bank.example", OrgDomain: "bank.example", PolicyDomain: "bank.example",
		Result: evidence.Fail, Policy: p, PolicyTag: "p", Existence: evidence.Exists, Published: evidence.DMARCRecord{P: p, Pct: 100}}
}

func with[T any](v T, f func(*T)) T { f(&v); return v }

func rulesOf(t testing.TB, s Spec) *Rules {
	t.Helper()
	r, err := Compile(s)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return r
}

// want is the part of a verdict that a row states.
type want struct {
	disposition Disposition
	delivery    Delivery
	requested   Requested
	step        Step
	rule        string
	override    OverrideType
	reply       string
}

func check(t *testing.T, ev *evidence.Message, r *Rules, w want) Verdict {
	t.Helper()
	v := Decide(ev, r)
	got := want{disposition: v.Disposition, delivery: v.Delivery, requested: v.Requested, step: v.Step, rule: v.Rule, override: v.Override, reply: v.Reply.String()}
	if got != w {
		t.Errorf("input %+v\n got %+v\nwant %+v\nreason %s", ev, got, w, v.Reason)
	}
	if again := Decide(ev, r); !reflect.DeepEqual(v, again) {
		t.Errorf("second answer differs: %+v, %+v", v, again)
	}
	if v.Reason == "" {
		t.Error("the verdict has no reason")
	}
	return v
}

func TestDecideWithDefaults(t *testing.T) {
	const refused = "550 5.7.26 Email rejected per DMARC policy for bank.example"
	pct := func(p evidence.DMARCPolicy, n int) evidence.DMARC {
		return with(failing(p), func(d *evidence.DMARC) { d.Published.Pct = n })
	}
	result := func(r evidence.Result, f func(*evidence.DMARC)) *evidence.Message {
		d := failing(evidence.PolicyReject)
		d.Result = r
		if f != nil {
			f(&d)
		}
		return message(d)
	}
	for _, row := range []struct {
		name string
		ev   *evidence.Message
		want want
	}{
		{name: "a pass is delivered (RFC 9989 section 5.4)", ev: result(evidence.Pass, nil),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
		{name: "p=reject is refused with 550 5.7.26 (RFC 7372 section 4)", ev: message(failing("reject")),
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: refused}},
		{name: "p=quarantine is tagged", ev: message(failing("quarantine")),
			want: want{disposition: "quarantine", delivery: "tag", requested: "quarantine", step: StepPolicy}},
		{name: "p=none changes nothing (RFC 9989 section 5.4)", ev: message(failing("none")),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
		{name: "no record: nothing is done", ev: result(evidence.None, func(d *evidence.DMARC) { d.Policy, d.Published = "", evidence.DMARCRecord{} }),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
		{name: "an unusable record: nothing is done", ev: result(evidence.PermError, nil),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
		{name: "t=y steps reject down and says so (RFC 9990 section 3.1.1)",
			ev: message(with(failing("quarantine"), func(d *evidence.DMARC) {
				d.Published = evidence.DMARCRecord{P: "reject", Testing: true, HasTesting: true, Pct: 100}
			})),
			want: want{disposition: "quarantine", delivery: "tag", requested: "quarantine", step: StepPolicy, override: "policy_test_mode"}},
		{name: "t=y at p=none is no override",
			ev:   message(with(failing("none"), func(d *evidence.DMARC) { d.Published.Testing, d.Published.HasTesting = true, true })),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
		{name: "pct above the sample applies the policy (RFC 7489 section 6.6.4)", ev: message(pct("reject", 51)),
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: refused}},
		{name: "pct not above the sample steps reject down", ev: message(pct("reject", 50)),
			want: want{disposition: "quarantine", delivery: "tag", requested: "quarantine", step: StepPolicy, override: "other"}},
		{name: "pct not above the sample steps quarantine down", ev: message(pct("quarantine", 0)),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy, override: "other"}},
		{name: "a t tag wins over pct", ev: message(with(pct("reject", 0), func(d *evidence.DMARC) { d.Published.HasTesting = true })),
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: refused}},
		{name: "policy unknown for now is accepted (step 7a)", ev: result(evidence.TempError, func(d *evidence.DMARC) { d.PolicyTemporary = true; d.Policy = "" }),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepTempError, rule: "temperror.policy_unknown"}},
		{name: "policy unknown below one that enforces is deferred", ev: result(evidence.TempError, func(d *evidence.DMARC) { d.AuthorDomain, d.PolicyTemporary = "lame.bank.example", true }),
			want: want{disposition: "tempfail", delivery: "defer", requested: "none", step: StepTempError, rule: "temperror.unresolved", reply: "451 4.7.1 Temporary DNS failure while checking lame.bank.example, try again later"}},
		{name: "and marked after four hours", ev: change(result(evidence.TempError, func(d *evidence.DMARC) { d.AuthorDomain, d.PolicyTemporary = "lame.bank.example", true }),
			func(m *evidence.Message) { m.FirstSeen, m.Deferrals = now.Add(-4*time.Hour), 2 }),
			want: want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepTempError, rule: "temperror.unresolved", override: "other"}},
		{name: "policy unknown below one that is none is accepted", ev: result(evidence.TempError, func(d *evidence.DMARC) {
			d.AuthorDomain, d.PolicyTemporary, d.Policy = "lame.bank.example", true, "none"
		}),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepTempError, rule: "temperror.policy_unknown"}},
		{name: "an unresolved identifier under p=reject is deferred (step 7b)", ev: result(evidence.TempError, func(d *evidence.DMARC) { d.IdentifierTemporary = true }),
			want: want{disposition: "tempfail", delivery: "defer", requested: "none", step: StepTempError, rule: "temperror.unresolved", reply: "451 4.7.1 Temporary DNS failure while checking bank.example, try again later"}},
		{name: "an unresolved identifier under p=none is accepted", ev: result(evidence.TempError, func(d *evidence.DMARC) { d.IdentifierTemporary, d.Policy, d.Published.P = true, "none", "none" }),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepTempError}},
		{name: "deferred for four hours it is marked", ev: change(result(evidence.TempError, func(d *evidence.DMARC) { d.IdentifierTemporary = true }),
			func(m *evidence.Message) { m.FirstSeen, m.Deferrals = now.Add(-4*time.Hour), 2 }),
			want: want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepTempError, rule: "temperror.unresolved", override: "other"}},
	} {
		t.Run(row.name, func(t *testing.T) { check(t, row.ev, Defaults(), row.want) })
	}
}

func TestWhatWaitedLongEnoughCanBeAccepted(t *testing.T) {
	rules, err := Compile(Spec{TempErrors: TempErrors{Expired: Accept}})
	if err != nil {
		t.Fatal(err)
	}
	ev := message(with(failing(evidence.PolicyReject), func(d *evidence.DMARC) {
		d.Result, d.IdentifierTemporary = evidence.TempError, true
	}))
	if v := Decide(ev, rules); v.Delivery != DeliverDefer {
		t.Errorf("the first try: %+v, want a deferral", v)
	}
	ev.FirstSeen, ev.Deferrals = now.Add(-4*time.Hour), 1
	if v := Decide(ev, rules); v.Delivery != DeliverDefer || v.Waited {
		t.Errorf("after four hours without a retry in between: %+v, want a deferral", v)
	}
	ev.Deferrals = 2
	if v := Decide(ev, rules); v.Delivery != Deliver || !v.Waited || !strings.Contains(v.Reason, "is accepted") {
		t.Errorf("after four hours: %+v, want it accepted", v)
	}
}

func TestMonitorModeRefusesWhatCouldNotBeJudged(t *testing.T) {
	rules, err := Compile(Spec{Mode: Monitor})
	if err != nil {
		t.Fatal(err)
	}
	if v := rules.OverLimit(&evidence.Message{}, "too large"); v.Delivery != Refuse || v.Reply.Code != 550 {
		t.Errorf("got %+v, want a refusal", v)
	}
}

// change edits a message in place.
func change(ev *evidence.Message, f func(*evidence.Message)) *evidence.Message { f(ev); return ev }
