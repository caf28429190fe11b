package policy

import (
	"testing"

	"alignd/evidence"
)

// frontOf is a message whose From has front in front of the angle address of the second.
func frontOf(front, angle evidence.DMARC) *evidence.Message {
	front.AuthorDomain, front.OrgDomain = "bank.example", "bank.example"
	angle.AuthorDomain, angle.OrgDomain = "desk.example", "desk.example"
	ev := message(angle, front)
	ev.From.Domains = []string{"desk.example", "bank.example"}
	ev.From.Fronts = []evidence.FrontDomain{{Domain: "bank.example", Angles: []string{"desk.example"}}}
	return ev
}

// TestAnAddressInFrontOfAnAngleAddress: a fail counts as the mark at most, own domains excepted;
// anything else of it is nothing.
func TestAnAddressInFrontOfAnAngleAddress(t *testing.T) {
	result := func(p evidence.DMARCPolicy, r evidence.Result) evidence.DMARC {
		return with(failing(p), func(d *evidence.DMARC) { d.Result, d.IdentifierTemporary = r, r == evidence.TempError })
	}
	aligned := with(failing("reject"), func(d *evidence.DMARC) { d.AlignedAuthors = []string{"desk.example"} })
	own := rulesOf(t, Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}, Action: Reject}}})
	hold := rulesOf(t, Spec{Handling: Handling{QuarantineAs: Hold}})
	block := rulesOf(t, Spec{Exceptions: []Exception{{ID: "never", Action: Reject, NeverExpires: true, Scope: Scope{AuthorDomains: []string{"bank.example"}}}}})
	strict := rulesOf(t, Spec{NoRecord: NoRecord{Unauthenticated: Reject}})
	for _, row := range []struct {
		name     string
		ev       *evidence.Message
		rules    *Rules
		delivery Delivery
		decisive int
	}{
		{name: "a fail with p=reject marks", ev: frontOf(failing("reject"), result("none", "pass")), rules: Defaults(), delivery: DeliverTag, decisive: 1},
		{name: "a fail with p=quarantine marks", ev: frontOf(failing("quarantine"), result("none", "pass")), rules: Defaults(), delivery: DeliverTag, decisive: 1},
		{name: "it marks where quarantine is hold", ev: frontOf(failing("quarantine"), result("none", "pass")), rules: hold, delivery: DeliverTag, decisive: 1},
		{name: "a fail with p=none is told", ev: frontOf(failing("none"), result("none", "pass")), rules: Defaults(), delivery: Deliver, decisive: 1},
		{name: "no record is nothing", ev: frontOf(evidence.DMARC{Result: "none"}, result("reject", "pass")), rules: Defaults(), delivery: Deliver},
		{name: "no record is nothing where mail without one is refused", ev: frontOf(evidence.DMARC{Result: "none"}, result("reject", "pass")), rules: strict, delivery: Deliver},
		{name: "permerror is nothing", ev: frontOf(result("none", "permerror"), result("reject", "pass")), rules: Defaults(), delivery: Deliver},
		{name: "a pass does not authenticate", ev: frontOf(result("reject", "pass"), evidence.DMARC{Result: "none"}), rules: Defaults(), delivery: Deliver},
		{name: "a pass does not help the angle address", ev: frontOf(result("reject", "pass"), failing("reject")), rules: Defaults(), delivery: Refuse},
		{name: "a temporary error is waited for", ev: frontOf(result("reject", "temperror"), result("reject", "pass")), rules: Defaults(), delivery: DeliverDefer, decisive: 1},
		{name: "the same organization is nothing", ev: frontOf(aligned, result("reject", "pass")), rules: Defaults(), delivery: Deliver},
		{name: "the same organization is nothing beside no record", ev: frontOf(aligned, evidence.DMARC{Result: "none"}), rules: Defaults(), delivery: Deliver},
		{name: "one of our domains counts in full", ev: frontOf(failing("none"), result("none", "pass")), rules: own, delivery: Refuse, decisive: 1},
		{name: "one of our domains counts in full with p=reject", ev: frontOf(failing("reject"), result("none", "pass")), rules: own, delivery: Refuse, decisive: 1},
		{name: "a block entry holds", ev: frontOf(failing("none"), result("none", "pass")), rules: block, delivery: Refuse, decisive: 1},
		{name: "a fail of the angle address counts in full", ev: frontOf(failing("none"), failing("reject")), rules: Defaults(), delivery: Refuse},
	} {
		t.Run(row.name, func(t *testing.T) {
			if v := Decide(row.ev, row.rules); v.Delivery != row.delivery || v.Evaluation != row.decisive+1 {
				t.Errorf("got %s by %d (%s), want %s by %d", v.Delivery, v.Evaluation-1, v.Reason, row.delivery, row.decisive)
			}
		})
	}
	two := frontOf(aligned, result("reject", "pass"))
	two.From.Fronts[0].Angles = append(two.From.Fronts[0].Angles, "other.example")
	if v := Decide(two, Defaults()); v.Delivery != DeliverTag {
		t.Errorf("in front of one aligned and one other domain: got %s, want tag", v.Delivery)
	}
}

