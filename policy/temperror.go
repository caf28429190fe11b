package policy

import (
	"slices"

	"alignd/evidence"
)

// tempError is step 7: a temporary error is never a fail (RFC 9989 sections
// 5.3.6 and 7.2, RFC 7489 section 6.6.2).
func (d *decision) tempError(r *ruling, dm *evidence.DMARC, s *setting) {
	r.Step, r.reply, r.why = StepTempError, replyTempError, "a DNS lookup failed temporarily"
	known := dm.IdentifierTemporary || !dm.PolicyTemporary && dm.Policy != evidence.PolicyAbsent
	own := d.ownDomain(dm)
	switch {
	case !known && dm.Policy != evidence.PolicyAbsent && d.wouldAct(dm, s):
		r.Reason = "The DMARC policy of " + dm.AuthorDomain + " could not be looked up for now, and " + dm.PolicyDomain + " has one that covers it"
		r.byOption(StepTempError, "temperror.unresolved", d.rules)
		d.deferFor(r, d.rules.tempErrors.Unresolved)
		r.local = OverrideReason{OverrideOther, "temperror"}
	case known:
		r.Reason = "An identifier that would align with " + dm.AuthorDomain + " could not be resolved for now"
		if !d.wouldAct(dm, s) {
			r.Reason += "; it would be accepted anyway."
			return
		}
		r.byOption(StepTempError, "temperror.unresolved", d.rules)
		d.deferFor(r, d.rules.tempErrors.Unresolved)
		r.local = OverrideReason{OverrideOther, "temperror"}
	case own != nil && own.Action != Accept:
		r.Reason = "The DMARC policy of our own domain " + dm.AuthorDomain + " could not be looked up for now"
		r.by(StepTempError, own.ID, own.Source)
		d.deferFor(r, d.rules.tempErrors.Unresolved)
	default:
		r.Reason = "The DMARC policy of " + dm.AuthorDomain + " could not be looked up for now"
		r.byOption(StepTempError, "temperror.policy_unknown", d.rules)
		d.deferFor(r, d.rules.tempErrors.PolicyUnknown)
	}
	r.Reason += d.patience(r)
	s.limit(d, r)
}

// wouldAct reports whether a failing message would be treated worse than
// accepted, so that its unresolved identifier matters.
func (d *decision) wouldAct(dm *evidence.DMARC, s *setting) bool {
	var r ruling
	before := d.missing
	d.failed(&r, dm, s)
	d.missing = before | d.missing&noSample // signals say how, and not whether
	return r.Delivery != Deliver
}

// waitForProof puts off a refusal that an allow entry would prevent if its
// proof, unresolved for a temporary error, turned out well. A milder outcome
// stands, and so does the refusal once the message was deferred long enough: a
// client may be the one who lets its own reverse zone fail. As many do, an
// entry by reverse name counts here only if its scope is met.
func (d *decision) waitForProof(r *ruling, dm *evidence.DMARC) {
	if r.Delivery != Refuse || !d.unresolvedProof(dm) || d.waited() || d.rules.tempErrors.Unresolved != Tempfail {
		return
	}
	d.hopeful = true
	x, _ := d.rules.allow.find(d, dm)
	d.hopeful = false
	if x == nil {
		return
	}
	d.deferFor(r, Tempfail)
	r.by(StepTempError, x.ID, x.Source)
	r.Recipient, r.Signals = "", nil
	r.Reason = "The proof that exception " + x.ID + " wants could not be resolved for now."
	r.local = OverrideReason{}
	d.behindRelay(r)
}

// waitForSpace puts off a refusal for a DMARC failure where a signature that may
// be aligned could not be verified, as the MTA did not hand on what it covers:
// while the message waits, the admin can set that right. Anybody can write such
// a signature, so once the message waited the policy holds as published.
func (d *decision) waitForSpace(r *ruling, dm *evidence.DMARC) {
	if r.Delivery != Refuse || r.Step != StepPolicy && r.Step != StepHandling || dm == nil || dm.Result != evidence.Fail ||
		d.waited() || d.rules.tempErrors.Unresolved != Tempfail {
		return
	}
	i := slices.IndexFunc(d.ev.DKIM, func(s evidence.Signature) bool {
		same, unknown := related(s.Domain, dm)
		return s.FailedOn == evidence.FailedTransport && (same || unknown != noFacts)
	})
	if i < 0 {
		return
	}
	r.set(Tempfail, Tag)
	r.byOption(StepTempError, "temperror.unresolved", d.rules)
	r.Recipient, r.Signals, r.Monitor = "", nil, Outcome{}
	r.Reason = "The signature of " + d.ev.DKIM[i].Domain + " could not be verified, as the MTA does not hand on the space after the colon (milter_protocol = 6)."
	r.local = OverrideReason{}
	d.behindRelay(r)
}

// unresolvedProof reports whether something that can be a proof met a
// temporary error.
func (d *decision) unresolvedProof(dm *evidence.DMARC) bool {
	ev := d.ev
	return orgUnknown(dm) == unansweredOrg || ev.IPRev.Result == evidence.TempError || ev.ARC.Temporary ||
		ev.SPF.MailFrom != nil && ev.SPF.MailFrom.Result == evidence.TempError ||
		slices.ContainsFunc(ev.DKIM, func(s evidence.Signature) bool { return s.Result == evidence.TempError })
}

// deferFor applies an action for temporary errors, and TempErrors.Expired to a
// message that has been deferred for long enough.
func (d *decision) deferFor(r *ruling, a Action) {
	if a == Tempfail && d.served() {
		a = d.rules.tempErrors.Expired
		d.expired = true
	}
	r.set(a, Tag)
	r.reply, r.why = replyTempError, "a DNS lookup failed temporarily"
}

// retries is how often a message must have been put off before it is served; ours,
// as greylisting has it: one that nobody tries in the meantime is no mail that waits.
const retries = 2

// served reports whether the message has waited and is let in for that.
func (d *decision) served() bool { return d.waited() && d.ev.Deferrals >= retries }

// waited reports whether the message was first deferred long enough ago. That ends
// the hope for a proof; it takes more to be let in.
func (d *decision) waited() bool {
	first := d.ev.FirstSeen
	return !first.IsZero() && d.ev.Time.Sub(first) >= d.rules.tempErrors.For
}

// patience ends the sentence about a temporary error.
func (d *decision) patience(r *ruling) string {
	switch {
	case d.served() && r.Delivery == Deliver:
		return "; it was deferred long enough and is accepted."
	case d.served() && r.Delivery == DeliverTag:
		return "; it was deferred long enough and is marked."
	}
	return "."
}
