package policy

import (
	"reflect"
	"testing"
	"time"

	"alignd/evidence"
)

// RFC 9990 section 3.1.1.9: every reason why the outcome is not what is published,
// that of the last step first.
func TestReasonsOfAnOutcome(t *testing.T) {
	testing1 := with(failing("quarantine"), func(d *evidence.DMARC) {
		d.Published = evidence.DMARCRecord{P: "reject", Testing: true, HasTesting: true, Pct: 100}
	})
	testing2 := with(failing("none"), func(d *evidence.DMARC) {
		d.Published = evidence.DMARCRecord{P: "quarantine", Testing: true, HasTesting: true, Pct: 100}
	})
	sampled := with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 20 })
	unresolved := with(failing("reject"), func(d *evidence.DMARC) { d.Result, d.IdentifierTemporary = evidence.TempError, true })
	client := Proof{Clients: nets("192.0.2.1/32")}
	allow := Spec{Exceptions: []Exception{entry(Accept, Scope{}, client)}}
	block := Spec{Exceptions: []Exception{entry(Reject, Scope{}, client)}}
	rollout := Spec{Handling: Handling{Rollout: []Stage{{Name: StageMonitor}}}}
	local := func(comment string) OverrideReason {
		return OverrideReason{Type: OverrideLocalPolicy, Comment: comment}
	}
	test, other := OverrideReason{Type: OverrideTestMode}, OverrideReason{Type: OverrideOther, Comment: "sampled_out pct=20"}
	late := OverrideReason{Type: OverrideOther, Comment: "temperror"}
	relay := func(m *evidence.Message) { m.Client.Relay, m.Client.Original = "gw", m.Client.Peer }
	for _, row := range []struct {
		name        string
		dm          evidence.DMARC
		spec        Spec
		change      func(*evidence.Message)
		disposition Disposition
		want        []OverrideReason
	}{
		{name: "what is asked for", dm: failing("reject"), disposition: DispositionReject},
		{name: "test mode", dm: testing1, disposition: DispositionQuarantine, want: []OverrideReason{test}},
		{name: "test mode of quarantine", dm: testing2, disposition: DispositionAccept, want: []OverrideReason{test}},
		{name: "test mode and an exception", dm: testing1, spec: allow, disposition: DispositionAccept, want: []OverrideReason{local("exception x"), test}},
		{name: "test mode is no reason to refuse", dm: testing1, spec: block, disposition: DispositionReject, want: []OverrideReason{local("exception x")}},
		{name: "sampled out", dm: sampled, disposition: DispositionQuarantine, want: []OverrideReason{other}},
		{name: "sampled out, and a rollout", dm: sampled, spec: rollout, disposition: DispositionAccept, want: []OverrideReason{local("rollout stage monitor"), other}},
		{name: "not corroborated", dm: failing("reject"), spec: Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{SignalSPFFail}}},
			disposition: DispositionQuarantine, want: []OverrideReason{local("no corroborating signal")}},
		{name: "not corroborated, and a rollout", dm: failing("reject"), disposition: DispositionAccept,
			spec: Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{SignalSPFFail}, Rollout: []Stage{{Name: StageMonitor}}}},
			want: []OverrideReason{local("rollout stage monitor"), local("no corroborating signal")}},
		{name: "a relay", dm: failing("reject"), change: relay, disposition: DispositionQuarantine, want: []OverrideReason{local("trusted relay")}},
		{name: "local handling", dm: failing("reject"), spec: Spec{Handling: Handling{Reject: Tag}}, disposition: DispositionQuarantine, want: []OverrideReason{local("local policy")}},
		{name: "monitor mode", dm: failing("reject"), spec: Spec{Mode: Monitor}, disposition: DispositionAccept, want: []OverrideReason{local("monitor mode")}},
		{name: "monitor mode and test mode", dm: testing1, spec: Spec{Mode: Monitor}, disposition: DispositionAccept, want: []OverrideReason{local("monitor mode"), test}},
		{name: "monitor mode where test mode asks for nothing", dm: testing2, spec: Spec{Mode: Monitor}, disposition: DispositionAccept, want: []OverrideReason{test}},
		{name: "put off: no reason", dm: unresolved, disposition: DispositionTempfail},
		{name: "monitor mode of what would be put off", dm: unresolved, spec: Spec{Mode: Monitor}, disposition: DispositionAccept, want: []OverrideReason{late}},
		{name: "waited", dm: unresolved, disposition: DispositionQuarantine, want: []OverrideReason{late},
			change: func(m *evidence.Message) { m.FirstSeen, m.Deferrals = now.Add(-5*time.Hour), 2 }},
		{name: "an unusable From", dm: failing("none"), disposition: DispositionQuarantine, want: []OverrideReason{local("unusable From")},
			change: func(m *evidence.Message) { m.From.Problem = evidence.FromUnparsable }},
		{name: "several From fields, which are refused", dm: failing("quarantine"), disposition: DispositionReject, want: []OverrideReason{local("unusable From")},
			change: func(m *evidence.Message) { m.From.Problem = evidence.FromSeveral }},
	} {
		t.Run(row.name, func(t *testing.T) {
			ev := message(row.dm)
			if row.change != nil {
				row.change(ev)
			}
			v := Decide(ev, rulesOf(t, row.spec))
			if len(v.Authors) != 1 {
				t.Fatalf("%d outcomes of one Author Domain", len(v.Authors))
			}
			got := v.Authors[0]
			if got.Disposition != row.disposition || !reflect.DeepEqual(got.Reasons, row.want) || got.AuthorDomain != "bank.example" {
				t.Errorf("got %+v, want %s with %+v", got, row.disposition, row.want)
			}
			if got.Disposition != v.Disposition || got.Delivery != v.Delivery || got.Step != v.Step || got.Rule != v.Rule {
				t.Errorf("the only Author Domain has %+v, and the message %+v", got, v)
			}
			if first := append(row.want, OverrideReason{})[0]; (OverrideReason{Type: v.Override, Comment: v.OverrideComment}) != first {
				t.Errorf("the verdict says %s (%s), want %+v", v.Override, v.OverrideComment, first)
			}
		})
	}
}

