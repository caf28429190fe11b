package dmarc

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"alignd/domain"
	"alignd/internal/owned"
	"alignd/resolver"
)

// sameOrg implements method. Of names that share a public suffix and nothing
// more, a temporary failure leaves nothing open where the guard is on: they
// could be of one organization only if the registry said psd=n. Without this a
// sender whose own names are slow could have the time of the message run out
// before the suffix is asked, and so turn a fail into a temporary error.
func (t *treeWalk) sameOrg(ctx context.Context, author, org, id string) (bool, error) {
	c := commonSuffix(author, id)
	if t.parted(ctx, author, id, c) {
		return false, nil
	}
	same, err := t.compare(ctx, author, org, id)
	if err == nil || !t.guard {
		return same, err
	}
	if !isSuffix(c) {
		return false, err
	}
	for ; c != ""; c = domain.Parent(c) {
		if t.saysN(ctx, c) {
			return false, err
		}
	}
	return false, nil
}

// compare finds out with fewer questions than two walks take. Both walks meet
// at the common suffix of the names, c. One that stops before c ends in an
// Organizational Domain that the other cannot have. If neither does, the first
// record at or above c decides, and what is above it cannot matter: so neither
// the registry's name nor most parents need to be asked.
//
// The part of id below c is asked beside the rest, except when c is a public
// suffix, where id is most likely unrelated and is asked only if need be.
func (t *treeWalk) compare(ctx context.Context, author, org, id string) (bool, error) {
	c := commonSuffix(author, id)
	switch {
	case c == "":
		return false, nil
	case strings.Count(author, ".") >= maxLabels || strings.Count(id, ".") >= maxLabels:
		return t.bothWalks(ctx, author, id) // one jumps, and may miss c
	}
	upper := func() (bool, error) {
		meets, err := t.meets(ctx, author, c)
		if !meets && err == nil {
			return false, nil
		}
		return both(meets, err)(t.shared(ctx, c))
	}
	if id == c {
		return upper()
	}
	if org != "" || isSuffix(c) { // upper is known already, or will most likely deny
		ok, err := upper()
		if !ok && err == nil {
			return false, nil
		}
		return both(ok, err)(t.reaches(ctx, id, c))
	}
	var ok bool
	var err error
	var aside owned.Group
	aside.Go(func() { ok, err = t.reaches(ctx, id, c) })
	upOK, upErr := upper()
	aside.Wait()
	return both(ok, err)(upOK, upErr)
}

// both is "and" over answers that may be unknown: one no is enough.
func both(a bool, aErr error) func(b bool, bErr error) (bool, error) {
	return func(b bool, bErr error) (bool, error) {
		switch {
		case aErr == nil && !a || bErr == nil && !b:
			return false, nil
		case aErr != nil:
			return false, aErr
		default:
			return bErr == nil, bErr
		}
	}
}

// meets reports whether the walk from name gets to its suffix c. Where it stops
// above a name whose answer is missing, it does not, whatever that name holds.
func (t *treeWalk) meets(ctx context.Context, name, c string) (bool, error) {
	var missing error
	for ; name != c; name = domain.Parent(name) {
		f := t.ask(ctx, name)
		switch {
		case f.err != nil:
			missing = cmp.Or(missing, f.err)
		case t.psd(name, f.rec) != "u":
			return false, nil
		}
	}
	return missing == nil, missing
}

// reaches is meets for an identifier below c. That its own name does not answer is
// not held against it: whoever answers there could as well have published nothing,
// so a record there never keeps a stranger out.
func (t *treeWalk) reaches(ctx context.Context, id, c string) (bool, error) {
	if f := t.ask(ctx, id); f.err != nil && !errors.Is(f.err, resolver.ErrBudget) {
		id = domain.Parent(id)
	}
	return t.meets(ctx, id, c)
}

// shared reports whether two walks that meet at c, the longest common suffix of
// their starts, give one Organizational Domain (RFC 9989 section 4.10.2). A record
// above a name whose answer is missing says that they do, whatever that name holds:
// only at c could it part them, or among public suffixes where the guard is on.
func (t *treeWalk) shared(ctx context.Context, c string) (bool, error) {
	var missing error
	for name := c; name != ""; name = domain.Parent(name) {
		f := t.ask(ctx, name)
		switch {
		case f.err != nil && (name == c || t.guard && (isSuffix(name) || isSuffix(c))):
			return false, f.err
		case f.err != nil:
			missing = cmp.Or(missing, f.err)
			continue
		case f.rec == nil:
			continue
		case t.psd(name, f.rec) == "y": // one label longer than name: in c, or different
			return t.sharedBelow(name, c), nil
		}
		return true, nil
	}
	return false, missing
}

// sharedBelow reports whether the Organizational Domain below psd is at or
// above c; the guard may move it down, see org.
func (t *treeWalk) sharedBelow(psd, c string) bool {
	for name := c; name != psd; name = domain.Parent(name) {
		if !t.guard || !isSuffix(name) {
			return true
		}
	}
	return false
}

// bothWalks compares the Organizational Domains of author and id after whole
// walks, side by side. One alone may show that they differ.
func (t *treeWalk) bothWalks(ctx context.Context, author, id string) (bool, error) {
	var org string
	var err error
	var aside owned.Group
	aside.Go(func() { org, err = t.orgDomain(ctx, author) })
	idOrg, idErr := t.orgDomain(ctx, id)
	aside.Wait()
	switch {
	case err == nil && id != org && !domain.IsBelow(id, org):
		return false, nil
	case idErr == nil && author != idOrg && !domain.IsBelow(author, idOrg):
		return false, nil
	case err != nil:
		return false, err
	default:
		return idErr == nil && idOrg == org, idErr
	}
}

// commonSuffix returns the labels that a and b share at their right ends.
func commonSuffix(a, b string) string {
	i := 0 // octets compared from the right
	cut := 0
	for i < len(a) && i < len(b) && a[len(a)-1-i] == b[len(b)-1-i] {
		if a[len(a)-1-i] == '.' {
			cut = i
		}
		i++
	}
	if (i == len(a) || a[len(a)-1-i] == '.') && (i == len(b) || b[len(b)-1-i] == '.') {
		cut = i
	}
	return a[len(a)-cut:]
}
