package policy

import (
	"strconv"

	"alignd/evidence"
)

// setting is how mail of one Author Domain to one audience is handled.
type setting struct {
	Handling
	domain  *DomainRule // nil when none matches
	profile *Profile    // nil when none matches
	to      string      // a recipient with that profile
}

// setting merges the global Handling, the Author Domain's and the recipient's.
func (d *decision) setting(rule *DomainRule, a audience) setting {
	var s setting
	if a.profile >= 0 {
		s.profile, s.to = &d.rules.profiles[a.profile], a.recipient
		s.merge(s.profile.Handling)
	}
	if rule != nil {
		s.domain = rule
		s.merge(rule.Handling)
	}
	s.merge(d.rules.handling)
	return s
}

// domainRules returns the entry for the Author Domain, the most specific one, and
// the one that holds besides where that is stricter: where no entry but "*" is
// for the domain, the nearest "org:" entry above it. See strictAuthorKeys.
func (d *decision) domainRules(dm *evidence.DMARC) (rule, stricter *DomainRule) {
	if dm == nil || len(d.rules.domains) == 0 {
		return nil, nil
	}
	for p := range authorKeys(dm.AuthorDomain, dm.OrgDomain) {
		if i, ok := d.rules.domainIndex[p]; ok {
			rule = &d.rules.domains[i]
			if p.kind != anyDomain {
				return rule, nil
			}
		}
	}
	for p := range namesAbove(dm.AuthorDomain) {
		if i, ok := d.rules.domainIndex[p]; ok {
			if dm.Result != evidence.Pass {
				d.missing |= orgUnknown(dm)
			}
			return rule, &d.rules.domains[i]
		}
	}
	return rule, nil
}

// credit names the entry whose part of the setting, as chosen by has, holds.
// Where it is no entry's, a step other than the sender's policy names the option.
func (s *setting) credit(v *Verdict, rules *Rules, option string, has func(*Handling) bool) {
	switch {
	case s.profile != nil && has(&s.profile.Handling):
		v.Rule, v.File, v.Line = s.profile.ID, s.profile.Source.File, s.profile.Source.Line
		v.Recipient = s.to
	case s.domain != nil && has(&s.domain.Handling):
		v.Rule, v.File, v.Line = s.domain.ID, s.domain.Source.File, s.domain.Source.Line
	case v.Step == StepHandling:
		v.byOption(StepHandling, option, rules)
	}
}

// baseline is steps 5 to 7 for one Author Domain and one audience. dm is nil
// when there is no evaluation.
func (d *decision) baseline(dm *evidence.DMARC, rule *DomainRule, a audience) ruling {
	var r ruling
	r.Disposition, r.Delivery, r.Requested, r.Step = DispositionAccept, Deliver, RequestedNone, StepPolicy
	if dm == nil {
		r.Reason = "There is no Author Domain to judge."
		d.missing |= d.nothingToJudge()
		return r
	}
	r.domain, r.reply = dm.AuthorDomain, replyDMARC
	r.why, r.dm = "no aligned identifier was authenticated", dm
	if dm.Result == evidence.Pass {
		r.Reason = dm.AuthorDomain + " passes DMARC."
		if d.ev.From.Sole {
			r.Reason = dm.AuthorDomain + " passes DMARC, and no other domain can be read in the From field, which is no proper address list."
		}
		return r
	}
	s := d.setting(rule, a)
	d.missing |= d.noProfile
	switch dm.Result {
	case evidence.Fail:
		d.failed(&r, dm, &s)
	case evidence.TempError:
		d.tempError(&r, dm, &s)
	case evidence.PermError:
		r.set(d.rules.permError, s.QuarantineAs)
		r.Reason = "The DMARC record for " + dm.AuthorDomain + " cannot be used."
		if r.Delivery != Deliver {
			r.byOption(StepHandling, "permerror", d.rules)
			r.reply, r.why = replyPermError, "the DMARC record cannot be used"
		}
		d.raise(&r, dm, &s)
		s.limit(d, &r)
	case evidence.None:
		d.unpublished(&r, dm, &s)
	default:
		d.missing |= noDMARC
		r.Reason = "DMARC was not evaluated for " + dm.AuthorDomain + "."
	}
	return r
}

// nothingToJudge are the facts that are missing where there is no evaluation.
func (d *decision) nothingToJudge() facts {
	var missing facts
	if d.ev.From.Problem == evidence.FromOK || len(d.ev.From.Domains) > 0 {
		missing |= noDMARC
	}
	if d.ev.From.Problem == evidence.FromOK && !d.ev.Has(evidence.SectionFrom) {
		missing |= noFrom
	}
	return missing
}

