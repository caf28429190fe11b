package policy

import (
	"strings"

	"alignd/evidence"
)

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
	if p.outcome != delivered {
		d.untied(&p, dm)
	}
	s.limit(&p, d)
	return p
}

// untied is step 7 for local policy in the making: where an identifier that would tie
// the message to the Author Domain met a temporary error, the message is not known to
// be unauthenticated (RFC 7208 section 8.6, RFC 6376 section 6.1.2).
func (d decision) untied(p *proposal, dm *evidence.DMARC) {
	yes, missing := d.ties(dm, evidence.TempError)
	if !yes {
		p.missing |= missing
		return
	}
	later := about(dm)
	later.missing = p.missing
	later.byOption(StepTempError, "temperror.unresolved", d.rules)
	later.reply, later.why = replyTempError, lookupFailed
	later.reason = dm.AuthorDomain + " publishes no DMARC policy, and an identifier that would authenticate it could not be resolved for now"
	if d.tryLater(&later, d.rules.tempErrors.Unresolved); later.outcome != delivered {
		later.local = OverrideReason{OverrideOther, "temperror"}
	}
	*p = later
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
	yes, missing = d.ties(dm, evidence.Pass)
	switch {
	case yes:
		return true, noFacts
	case d.ev.ReportedSPF() == nil:
		missing |= noSPF
	}
	if !d.ev.Has(evidence.SectionDKIM) {
		missing |= noDKIM
	}
	return false, missing
}

// ties reports whether an identifier with this result belongs to the Author Domain's
// family: the one of SPF that counts for DMARC, or a signature.
func (d decision) ties(dm *evidence.DMARC, result evidence.Result) (yes bool, missing facts) {
	same := func(id string) bool {
		if isBelow(dm.AuthorDomain, id) && strings.Contains(id, ".") {
			return true // without a record an Organizational Domain is the name itself
		}
		ok, unknown := related(id, dm)
		missing |= unknown
		return ok
	}
	if s := d.ev.ReportedSPF(); s != nil && s.Result == result && !d.ignored(s) && same(s.Domain) {
		return true, noFacts
	}
	for i := range d.ev.DKIM {
		s := &d.ev.DKIM[i]
		if s.Result == result && (s.Domain == dm.AuthorDomain || !s.PublicSuffix && same(s.Domain)) {
			return true, noFacts
		}
	}
	return false, missing
}
