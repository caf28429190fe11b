package compare

import (
	"slices"
	"strings"

	"alignd/evidence"
)

// situation is what a rule looks at.
type situation struct {
	ev    *evidence.Message
	d     *evidence.DMARC // the evaluation that decided; may be nil
	pairs []Pair
}

// rule explains a kind of difference. The first one that holds does.
type rule struct {
	id      string
	methods []string
	holds   func(*situation, *Pair) bool
	cause   string
	right   Right
	section string
}

func (about *situation) explain(p *Pair) Difference {
	for i := range rules {
		r := &rules[i]
		if slices.Contains(r.methods, p.Method) && r.holds(about, p) {
			d := Difference{Pair: *p, Rule: r.id, Cause: r.cause, Right: r.right, Section: r.section}
			if r.id == follows {
				about.follow(&d)
			}
			return d
		}
	}
	return Difference{Pair: *p, Rule: "unexplained", Cause: "the evidence does not tell", Right: Untold}
}

// follows is the rule of a dmarc= that differs because an identifier does.
const follows = "follows"

// follow takes what is said of the identifier's difference.
func (about *situation) follow(d *Difference) {
	first := about.explain(about.identifier(&d.Pair))
	d.Rule = follows + "-" + first.Rule
	d.Cause = "follows from " + first.Method + ": " + first.Cause
	d.Right, d.Section = first.Right, first.Section
}

// identifier is the difference of spf or dkim that a difference of dmarc= follows from: one
// of both has a pass, of a domain related to the author's, that the other has not.
func (about *situation) identifier(p *Pair) *Pair {
	passed := p.Theirs
	if p.Ours == string(evidence.Pass) {
		passed = p.Ours
	}
	if passed != string(evidence.Pass) || about.d == nil {
		return nil
	}
	for i := range about.pairs {
		one := &about.pairs[i]
		of, _, _ := strings.Cut(one.Of, " ")
		if one.With != p.With || one.Same() || one.Method != SPF && one.Method != DKIM || !about.related(of) {
			continue
		}
		if (one.Theirs == passed) == (p.Theirs == passed) && (one.Ours == passed) == (p.Ours == passed) {
			return one
		}
	}
	return nil
}

// told reports whether the filter of p tells of a method.
func (about *situation) told(p *Pair, method string) bool {
	return slices.ContainsFunc(about.pairs, func(one Pair) bool { return one.With == p.With && one.Method == method })
}

// related: the name may be aligned with the Author Domain.
func (about *situation) related(name string) bool {
	author, org := about.d.AuthorDomain, about.d.OrgDomain
	return name == author || below(name, author) || below(author, name) || org != "" && (name == org || below(name, org))
}

// either reports whether one of both has the word.
func (p *Pair) either(result evidence.Result) bool {
	return p.Theirs == string(result) || p.Ours == string(result)
}

// spfReason is a rule for a reason of SPF.
func spfReason(words ...string) func(*situation, *Pair) bool {
	return func(about *situation, p *Pair) bool {
		c := about.ev.ReportedSPF()
		return c != nil && p.Ours == string(c.Result) && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(c.Reason, w) })
	}
}

// ours is a rule for a signature that failed on this with one of these reasons, none:
// any.
func ours(on evidence.Failure, reasons ...string) func(*situation, *Pair) bool {
	return func(_ *situation, p *Pair) bool {
		return p.sig != nil && p.sig.FailedOn == on &&
			(len(reasons) == 0 || slices.ContainsFunc(reasons, func(r string) bool { return strings.Contains(p.sig.Reason, r) }))
	}
}

func temporary(_ *situation, p *Pair) bool { return p.either(evidence.TempError) }

var rules = slices.Concat(spfRules, dkimRules, dmarcRules, otherRules)

