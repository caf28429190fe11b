package header

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"alignd/domain"
	"alignd/evidence"
)

// MaxAuthorDomains is the usual limit of distinct Author Domains in one
// message; ours, as RFC 9989 section 11.5 asks for one. Above it the From is
// FromTooMany.
const MaxAuthorDomains = 4

// AuthorDomains reads the domains of all mailboxes in all From fields (RFC
// 5322 section 3.6.2 with the obsolete forms of section 4.4, RFC 6854 groups,
// RFC 6532 UTF-8). A limit of zero or less means MaxAuthorDomains.
//
// The principle: every domain that a common reader may show as the author is
// either judged or makes the From unusable; none is dropped. So
//
//   - the domain of a mailbox is an Author Domain, and so is each part of it
//     where readers end a domain at different places (From.Partial);
//   - a domain in an encoded word, quoted string, comment or domain literal that
//     stands as a list element of its own, in front of an angle address without a
//     domain, in a local part, or as name of a group in a group, is one too, and the From is FromUnparsable, as
//     no pass of any domain in it can be relied on;
//   - so is one behind a comma in quotes or comments that stands behind a place where
//     RFC 5322 does not allow what stands there, as some readers go on at the comma;
//   - so is one in a name or comment that some readers take for the address, as the real one is
//     not as they expect it (fromreaders.go) or a comment leads them astray (fromodd.go);
//   - a domain in an unquoted address in front of an angle address is one too
//     (From.Fronts); ticket systems and forms write that, so policy is milder there.
//     So is one in an encoded word of a display name that is not to the letter of RFC
//     5322, as "@" or a backslash stands in it;
//   - a line inside of any field that reads "From:" behind a bare CR is a From
//     field more (Fields.Hidden);
//   - what stands behind at signs anywhere in a From that is no address list is
//     one too: in raw and decoded text, in comments, quotes and brackets, up to and
//     behind NUL and line breaks. The From is FromUnparsable, and From.Sole
//     says that nobody can see another domain in it than the one.
//
// A quoted or encoded display name in front of an angle address with a domain is
// none (RFC 9989 section 11.4), nor is the name of a group that holds one. A word
// of one label behind an at sign in a name is none ("Acme@Home, Inc."). U+FF20
// and U+FE6B count as at signs.
//
// What mail programs accept is accepted: unquoted dots, at signs and commas in
// a display name, a missing semicolon after a group, words after the angle
// address. A mailbox without a domain name (a literal that is an IP address, no
// domain at all) has no Author Domain; it is ignored beside others. A name that DNS
// cannot carry is not: what a mail program shows of one that holds invisible or
// broken characters may be somebody else's name. The From is then FromUnparsable.
//
// The time is linear in the length of the fields.
func AuthorDomains(h *Fields, limit int) evidence.From {
	if limit <= 0 {
		limit = MaxAuthorDomains
	}
	p := addressList{authors: authors{limit: limit, left: maxNames}}
	fields := 0
	for i := range h.Len() {
		f := h.At(i)
		if !isFrom(f.Name()) {
			continue
		}
		fields++
		p.read(f.Value())
	}
	hidden := 0
	h.Hidden(func(_ int, name, value []byte) {
		if isFrom(name) {
			hidden++
			p.read(value)
		}
	})
	if len(p.names) == 0 {
		p.names, p.roles = p.short, make([]role, len(p.short))
		for i := range p.roles {
			p.roles[i] = asMailbox
		}
	}
	from := evidence.From{Fields: fields + hidden, Domains: p.names}
	from.Problem, from.Detail = p.problem(fields, hidden)
	from.Sole = from.Problem == evidence.FromUnparsable && len(p.names) == 1 && !p.torn && !p.broken
	for i, d := range p.names {
		switch p.roles[i] {
		case asPart:
			from.Partial = append(from.Partial, d)
		case asFront:
			from.Fronts = append(from.Fronts, evidence.FrontDomain{Domain: d, Angles: p.angles[d]})
		}
	}
	return from
}

// isFrom also takes the white space before the colon that RFC 5322 section
// 4.5.2 allowed, as mail programs show such a field.
func isFrom(name []byte) bool {
	return len(name) >= 4 && bytes.EqualFold(bytes.TrimRight(name, " \t"), []byte("from"))
}