// failed is steps 5 and 6 for a message that fails.
func (d *decision) failed(r *ruling, dm *evidence.DMARC, s *setting) {
	r.Requested = d.requested(r, dm, s.Pct)
	a := s.action(r.Requested)
	if r.Requested == RequestedReject && a == Reject && s.RejectMode == Corroborated {
		if r.Signals = d.corroborate(dm, s.Signals); len(r.Signals) == 0 {
			a, r.uncorroborated = Quarantine, true
		}
	}
	r.set(a, s.QuarantineAs)
	r.Reason = dm.AuthorDomain + " fails DMARC and asks for " + string(r.Requested) + d.ignoredPass(dm)
	option, has := "honor."+string(r.Requested), func(h *Handling) bool { return h.action(r.Requested) != "" }
	switch {
	case r.Disposition == disposition(r.Requested):
		r.Reason += "."
	case a == Quarantine && s.action(r.Requested) == Reject:
		r.Step = StepHandling
		r.Reason += "; no other signal corroborates a rejection."
		option, has = "reject_mode", func(h *Handling) bool { return h.RejectMode != "" }
	case a == Quarantine && r.Requested == RequestedQuarantine:
		r.Step = StepHandling
		r.Reason += "; quarantine is carried out as " + string(s.QuarantineAs) + " here."
		option, has = "quarantine_as", func(h *Handling) bool { return h.QuarantineAs != "" }
	default:
		r.Step = StepHandling
		r.Reason += "; handled as " + string(a) + " here."
	}
	s.credit(&r.Verdict, d.rules, option, has)
	d.raise(r, dm, s)
	s.limit(d, r)
}

// ignoredPass says that SPF would have authenticated the Author Domain.
func (d *decision) ignoredPass(dm *evidence.DMARC) string {
	s := d.ev.ReportedSPF()
	if s == nil || s.Result != evidence.Pass || !d.ignored(s) || !family(s.Domain, dm) {
		return ""
	}
	return "; the SPF record of " + s.Domain + " matches about everybody, which does not count here (spf.wide)"
}

// requested is step 5: the effective policy, after t (already in Policy) and
// pct. It notes why it is less than what is published.
func (d *decision) requested(r *ruling, dm *evidence.DMARC, mode PctMode) Requested {
	rec := &dm.Published
	req := Requested(dm.Policy)
	if req != RequestedReject && req != RequestedQuarantine {
		req = RequestedNone
	}
	if rec.Testing && publishedPolicy(dm) != evidence.PolicyNone {
		r.published = OverrideReason{Type: OverrideTestMode}
		return req
	}
	if rec.HasTesting || rec.Pct >= 100 || rec.Pct < 0 || req == RequestedNone {
		return req
	}
	switch mode {
	case PctIgnore:
		return req
	case PctZeroAsTest:
		if rec.Pct > 0 {
			return req
		}
	default:
		if d.ev.Sample < 0 && rec.Pct > 0 {
			d.missing |= noSample
			return req
		}
		if d.ev.Sample >= 0 && d.ev.Sample < rec.Pct {
			return req
		}
	}
	// RFC 7489 section 6.6.4; RFC 9990 has no type for it.
	r.published = OverrideReason{OverrideOther, "sampled_out pct=" + strconv.Itoa(rec.Pct)}
	if req == RequestedReject {
		return RequestedQuarantine
	}
	return RequestedNone
}

// publishedPolicy is the policy of the tag that applies, before t.
func publishedPolicy(dm *evidence.DMARC) evidence.DMARCPolicy {
	p := dm.Published.P
	switch dm.PolicyTag {
	case "sp":
		p = dm.Published.SP
	case "np":
		p = dm.Published.NP
	}
	if p == evidence.PolicyAbsent {
		p = evidence.PolicyNone
	}
	return p
}

// disposition is the one that carries out a request.
func disposition(req Requested) Disposition {
	switch req {
	case RequestedReject:
		return DispositionReject
	case RequestedQuarantine:
		return DispositionQuarantine
	}
	return DispositionAccept
}

// ownDomain returns the entry that makes the Author Domain one of ours.
func (d *decision) ownDomain(dm *evidence.DMARC) *OwnDomains {
	if len(d.rules.own) == 0 {
		return nil
	}
	for p := range strictAuthorKeys(dm.AuthorDomain, dm.OrgDomain) {
		if i, ok := d.rules.ownIndex[p]; ok {
			return &d.rules.own[i]
		}
	}
	return nil
}

