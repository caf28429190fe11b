package policy

import "alignd/evidence"

// exception is step 3. A block entry raises the outcome to at least its action; an
// allow entry lowers it to at most its action. An entry that changes nothing decides
// nothing; a block entry that keeps an allow entry from the same outcome does.
func (d decision) exception(dm *evidence.DMARC, s *standing) (p proposal) {
	x, missing := d.rules.block.find(d, dm)
	blocks := missing
	if s.outcome == refused { // no block entry could make it worse
		missing = noFacts
	}
	if x != nil {
		p = d.wantedBy(x, dm, s)
		p.ties, p.missing = d.spared(dm, s), missing
		return p
	}
	if s.needsNoAllowing() {
		return proposal{missing: missing}
	}
	x, unknown := d.rules.allow.find(d, dm)
	if s.acts() { // else a Sealer let it in already
		missing |= unknown
	}
	if x != nil {
		p = d.wantedBy(x, dm, s)
		p.bound, p.stage = atMost, s.stage
		missing |= blocks // one could keep it from letting in
	} else {
		p = d.unproven(dm, s)
	}
	p.missing |= missing
	return p
}

// needsNoAllowing: steps 4 to 7 did nothing that an allow entry could undo.
func (s *standing) needsNoAllowing() bool { return s.policy == delivered && s.monitor == open }

// wantedBy is what an exception wants.
func (d decision) wantedBy(x *exception, dm *evidence.DMARC, s *standing) proposal {
	p := proposal{outcome: x.Action.outcome(d.rules.handling.QuarantineAs), step: StepException, rule: x.ID, at: x.Source}
	p.reason = "Exception " + x.ID
	if x.Exception.Reason != "" {
		p.reason += ": " + x.Exception.Reason
	}
	p.local = OverrideReason{x.Override, "exception " + clean(x.ID, 100)}
	p.reply, p.why, p.sealer = replyBlock, "local policy", s.sealer
	if dm != nil {
		p.domain = dm.AuthorDomain
	}
	return p
}

// spared reports whether an allow entry would have held, had no block entry.
func (d decision) spared(dm *evidence.DMARC, s *standing) bool {
	x, _ := d.rules.allow.find(d, dm)
	if x == nil {
		return false
	}
	p := d.wantedBy(x, dm, s)
	p.bound = atMost
	alone := standing{proposal{outcome: s.policy}, s.policy}
	d.weigh(&alone, p)
	return alone.step == StepException
}
