package policy

import "alignd/evidence"

// unpublished is local policy for an Author Domain without a DMARC record.
func (d decision) unpublished(dm *evidence.DMARC, s *setting) (p proposal) {
	p = about(dm)
	p.reason = dm.AuthorDomain + " publishes no DMARC policy."
	no := &d.rules.noRecord
	known, missing := d.authenticated(dm)
	if known {
		return p
	}
	if missing != noFacts {
		if no.Unauthenticated != Accept || no.SPFFail != Accept || d.ownDomain(dm) != nil {
			p.missing = missing
		}
		return p
	}
	if p.outcome = no.Unauthenticated.outcome(s.QuarantineAs); p.outcome != delivered {
		p.byOption(StepHandling, "unauthenticated", d.rules)
		p.reply = replyUnauthenticated
		p.reason = dm.AuthorDomain + " publishes no DMARC policy, and the message is not authenticated."
	}
	if no.SPFFail != Accept {
		d.spfFails(&p, no.SPFFail.outcome(s.QuarantineAs))
	}
	d.protect(&p, dm, s)
	s.limit(&p, d)
	return p
}

// spfFails is what receivers that check SPF only do (RFC 7208 section 8.4; the
// reply is RFC 7372 section 3.2).
func (d decision) spfFails(p *proposal, to outcome) {
	check := d.ev.SPF.MailFrom
	if check == nil && d.ev.MailFrom == "" {
		check = d.ev.SPF.HELO
	}
	if check == nil {
		p.missing |= noSPF
		return
	}
	if check.Result != evidence.Fail || p.outcome > to {
		return
	}
	p.outcome = to
	p.byOption(StepHandling, "spf_fail", d.rules)
	p.reason = p.domain + " publishes no DMARC policy, and SPF fails for " + check.Domain + "."
	p.reply, p.domain, p.why = replySPF, check.Domain, "SPF does not allow the client"
}

// authenticated reports whether a passing identifier belongs to the Author
// Domain's family, for domains whose alignment was not computed.
func (d decision) authenticated(dm *evidence.DMARC) (yes bool, missing facts) {
	if dm.SPFAligned || dm.DKIMAligned {
		return true, noFacts
	}
	same := func(id string) bool {
		ok, unknown := related(id, dm)
		missing |= unknown
		return ok
	}
	s := d.ev.SPF.MailFrom
	if s != nil && s.Result == evidence.Pass && !d.ignored(s) && same(s.Domain) {
		return true, noFacts
	}
	for i := range d.ev.DKIM {
		s := &d.ev.DKIM[i]
		if s.Result == evidence.Pass && (s.Domain == dm.AuthorDomain || !s.PublicSuffix && same(s.Domain)) {
			return true, noFacts
		}
	}
	if s == nil && d.ev.MailFrom != "" {
		missing |= noSPF
	}
	if !d.ev.Has(evidence.SectionDKIM) {
		missing |= noDKIM
	}
	return false, missing
}
