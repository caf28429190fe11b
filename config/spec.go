package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"alignd/policy"
)

// spec turns the decision part of a configuration into policy's own terms.
func (c *Config) spec() policy.Spec {
	s := policy.Spec{
		Mode:                c.Mode,
		NotJudged:           c.notJudged(),
		Handling:            handling(&c.Handling, c.Rollout, "rollout"),
		PermError:           c.PermError,
		WideSPF:             c.SPF.Wide,
		ExtensionDelimiters: c.RecipientDelimiter,
		NoRecord:            policy.NoRecord{Unauthenticated: c.Unauthenticated, SPFFail: c.SPFFail},
		TempErrors: policy.TempErrors{
			PolicyUnknown: c.TempError.PolicyUnknown, Unresolved: c.TempError.Unresolved, Expired: c.TempError.Expired, For: c.TempErrorFor.Duration,
		},
		From: policy.FromActions{
			Missing: c.From.Missing, Several: c.From.Several, TooMany: c.From.TooMany,
			Empty: c.From.Empty, Unparsable: c.From.Unparsable,
		},
		Tag:     policy.TagField{Name: c.Tag.Name, Value: c.Tag.Value},
		Replies: replies(&c.Replies),
		OnError: c.OnError,
		Options: c.options(),
	}
	for i := range c.OwnDomains {
		o := &c.OwnDomains[i]
		s.Own = append(s.Own, policy.OwnDomains{ID: o.ID, Domains: o.Domains, Action: o.Action, Source: o.At.source()})
	}
	for i := range c.Domains {
		r := &c.Domains[i]
		s.Domains = append(s.Domains, policy.DomainRule{
			ID: r.ID, AuthorDomains: r.AuthorDomains, Handling: handling(&r.Handling, r.Rollout, ruleName(r)), Source: r.At.source(),
		})
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		s.Profiles = append(s.Profiles, policy.Profile{
			ID: p.ID, Recipients: p.Recipients, Handling: handling(&p.Handling, p.Rollout, p.ID), Source: p.At.source(),
		})
	}
	s.Exceptions = make([]policy.Exception, 0, len(c.Exceptions))
	for i := range c.Exceptions {
		s.Exceptions = append(s.Exceptions, exception(&c.Exceptions[i]))
	}
	for i := range c.TrustedSealers {
		s.Sealers = append(s.Sealers, sealer(&c.TrustedSealers[i]))
	}
	for i := range c.TrustedRelays {
		r := &c.TrustedRelays[i]
		s.Relays = append(s.Relays, policy.Relay{ID: r.ID, Reject: r.Reject, Tempfail: r.Tempfail, Source: r.At.source()})
	}
	return s
}

// options tells where options that are no entry of a list stand in the file.
func (c *Config) options() map[string]policy.Source {
	places := make(map[string]policy.Source, len(c.places))
	for option, at := range c.places {
		places[option] = at.source()
	}
	return places
}

func handling(h *Handling, rollout []Stage, entry string) policy.Handling {
	p := policy.Handling{
		Reject: h.Honor.Reject, Quarantine: h.Honor.Quarantine, None: h.Honor.None,
		RejectMode: h.RejectMode, Signals: slices.Clone(h.CorroboratedBy), Pct: h.Pct, QuarantineAs: h.QuarantineAs,
	}
	seen := map[policy.StageName]int{}
	for i := range rollout {
		st := &rollout[i]
		g := policy.Stage{Name: st.Stage, Start: st.From.Time, Percent: st.Percent, StopIf: stopIf(&st.StopIf), Source: st.At.source()}
		if seen[st.Stage]++; g.StopIf != nil {
			g.ID = fmt.Sprintf("%s/%s", entry, st.Stage)
			if n := seen[st.Stage]; n > 1 {
				g.ID += fmt.Sprintf("/%d", n)
			}
		}
		p.Rollout = append(p.Rollout, g)
	}
	return p
}

// ruleName is how stages of a domain rule are named: by its id, or its first pattern.
func ruleName(r *DomainRule) string {
	if r.ID == "" && len(r.AuthorDomains) > 0 {
		return r.AuthorDomains[0]
	}
	return r.ID
}

// stopIf is nil where nothing is said.
func stopIf(s *StopIf) *policy.StopIf {
	if *s == (StopIf{}) {
		return nil
	}
	p := &policy.StopIf{PassingRefused: -1, LeastMessages: cmp.Or(s.Messages, defaultStopMessages), Over: cmp.Or(s.Over.Duration, defaultStopOver)}
	p.FailingShare, _ = shareOf(s.FailingShare)
	if n, err := strconv.Atoi(s.PassingRefused); err == nil {
		p.PassingRefused = n
	}
	return p
}

func (c *Config) notJudged() policy.NotJudged {
	n := &c.NotJudged
	p := policy.NotJudged{JudgeAuthenticated: !n.Authenticated, JudgeLoopback: !n.Loopback}
	for i, prefix := range n.Networks {
		at := c.places[fmt.Sprintf("not_judged.networks[%d]", i)]
		p.Networks = append(p.Networks, policy.Network{ID: networkName(prefix), Prefix: prefix, Source: at.source()})
	}
	return p
}

func exception(e *Exception) policy.Exception {
	return policy.Exception{
		ID: e.ID, Kind: e.Kind, Action: e.Action,
		Scope: policy.Scope(e.Scope), Proof: policy.Proof(e.Proof),
		Reason: e.Reason, Owner: e.Owner, Ticket: e.Ticket,
		Expires: e.Expires.Time, NeverExpires: e.NeverExpires, Override: e.Override, Source: e.At.source(),
	}
}

func sealer(s *Sealer) policy.Sealer {
	return policy.Sealer{
		ID: s.ID, Domains: s.Domains, Selectors: s.Selectors, AuthorDomains: s.AuthorDomains,
		Recipients: s.Recipients, Clients: s.Clients, Require: s.Require,
		ServIDs: s.AuthservIDs, Unmodified: s.Unmodified, Source: s.At.source(),
	}
}

func replies(r *Replies) policy.Replies {
	t := func(r Reply) policy.ReplyTemplate { return policy.ReplyTemplate(r) }
	return policy.Replies{
		DMARC: t(r.DMARC), Unauthenticated: t(r.Unauthenticated), PermError: t(r.PermError), SPF: t(r.SPF), From: t(r.From), Block: t(r.Block),
		TempError: t(r.TempError), Defer: t(r.Defer), Limit: t(r.Limit), Internal: t(r.Internal), URL: r.URL,
	}
}
