package dmarc

import (
	"context"
	"strings"

	"golang.org/x/net/publicsuffix"

	"alignd/domain"
)

// isSuffix reports whether name has one label or is in the ICANN section of
// the Public Suffix List.
func isSuffix(name string) bool {
	if !strings.Contains(name, ".") {
		return true
	}
	suffix, icann := publicsuffix.PublicSuffix(name)
	return icann && suffix == name
}

// isPrivate reports whether name is in the private section of the list, of those
// who let others register below a name of theirs.
func isPrivate(name string) bool {
	suffix, icann := publicsuffix.PublicSuffix(name)
	return !icann && suffix == name && strings.Contains(name, ".")
}

// parted reports whether the guard keeps author and id apart, whose longest common
// suffix is c: each is below c, and they are of different registrants. That is so
// where c is a private suffix that does not say psd=n, and where a suffix lies below
// c, as with the wildcards of the list. A suffix and what is below it are left to
// RFC 9989 section 4.10.2, as are two names below the one of a registrant.
func (t *treeWalk) parted(ctx context.Context, author, id, c string) bool {
	switch {
	case !t.guard || c == "" || c == author || c == id:
		return false
	case suffixBetween(author, c) || suffixBetween(id, c):
		return true
	}
	return isPrivate(c) && !t.saysN(ctx, c)
}

// saysN reports whether name says of itself that it is no public suffix.
func (t *treeWalk) saysN(ctx context.Context, name string) bool {
	f := t.ask(ctx, name)
	return f.err == nil && f.rec != nil && f.rec.PSD == "n"
}

// suffixBetween reports whether a suffix lies above name and below c. Where c is
// one of the ICANN section, only private ones count: its own record then tells.
func suffixBetween(name, c string) bool {
	for p := domain.Parent(name); len(p) > len(c); p = domain.Parent(p) {
		if isPrivate(p) || isSuffix(p) && !isSuffix(c) {
			return true
		}
	}
	return false
}

// site is the name of author's registrant, where the guard makes it narrower than
// the Organizational Domain org: the one below the longest suffix that parted
// knows of; else empty.
func (t *treeWalk) site(ctx context.Context, author, org string) string {
	if !t.guard || org == "" {
		return ""
	}
	below := author
	for p := domain.Parent(author); len(p) >= len(org); below, p = p, domain.Parent(p) {
		if p == org && isPrivate(p) && !t.saysN(ctx, p) || p != org && (isPrivate(p) || isSuffix(p)) {
			return below
		}
	}
	return ""
}

// passedOver reports whether the guard lets the answer of a suffix be missing: it
// could only say psd=n to matter to the record found below it (RFC 9989 section
// 4.10.2), or leave that record unused in favour of its own.
func (t *treeWalk) passedOver(name string, found bool) bool {
	return t.guard && found && (isSuffix(name) || isPrivate(name))
}
