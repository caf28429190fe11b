package policy

import (
	"fmt"
	"slices"
	"time"

	"alignd/evidence"
)

// sealers is about step 4.
func (c *considering) sealers(dm *evidence.DMARC) {
	v, vouched, _ := c.vouch(dm)
	others := 0
	for i := range c.rules.sealers {
		s := &c.rules.sealers[i]
		x := Considered{Kind: KindSealer, ID: s.ID, At: s.Source, Author: dm.AuthorDomain, Fate: Unmatched}
		switch {
		case vouched && v.by == s && !v.temporary:
			x.Fate = c.fate(StepSealer, s.ID, dm)
			if x.Why = "it vouches for " + dm.AuthorDomain; x.Fate == Held {
				x.Why += ", and that changes nothing"
			}
		default:
			why, unknown, named := c.unvouched(s, dm)
			if !named {
				others++
				continue
			}
			x.Why = why
			if unknown != noFacts {
				x.Fate = Unknown
			}
		}
		if c.count(KindSealer, dm) == NearMisses && x.Fate != Decided {
			others++
			continue
		}
		c.add(x)
	}
	if others > 0 {
		why := "their domains sealed nothing"
		if len(c.ev.ARC.Sets) == 0 {
			why = "the message has no ARC chain"
		}
		c.add(Considered{Kind: KindSealer, Author: dm.AuthorDomain, Fate: Unmatched, Why: why, Count: others})
	}
}

// count is how many of a kind are named for an Author Domain.
func (c *considering) count(kind RuleKind, dm *evidence.DMARC) (n int) {
	for i := range c.list {
		if x := &c.list[i]; x.Kind == kind && x.ID != "" && x.Author == authorOf(dm) {
			n++
		}
	}
	return n
}

// unvouched says why a Sealer does not vouch whose domain sealed the message; named is
// false where it did not.
func (d decision) unvouched(s *sealer, dm *evidence.DMARC) (why string, unknown facts, named bool) {
	arc := &d.ev.ARC
	at := -1
	for i := range arc.Sets {
		if s.domains.hasAny(domainKeys(arc.Sets[i].SealDomain)) {
			at = i // the newest
		}
	}
	switch {
	case at < 0:
		return "", noFacts, false
	case arc.Result == evidence.NotChecked:
		return "needs the " + string(FactARC), noARC, true
	case arc.Result != evidence.Pass && arc.Temporary:
		return "the chain could not be validated for now: " + clean(arc.Reason, 200), noFacts, true
	case arc.Result != evidence.Pass:
		return "the chain fails: " + clean(arc.Reason, 200), noFacts, true
	case !complete(arc):
		return "the chain is not complete", noFacts, true
	}
	set := &arc.Sets[at]
	name := fmt.Sprintf("i=%d", at+1)
	if why, unknown = d.uncovered(s, set, at == len(arc.Sets)-1, dm); why != "" || unknown != noFacts {
		if why == "" {
			why = "needs the " + string(unknown.list()[0])
		}
		return name + ": " + why, unknown, true
	}
	low, _ := d.trustedFrom(dm)
	if at < low {
		return fmt.Sprintf("%s: the seal i=%d of %s above it is of no trusted sealer", name, low, clean(arc.Sets[low-1].SealDomain, 80)), noFacts, true
	}
	if s.Unmodified && arc.OldestPass > at+1 {
		return name + ": the message was changed since (oldest-pass)", noFacts, true
	}
	f := s.sealed(set, dm)
	switch f.result {
	case evidence.Pass:
		return name + ": another sealer vouches, or an older one found it failing", noFacts, true
	case evidence.Fail:
		return name + ": " + f.why + " for " + dm.AuthorDomain, noFacts, true
	}
	return name + ": " + f.why, f.missing, true
}

// handling is about step 6: domain rules, profiles, stages and signals.
func (c *considering) handling(dm *evidence.DMARC, to []audience) {
	rule, stricter, missing := c.domainRules(dm)
	c.domains(dm, rule, stricter, missing)
	c.profiles(dm, to)
	seen := map[*Stage]bool{}
	signals := map[Signal]bool{}
	for _, r := range []*DomainRule{rule, stricter} {
		if r == nil && r != rule {
			continue
		}
		for _, a := range to {
			s := c.setting(r, a)
			c.stages(dm, &s, seen)
			c.signals(dm, &s, signals)
		}
	}
}