var spfRules = []rule{
	{id: "spf-other-domain", methods: []string{SPF}, right: Untold,
		holds: func(about *situation, p *Pair) bool {
			return p.domain != "" && p.Of != "" && p.domain != p.Of
		},
		cause: "both looked at different domains"},
	{id: "spf-behind-relay", methods: []string{SPF}, right: Ours, section: "RFC 7208 section 2.5",
		holds: func(about *situation, _ *Pair) bool { return about.ev.Client.Original.IsValid() },
		cause: "alignd checks the client behind the trusted relay, the other one the relay"},
	{id: "spf-lookups", methods: []string{SPF}, right: Ours, section: "RFC 7208 section 4.6.4",
		holds: spfReason("that causes DNS questions, the limit is"), cause: "more than 10 terms cause DNS questions"},
	{id: "spf-voids", methods: []string{SPF}, right: Either, section: "RFC 7208 section 4.6.4",
		holds: spfReason("void lookups"), cause: "more void lookups than the limit, which is a SHOULD"},
	{id: "spf-mx-records", methods: []string{SPF}, right: Ours, section: "RFC 7208 section 4.6.4",
		holds: spfReason("MX records"), cause: "a name with more than 10 MX records"},
	{id: "spf-several-records", methods: []string{SPF}, right: Ours, section: "RFC 7208 section 4.5",
		holds: spfReason("several SPF records"), cause: "several SPF records"},
	{id: "spf-included-none", methods: []string{SPF}, right: Ours, section: "RFC 7208 section 5.2",
		holds: spfReason("no SPF record"), cause: "include: or redirect= of a domain without an SPF record"},
	{id: "spf-syntax", methods: []string{SPF}, right: Ours, section: "RFC 7208 section 4.6",
		holds: func(about *situation, p *Pair) bool {
			return p.Ours == string(evidence.PermError) && spfReason("SPF record of", "includes", "redirects")(about, p)
		},
		cause: "the SPF record has an error of syntax"},
	{id: "spf-temporary", methods: []string{SPF}, right: Untold, section: "RFC 7208 section 2.6.6", holds: temporary,
		cause: "DNS gave one of both no answer, or the other one takes none for an answer"},
	{id: "spf-macros", methods: []string{SPF}, right: Untold, section: "RFC 7208 section 7",
		holds: func(about *situation, _ *Pair) bool {
			c := about.ev.ReportedSPF()
			return c != nil && (strings.Contains(c.Record, "%{") || slices.ContainsFunc(c.Path, func(t evidence.SPFTerm) bool { return strings.Contains(t.Term, "%{") }))
		},
		cause: "the record has macros, which both expand differently"},
	{id: "spf-lookalike", methods: []string{SPF}, right: Ours, section: "RFC 7208 section 4.5",
		holds: func(about *situation, _ *Pair) bool {
			c := about.ev.ReportedSPF()
			return c != nil && c.Result == evidence.None && len(c.Lookalikes) > 0
		},
		cause: "a TXT record that looks like an SPF record and is none"},
	{id: "spf-record-found", methods: []string{SPF}, right: Untold, section: "RFC 7208 section 4.4",
		holds: func(about *situation, p *Pair) bool {
			c := about.ev.ReportedSPF()
			return c != nil && p.either(evidence.None) && (c.Record != "") == (p.Theirs == string(evidence.None))
		},
		cause: "one of both found an SPF record, the other none"},
}