// TestTheSoleDomainOfAnUnreadableFrom: its pass is one, anything else has the floor.
func TestTheSoleDomainOfAnUnreadableFrom(t *testing.T) {
	own := rulesOf(t, Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}, Action: Reject}}})
	refusing := rulesOf(t, Spec{From: FromActions{Unparsable: Reject}})
	waiting := rulesOf(t, Spec{From: FromActions{Unparsable: Tempfail}})
	for _, row := range []struct {
		name     string
		result   evidence.Result
		policy   evidence.DMARCPolicy
		other    bool // there is another reading
		rules    *Rules
		delivery Delivery
		step     Step
	}{
		{name: "a pass is accepted", result: "pass", policy: "reject", rules: Defaults(), delivery: Deliver, step: StepPolicy},
		{name: "a pass is accepted where the floor is reject", result: "pass", policy: "reject", rules: refusing, delivery: Deliver, step: StepPolicy},
		{name: "a pass beside another reading is marked", result: "pass", policy: "reject", other: true, rules: Defaults(), delivery: DeliverTag, step: StepFrom},
		{name: "no record is marked", result: "none", rules: Defaults(), delivery: DeliverTag, step: StepFrom},
		{name: "permerror is marked", result: "permerror", rules: Defaults(), delivery: DeliverTag, step: StepFrom},
		{name: "a fail with p=none is marked", result: "fail", policy: "none", rules: Defaults(), delivery: DeliverTag, step: StepFrom},
		{name: "a fail with p=reject is refused", result: "fail", policy: "reject", rules: Defaults(), delivery: Refuse, step: StepPolicy},
		{name: "a fail with p=reject is refused where the floor is a deferral", result: "fail", policy: "reject", rules: waiting, delivery: Refuse, step: StepPolicy},
		{name: "a fail of one of our domains is refused", result: "fail", policy: "none", rules: own, delivery: Refuse, step: StepHandling},
		{name: "a temporary error is waited for", result: "temperror", policy: "reject", rules: Defaults(), delivery: DeliverDefer, step: StepTempError},
	} {
		t.Run(row.name, func(t *testing.T) {
			ev := message(with(failing(row.policy), func(d *evidence.DMARC) { d.Result, d.IdentifierTemporary = row.result, row.result == "temperror" }))
			ev.From.Problem, ev.From.Sole = evidence.FromUnparsable, !row.other
			if v := Decide(ev, row.rules); v.Delivery != row.delivery || v.Step != row.step {
				t.Errorf("got %s by %s, want %s by %s", v.Delivery, v.Step, row.delivery, row.step)
			}
		})
	}
}
