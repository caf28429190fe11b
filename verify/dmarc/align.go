package dmarc

import (
	"context"
	"errors"
	"slices"

	"alignd/domain"
	"alignd/evidence"
	"alignd/internal/owned"
	"alignd/resolver"
)

// maxIdentifiers is how many distinct identifiers that differ from the Author
// Domain are considered; ours. Those above it are not aligned.
const maxIdentifiers = 20

// aligner computes Identifier Alignment with one Author Domain (RFC 9989
// section 4.4).
type aligner struct {
	*judge
	author  string
	rec     *Record
	domains []*identifier
}

// identifier is a domain that differs from the Author Domain, and whether it
// is aligned in relaxed mode.
type identifier struct {
	domain  string
	aligned bool
	err     error
}

// candidate is one use of an identifier.
type candidate struct {
	domain      string
	exact       bool // strict mode, a public suffix, or a policy that is open: only equality aligns
	index       int  // in Identifiers.DKIM; -1 is SPF
	*identifier      // nil when equality decides
}

// identify sets the alignment fields and the result of out.
func (a *aligner) identify(ctx context.Context, ids Identifiers, out *evidence.DMARC) {
	unresolved := false
	for _, c := range a.resolve(ctx, a.candidates(ids, evidence.Pass)) {
		switch aligned, err := a.aligned(c); {
		case aligned && c.index < 0:
			out.SPFAligned = true
		case aligned:
			out.DKIMAligned = true
			out.AlignedDKIM = append(out.AlignedDKIM, c.index)
		case err != nil:
			unresolved = true
		}
	}
	switch {
	case out.SPFAligned || out.DKIMAligned:
		out.Result = evidence.Pass
		return
	case a.policy.open != nil: // an own record could ask for anything, strict alignment too
		out.Result, out.Reason = evidence.TempError, policyTemporary
		out.PolicyTemporary = true
		return
	}
	if !unresolved {
		unresolved = a.pending(ctx, ids)
	}
	if unresolved {
		out.Result, out.Reason = evidence.TempError, "temporary DNS failure for an identifier that may be aligned"
		out.IdentifierTemporary = true
		return
	}
	out.Result, out.Reason = evidence.Fail, "no aligned identifier"
}

// pending reports whether an identifier that would be aligned could not be
// authenticated because of a temporary error (RFC 9989 section 5.3.6).
func (a *aligner) pending(ctx context.Context, ids Identifiers) bool {
	for _, c := range a.resolve(ctx, a.candidates(ids, evidence.TempError)) {
		if aligned, err := a.aligned(c); aligned || err != nil {
			return true
		}
	}
	return false
}

// candidates lists the identifiers with this result, DKIM first.
func (a *aligner) candidates(ids Identifiers, result evidence.Result) []candidate {
	list := make([]candidate, 0, len(ids.DKIM)+1)
	add := func(name string, exact bool, index int) {
		if name, err := domain.Normalize(name); err == nil {
			list = append(list, candidate{domain: name, exact: exact, index: index})
		}
	}
	for i := range ids.DKIM {
		if s := &ids.DKIM[i]; s.Result == result {
			add(s.Domain, a.rec.StrictDKIM || s.PublicSuffix || a.policy.open != nil, i)
		}
	}
	if s := ids.SPF; s != nil && s.Result == result {
		add(s.Domain, a.rec.StrictSPF || a.policy.open != nil, -1)
	}
	return list
}

// resolve finds out about the candidates that need an Organizational Domain,
// each domain once, side by side.
func (a *aligner) resolve(ctx context.Context, list []candidate) []candidate {
	var open []*identifier
	for i := range list {
		c := &list[i]
		if c.exact || c.domain == a.author {
			continue
		}
		at := slices.IndexFunc(a.domains, func(id *identifier) bool { return id.domain == c.domain })
		if at >= 0 {
			c.identifier = a.domains[at]
			continue
		}
		if len(a.domains) == maxIdentifiers {
			continue
		}
		c.identifier = &identifier{domain: c.domain}
		a.domains = append(a.domains, c.identifier)
		open = append(open, c.identifier)
	}
	a.compareAll(ctx, open)
	return list
}

// compareAll compares each identifier with the Author Domain.
func (a *aligner) compareAll(ctx context.Context, open []*identifier) {
	compare := func(id *identifier) {
		id.aligned, id.err = a.sameOrg(ctx, a.author, a.policy.org, id.domain)
		if errors.Is(id.err, resolver.ErrBudget) {
			id.err = nil // refused by our own limit: simply not authenticated
		}
	}
	if len(open) == 0 {
		return
	}
	var aside owned.Group
	for _, id := range open[1:] {
		aside.Go(func() { compare(id) })
	}
	compare(open[0])
	aside.Wait()
}

// aligned applies RFC 9989 section 4.4 to a resolved candidate.
func (a *aligner) aligned(c candidate) (bool, error) {
	if c.domain == a.author {
		return true, nil
	}
	if c.identifier == nil {
		return false, nil
	}
	return c.identifier.aligned, c.identifier.err
}

// compared lists the identifiers whose Organizational Domain mattered, with that
// domain as far as the comparison found it: it asks no more than it needs.
func (a *aligner) compared(org string) []evidence.Organization {
	if len(a.domains) == 0 {
		return nil
	}
	list := make([]evidence.Organization, len(a.domains))
	for i, id := range a.domains {
		of := a.knownOrg(id.domain)
		if of == "" && id.aligned {
			of = org
		}
		list[i] = evidence.Organization{Domain: id.domain, OrgDomain: of}
	}
	return list
}
