package dkim

import (
	"time"

	"alignd/evidence"
)

func (p *Params) readTimes(tags tagList) *Problem {
	signed, ok := p.readTime(tags, "t")
	if !ok {
		return malformed("t= is not a number")
	}
	p.Signed = signed
	if p.Kind == Seal {
		return nil // x= is not defined for a seal
	}
	expires, ok := p.readTime(tags, "x")
	if !ok {
		return malformed("x= is not a number")
	}
	p.Expires = expires
	if !signed.IsZero() && !expires.IsZero() && !expires.After(signed) && expires != never {
		return unacceptable("x= is not after t=")
	}
	return nil
}

// vacant reports whether a value is left out: t=, x=, l= or c= with nothing in it,
// where RFC 6376 section 3.5 wants a digit or a word at least. In a DKIM-Signature it
// is read as if the tag were absent, as most verifiers do: there is no time to
// compare, and the whole body is signed.
func (p *Params) vacant(t tag) bool { return p.Kind == Signature && len(t.value) == 0 }

// never stands for times of more than 12 digits, which RFC 6376 section 3.5
// allows to be taken as infinite.
var never = time.Unix(999_999_999_999, 0)

// readTime returns the zero time when the tag is absent.
func (p *Params) readTime(tags tagList, name string) (time.Time, bool) {
	t, ok := tags.get(name)
	if !ok || p.vacant(t) {
		return time.Time{}, true
	}
	n, ok := parseNumber(t.value)
	switch {
	case !ok:
		return time.Time{}, false
	case len(t.value) > 12 && n > never.Unix():
		return never, true
	}
	return time.Unix(n, 0), true
}

// checkTimes compares t= and x= with the clock. RFC 6376 section 3.5 lets us
// ignore what is expired or from the future; RFC 8617 says nothing of the kind
// for seals.
func (p *Params) checkTimes(now time.Time, skew time.Duration) *Problem {
	if p.Kind == Seal {
		return nil
	}
	if !p.Expires.IsZero() && now.After(p.Expires.Add(skew)) {
		return &Problem{evidence.Fail, "signature has expired", evidence.FailedTime}
	}
	if !p.Signed.IsZero() && p.Signed.After(now.Add(skew)) {
		return &Problem{evidence.Fail, "signed in the future", evidence.FailedTime}
	}
	return nil
}