func TestEachAuthorDomainHasItsOutcome(t *testing.T) {
	other := func(r evidence.Result, p evidence.DMARCPolicy) evidence.DMARC {
		return with(failing(p), func(d *evidence.DMARC) { d.AuthorDomain, d.OrgDomain, d.Result = "other.example", "other.example", r })
	}
	ev := message(other(evidence.Pass, "reject"), failing("reject"))
	want := []AuthorOutcome{
		{AuthorDomain: "other.example", Disposition: DispositionAccept, Delivery: Deliver, Requested: RequestedNone, Step: StepPolicy},
		{AuthorDomain: "bank.example", Disposition: DispositionReject, Delivery: Refuse, Requested: RequestedReject, Step: StepPolicy},
	}
	if v := Decide(ev, Defaults()); v.Evaluation != 2 || !reflect.DeepEqual(v.Authors, want) {
		t.Errorf("got %d of %+v, want %+v", v.Evaluation, v.Authors, want)
	}
	scope := entry(Accept, Scope{AuthorDomains: []string{"bank.example"}}, Proof{Clients: nets("192.0.2.1/32")})
	ev = message(other(evidence.Fail, "quarantine"), failing("reject"))
	v := Decide(ev, rulesOf(t, Spec{Exceptions: []Exception{scope}}))
	if v.Evaluation != 1 || v.Authors[0].Disposition != DispositionQuarantine || v.Authors[0].Reasons != nil ||
		v.Authors[1].Disposition != DispositionAccept || v.Authors[1].Rule != "x" || len(v.Authors[1].Reasons) != 1 {
		t.Errorf("an exception for one of them: %d of %+v", v.Evaluation, v.Authors)
	}
}

func TestWhatIsNotReportedHasNoOutcomes(t *testing.T) {
	ev := change(message(failing("reject")), func(m *evidence.Message) { m.AuthUser = "jo" })
	for name, v := range map[string]Verdict{
		"not judged": Decide(ev, Defaults()), "over a limit": Defaults().OverLimit(message(failing("reject")), "too large"),
		"failed": Defaults().Failed(message(failing("reject"))),
	} {
		if v.Authors != nil {
			t.Errorf("%s: %+v", name, v.Authors)
		}
	}
}