var dkimRules = []rule{
	{id: "dkim-key-bits", methods: []string{DKIM}, right: Ours, section: "RFC 8301 section 3.2",
		holds: ours(evidence.FailedKey, "below 1024 bits"), cause: "an RSA key below 1024 bits"},
	{id: "dkim-sha1", methods: []string{DKIM}, right: Ours, section: "RFC 8301 section 3.1",
		holds: func(_ *situation, p *Pair) bool {
			return p.sig != nil && p.sig.Algorithm == "rsa-sha1" && p.Ours != string(evidence.Pass)
		},
		cause: "rsa-sha1, which must not be used"},
	{id: "dkim-ed25519", methods: []string{DKIM}, right: Ours, section: "RFC 8463 section 3",
		holds: func(_ *situation, p *Pair) bool {
			return p.sig != nil && p.sig.Algorithm == "ed25519-sha256" && p.Ours == string(evidence.Pass)
		},
		cause: "ed25519-sha256, which the other filter does not verify"},
	{id: "dkim-length", methods: []string{DKIM}, right: Either, section: "RFC 6376 section 8.2",
		holds: ours(evidence.FailedCoverage, "beyond l="), cause: "octets beyond l= are not signed"},
	{id: "dkim-from-unsigned", methods: []string{DKIM}, right: Ours, section: "RFC 6376 section 5.4",
		holds: ours(evidence.FailedCoverage, "From is not signed"), cause: "From is not signed"},
	{id: "dkim-partly-signed", methods: []string{DKIM}, right: Either, section: "RFC 6376 section 8.15",
		holds: ours(evidence.FailedCoverage, "fields are signed"), cause: "a field was added beside a signed one of its name"},
	{id: "dkim-expired", methods: []string{DKIM}, right: Either, section: "RFC 6376 section 3.5",
		holds: ours(evidence.FailedTime), cause: "the signature has expired, or was made in the future"},
	{id: "dkim-temporary", methods: []string{DKIM}, right: Untold, section: "RFC 6376 section 6.1.2", holds: temporary,
		cause: "DNS gave one of both no answer, or the other one takes none for an answer"},
	{id: "dkim-leading-space", methods: []string{DKIM}, right: Untold, section: "RFC 6376 section 3.4.1",
		holds: ours(evidence.FailedTransport), cause: "the MTA does not hand on what simple signs"},
	{id: "dkim-word", methods: []string{DKIM}, right: Ours, section: "RFC 8601 section 2.7.1",
		holds: func(_ *situation, p *Pair) bool {
			return !p.either(evidence.Pass) && !p.either(evidence.None) && !p.either(evidence.TempError) && p.Ours != Absent
		},
		cause: "it verifies for neither of both, and they have other words for why"},
	{id: "dkim-untried", methods: []string{DKIM}, right: Either, section: "RFC 6376 section 6.1",
		holds: func(_ *situation, p *Pair) bool {
			return p.Theirs == string(evidence.None) && p.sig != nil
		},
		cause: "the other filter tells of no signature that it tried"},
	{id: "dkim-no-key", methods: []string{DKIM}, right: Untold, section: "RFC 6376 section 6.1.2",
		holds: ours(evidence.FailedKey, "no key"), cause: "alignd found no key; the other filter may have had it in a cache"},
	{id: "dkim-key", methods: []string{DKIM}, right: Ours, section: "RFC 6376 section 6.1.2",
		holds: ours(evidence.FailedKey), cause: "the key is revoked, cannot be read, or is not for this use"},
	{id: "dkim-syntax", methods: []string{DKIM}, right: Ours, section: "RFC 6376 section 6.1.1",
		holds: ours(evidence.FailedSyntax), cause: "the signature cannot be read, or asks for what is not allowed"},
	{id: "dkim-their-policy", methods: []string{DKIM}, right: Either, section: "RFC 8601 section 2.7.1",
		holds: func(_ *situation, p *Pair) bool {
			return p.Theirs == string(evidence.Policy) && p.Ours == string(evidence.Pass)
		},
		cause: "it verifies, and the other filter does not want it (its policy)"},
	// A signature does not verify by mistake.
	{id: "dkim-verifies", methods: []string{DKIM}, right: Ours, section: "RFC 6376 section 6.1.3",
		holds: func(_ *situation, p *Pair) bool {
			return p.Ours == string(evidence.Pass) && (p.Theirs == string(evidence.Fail) || p.Theirs == string(evidence.Neutral) || p.Theirs == string(evidence.PermError))
		},
		cause: "the signature verifies with the published key"},
	{id: "dkim-changed", methods: []string{DKIM}, right: Untold, section: "RFC 6376 section 6.1.3",
		holds: func(_ *situation, p *Pair) bool {
			return p.Theirs == string(evidence.Pass) && p.sig != nil && (p.sig.FailedOn == evidence.FailedBody || p.sig.FailedOn == evidence.FailedHeader)
		},
		cause: "verified before alignd saw the message and no longer then: a filter in between changed it"},
}

