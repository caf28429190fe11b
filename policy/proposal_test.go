package policy

import (
	"testing"

	"alignd/evidence"
)

// The rule of severity, and what a proposal leaves as it was.
func TestJoin(t *testing.T) {
	policy := func(o outcome) standing {
		return standing{proposal{outcome: o, rule: "standing", requested: RequestedReject, evaluation: 2}, o}
	}
	lowered := policy(refused)
	lowered.outcome = delivered
	for _, row := range []struct {
		name     string
		standing standing
		proposal proposal
		holds    bool
		want     outcome
	}{
		{name: "a restrictive proposal raises a milder outcome", standing: policy(tagged), proposal: proposal{outcome: refused}, holds: true, want: refused},
		{name: "and leaves a worse one", standing: policy(refused), proposal: proposal{outcome: tagged}, want: refused},
		{name: "and an equal one", standing: policy(held), proposal: proposal{outcome: held}, want: held},
		{name: "but for one that decides between equals", standing: policy(held), proposal: proposal{outcome: held, ties: true}, holds: true, want: held},
		{name: "of equal outcomes the worse evaluation decides", standing: policy(held), proposal: proposal{outcome: held, rank: 1}, holds: true, want: held},
		{name: "a worse evaluation does not make a milder outcome hold", standing: policy(held), proposal: proposal{outcome: tagged, rank: 9}, want: held},
		{name: "a lenient proposal lowers a worse outcome", standing: policy(refused), proposal: proposal{bound: atMost, outcome: tagged}, holds: true, want: tagged},
		{name: "and leaves a milder one", standing: policy(delivered), proposal: proposal{bound: atMost, outcome: tagged}, want: delivered},
		{name: "and an equal one of the policy", standing: policy(tagged), proposal: proposal{bound: atMost, outcome: tagged}, want: tagged},
		{name: "of two that lower as far the one that was asked last decides", standing: lowered, proposal: proposal{bound: atMost, outcome: delivered}, holds: true, want: delivered},
		{name: "one that lowers less leaves what lowered more", standing: lowered, proposal: proposal{bound: atMost, outcome: tagged}, want: delivered},
		{name: "a deferral replaces any outcome", standing: policy(tagged), proposal: proposal{bound: instead, outcome: putOff}, holds: true, want: putOff},
		{name: "an open outcome changes none", standing: policy(tagged), proposal: proposal{bound: instead}, want: tagged},
		{name: "nothing stands yet", standing: standing{}, proposal: proposal{outcome: delivered}, holds: true, want: delivered},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, p := row.standing, row.proposal
			p.rule, p.missing = "proposed", noSPF
			got.join(&p)
			if got.outcome != row.want || (got.rule == "proposed") != row.holds {
				t.Errorf("%d joined by %d: got %d by %q, want %d", row.standing.outcome, p.outcome, got.outcome, got.rule, row.want)
			}
			if got.missing != noSPF || got.requested != row.standing.requested || got.evaluation != row.standing.evaluation {
				t.Errorf("what is missing, requested and evaluated: got %+v", got)
			}
		})
	}
}

// A proposal is compared as what can be done behind the relay.
func TestAProposalIsWeighedAsTheRelayCarriesItOut(t *testing.T) {
	rules := rulesOf(t, Spec{Relays: []Relay{{ID: "gw", Reject: Accept, Tempfail: Hold}}})
	for _, row := range []struct {
		name     string
		relay    string
		standing outcome
		proposed outcome
		want     outcome
	}{
		{name: "a refusal that the relay delivers does not beat a mark", relay: "gw", standing: tagged, proposed: refused, want: tagged},
		{name: "a deferral that it holds does", relay: "gw", standing: tagged, proposed: putOff, want: held},
		{name: "a mark is carried out", relay: "gw", standing: delivered, proposed: tagged, want: tagged},
		{name: "a relay without an entry quarantines what is refused", relay: "other", standing: delivered, proposed: refused, want: tagged},
		{name: "and puts off what is put off", relay: "other", standing: tagged, proposed: putOff, want: putOff},
		{name: "no relay", standing: tagged, proposed: refused, want: refused},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := decision{ev: &evidence.Message{Client: evidence.Client{Relay: row.relay}}, rules: rules}
			s := standing{proposal: proposal{outcome: row.standing}}
			d.weigh(&s, proposal{outcome: row.proposed})
			if s.outcome != row.want {
				t.Errorf("%d and %d: got %d, want %d", row.standing, row.proposed, s.outcome, row.want)
			}
		})
	}
}
