package header

import "bytes"

// angle reads an angle address behind its "<", up to and with ">". It returns
// the domain, "" if there is none.
func (p *addressList) angle() (name string) {
	p.mailbox = true
	start := p.at
	if p.next() == tokAt {
		p.route()
		start = p.at
		p.next()
	}
	joint, lost := true, len(p.text) // as in element
	for words := false; p.bad == ""; {
		switch p.tok {
		case tokWord, tokQuoted, tokDot:
			if words = true; !joint && p.tok != tokDot {
				lost = min(lost, p.from)
			}
			joint = p.tok == tokDot
			p.next()
		case tokClose: // <> or <local>
			p.spokenAt(lost, p.from)
			return ""
		case tokAt:
			p.spokenAt(lost, p.from)
			if !words {
				p.fail("an angle address without local part")
			}
			p.localPart(start, p.from)
			name = p.domain()
			if p.next() != tokClose {
				p.fail("text after the domain in an angle address")
			}
			return name
		default:
			p.fail("an angle address that is not closed")
		}
	}
	return ""
}

// route skips an obsolete source route behind its first at sign (RFC 5322
// section 4.4): it must be ignored. One through several hosts is not, as some
// readers show an address on each side of its comma; nobody writes it.
func (p *addressList) route() {
	start := p.at
	for p.bad == "" {
		if l := p.literal(); l != nil && p.bad == "" && !isAddressLiteral(l) {
			p.fail("a source route through no host")
		}
		switch p.next() {
		case tokWord, tokDot, tokAt:
		case tokColon:
			if bytes.IndexFunc(p.text[start:p.at], func(r rune) bool { return r <= ' ' }) >= 0 {
				p.fail("a source route with white space") // where some readers (Roundcube) end an address
			}
			return
		case tokComma:
			p.fail("a source route through several hosts")
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
			p.strange(p.from)
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
