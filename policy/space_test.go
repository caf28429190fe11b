package policy

import (
	"testing"

	"alignd/evidence"
)

// A signature that the MTA kept from being verified puts a refusal off, and
// nothing else, and not for longer than temperror_for.
func TestARefusalWaitsWhereTheMTAHidTheLeadingSpace(t *testing.T) {
	const refused = "550 5.7.26 Email rejected per DMARC policy for bank.example"
	lost := func(signer string, ev *evidence.Message) *evidence.Message {
		return change(ev, func(m *evidence.Message) {
			m.DKIM = append(m.DKIM, evidence.Signature{Result: evidence.Neutral, FailedOn: evidence.FailedTransport, Domain: signer})
		})
	}
	late := func(ev *evidence.Message) *evidence.Message {
		return change(ev, func(m *evidence.Message) { m.FirstSeen = now.Add(-DefaultTempErrorFor) })
	}
	strict := with(failing("reject"), func(d *evidence.DMARC) { d.Published.StrictDKIM = true })
	deferred := want{disposition: "tempfail", delivery: "defer", requested: "reject", step: StepTempError, rule: "temperror.unresolved", reply: "451 4.7.1 Email deferred by local policy, try again later"}
	for _, row := range []struct {
		name string
		ev   *evidence.Message
		spec Spec
		want want
	}{
		{name: "a signature of the Author Domain", ev: lost("bank.example", message(failing("reject"))), want: deferred},
		{name: "one of a domain below it", ev: lost("mail.bank.example", message(failing("reject"))), want: deferred},
		{name: "one of a domain below it could not align where only the same domain does (adkim=s)", ev: lost("mail.bank.example", message(strict)),
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: refused}},
		{name: "one of the Author Domain could, then too", ev: lost("bank.example", message(strict)), want: deferred},
		{name: "one of somebody else puts nothing off", ev: lost("attacker.example", message(failing("reject"))),
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: refused}},
		{name: "after temperror_for the policy holds as published", ev: late(lost("bank.example", message(failing("reject")))),
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: refused}},
		{name: "quarantine does not wait", ev: lost("bank.example", message(failing("quarantine"))),
			want: want{disposition: "quarantine", delivery: "tag", requested: "quarantine", step: StepPolicy}},
		{name: "p=none is accepted", ev: lost("bank.example", message(failing("none"))),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
		{name: "a site that puts nothing off refuses", ev: lost("bank.example", message(failing("reject"))), spec: Spec{TempErrors: TempErrors{Unresolved: Tag}},
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: refused}},
		{name: "an entry that blocks refuses", ev: lost("bank.example", message(failing("reject"))),
			spec: Spec{Exceptions: []Exception{{ID: "block", Kind: Block, Action: Reject, Scope: Scope{AuthorDomains: []string{"bank.example"}}, Reason: "x", NeverExpires: true}}},
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepException, rule: "block", reply: "550 5.7.1 Email rejected by local policy"}},
		{name: "a rejection that needs corroboration is none while a signature may be whole", ev: lost("bank.example", message(failing("reject"))),
			spec: Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{SignalNoSignature}}},
			want: want{disposition: "quarantine", delivery: "tag", requested: "reject", step: StepHandling, rule: "reject_mode", override: "local_policy"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			rules, err := Compile(row.spec)
			if err != nil {
				t.Fatal(err)
			}
			check(t, row.ev, rules, row.want)
		})
	}
}
