package policy

import (
	"slices"

	"alignd/evidence"
)

// authorOutcome is what holds for one Author Domain alone.
func (d decision) authorOutcome(dm *evidence.DMARC, p *proposal) AuthorOutcome {
	p = d.watched(p)
	o := AuthorOutcome{AuthorDomain: dm.AuthorDomain, Disposition: p.outcome.disposition(), Delivery: p.outcome.delivery(),
		Requested: p.requested, Step: p.step, Rule: p.rule}
	if reasons, n := d.reasons(p); n > 0 {
		o.Reasons = slices.Clone(reasons[:n])
	}
	return o
}

// maxReasons is how many reasons one outcome can have.
const maxReasons = 6

// reasons are why the outcome is not what is published, that of the last step
// first (RFC 9990 section 3.1.1.9). A message that is deferred is not reported.
func (d decision) reasons(p *proposal) (list [maxReasons]OverrideReason, n int) {
	got, asked := p.outcome.disposition(), p.requested.disposition()
	if got == DispositionTempfail {
		return list, 0
	}
	add := func(reason OverrideReason) {
		if reason.Type != NoOverride && !slices.Contains(list[:n], reason) {
			list[n] = reason
			n++
		}
	}
	switch {
	case d.rules.mode == Monitor:
		if p.requested != RequestedNone {
			add(OverrideReason{OverrideLocalPolicy, "monitor mode"})
		}
		if p.step == StepTempError {
			add(p.local)
		}
	case got != asked:
		if p.step == StepException || p.step == StepSealer || p.step == StepTempError {
			add(p.local)
		}
		for _, comment := range localComments(p) {
			if comment != "" {
				add(OverrideReason{OverrideLocalPolicy, comment})
			}
		}
		add(p.local)
		if n == 0 {
			add(OverrideReason{OverrideLocalPolicy, "local policy"})
		}
	case p.step != StepException && p.step != StepSealer:
		add(p.local)
	}
	if rank(got) <= rank(asked) { // else it is not why
		add(p.stepped)
	}
	return list, n
}

// localComments are short codes for reports; they reveal no configuration.
func localComments(p *proposal) (list [4]string) {
	if p.relayed {
		list[0] = "trusted relay"
	}
	if p.stage != "" && p.monitor != open {
		list[1] = "rollout stage " + string(p.stage)
	}
	if p.step == StepFrom {
		list[2] = "unusable From"
	}
	if p.uncorroborated {
		list[3] = "no corroborating signal"
	}
	return list
}

// rank orders dispositions, mildest first.
func rank(x Disposition) int {
	switch x {
	case DispositionQuarantine:
		return 1
	case DispositionReject:
		return 2
	}
	return 0
}
