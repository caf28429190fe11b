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
		{"a fail with p=reject marks", frontOf(failing("reject"), result("none", "pass")), Defaults(), DeliverTag, 1},
		{"a fail with p=quarantine marks", frontOf(failing("quarantine"), result("none", "pass")), Defaults(), DeliverTag, 1},
		{"it marks where quarantine is hold", frontOf(failing("quarantine"), result("none", "pass")), hold, DeliverTag, 1},
		{"a fail with p=none is told", frontOf(failing("none"), result("none", "pass")), Defaults(), Deliver, 1},
		{"no record is nothing", frontOf(evidence.DMARC{Result: "none"}, result("reject", "pass")), Defaults(), Deliver, 0},
		{"no record is nothing where mail without one is refused", frontOf(evidence.DMARC{Result: "none"}, result("reject", "pass")), strict, Deliver, 0},
		{"permerror is nothing", frontOf(result("none", "permerror"), result("reject", "pass")), Defaults(), Deliver, 0},
		{"a pass does not authenticate", frontOf(result("reject", "pass"), evidence.DMARC{Result: "none"}), Defaults(), Deliver, 0},
		{"a pass does not help the angle address", frontOf(result("reject", "pass"), failing("reject")), Defaults(), Refuse, 0},
		{"a temporary error is waited for", frontOf(result("reject", "temperror"), result("reject", "pass")), Defaults(), DeliverDefer, 1},
		{"the same organization is nothing", frontOf(aligned, result("reject", "pass")), Defaults(), Deliver, 0},
		{"the same organization is nothing beside no record", frontOf(aligned, evidence.DMARC{Result: "none"}), Defaults(), Deliver, 0},
		{"one of our domains counts in full", frontOf(failing("none"), result("none", "pass")), own, Refuse, 1},
		{"one of our domains counts in full with p=reject", frontOf(failing("reject"), result("none", "pass")), own, Refuse, 1},
		{"a block entry holds", frontOf(failing("none"), result("none", "pass")), block, Refuse, 1},
		{"a fail of the angle address counts in full", frontOf(failing("none"), failing("reject")), Defaults(), Refuse, 0},
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
		{"a pass is accepted", "pass", "reject", false, Defaults(), Deliver, StepPolicy},
		{"a pass is accepted where the floor is reject", "pass", "reject", false, refusing, Deliver, StepPolicy},
		{"a pass beside another reading is marked", "pass", "reject", true, Defaults(), DeliverTag, StepFrom},
		{"no record is marked", "none", "", false, Defaults(), DeliverTag, StepFrom},
		{"permerror is marked", "permerror", "", false, Defaults(), DeliverTag, StepFrom},
		{"a fail with p=none is marked", "fail", "none", false, Defaults(), DeliverTag, StepFrom},
		{"a fail with p=reject is refused", "fail", "reject", false, Defaults(), Refuse, StepPolicy},
		{"a fail with p=reject is refused where the floor is a deferral", "fail", "reject", false, waiting, Refuse, StepPolicy},
		{"a fail of one of our domains is refused", "fail", "none", false, own, Refuse, StepHandling},
		{"a temporary error is waited for", "temperror", "reject", false, Defaults(), DeliverDefer, StepTempError},
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
