package policy

import "alignd/evidence"

// Identifier is something that may be aligned with an Author Domain: the domain that SPF
// checked, or that of a signature.
type Identifier struct {
	// Signature is its number in Message.DKIM, from 1; 0 is SPF.
	Signature int
	Domain    string
	Result    evidence.Result
	// Aligned: it is of the Author Domain (RFC 9989 section 4.4), whether it passes or not.
	// Known is false where only its Organizational Domain could tell, which is not known.
	Aligned, Known bool
	// Strict: it has to be the Author Domain exactly.
	Strict bool
	// OrgDomain is its Organizational Domain, as far as that was looked up.
	OrgDomain string
	// Ignored: SPF passes for about everybody, and so counts for nothing (spf.wide).
	Ignored bool
}

// Counts reports whether the Author Domain passes by it.
func (x *Identifier) Counts() bool { return x.Aligned && x.Result == evidence.Pass && !x.Ignored }

// Identifiers are all that may be aligned with an Author Domain, SPF first. It is pure.
func Identifiers(ev *evidence.Message, dm *evidence.DMARC) (list []Identifier) {
	add := func(x Identifier) {
		yes, missing := aligned(x.Domain, dm, x.Strict)
		x.Aligned, x.Known = yes, missing == noFacts
		for _, c := range dm.Compared {
			if c.Domain == x.Domain {
				x.OrgDomain = c.OrgDomain
			}
		}
		list = append(list, x)
	}
	if c := ev.ReportedSPF(); c != nil {
		add(Identifier{Domain: c.Domain, Result: c.Result, Strict: dm.Published.StrictSPF})
		x := &list[0]
		x.Ignored = x.Result == evidence.Pass && x.Aligned && !dm.SPFAligned && c.Wide
	}
	for i := range ev.DKIM {
		s := &ev.DKIM[i]
		add(Identifier{Signature: i + 1, Domain: s.Domain, Result: s.Result, Strict: dm.Published.StrictDKIM || s.PublicSuffix})
	}
	return list
}
