package config

import (
	"net/netip"
	"slices"

	"alignd/policy"
)

// spec turns the decision part of a configuration into policy's own terms.
func (d *decoder) spec(c *Config) policy.Spec {
	s := policy.Spec{
		Mode:                c.Mode,
		NotJudged:           d.notJudged(&c.NotJudged),
		Handling:            d.handling(&c.Handling, c.Rollout),
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
		Options: d.options(),
	}
	for i := range c.OwnDomains {
		o := &c.OwnDomains[i]
		s.Own = append(s.Own, policy.OwnDomains{ID: o.ID, Domains: o.Domains, Action: o.Action, Source: d.source(o)})
	}
	for i := range c.Domains {
		r := &c.Domains[i]
		s.Domains = append(s.Domains, policy.DomainRule{
			ID: r.ID, AuthorDomains: r.AuthorDomains, Handling: d.handling(&r.Handling, r.Rollout), Source: d.source(r),
		})
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		s.Profiles = append(s.Profiles, policy.Profile{
			ID: p.ID, Recipients: p.Recipients, Handling: d.handling(&p.Handling, p.Rollout), Source: d.source(p),
		})
	}
	s.Exceptions = make([]policy.Exception, 0, len(c.Exceptions))
	for i := range c.Exceptions {
		s.Exceptions = append(s.Exceptions, d.exception(&c.Exceptions[i]))
	}
	for i := range c.TrustedSealers {
		s.Sealers = append(s.Sealers, d.sealer(&c.TrustedSealers[i]))
	}
	for i := range c.TrustedRelays {
		r := &c.TrustedRelays[i]
		s.Relays = append(s.Relays, policy.Relay{ID: r.ID, Reject: r.Reject, Tempfail: r.Tempfail, Source: d.source(r)})
	}
	return s
}

// options tells where options that are no entry of a list stand in the file.
func (d *decoder) options() map[string]policy.Source {
	places := make(map[string]policy.Source, len(d.keys))
	for key, at := range d.keys {
		places[key] = policy.Source{File: at.File, Line: at.Line}
	}
	return places
}

// source is where an entry stands; entry is its address in the Config.
func (d *decoder) source(entry any) policy.Source {
	at := d.at[entry]
	src := policy.Source{File: at.File, Line: at.Line}
	d.sources[src] = at
	return src
}

func (d *decoder) handling(h *Handling, rollout []Stage) policy.Handling {
	p := policy.Handling{
		Reject: h.Honor.Reject, Quarantine: h.Honor.Quarantine, None: h.Honor.None,
		RejectMode: h.RejectMode, Signals: slices.Clone(h.CorroboratedBy), Pct: h.Pct, QuarantineAs: h.QuarantineAs,
	}
	for i := range rollout {
		st := &rollout[i]
		p.Rollout = append(p.Rollout, policy.Stage{Name: st.Stage, Start: st.From.Time, Percent: st.Percent, Source: d.source(st)})
	}
	return p
}

func (d *decoder) notJudged(n *NotJudged) policy.NotJudged {
	p := policy.NotJudged{JudgeAuthenticated: !n.Authenticated, JudgeLoopback: !n.Loopback}
	for i := range n.Networks {
		net := &n.Networks[i]
		p.Networks = append(p.Networks, policy.Network{ID: net.String(), Prefix: net.Prefix, Source: d.source(net)})
	}
	return p
}

func (d *decoder) exception(e *Exception) policy.Exception {
	return policy.Exception{
		ID: e.ID, Kind: e.Kind, Action: e.Action,
		Scope: policy.Scope{
			AuthorDomains: e.Scope.AuthorDomains, MailFrom: e.Scope.MailFrom,
			Recipients: e.Scope.Recipients, ListIDs: e.Scope.ListIDs,
		},
		Proof: policy.Proof{
			Clients: Prefixes(e.Proof.Clients), PTR: e.Proof.PTR, DKIM: e.Proof.DKIM, SPF: e.Proof.SPF, Sealers: e.Proof.Sealers,
		},
		Reason: e.Reason, Owner: e.Owner, Ticket: e.Ticket,
		Expires: e.Expires.Time, NeverExpires: e.NeverExpires, Override: e.Override, Source: d.source(e),
	}
}

func (d *decoder) sealer(s *Sealer) policy.Sealer {
	return policy.Sealer{
		ID: s.ID, Domains: s.Domains, Selectors: s.Selectors, AuthorDomains: s.AuthorDomains,
		Recipients: s.Recipients, Clients: Prefixes(s.Clients), Require: s.Require,
		ServIDs: s.AuthservIDs, Unmodified: s.Unmodified, Source: d.source(s),
	}
}

// Prefixes unwraps a list of networks.
func Prefixes(networks []Network) []netip.Prefix {
	var ps []netip.Prefix
	for _, n := range networks {
		ps = append(ps, n.Prefix)
	}
	return ps
}

func replies(r *Replies) policy.Replies {
	t := func(r Reply) policy.ReplyTemplate {
		return policy.ReplyTemplate{Code: r.Code, Enhanced: r.Enhanced, Text: r.Text}
	}
	return policy.Replies{
		DMARC: t(r.DMARC), Unauthenticated: t(r.Unauthenticated), PermError: t(r.PermError), SPF: t(r.SPF), From: t(r.From), Block: t(r.Block),
		TempError: t(r.TempError), Defer: t(r.Defer), Limit: t(r.Limit), Internal: t(r.Internal), URL: r.URL,
	}
}
