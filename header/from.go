package header

import (
	"bytes"
	"fmt"
	"slices"

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
// What mail programs accept is accepted: unquoted dots, at signs and commas in
// a display name, a missing semicolon after a group, words after the angle
// address. It never hides a domain: where a reader less strict than RFC 5322
// could see another domain, that one counts too, or the From is
// FromUnparsable. What stands before an angle address is display text, also
// where it looks like an address without its quotes: mail programs show it as a
// name, RFC 9989 section 11.4 leaves it out, and webmail and ticket systems send
// it. Encoded words are not decoded; they are display text.
//
// A mailbox without a domain name (a domain literal, no domain at all) has no
// Author Domain; it is ignored beside others. A name that DNS cannot carry is
// not: what a mail program shows of one that holds invisible or broken
// characters may be somebody else's name. The From is then FromUnparsable, with
// the Domains of the other mailboxes; Domains is empty when a field cannot be
// read at all.
func AuthorDomains(h *Fields, limit int) evidence.From {
	if limit <= 0 {
		limit = MaxAuthorDomains
	}
	var from evidence.From
	p := addressList{limit: limit}
	for i := range h.Len() {
		f := h.At(i)
		if !isFrom(f.Name()) {
			continue
		}
		from.Fields++
		p.read(f.Value())
	}
	from.Problem, from.Detail = p.problem(from.Fields)
	if p.bad == "" {
		from.Domains, from.Partial = p.domains, p.partial
	}
	return from
}

// isFrom also takes the white space before the colon that RFC 5322 section
// 4.5.2 allowed, as mail programs show such a field.
func isFrom(name []byte) bool {
	return len(name) >= 4 && bytes.EqualFold(bytes.TrimRight(name, " \t"), []byte("from"))
}

// problem names what is wrong with the From fields, the gravest first.
func (p *addressList) problem(fields int) (evidence.FromProblem, string) {
	switch {
	case fields == 0:
		return evidence.FromMissing, "the message has no From field"
	case p.bad == "" && len(p.domains) > 0 && p.more:
		if fields > 1 {
			return evidence.FromTooMany, fmt.Sprintf("the message has %d From fields with more than %d domains", fields, p.limit)
		}
		return evidence.FromTooMany, fmt.Sprintf("From names more than %d domains", p.limit)
	case fields > 1:
		return evidence.FromSeveral, fmt.Sprintf("the message has %d From fields", fields)
	case p.bad != "":
		return evidence.FromUnparsable, "From is no address list: " + p.bad
	case p.unusable != "":
		return evidence.FromUnparsable, fmt.Sprintf("From has no usable domain: %.100q", p.unusable)
	case len(p.domains) > 0:
		return evidence.FromOK, ""
	case p.group && !p.mailbox:
		return evidence.FromEmpty, "From is a group without a mailbox"
	default:
		return evidence.FromUnparsable, "From has no address with a domain"
	}
}

// addressList collects the domains of address lists. It reads each octet at
// most twice.
type addressList struct {
	scanner
	limit    int
	domains  []string
	partial  []string // of domains
	more     bool     // there were more domains than limit
	group    bool     // there was a group
	mailbox  bool     // there was something that is meant to be a mailbox
	unusable string   // the last domain that DNS cannot carry
}

// read reads one field value. What makes it no address list is left in p.bad.
func (p *addressList) read(value []byte) {
	if p.bad != "" {
		return
	}
	p.text, p.at = value, 0
	switch {
	case bytes.IndexByte(value, 0) >= 0:
		p.fail("a NUL") // some readers end here
	case !foldedWell(value):
		p.fail("a line break that is no fold")
	}
	for p.bad == "" && p.element() {
	}
}

// foldedWell reports whether CR and LF occur in folds only (RFC 5322 section
// 2.2.3), or as the end of the value.
func foldedWell(value []byte) bool {
	value = bytes.TrimSuffix(value, []byte("\r\n"))
	for i, c := range value {
		switch c {
		case '\r':
			if i+1 == len(value) || value[i+1] != '\n' {
				return false
			}
		case '\n':
			if i == 0 || value[i-1] != '\r' || i+1 == len(value) || value[i+1] != ' ' && value[i+1] != '\t' {
				return false
			}
		}
	}
	return true
}

// element reads up to the next comma, semicolon or colon outside of an angle
// address: a mailbox, a group name, a piece of a display name with an unquoted
// comma, or nothing. It reports whether there is more.
func (p *addressList) element() bool {
	words := false  // something stood here already
	at, ats := 0, 0 // behind the last at sign; number of at signs
	for p.bad == "" {
		switch p.next() {
		case tokWord, tokQuoted, tokDot:
			words = true
		case tokAt:
			if !words {
				p.fail("an address without local part")
			}
			at, ats = p.at, ats+1
			p.literal()
		case tokOpen: // whatever stood before it is a display name
			p.angle()
			return p.trailing()
		case tokClose:
			p.fail("a > without <")
		case tokColon:
			if ats > 0 {
				p.fail("an address before a colon")
			}
			p.group = true
			return true
		default: // comma, semicolon, end
			p.mailbox = p.mailbox || words
			if ats > 0 {
				p.bare(at, ats)
			}
			return p.tok != tokEnd
		}
	}
	return false
}

// bare reads the domain of an address without angle brackets, which stands
// behind the at sign and must reach to the end of the element. Words before
// the local part cannot change the domain and are let through.
func (p *addressList) bare(at, ats int) {
	if ats > 1 {
		p.fail("several at signs in one address")
		return
	}
	p.at = at
	p.domain()
	if t := p.next(); t != tokComma && t != tokSemicolon && t != tokEnd {
		p.fail("text after an address")
	}
}

// angle reads an angle address behind its "<", up to and with ">".
func (p *addressList) angle() {
	p.mailbox = true
	if p.next() == tokAt {
		p.route()
		p.next()
	}
	for words := false; p.bad == ""; {
		switch p.tok {
		case tokWord, tokQuoted, tokDot:
			words = true
			p.next()
		case tokClose: // <> or <local>
			return
		case tokAt:
			if !words {
				p.fail("an angle address without local part")
			}
			p.domain()
			if p.next() != tokClose {
				p.fail("text after the domain in an angle address")
			}
			return
		default:
			p.fail("an angle address that is not closed")
		}
	}
}

// route skips an obsolete source route behind its first at sign (RFC 5322
// section 4.4): it must be ignored.
func (p *addressList) route() {
	for p.bad == "" {
		p.literal()
		switch p.next() {
		case tokWord, tokDot, tokAt, tokComma:
		case tokColon:
			return
		default:
			p.fail("an angle address without local part")
		}
	}
}

// trailing reads what follows an angle address, and reports whether there is
// another element. Words are let through, as they hold no other address.
func (p *addressList) trailing() bool {
	for p.bad == "" {
		switch p.next() {
		case tokWord, tokDot:
		case tokComma, tokSemicolon:
			return true
		case tokEnd:
			return false
		default:
			p.fail("text after an angle address")
		}
	}
	return false
}

// literal skips a domain literal, if there is one here, and reports it.
func (p *addressList) literal() bool {
	p.skip()
	if p.bad != "" || p.at == len(p.text) || p.text[p.at] != '[' {
		return false
	}
	p.quotedRun(']', "a domain literal")
	return true
}

// domain reads a domain behind an at sign and notes it. White space and
// comments around its dots (RFC 5322 section 4.4) are ignored; but some
// readers stop there, so what looks like a whole domain before them counts too.
func (p *addressList) domain() {
	if p.literal() {
		return // no Author Domain
	}
	var name []byte
	for p.bad == "" {
		atom := p.atom()
		if len(atom) == 0 {
			p.fail("a domain with an empty label")
			return
		}
		name = append(name, atom...)
		end := p.at
		p.skip()
		if p.at == len(p.text) || p.text[p.at] != '.' {
			break
		}
		p.at++
		dot := p.at
		p.skip()
		gap := dot > end+1 || p.at > dot
		if p.at == len(p.text) || !isAtext(p.text[p.at]) && p.text[p.at] != '.' {
			break // a dot at the end
		}
		if gap && bytes.IndexByte(name, '.') >= 0 {
			p.note(string(name), true)
		}
		name = append(name, '.')
	}
	if p.bad == "" {
		p.note(string(name), false)
	}
}

// note adds the domain of a mailbox, or what may be taken for it.
func (p *addressList) note(name string, partial bool) {
	if p.more {
		return
	}
	d, err := domain.Normalize(name)
	switch {
	case err != nil:
		p.unusable = name
	case slices.Contains(p.domains, d):
		if !partial {
			p.partial = slices.DeleteFunc(p.partial, func(other string) bool { return other == d })
		}
	case len(p.domains) == p.limit:
		p.more = true
	default:
		p.domains = append(p.domains, d)
		if partial {
			p.partial = append(p.partial, d)
		}
	}
}
