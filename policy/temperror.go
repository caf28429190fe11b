package policy

import (
	"slices"

	"alignd/evidence"
)

// lookupFailed is told to the client.
const lookupFailed = "a DNS lookup failed temporarily"

// temporary is step 7: a temporary error is never a fail (RFC 9989 sections
// 5.3.6 and 7.2, RFC 7489 section 6.6.2).
func (d decision) temporary(dm *evidence.DMARC, s *setting) (p proposal) {
	p = about(dm)
	p.step, p.reply, p.why = StepTempError, replyTempError, lookupFailed
	known := dm.IdentifierTemporary || !dm.PolicyTemporary && dm.Policy != evidence.PolicyAbsent
	acts := false
	if known || dm.Policy != evidence.PolicyAbsent {
		acts, p.missing = d.wouldAct(dm, s)
	}
	own := d.ownDomain(dm)
	wanted := d.rules.tempErrors.Unresolved
	switch {
	case known && !acts:
		p.reason = "An identifier that would align with " + dm.AuthorDomain + " could not be resolved for now; it would be accepted anyway."
		return p
	case known:
		p.byOption(StepTempError, "temperror.unresolved", d.rules)
		p.reason = "An identifier that would align with " + dm.AuthorDomain + " could not be resolved for now"
		p.local = OverrideReason{OverrideOther, "temperror"}
	case acts:
		p.byOption(StepTempError, "temperror.unresolved", d.rules)
		p.reason = "The DMARC policy of " + dm.AuthorDomain + " could not be looked up for now, and " + dm.PolicyDomain + " has one that covers it"
		p.local = OverrideReason{OverrideOther, "temperror"}
	case own != nil && own.Action != Accept:
		p.by(StepTempError, own.ID, own.Source)
		p.reason = "The DMARC policy of our own domain " + dm.AuthorDomain + " could not be looked up for now"
	default:
		wanted = d.rules.tempErrors.PolicyUnknown
		p.byOption(StepTempError, "temperror.policy_unknown", d.rules)
		p.reason = "The DMARC policy of " + dm.AuthorDomain + " could not be looked up for now"
	}
	d.tryLater(&p, wanted)
	s.limit(&p, d)
	return p
}

// wouldAct reports whether a failing message would be treated worse than
// accepted, so that its unresolved identifier matters. Signals say how, and not
// whether, so that only the sample can be missing.
func (d decision) wouldAct(dm *evidence.DMARC, s *setting) (yes bool, missing facts) {
	p := d.honoured(dm, s, d.published(dm, s.Pct))
	return p.outcome != delivered, p.missing & noSample
}

// tryLater gives a proposal in the making an action for temporary errors, and
// TempErrors.Expired to a message that has been deferred for long enough.
func (d decision) tryLater(p *proposal, a Action) {
	served := d.waited() && d.ev.Deferrals >= retries
	if a == Tempfail && served {
		a, p.expired = d.rules.tempErrors.Expired, true
	}
	p.outcome = a.outcome(Tag)
	switch {
	case served && p.outcome == delivered:
		p.reason += "; it was deferred long enough and is accepted."
	case served && p.outcome == tagged:
		p.reason += "; it was deferred long enough and is marked."
	default:
		p.reason += "."
	}
}

// retries is how often a message must have been put off before it is let in for
// that; ours. A message that nobody sends again in the meantime is not waiting.
const retries = 2

// waited reports whether the message was first deferred long enough ago. It is then no
// longer put off for a proof. To be let in it must have been tried again, too: retries.
func (d decision) waited() bool {
	first := d.ev.FirstSeen
	return !first.IsZero() && d.ev.Time.Sub(first) >= d.rules.tempErrors.For
}

// puttingOff reports whether a message is put off in the hope for a proof.
func (d decision) puttingOff() bool {
	return !d.waited() && d.rules.tempErrors.Unresolved == Tempfail
}

// unproven puts off a refusal where an allow entry would prevent it, had its proof not
// met a temporary error. A milder outcome stays. The refusal stays, too, once the
// message was deferred long enough, as a client can let its own reverse zone fail.
// Many reverse zones fail, so an entry by reverse name counts here only if it has a
// scope.
func (d decision) unproven(dm *evidence.DMARC, s *standing) proposal {
	if s.outcome != refused || !d.unresolvedProof(dm) || !d.puttingOff() {
		return proposal{}
	}
	hoping := d
	hoping.hopeful = true
	x, _ := d.rules.allow.find(hoping, dm)
	if x == nil {
		return proposal{}
	}
	p := s.again(atMost, putOff)
	p.by(StepTempError, x.ID, x.Source)
	p.reason = "The proof that exception " + x.ID + " wants could not be resolved for now."
	p.reply, p.why = replyTempError, lookupFailed
	return p
}

// unresolvedProof reports whether something that can be a proof met a
// temporary error.
func (d decision) unresolvedProof(dm *evidence.DMARC) bool {
	ev := d.ev
	return orgUnknown(dm) == unansweredOrg || ev.IPRev.Result == evidence.TempError || ev.ARC.Temporary ||
		ev.SPF.MailFrom != nil && ev.SPF.MailFrom.Result == evidence.TempError ||
		slices.ContainsFunc(ev.DKIM, func(s evidence.Signature) bool { return s.Result == evidence.TempError })
}

// unverified puts off a refusal for a DMARC failure where a signature that may
// be aligned could not be verified, as the MTA did not hand on what it covers:
// while the message waits, the admin can set that right. Anybody can write such
// a signature, so once the message waited the policy holds as published.
func (d decision) unverified(dm *evidence.DMARC, s *standing) proposal {
	if !d.awaitsSignature(dm, s) {
		return proposal{}
	}
	i, missing := d.spoiledSignature(dm)
	if i < 0 {
		return proposal{}
	}
	p := s.again(atMost, putOff)
	p.byOption(StepTempError, "temperror.unresolved", d.rules)
	p.reason = "The signature of " + d.ev.DKIM[i].Domain + " could not be verified, as the MTA does not hand on the space after the colon (milter_protocol = 6)."
	p.missing = missing
	return p
}

// awaitsSignature reports whether the policy refuses the message and a signature that
// the MTA spoiled would put that off.
func (d decision) awaitsSignature(dm *evidence.DMARC, s *standing) bool {
	return dm != nil && dm.Result == evidence.Fail && s.outcome == refused &&
		(s.step == StepPolicy || s.step == StepHandling) && d.puttingOff()
}

// spoiledSignature is the position of such a signature that would be aligned (RFC 9989
// section 4.4.1), else of the first that may be, with the fact that would tell; -1 for none.
func (d decision) spoiledSignature(dm *evidence.DMARC) (at int, missing facts) {
	at = -1
	for i := range d.ev.DKIM {
		g := &d.ev.DKIM[i]
		if g.FailedOn != evidence.FailedTransport {
			continue
		}
		same, unknown := aligned(g.Domain, dm, dm.Published.StrictDKIM || g.PublicSuffix)
		if same {
			return i, noFacts
		}
		if unknown != noFacts && at < 0 {
			at, missing = i, unknown
		}
	}
	return at, missing
}

// unseenSignature is the fact that is missing where a refusal stands that a signature
// could put off, and the signatures were not looked at.
func (d decision) unseenSignature(dm *evidence.DMARC, s *standing) facts {
	if d.ev.Has(evidence.SectionDKIM) || !d.awaitsSignature(dm, s) {
		return noFacts
	}
	return noDKIM
}
