package policy

import "alignd/evidence"

// honoured is step 6 for a message that fails: what is done where req is asked for.
func (d decision) honoured(dm *evidence.DMARC, s *setting, req request) (p proposal) {
	p = about(dm)
	p.requested, p.stepped, p.missing = req.what, req.stepped, req.missing
	a := s.action(req.what)
	if req.what == RequestedReject && a == Reject && s.RejectMode == Corroborated {
		fired, missing := d.corroborate(dm, s.Signals)
		if p.signals = fired; len(fired) == 0 {
			a, p.uncorroborated = Quarantine, true
		}
		p.missing |= missing
	}
	p.outcome = a.outcome(s.QuarantineAs)
	p.reason = dm.AuthorDomain + " fails DMARC and asks for " + string(req.what) + d.ignoredPass(dm)
	option, has := "honor."+string(req.what), func(h *Handling) bool { return h.action(req.what) != "" }
	switch {
	case p.outcome.disposition() == req.what.disposition():
		p.reason += "."
	case p.uncorroborated:
		p.step = StepHandling
		p.reason += "; no other signal corroborates a rejection."
		option, has = "reject_mode", func(h *Handling) bool { return h.RejectMode != "" }
	case a == Quarantine && req.what == RequestedQuarantine:
		p.step = StepHandling
		p.reason += "; quarantine is carried out as " + string(s.QuarantineAs) + " here."
		option, has = "quarantine_as", func(h *Handling) bool { return h.QuarantineAs != "" }
	default:
		p.step = StepHandling
		p.reason += "; handled as " + string(a) + " here."
	}
	s.credit(&p, d.rules, option, has)
	d.protect(&p, dm, s)
	s.limit(&p, d)
	return p
}

// ignoredPass says that SPF would have authenticated the Author Domain.
func (d decision) ignoredPass(dm *evidence.DMARC) string {
	s := d.ev.ReportedSPF()
	if s == nil || s.Result != evidence.Pass || !d.ignored(s) || !family(s.Domain, dm) {
		return ""
	}
	return "; the SPF record of " + s.Domain + " matches about everybody, which does not count here (spf.wide)"
}

// unusableRecord is what is done where the DMARC record cannot be used.
func (d decision) unusableRecord(dm *evidence.DMARC, s *setting) (p proposal) {
	p = about(dm)
	p.outcome = d.rules.permError.outcome(s.QuarantineAs)
	p.reason = "The DMARC record for " + dm.AuthorDomain + " cannot be used."
	if p.outcome != delivered {
		p.byOption(StepHandling, "permerror", d.rules)
		p.reply, p.why = replyPermError, "the DMARC record cannot be used"
	}
	d.protect(&p, dm, s)
	s.limit(&p, d)
	return p
}

// ownDomain returns the entry that makes the Author Domain one of ours.
func (d decision) ownDomain(dm *evidence.DMARC) *OwnDomains {
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

// protect raises a proposal in the making to what is wanted for our own domains.
func (d decision) protect(p *proposal, dm *evidence.DMARC, s *setting) {
	own := d.ownDomain(dm)
	if own == nil || own.Action.outcome(s.QuarantineAs) <= p.outcome {
		return
	}
	p.outcome = own.Action.outcome(s.QuarantineAs)
	p.by(StepHandling, own.ID, own.Source)
	p.reply, p.recipient = replyUnauthenticated, ""
	p.reason = dm.AuthorDomain + " is one of our own domains, and the message is not authenticated."
}

// limit holds a proposal in the making back to what the rollout stage allows.
func (s *setting) limit(p *proposal, d decision) {
	if s.Rollout == nil {
		return
	}
	stage, missing := s.stageOf(d.ev)
	p.stage = stage
	p.missing |= missing
	var most outcome
	switch stage {
	case StageMonitor:
		most = delivered
	case StageTag:
		most = tagged
	case StageQuarantine:
		most = Quarantine.outcome(s.QuarantineAs)
	default:
		return
	}
	if p.outcome <= most {
		return
	}
	if p.outcome == putOff { // not a fail: never marked as one
		if stage == StageQuarantine {
			return
		}
		most = delivered
	}
	p.monitor, p.outcome = p.outcome, most
	p.by(StepHandling, "", Source{})
	s.credit(p, d.rules, "rollout", func(h *Handling) bool { return h.Rollout != nil })
	p.reason += " The rollout is at the stage " + string(stage) + s.stoppedBehind(d.ev) + "."
}

// stoppedBehind tells of the stage that was stopped.
func (s *setting) stoppedBehind(ev *evidence.Message) string {
	for i := range s.Rollout {
		g := &s.Rollout[i]
		switch covers, _ := g.covers(ev); covers {
		case stageStopped:
			return ", as the stage " + string(g.Name) + " was stopped (" + g.ID + ")"
		case stageAhead:
			return ""
		}
	}
	return ""
}

// stageOf is the stage that holds: the last that has begun and was not stopped, or the
// one before it for the share of the mail that it does not cover yet.
func (s *setting) stageOf(ev *evidence.Message) (name StageName, missing facts) {
	name = StageMonitor
	for i := range s.Rollout {
		g := &s.Rollout[i]
		switch covers, unknown := g.covers(ev); {
		case covers == stageAhead, covers == stageStopped:
			return name, missing
		case covers == stageHolds:
			name, missing = g.Name, noFacts
		case unknown != noFacts:
			missing = unknown
		}
	}
	return name, missing
}