func (c *considering) domains(dm *evidence.DMARC, rule, stricter *DomainRule, missing facts) {
	n := len(c.rules.domains)
	for _, r := range []*DomainRule{rule, stricter} {
		if r == nil {
			continue
		}
		n--
		x := Considered{Kind: KindDomain, ID: r.ID, At: r.Source, Author: dm.AuthorDomain, Why: "it is the nearest for " + dm.AuthorDomain}
		if x.Fate = c.fate(StepHandling, r.ID, dm); x.Fate == Held {
			x.Fate = c.fate(StepPolicy, r.ID, dm)
		}
		if r == stricter && missing != noFacts {
			x.Fate, x.Why = Unknown, "needs the "+string(missing.list()[0])+"; where it is stricter it holds"
		} else if r == stricter {
			x.Why = "it holds beside where it is stricter"
		}
		c.add(x)
	}
	if n > 0 {
		c.add(Considered{Kind: KindDomain, Author: dm.AuthorDomain, Fate: Unmatched, Count: n, Why: "they are for other Author Domains, or a nearer one holds"})
	}
}

func (c *considering) profiles(dm *evidence.DMARC, to []audience) {
	n := len(c.rules.profiles)
	for i, a := range to {
		if a.profile < 0 {
			continue
		}
		p := &c.rules.profiles[a.profile]
		n--
		x := Considered{Kind: KindProfile, ID: p.ID, At: p.Source, Author: dm.AuthorDomain, Why: "it is the first that lists <" + clean(a.recipient, 100) + ">"}
		if x.Fate = c.fate(StepHandling, p.ID, dm); x.Fate == Held {
			x.Fate = c.fate(StepPolicy, p.ID, dm)
		}
		if i < NearMisses || x.Fate == Decided {
			c.add(x)
		}
	}
	if n == 0 {
		return
	}
	x := Considered{Kind: KindProfile, Author: dm.AuthorDomain, Fate: Unmatched, Count: n, Why: "they list no recipient of it, or another one lists it first"}
	if len(c.ev.Recipients) == 0 {
		x.Fate, x.Why = Unknown, "needs the "+string(FactRecipients)
	}
	c.add(x)
}

func (c *considering) stages(dm *evidence.DMARC, s *setting, seen map[*Stage]bool) {
	if len(s.Rollout) == 0 {
		return
	}
	in, _ := s.stageOf(c.ev)
	stopped := false
	for i := range s.Rollout {
		g := &s.Rollout[i]
		if seen[g] {
			continue
		}
		seen[g] = true
		x := Considered{Kind: KindStage, ID: string(g.Name), At: g.Source, Author: dm.AuthorDomain, Fate: Unmatched}
		covers, unknown := g.covers(c.ev)
		switch {
		case stopped:
			x.Why = "it stands behind a stage that was stopped"
		case covers == stageAhead:
			x.Why = "it begins at " + g.Start.UTC().Format(time.RFC3339)
		case covers == stageStopped:
			stopped, x.Why = true, "it was stopped by stop_if ("+g.ID+")"
		case unknown != noFacts:
			x.Fate, x.Why = Unknown, "needs the "+string(unknown.list()[0])
		case covers == stageSpares:
			x.Why = fmt.Sprintf("it covers %d %% of the mail, and not this message (%d of 0-99)", g.Percent, c.ev.Sample)
		case g.Name == in:
			x.Fate, x.Why = Held, "it is the last that has begun"
		default:
			x.Why = "a later one has begun"
		}
		c.add(x)
	}
}

// signals are those that are asked where a policy of reject is to be corroborated.
func (c *considering) signals(dm *evidence.DMARC, s *setting, seen map[Signal]bool) {
	if s.RejectMode != Corroborated || dm.Result != evidence.Fail || s.Reject != Reject || c.published(dm, s.Pct).what != RequestedReject {
		return
	}
	for _, signal := range s.Signals {
		if seen[signal] {
			continue
		}
		seen[signal] = true
		x := Considered{Kind: KindSignal, ID: string(signal), Author: dm.AuthorDomain, Fate: Unmatched, Why: "it is not there"}
		switch yes, unknown := c.fires(dm, signal); {
		case unknown != noFacts:
			x.Fate, x.Why = Unknown, "needs the "+string(unknown.list()[0])
		case yes:
			x.Fate, x.Why = Held, "it speaks for a rejection"
		}
		c.add(x)
	}
}

// own is about the site's own domains.
func (c *considering) own(dm *evidence.DMARC) {
	n := len(c.rules.own)
	if o := c.ownDomain(dm); o != nil {
		n--
		x := Considered{Kind: KindOwn, ID: o.ID, At: o.Source, Author: dm.AuthorDomain, Why: dm.AuthorDomain + " is one of its domains"}
		steps := []Step{StepHandling, StepTempError}
		if x.Fate = Held; slices.ContainsFunc(steps, func(s Step) bool { return c.fate(s, o.ID, dm) == Decided }) {
			x.Fate = Decided
		}
		c.add(x)
	}
	if n > 0 {
		c.add(Considered{Kind: KindOwn, Author: dm.AuthorDomain, Fate: Unmatched, Count: n, Why: dm.AuthorDomain + " is none of their domains"})
	}
}
