package policy

import (
	"slices"

	"alignd/evidence"
)

// audience is a Profile that at least one recipient has.
type audience struct {
	profile   int32 // index into Rules.profiles, or -1
	recipient string
	missing   facts // without which no Profile can be found
}

// audiences appends the distinct Profiles of the recipients to list. Without
// recipients, or for those without a Profile, it is profile -1.
func (d decision) audiences(list []audience) []audience {
	none := audience{profile: -1}
	if len(d.rules.profiles) > 0 {
		if len(d.ev.Recipients) == 0 {
			none.missing = noRecipients
		}
		for i := range d.ev.Recipients {
			to := d.ev.Recipients[i].Address
			profile, missing := d.profileOf(to)
			list = addAudience(list, audience{profile, to, missing})
			list = d.addHostAudiences(list, to)
		}
	}
	if len(list) == 0 {
		list = append(list, none)
	}
	return list
}

// profileOf is the first Profile that lists an address, or -1. missing is what was not
// kept of the address and could lead to an earlier one.
func (d decision) profileOf(address string) (found int32, missing facts) {
	found, lost := int32(-1), int32(-1)
	for p := range addressKeys(address, d.rules.delimiters) {
		i, ok := d.rules.profileOf[p]
		switch {
		case !ok:
		case p.kind == someLocal:
			lost = i
		case found < 0 || i < found:
			found = i
		}
	}
	if lost >= 0 && (found < 0 || lost < found) {
		missing = noLocalParts
	}
	return found, missing
}

func addAudience(list []audience, a audience) []audience {
	at := slices.IndexFunc(list, func(b audience) bool { return b.profile == a.profile })
	if at < 0 {
		return append(list, a)
	}
	list[at].missing |= a.missing
	return list
}

// addHostAudiences adds every Profile that lists the local part of a recipient
// at an address literal, or a whole domain. They stand beside the recipient's own, and
// the strictest outcome holds, so they never soften it.
func (d decision) addHostAudiences(list []audience, address string) []audience {
	for p := range hostKeys(address, d.rules.delimiters) {
		for _, i := range d.rules.hostProfiles[p] {
			if p.kind == someLocal {
				list[0].missing |= noLocalParts
				break
			}
			list = addAudience(list, audience{profile: i, recipient: address})
		}
	}
	return list
}

// setting is how mail of one Author Domain to one audience is handled.
type setting struct {
	Handling
	domain  *DomainRule // nil when none matches
	profile *Profile    // nil when none matches
	to      string      // a recipient with that profile
}

// setting merges the global Handling, the Author Domain's and the recipient's.
func (d decision) setting(rule *DomainRule, a audience) setting {
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
func (d decision) domainRules(dm *evidence.DMARC) (rule, stricter *DomainRule, missing facts) {
	if dm == nil || len(d.rules.domains) == 0 {
		return nil, nil, noFacts
	}
	for p := range authorKeys(dm.AuthorDomain, dm.OrgDomain) {
		if i, ok := d.rules.domainIndex[p]; ok {
			rule = &d.rules.domains[i]
			if p.kind != anyDomain {
				return rule, nil, noFacts
			}
		}
	}
	for p := range namesAbove(dm.AuthorDomain) {
		if i, ok := d.rules.domainIndex[p]; ok {
			if dm.Result != evidence.Pass {
				missing = orgUnknown(dm)
			}
			return rule, &d.rules.domains[i], missing
		}
	}
	return rule, nil, noFacts
}

// credit names the entry whose part of the setting, as chosen by has, holds. Where
// it is no entry's, a step other than the sender's policy names the option.
func (s *setting) credit(p *proposal, rules *Rules, option string, has func(*Handling) bool) {
	switch {
	case s.profile != nil && has(&s.profile.Handling):
		p.by(p.step, s.profile.ID, s.profile.Source)
		p.recipient = s.to
	case s.domain != nil && has(&s.domain.Handling):
		p.by(p.step, s.domain.ID, s.domain.Source)
	case p.step == StepHandling:
		p.byOption(StepHandling, option, rules)
	}
}
