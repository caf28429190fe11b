package policy

import (
	"slices"

	"alignd/evidence"
)

// decision is one message and the rules that judge it. It is handed on as a value, which
// costs no memory and shows that the steps change nothing of it.
type decision struct {
	ev    *evidence.Message
	rules *Rules
	// hopeful: what a temporary error left open counts as proven.
	hopeful bool
}

// Decide turns what was observed about one message into what the MTA is told.
// It is pure and safe for concurrent use.
func Decide(ev *evidence.Message, rules *Rules) Verdict {
	d := decision{ev: ev, rules: rules}
	var few [4]audience // most messages have no more
	to := d.audiences(few[:0])

	client := d.notJudged() // step 1
	if client.outcome != open {
		return d.letThrough(client, to)
	}
	var from, worst standing
	d.weigh(&from, d.unusableFrom())        // step 2: the least that is done
	authors := d.authors(to, &from, &worst) // steps 3 to 7 for each Author Domain
	if from.outcome == refused {
		// No Author Domain can be relied on, so what one asks for does not count.
		from.requested, from.evaluation, from.expired = RequestedNone, d.worstEvaluation(), worst.expired
		worst = from
	} else {
		worst.join(&from.proposal)
	}
	if worst.acts() { // else it does not matter whether the client is judged
		worst.missing |= client.missing
	}
	return d.verdict(&worst.proposal, authors)
}

// authors is what holds for each Author Domain alone, and not less than from, which is
// for the whole message. worst becomes the worst of them without from.
func (d decision) authors(to []audience, from, worst *standing) []AuthorOutcome {
	if len(d.ev.DMARC) == 0 {
		d.author(nil, to, worst)
		return nil
	}
	list := make([]AuthorOutcome, len(d.ev.DMARC))
	for i := range d.ev.DMARC {
		dm := &d.ev.DMARC[i]
		var s standing
		d.author(dm, to, &s)
		// For the message it is one of several, of which the worst holds, whatever
		// step it is of.
		s.bound, s.ties, s.evaluation, s.rank = atLeast, false, i+1, d.rank(dm)
		worst.join(&s.proposal)
		s.join(&from.proposal)
		list[i] = d.authorOutcome(dm, &s.proposal)
	}
	return list
}

// author takes one Author Domain through steps 3 to 7. s is empty before, and holds what
// they came to after. The policy comes first and the exceptions last, because these
// change what the policy came to; see the package comment. dm is nil when there is no
// evaluation.
func (d decision) author(dm *evidence.DMARC, to []audience, s *standing) {
	if d.unexcepted(dm, to, s) {
		d.weigh(s, d.exception(dm, s)) // step 3
		s.missing |= d.unseenSignature(dm, s)
	}
}

// unexcepted is steps 4 to 7, what holds without exceptions. It is false where these
// are not asked.
func (d decision) unexcepted(dm *evidence.DMARC, to []audience, s *standing) bool {
	d.strictest(dm, to, s) // steps 5 to 7, for each Profile
	if dm != nil && d.ev.From.Behind(dm.AuthorDomain) != nil {
		d.weigh(s, d.inFront(dm, s)) // step 6
		if d.sameAuthor(dm) {
			return false // it has no consequences, so nothing can change them
		}
	}
	s.policy = s.outcome // which lenient entries lower
	if dm != nil && dm.Result != evidence.Pass {
		d.weigh(s, d.trustedSealer(dm, s)) // step 4
		d.weigh(s, d.unverified(dm, s))    // step 7, where step 4 left a refusal
	}
	return true
}

// strictest is steps 5 to 7 for one Author Domain, under the strictest Profile among the
// recipients.
func (d decision) strictest(dm *evidence.DMARC, to []audience, s *standing) {
	rule, stricter, missing := d.domainRules(dm)
	s.missing = missing
	for _, a := range to {
		d.weigh(s, d.policy(dm, rule, a))
		if stricter != nil {
			p := d.policy(dm, stricter, a)
			p.ties = p.monitor > s.monitor // so that what a rollout holds back is told
			d.weigh(s, p)
		}
	}
}

// policy is steps 5 to 7 for one Author Domain and one audience.
func (d decision) policy(dm *evidence.DMARC, rule *DomainRule, a audience) (p proposal) {
	if dm == nil {
		return proposal{outcome: delivered, step: StepPolicy, requested: RequestedNone,
			reason: "There is no Author Domain to judge.", missing: d.nothingToJudge()}
	}
	if dm.Result == evidence.Pass {
		return d.passes(dm)
	}
	s := d.setting(rule, a)
	switch dm.Result {
	case evidence.Fail:
		p = d.honoured(dm, &s, d.published(dm, s.Pct)) // steps 5 and 6
	case evidence.TempError:
		p = d.temporary(dm, &s) // step 7
	case evidence.PermError:
		p = d.unusableRecord(dm, &s)
	case evidence.None:
		p = d.unpublished(dm, &s)
	default:
		p = about(dm)
		p.reason = "DMARC was not evaluated for " + dm.AuthorDomain + "."
		p.missing = noDMARC
	}
	p.missing |= a.missing
	return p
}

// about is the proposal to deliver what is left to one Author Domain's policy.
func about(dm *evidence.DMARC) proposal {
	return proposal{outcome: delivered, step: StepPolicy, requested: RequestedNone,
		reply: replyDMARC, domain: dm.AuthorDomain, why: "no aligned identifier was authenticated", dm: dm}
}

// passes is what is done with mail that passes DMARC.
func (d decision) passes(dm *evidence.DMARC) (p proposal) {
	p = about(dm)
	p.reason = dm.AuthorDomain + " passes DMARC."
	if d.ev.From.Sole {
		p.reason = dm.AuthorDomain + " passes DMARC, and no other domain can be read in the From field, which is no proper address list."
	}
	return p
}

// nothingToJudge are the facts that are missing where there is no evaluation.
func (d decision) nothingToJudge() facts {
	var missing facts
	if d.ev.From.Problem == evidence.FromOK || len(d.ev.From.Domains) > 0 {
		missing |= noDMARC
	}
	if d.ev.From.Problem == evidence.FromOK && !d.ev.Has(evidence.SectionFrom) {
		missing |= noFrom
	}
	return missing
}

// rank orders evaluations by how bad they are (RFC 9989 section 11.5: the
// strictest policy among those that fail): a fail by its policy, then
// temperror, permerror, none, pass. A domain that only some readers take for the
// author counts only if it fails, or may fail.
func (d decision) rank(dm *evidence.DMARC) int {
	weak := slices.Contains(d.ev.From.Partial, dm.AuthorDomain) || d.ev.From.Behind(dm.AuthorDomain) != nil
	if weak && dm.Result != evidence.Fail && dm.Result != evidence.TempError || d.sameAuthor(dm) {
		return 0
	}
	switch dm.Result {
	case evidence.Fail:
		switch dm.Policy {
		case evidence.PolicyReject:
			return 7
		case evidence.PolicyQuarantine:
			return 6
		}
		return 5
	case evidence.TempError:
		return 4
	case evidence.PermError:
		return 3
	case evidence.Pass:
		return 1
	}
	return 2
}

// worstEvaluation is the number of the worst evaluation, 0 without any.
func (d decision) worstEvaluation() int {
	worst := 0
	for i := range d.ev.DMARC {
		if worst == 0 || d.rank(&d.ev.DMARC[i]) > d.rank(&d.ev.DMARC[worst-1]) {
			worst = i + 1
		}
	}
	return worst
}