// raise protects our own domains from spoofing.
func (d *decision) raise(r *ruling, dm *evidence.DMARC, s *setting) {
	own := d.ownDomain(dm)
	if own == nil {
		return
	}
	var to Verdict
	to.set(own.Action, s.QuarantineAs)
	if !to.worse(&r.Verdict) {
		return
	}
	r.Disposition, r.Delivery = to.Disposition, to.Delivery
	r.by(StepHandling, own.ID, own.Source)
	r.reply, r.Recipient = replyUnauthenticated, ""
	r.Reason = dm.AuthorDomain + " is one of our own domains, and the message is not authenticated."
}

// limit holds an outcome back to what the rollout stage allows.
func (s *setting) limit(d *decision, r *ruling) {
	if s.Rollout == nil {
		return
	}
	stage, missing := s.stage(d.ev)
	r.Stage = stage
	d.missing |= missing
	var most Verdict
	switch stage {
	case StageMonitor:
		most.set(Accept, Tag)
	case StageTag:
		most.set(Tag, Tag)
	case StageQuarantine:
		most.set(Quarantine, s.QuarantineAs)
	default:
		return
	}
	if !r.worse(&most) {
		return
	}
	if r.Delivery == DeliverDefer { // not a fail: never marked as one
		if stage == StageQuarantine {
			return
		}
		most.set(Accept, Tag)
	}
	r.Monitor = Outcome{Disposition: r.Disposition, Delivery: r.Delivery}
	r.Disposition, r.Delivery = most.Disposition, most.Delivery
	r.by(StepHandling, "", Source{})
	s.credit(&r.Verdict, d.rules, "rollout", func(h *Handling) bool { return h.Rollout != nil })
	r.Reason += " The rollout is at the stage " + string(stage) + "."
}

// stage is the one that holds: the last that has begun, or the one before it
// for the share of the mail that it does not cover yet.
func (s *setting) stage(ev *evidence.Message) (name StageName, missing facts) {
	name = StageMonitor
	for _, g := range s.Rollout {
		if ev.Time.Before(g.Start) {
			break
		}
		if g.Percent > 0 && g.Percent < 100 {
			if ev.Sample < 0 {
				missing = noSample
			}
			if ev.Sample < 0 || ev.Sample >= g.Percent {
				continue
			}
		}
		name, missing = g.Name, noFacts
	}
	return name, missing
}

// unpublished is local policy for an Author Domain without a DMARC record.
func (d *decision) unpublished(r *ruling, dm *evidence.DMARC, s *setting) {
	r.Reason = dm.AuthorDomain + " publishes no DMARC policy."
	no := &d.rules.noRecord
	known, missing := d.authenticated(dm)
	if known {
		return
	}
	if missing != noFacts {
		if no.Unauthenticated != Accept || no.SPFFail != Accept || d.ownDomain(dm) != nil {
			d.missing |= missing
		}
		return
	}
	if r.set(no.Unauthenticated, s.QuarantineAs); r.Delivery != Deliver {
		r.byOption(StepHandling, "unauthenticated", d.rules)
		r.reply = replyUnauthenticated
		r.Reason = dm.AuthorDomain + " publishes no DMARC policy, and the message is not authenticated."
	}
	if no.SPFFail != Accept {
		d.spfFail(r, no.SPFFail, s.QuarantineAs)
	}
	d.raise(r, dm, s)
	s.limit(d, r)
}

// spfFail is what receivers that check SPF only do (RFC 7208 section 8.4; the
// reply is RFC 7372 section 3.2).
func (d *decision) spfFail(r *ruling, a, as Action) {
	check := d.ev.SPF.MailFrom
	if check == nil && d.ev.MailFrom == "" {
		check = d.ev.SPF.HELO
	}
	if check == nil {
		d.missing |= noSPF
		return
	}
	var to Verdict
	if to.set(a, as); check.Result != evidence.Fail || r.worse(&to) {
		return
	}
	r.Disposition, r.Delivery = to.Disposition, to.Delivery
	r.byOption(StepHandling, "spf_fail", d.rules)
	r.Reason = r.domain + " publishes no DMARC policy, and SPF fails for " + check.Domain + "."
	r.reply, r.domain, r.why = replySPF, check.Domain, "SPF does not allow the client"
}

// authenticated reports whether a passing identifier belongs to the Author
// Domain's family, for domains whose alignment was not computed.
func (d *decision) authenticated(dm *evidence.DMARC) (yes bool, missing facts) {
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
