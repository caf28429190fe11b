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
	disp  Disposition
	del   Delivery
	req   Requested
	step  Step
	rule  string
	over  OverrideType
	reply string
}

func check(t *testing.T, ev *evidence.Message, r *Rules, w want) Verdict {
	t.Helper()
	v := Decide(ev, r)
	got := want{v.Disposition, v.Delivery, v.Requested, v.Step, v.Rule, v.Override, v.Reply.String()}
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
		{"a pass is delivered (RFC 9989 section 5.4)", result(evidence.Pass, nil),
			want{"accept", "deliver", "none", StepPolicy, "", "", ""}},
		{"p=reject is refused with 550 5.7.26 (RFC 7372 section 4)", message(failing("reject")),
			want{"reject", "refuse", "reject", StepPolicy, "", "", refused}},
		{"p=quarantine is tagged", message(failing("quarantine")),
			want{"quarantine", "tag", "quarantine", StepPolicy, "", "", ""}},
		{"p=none changes nothing (RFC 9989 section 5.4)", message(failing("none")),
			want{"accept", "deliver", "none", StepPolicy, "", "", ""}},
		{"no record: nothing is done", result(evidence.None, func(d *evidence.DMARC) { d.Policy, d.Published = "", evidence.DMARCRecord{} }),
			want{"accept", "deliver", "none", StepPolicy, "", "", ""}},
		{"an unusable record: nothing is done", result(evidence.PermError, nil),
			want{"accept", "deliver", "none", StepPolicy, "", "", ""}},
		{"t=y steps reject down and says so (RFC 9990 section 3.1.1)",
			message(with(failing("quarantine"), func(d *evidence.DMARC) {
				d.Published = evidence.DMARCRecord{P: "reject", Testing: true, HasTesting: true, Pct: 100}
			})),
			want{"quarantine", "tag", "quarantine", StepPolicy, "", "policy_test_mode", ""}},
		{"t=y at p=none is no override",
			message(with(failing("none"), func(d *evidence.DMARC) { d.Published.Testing, d.Published.HasTesting = true, true })),
			want{"accept", "deliver", "none", StepPolicy, "", "", ""}},
		{"pct above the sample applies the policy (RFC 7489 section 6.6.4)", message(pct("reject", 51)),
			want{"reject", "refuse", "reject", StepPolicy, "", "", refused}},
		{"pct not above the sample steps reject down", message(pct("reject", 50)),
			want{"quarantine", "tag", "quarantine", StepPolicy, "", "other", ""}},
		{"pct not above the sample steps quarantine down", message(pct("quarantine", 0)),
			want{"accept", "deliver", "none", StepPolicy, "", "other", ""}},
		{"a t tag wins over pct", message(with(pct("reject", 0), func(d *evidence.DMARC) { d.Published.HasTesting = true })),
			want{"reject", "refuse", "reject", StepPolicy, "", "", refused}},
		{"policy unknown for now is accepted (step 7a)", result(evidence.TempError, func(d *evidence.DMARC) { d.PolicyTemporary = true; d.Policy = "" }),
			want{"accept", "deliver", "none", StepTempError, "temperror.policy_unknown", "", ""}},
		{"policy unknown below one that enforces is deferred", result(evidence.TempError, func(d *evidence.DMARC) { d.AuthorDomain, d.PolicyTemporary = "lame.bank.example", true }),
			want{"tempfail", "defer", "none", StepTempError, "temperror.unresolved", "", "451 4.7.1 Temporary DNS failure while checking lame.bank.example, try again later"}},
		{"and marked after four hours", change(result(evidence.TempError, func(d *evidence.DMARC) { d.AuthorDomain, d.PolicyTemporary = "lame.bank.example", true }),
			func(m *evidence.Message) { m.FirstSeen, m.Deferrals = now.Add(-4*time.Hour), 2 }),
			want{"quarantine", "tag", "none", StepTempError, "temperror.unresolved", "other", ""}},
		{"policy unknown below one that is none is accepted", result(evidence.TempError, func(d *evidence.DMARC) {
			d.AuthorDomain, d.PolicyTemporary, d.Policy = "lame.bank.example", true, "none"
		}),
			want{"accept", "deliver", "none", StepTempError, "temperror.policy_unknown", "", ""}},
		{"an unresolved identifier under p=reject is deferred (step 7b)", result(evidence.TempError, func(d *evidence.DMARC) { d.IdentifierTemporary = true }),
			want{"tempfail", "defer", "none", StepTempError, "temperror.unresolved", "", "451 4.7.1 Temporary DNS failure while checking bank.example, try again later"}},
		{"an unresolved identifier under p=none is accepted", result(evidence.TempError, func(d *evidence.DMARC) { d.IdentifierTemporary, d.Policy, d.Published.P = true, "none", "none" }),
			want{"accept", "deliver", "none", StepTempError, "", "", ""}},
		{"deferred for four hours it is marked", change(result(evidence.TempError, func(d *evidence.DMARC) { d.IdentifierTemporary = true }),
			func(m *evidence.Message) { m.FirstSeen, m.Deferrals = now.Add(-4*time.Hour), 2 }),
			want{"quarantine", "tag", "none", StepTempError, "temperror.unresolved", "other", ""}},
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
