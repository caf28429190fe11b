package policy

import "alignd/evidence"

// except is step 3. before is the outcome without trusted sealers. A block
// entry raises the outcome to at least its action; an allow entry lowers it to
// at most its action. An entry that changes nothing decides nothing; a block
// entry that keeps an allow entry from the same outcome does.
func (d *decision) except(r *ruling, before *Verdict, dm *evidence.DMARC) {
	x, missing := d.rules.block.find(d, dm)
	if r.Delivery != Refuse {
		d.missing |= missing
	}
	if x != nil {
		to := d.excepted(x, dm)
		if to.worse(&r.Verdict) || to.Delivery == r.Delivery && d.spared(before, dm) {
			to.Requested, to.Evaluation, to.rank = r.Requested, r.Evaluation, r.rank
			to.TrustedSealer, to.published = r.TrustedSealer, r.published
			*r = to
		}
		return
	}
	if before.Delivery == Deliver && r.Monitor == (Outcome{}) {
		return
	}
	x, missing = d.rules.allow.find(d, dm)
	if r.Delivery != Deliver || r.Monitor != (Outcome{}) {
		d.missing |= missing
	}
	if x == nil {
		d.waitForProof(r, dm)
		return
	}
	to := d.excepted(x, dm)
	if before.worse(&to.Verdict) && !to.worse(&r.Verdict) {
		to.Requested, to.Evaluation, to.rank, to.Stage = r.Requested, r.Evaluation, r.rank, r.Stage
		to.TrustedSealer, to.published = r.TrustedSealer, r.published
		*r = to
	}
	if r.Monitor.Delivery.severity() > to.Delivery.severity() {
		r.Monitor = Outcome{}
	}
}

// spared reports whether an allow entry would have held, had no block entry.
func (d *decision) spared(before *Verdict, dm *evidence.DMARC) bool {
	x, _ := d.rules.allow.find(d, dm)
	if x == nil {
		return false
	}
	to := d.excepted(x, dm)
	return before.worse(&to.Verdict)
}

// excepted is the outcome that an exception wants.
func (d *decision) excepted(x *exception, dm *evidence.DMARC) ruling {
	var r ruling
	r.set(x.Action, d.rules.handling.QuarantineAs)
	r.by(StepException, x.ID, x.Source)
	r.Reason = "Exception " + x.ID
	if x.Exception.Reason != "" {
		r.Reason += ": " + x.Exception.Reason
	}
	r.local = OverrideReason{x.Override, "exception " + clean(x.ID, 100)}
	r.reply, r.why = replyBlock, "local policy"
	if dm != nil {
		r.domain = dm.AuthorDomain
	}
	d.behindRelay(&r)
	return r
}
