package dmarc

import (
	"cmp"
	"context"

	"golang.org/x/net/publicsuffix"
)

// suffixList is the discovery of RFC 7489 section 6.6.3.
type suffixList struct{ *asker }

// discover asks the Author Domain, then its Organizational Domain, also where the
// first does not answer. Several records end it: DMARC is not applied.
func (l suffixList) discover(ctx context.Context, author string) discovered {
	d := discovered{org: suffixOrg(author), own: l.ask(ctx, author)}
	f, name := d.own, author
	if f.rec == nil && !f.several && d.org != author && (f.err == nil || !l.ends(f.err)) {
		f, name = l.ask(ctx, d.org), d.org
	}
	if d.lookalikes = at(author, d.own.like); name != author {
		d.lookalikes = append(d.lookalikes, at(name, f.like)...)
	}
	if f.rec == nil {
		d.err = cmp.Or(d.own.err, f.err)
		return d
	}
	d.rec, d.domain, d.open = f.rec, name, d.own.err
	return d
}

func (l suffixList) orgDomain(_ context.Context, name string) (string, error) {
	return suffixOrg(name), nil
}

func (l suffixList) knownOrg(name string) string { return suffixOrg(name) }

func (l suffixList) sameOrg(_ context.Context, _, org, id string) (bool, error) {
	return suffixOrg(id) == org, nil
}

// suffixOrg is the public suffix and one label more (RFC 7489 section 3.2); a
// public suffix is its own Organizational Domain.
func suffixOrg(name string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return org
}
