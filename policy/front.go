package policy

import (
	"slices"

	"alignd/evidence"
)

// inFront is step 6 for an unquoted address in front of an angle address, which some
// programs show as the author and which honest ticket systems and forms write. A
// fail of its domain marks the message at most, unless the domain is one of ours. Any
// other result has no consequences.
func (d decision) inFront(dm *evidence.DMARC, s *standing) proposal {
	switch {
	case d.sameAuthor(dm):
		return innocent(dm.AuthorDomain + " stands in front of an address of the same Organizational Domain.")
	case d.ownDomain(dm) != nil:
		return proposal{}
	case dm.Result == evidence.Fail, dm.Result == evidence.TempError && s.outcome != putOff:
		return atMostTag(s.proposal)
	case dm.Result == evidence.TempError:
		return proposal{}
	}
	return innocent(dm.AuthorDomain + " stands in front of an angle address only.")
}

// sameAuthor reports whether dm is of an address that stands in front of angle
// addresses only, all of its own Organizational Domain. Those are judged instead.
func (d decision) sameAuthor(dm *evidence.DMARC) bool {
	behind := d.ev.From.Behind(dm.AuthorDomain)
	return behind != nil && !slices.ContainsFunc(behind, func(a string) bool { return !slices.Contains(dm.AlignedAuthors, a) })
}

// innocent is an acceptance without consequences.
func innocent(reason string) proposal {
	return proposal{bound: instead, outcome: delivered, step: StepPolicy, requested: RequestedNone, reason: reason}
}

// atMostTag lowers what is worse than the mark to it.
func atMostTag(p proposal) proposal {
	p.bound = instead
	if p.monitor > tagged {
		p.monitor = tagged
	}
	if p.outcome <= tagged {
		return p
	}
	p.outcome = tagged
	p.by(StepHandling, "", Source{})
	p.recipient, p.signals = "", nil
	p.reason += " It stands in front of an angle address, so the message is marked."
	return p
}

// soleAuthorPasses reports whether the only domain that any reader can show of an
// unreadable From passes. One slip then costs nothing.
func (d decision) soleAuthorPasses() bool {
	return d.ev.From.Sole && len(d.ev.DMARC) == 1 && d.ev.DMARC[0].Result == evidence.Pass
}