// role is what makes a domain one of the author's, the weakest first.
type role int

const (
	asFront   role = iota // an unquoted address in front of an angle address
	asPart                // a part of a domain
	asShown               // where only some readers see an address
	asMailbox             // a mailbox
)

// authors collects the domains.
type authors struct {
	limit  int
	names  []string
	roles  []role              // of names
	angles map[string][]string // by a domain with the role asFront: those behind it
	short  []string            // one label behind an at sign, perhaps part of a name
	more   bool                // there were more than limit
	left   int                 // names that finders may look at
	plain  bool                // the field holds no encoded word for anybody
	reread int                 // octets of encoded words that several elements had

	fault    string // the first reason why a field is no address list
	unusable string // the last domain that DNS cannot carry
	broken   bool   // a reader may show a domain that was not found
	torn     bool   // NUL or a line break that is no fold
	group    bool   // there was a group
	mailbox  bool   // there was something that is meant to be a mailbox
}

// add notes a normalized domain.
func (a *authors) add(d string, r role) {
	i := slices.Index(a.names, d)
	switch {
	case i >= 0:
		a.roles[i] = max(a.roles[i], r)
	case len(a.names) == a.limit:
		a.more = true
	default:
		a.names, a.roles = append(a.names, d), append(a.roles, r)
	}
}

// addFront notes a domain in front of an angle address.
func (a *authors) addFront(d, angle string) {
	if d == angle {
		return
	}
	a.add(d, asFront)
	if slices.Contains(a.names, d) && !slices.Contains(a.angles[d], angle) {
		if a.angles == nil {
			a.angles = map[string][]string{}
		}
		a.angles[d] = append(a.angles[d], angle)
	}
}

// search notes the domains in text that some readers take for an address. whole
// is a field that is no address list.
func (a *authors) search(text []byte, whole bool) {
	if a.more {
		return
	}
	f := finder{note: func(d string) { a.add(d, asShown) }, left: &a.left, joins: whole, plain: a.plain}
	f.search(text)
	a.broken = a.broken || f.broken
	a.more = a.more || a.left < 0
}

// problem names what is wrong with the From fields, the gravest first.
func (a *authors) problem(fields, concealed int) (evidence.FromProblem, string) {
	hidden := slices.Index(a.roles, asShown)
	switch {
	case fields == 0:
		return evidence.FromMissing, "the message has no From field"
	case concealed > 0 && !a.more:
		return evidence.FromSeveral, "the message has a From field behind a line break that is no fold, inside of another field"
	case a.more && fields+concealed > 1:
		return evidence.FromTooMany, fmt.Sprintf("the message has %d From fields with more than %d domains", fields+concealed, a.limit)
	case a.more:
		return evidence.FromTooMany, fmt.Sprintf("From names more than %d domains", a.limit)
	case fields > 1:
		return evidence.FromSeveral, fmt.Sprintf("the message has %d From fields", fields)
	case a.fault != "":
		return evidence.FromUnparsable, "From is no address list: " + a.fault
	case a.unusable != "":
		return evidence.FromUnparsable, fmt.Sprintf("From has no usable domain: %.100q", a.unusable)
	case a.broken:
		return evidence.FromUnparsable, "From may show another author: it holds a word or a domain that cannot be read for certain"
	case hidden >= 0 && slices.Contains(a.roles, asMailbox):
		return evidence.FromUnparsable, "From may show another author: " + a.names[hidden] + " stands where only some programs read an address"
	case hidden >= 0:
		return evidence.FromUnparsable, "From has no address: " + a.names[hidden] + " stands where only some programs read one"
	case len(a.names) > 0:
		return evidence.FromOK, ""
	case a.group && !a.mailbox:
		return evidence.FromEmpty, "From is a group without a mailbox"
	default:
		return evidence.FromUnparsable, "From has no address with a domain"
	}
}

// addPart notes what may be taken for the domain of a mailbox.
func (a *authors) addPart(name string) {
	if d, err := domain.Normalize(name); err == nil {
		a.add(d, asPart)
	} else {
		a.unusable = strings.Clone(name[:min(len(name), 100)])
	}
}