var dmarcRules = []rule{
	{id: "from-several", methods: []string{DMARC, From}, right: Ours, section: "RFC 9989 section 11.5",
		holds: func(about *situation, _ *Pair) bool {
			return len(about.ev.From.Domains) > 1 || about.ev.From.Fields > 1
		},
		cause: "From names several domains; alignd judges each, and the strictest counts"},
	{id: "from-unusable", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 11.5",
		holds: func(about *situation, _ *Pair) bool { return about.ev.From.Problem != evidence.FromOK },
		cause: "From gives no single Author Domain"},
	{id: "from-of-policy", methods: []string{From}, right: Ours, section: "RFC 9989 section 9.1",
		holds: func(about *situation, p *Pair) bool {
			return about.d != nil && (p.Theirs == about.d.PolicyDomain || below(about.d.AuthorDomain, p.Theirs))
		},
		cause: "the other filter names the domain whose policy holds in the place of the author's"},
	{id: "from-read", methods: []string{From}, right: Ours, section: "RFC 5322 section 3.4",
		holds: func(*situation, *Pair) bool { return true },
		cause: "both read another Author Domain from From"},
	{id: "from-read", methods: []string{DMARC}, right: Ours, section: "RFC 5322 section 3.4",
		holds: func(about *situation, p *Pair) bool {
			return about.d != nil && p.domain != "" && p.domain != about.d.AuthorDomain && !below(about.d.AuthorDomain, p.domain)
		},
		cause: "both read another Author Domain from From"},
	{id: follows, methods: []string{DMARC},
		holds: func(about *situation, p *Pair) bool { return about.identifier(p) != nil }},
	{id: "dmarc-temporary", methods: []string{DMARC}, right: Untold, section: "RFC 9989 section 5.3.6", holds: temporary,
		cause: "DNS gave one of both no answer, or the other one takes none for an answer"},
	{id: "dmarc-tree-walk", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 4.10",
		holds: func(about *situation, p *Pair) bool {
			return about.d != nil && about.d.Discovery == evidence.TreeWalk && about.d.Divergence != nil && string(about.d.Divergence.Result) == p.Theirs
		},
		cause: "the Public Suffix List gives another record or Organizational Domain than the DNS Tree Walk"},
	{id: "dmarc-psl", methods: []string{DMARC}, right: Theirs, section: "RFC 9989 section 4.10",
		holds: func(about *situation, p *Pair) bool {
			return about.d != nil && about.d.Discovery == evidence.PSL && about.d.Divergence != nil && string(about.d.Divergence.Result) == p.Theirs
		},
		cause: "alignd goes by the Public Suffix List here (discovery: psl)"},
	{id: "dmarc-psd", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 4.10.1",
		holds: func(about *situation, _ *Pair) bool { return about.d != nil && about.d.Published.PSD == "y" },
		cause: "the policy is that of a Public Suffix Domain (psd=y), which the other filter does not ask"},
	{id: "dmarc-psl-guard", methods: []string{DMARC}, right: Either, section: "RFC 9989 section 11.8",
		holds: func(about *situation, p *Pair) bool {
			return about.d != nil && about.d.SiteDomain != "" && p.Theirs == string(evidence.Pass)
		},
		cause: "alignd lets names align below a registrable domain only (psl_guard)"},
	{id: "dmarc-unseen", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 5.3.4",
		holds: func(about *situation, p *Pair) bool {
			return about.d != nil && p.Ours == string(evidence.Pass) && p.Theirs == string(evidence.Fail) &&
				(about.d.DKIMAligned && !about.told(p, DKIM) || about.d.SPFAligned && !about.told(p, SPF))
		},
		cause: "an aligned identifier that passes, of whose method the other filter tells nothing"},
	{id: "dmarc-wide-spf", methods: []string{DMARC}, right: Either, section: "RFC 9989 section 7.1",
		holds: func(about *situation, p *Pair) bool {
			c := about.ev.ReportedSPF()
			return c != nil && c.Wide && p.Ours != string(evidence.Pass)
		},
		cause: "SPF passes for about everybody, which is not counted here (spf.wide)"},
	{id: "dmarc-strict", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 4.4",
		holds: func(about *situation, p *Pair) bool {
			return about.d != nil && p.Ours == string(evidence.Fail) && p.Theirs == string(evidence.Pass) &&
				(about.d.Published.StrictSPF || about.d.Published.StrictDKIM)
		},
		cause: "the record asks for strict alignment"},
	{id: "dmarc-several-records", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 4.10",
		holds: func(about *situation, _ *Pair) bool {
			return about.d != nil && strings.Contains(about.d.Reason, "several DMARC records")
		},
		cause: "several DMARC records, which count as none"},
	{id: "dmarc-no-p", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 4.10.1",
		holds: func(about *situation, _ *Pair) bool {
			return about.d != nil && about.d.Published.Text != "" && about.d.Published.P == evidence.PolicyAbsent
		},
		cause: "the DMARC record has no valid p; with a reporting address that is p=none, without one there is no policy"},
	{id: "dmarc-record", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 4.7",
		holds: func(about *situation, p *Pair) bool {
			return about.d != nil && (p.either(evidence.None) || p.either(evidence.PermError)) &&
				(len(about.d.Published.Errors) > 0 || len(about.d.Lookalikes) > 0 || about.d.Result == evidence.PermError)
		},
		cause: "the DMARC record has faults, and both read it differently"},
	{id: "dmarc-baseless", methods: []string{DMARC}, right: Ours, section: "RFC 9989 section 5.3.5",
		holds: func(about *situation, p *Pair) bool {
			told := false
			for i := range about.pairs {
				if one := &about.pairs[i]; one.With == p.With && (one.Method == SPF || one.Method == DKIM) {
					if one.Theirs == string(evidence.Pass) {
						return false
					}
					told = true
				}
			}
			return told && p.Theirs == string(evidence.Pass)
		},
		cause: "the other filter tells of a pass without an identifier that passes"},
	{id: "dmarc-no-policy-there", methods: []string{DMARC}, right: Untold,
		holds: func(about *situation, p *Pair) bool {
			return p.Theirs == string(evidence.None) && about.d != nil && about.d.PolicyDomain != ""
		},
		cause: "the other filter found no record where alignd did (compare_discovery: true tells whether the Public Suffix List is why), or tells no results under p=none"},
}

var otherRules = []rule{
	{id: "arc-word", methods: []string{ARC}, right: Ours, section: "RFC 8617 section 5.2",
		holds: func(_ *situation, p *Pair) bool {
			return p.Theirs != "none" && p.Theirs != "pass" && p.Theirs != "fail"
		},
		cause: "a word that ARC does not have: a chain has none, pass or fail"},
	{id: "arc-temporary", methods: []string{ARC}, right: Untold, section: "RFC 8617 section 5.2.2",
		holds: func(about *situation, _ *Pair) bool { return about.ev.ARC.Temporary },
		cause: "a key of the chain could not be had for now"},
	{id: "arc-reason", methods: []string{ARC}, right: Untold, section: "RFC 8617 section 5.2",
		holds: func(_ *situation, p *Pair) bool { return p.Ours == string(evidence.Fail) },
		cause: "the chain fails here; explain tells on what"},
	{id: "iprev-temporary", methods: []string{IPRev}, right: Untold, section: "RFC 8601 section 3", holds: temporary,
		cause: "DNS gave one of both no answer, or the other one takes none for an answer"},
}
