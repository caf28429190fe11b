package policy

import (
	"slices"

	"alignd/evidence"
)

// soleAuthorPasses reports whether the only domain that any reader can show of an
// unreadable From passes. One slip then costs nothing.
func (d *decision) soleAuthorPasses() bool {
	return d.ev.From.Sole && len(d.ev.DMARC) == 1 && d.ev.DMARC[0].Result == evidence.Pass
}

// sameAuthor reports whether dm is of an address in front of angle addresses of
// the same Organizational Domain only: those are judged.
func (d *decision) sameAuthor(dm *evidence.DMARC) bool {
	behind := d.ev.From.Behind(dm.AuthorDomain)
	return behind != nil && !slices.ContainsFunc(behind, func(a string) bool { return !slices.Contains(dm.AlignedAuthors, a) })
}

// soften is for an unquoted address in front of an angle address, which some
// programs show as the author and which honest ticket systems and forms write. A
// fail of its domain counts as the mark at most, unless the domain is one of ours; what is
// no fail is nothing. It reports whether the domain is out of the question.
func (d *decision) soften(r *ruling, dm *evidence.DMARC) (settled bool) {
	switch {
	case dm == nil || d.ev.From.Behind(dm.AuthorDomain) == nil:
		return false
	case d.sameAuthor(dm):
		r.pass(dm.AuthorDomain + " stands in front of an address of the same Organizational Domain.")
		return true
	case d.ownDomain(dm) != nil:
		return false
	case dm.Result == evidence.Fail:
		r.atMostTag()
	case dm.Result == evidence.TempError:
		if r.Delivery != DeliverDefer {
			r.atMostTag()
		}
	default:
		r.pass(dm.AuthorDomain + " stands in front of an angle address only.")
	}
	return false
}

// pass makes r an acceptance without consequences.
func (r *ruling) pass(reason string) {
	evaluation, rank := r.Evaluation, r.rank
	*r = ruling{rank: rank}
	r.Evaluation, r.Requested = evaluation, RequestedNone
	r.set(Accept, Tag)
	r.by(StepPolicy, "", Source{})
	r.Reason = reason
}

// atMostTag lowers what is worse than the mark to it.
func (r *ruling) atMostTag() {
	var tag Verdict
	tag.set(Tag, Tag)
	if m := &r.Monitor; m.Delivery.severity() > tag.Delivery.severity() {
		m.Disposition, m.Delivery = tag.Disposition, tag.Delivery
	}
	if !r.worse(&tag) {
		return
	}
	r.Disposition, r.Delivery = tag.Disposition, tag.Delivery
	r.by(StepHandling, "", Source{})
	r.Recipient, r.Signals = "", nil
	r.Reason += " It stands in front of an angle address, so the message is marked."
}
