package policy

import "alignd/evidence"

// trustedSealer is step 4: a trusted Sealer that vouches for the Author Domain lowers
// the outcome to acceptance.
func (d decision) trustedSealer(dm *evidence.DMARC, s *standing) proposal {
	if len(d.rules.sealers) == 0 {
		return proposal{}
	}
	v, ok, missing := d.vouch(dm)
	switch {
	case !ok:
		if !s.acts() {
			missing = noFacts
		}
		return proposal{missing: missing, reason: d.disbelief(dm)}
	case v.temporary:
		return d.unvalidated(v, s)
	}
	set := &d.ev.ARC.Sets[v.at]
	p := s.again(atMost, delivered)
	p.sealer = set.SealDomain
	if s.outcome == delivered {
		return p
	}
	p.by(StepSealer, v.by.ID, v.by.Source)
	p.reason = "The trusted ARC sealer " + set.SealDomain + " received " + dm.AuthorDomain + " authenticated."
	if dm.Result == evidence.Fail && s.requested != RequestedNone {
		p.local = OverrideReason{OverrideLocalPolicy, v.comment(&d.ev.ARC)}
	}
	return p
}

// unvalidated puts off a message whose chain of trusted sealers could not be
// validated for a temporary DNS error and would have decided. Anybody can forge a
// seal under a selector whose key is never answered, so it gains time and nothing
// else: once the message waited, and where nothing is put off, the outcome is the
// one without that Sealer.
func (d decision) unvalidated(v voucher, s *standing) proposal {
	why := "The chain of the trusted ARC sealer " + d.ev.ARC.Sets[v.at].SealDomain + " could not be validated"
	switch {
	case s.outcome == delivered || s.outcome == putOff:
		return proposal{}
	case !d.puttingOff():
		return proposal{reason: " " + why + "."}
	}
	p := s.again(instead, putOff)
	p.by(StepTempError, v.by.ID, v.by.Source)
	p.reason = why + " for now."
	p.reply, p.why = replyTempError, lookupFailed
	return p
}
