package policy

import "slices"

// authors is the list that author fills.
func (d *decision) authors() []AuthorOutcome {
	if len(d.ev.DMARC) == 0 {
		return nil
	}
	return make([]AuthorOutcome, len(d.ev.DMARC))
}

// author notes the outcome r for the Author Domain of evaluation i alone. floor is
// the least that is done for the whole message.
func (d *decision) author(list []AuthorOutcome, i int, r ruling, floor *ruling) {
	if i >= len(list) {
		return
	}
	if floor.worse(&r.Verdict) {
		requested, published := r.Requested, r.published
		r = *floor
		r.Requested, r.published = requested, published
	}
	d.hold(&r)
	o := &list[i]
	o.AuthorDomain = d.ev.DMARC[i].AuthorDomain
	o.Disposition, o.Delivery, o.Requested, o.Step, o.Rule = r.Disposition, r.Delivery, r.Requested, r.Step, r.Rule
	if reasons, n := d.reasons(&r); n > 0 {
		o.Reasons = slices.Clone(reasons[:n])
	}
}

// maxReasons is how many reasons one outcome can have.
const maxReasons = 6

// reasons are why the outcome is not what is published, that of the last step
// first (RFC 9990 section 3.1.1.9). A message that is deferred is not reported.
func (d *decision) reasons(r *ruling) (list [maxReasons]OverrideReason, n int) {
	v := &r.Verdict
	if v.Disposition == DispositionTempfail {
		return list, 0
	}
	add := func(reason OverrideReason) {
		if reason.Type != NoOverride && !slices.Contains(list[:n], reason) {
			list[n] = reason
			n++
		}
	}
	asked := disposition(v.Requested)
	switch {
	case d.rules.mode == Monitor:
		if v.Requested != RequestedNone {
			add(OverrideReason{OverrideLocalPolicy, "monitor mode"})
		}
		if v.Step == StepTempError {
			add(r.local)
		}
	case v.Disposition != asked:
		if v.Step == StepException || v.Step == StepSealer || v.Step == StepTempError {
			add(r.local)
		}
		for _, comment := range localComments(r) {
			if comment != "" {
				add(OverrideReason{OverrideLocalPolicy, comment})
			}
		}
		add(r.local)
		if n == 0 {
			add(OverrideReason{OverrideLocalPolicy, "local policy"})
		}
	case v.Step != StepException && v.Step != StepSealer:
		add(r.local)
	}
	if rank(v.Disposition) <= rank(asked) { // else it is not why
		add(r.published)
	}
	return list, n
}

// localComments are short codes for reports; they reveal no configuration.
func localComments(r *ruling) (list [4]string) {
	if r.relayed {
		list[0] = "trusted relay"
	}
	if r.Stage != "" && r.Monitor != (Outcome{}) {
		list[1] = "rollout stage " + string(r.Stage)
	}
	if r.Step == StepFrom {
		list[2] = "unusable From"
	}
	if r.uncorroborated {
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
