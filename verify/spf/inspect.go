package spf

import (
	"net/netip"

	"alignd/resolver"
)

// Published is what a TXT answer holds of SPF, as a check reads it (RFC 7208 section
// 4.5). Without a record all but Lookalikes are empty.
type Published struct {
	Text   string
	Record *Record
	Err    error // why there is no Record
	// Lookalikes are texts that look like a record and are none.
	Lookalikes []string
}

// Select picks the SPF record of a TXT answer.
func Select(a *resolver.Answer) Published {
	s := selected(a)
	return Published{s.text, s.record, s.err, s.like}
}

// Name is the name that a term is about, when it is at home in the record of
// current; macros is true where that depends on the message (RFC 7208 section 7),
// and then there is none.
func (t *Term) Name(current string) (name string, macros bool) {
	switch {
	case t.Target == nil:
		return current, false
	case t.Target.name == "":
		return "", true
	}
	return t.Target.name, false
}

// Asks reports whether a term causes DNS questions that count (RFC 7208 section
// 4.6.4).
func (t *Term) Asks() bool {
	switch t.Kind {
	case Include, A, MX, PTR, Exists, Redirect:
		return true
	}
	return false
}

// UsesMacro reports whether a macro of this letter stands in the term's domain.
func (t *Term) UsesMacro(letter byte) bool {
	if t.Target == nil {
		return false
	}
	for _, p := range t.Target.pieces {
		if p.letter == letter {
			return true
		}
	}
	return false
}

// Wide reports whether the term matches about every client of a family.
func (t *Term) Wide() bool {
	for _, ip := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		e := evaluation{ip: ip}
		if (t.Kind != IP4 || ip.Is4()) && (t.Kind != IP6 || ip.Is6()) && e.wide(t) {
			return true
		}
	}
	return false
}

// String is the term in one spelling; see Record.String.
func (t *Term) String() string {
	r := Record{Terms: []Term{*t}}
	return r.String()[len(version)+1:]
}
