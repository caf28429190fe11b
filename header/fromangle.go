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
	run := wordRun{joint: true, lost: len(p.text), apart: len(p.text)}
	behind := p.from
	for words := false; p.bad == ""; {
		switch p.tok {
		case tokWord, tokQuoted:
			run.word(p.from, behind, isSpokenAt(p.text[p.from:]))
			words, behind = true, p.at
			p.next()
		case tokDot:
			words, run.joint, run.dot, behind = true, true, true, p.at
			p.next()
		case tokClose: // <> or <local>
			p.spokenAt(run.apart, p.from)
			return ""
		case tokAt:
			p.spokenAt(run.apart, p.from)
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

// wordRun follows the words of what may be a local part.
type wordRun struct {
	joint bool // a word may stand here
	dot   bool // the last token was a dot
	lost  int  // the first word that may not stand where it does, or the first at sign
	// apart is the same for readers (c-client) that take words without a gap for one; there
	// the word "at" ends a local part behind a dot, too.
	apart int
}

// word is a word at from, perhaps "at"; what stands in front of it ends at behind.
func (r *wordRun) word(from, behind int, at bool) {
	if !r.joint {
		r.lost = min(r.lost, from)
	}
	if from > behind && (!r.joint || r.dot && at) {
		r.apart = min(r.apart, from)
	}
	r.joint, r.dot = false, false
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

// fronts looks at text, a display name in front of the angle address of domain, which is
// not to the letter of RFC 5322. ats: it holds an at sign outside of encoded words.
// Readers that decode words take the first one for the address then (Python's new
// policy), and what stands behind it for nothing.
func (p *addressList) fronts(text []byte, domain string, ats bool) {
	if p.more {
		return
	}
	f := finder{note: func(d string) { p.addFront(d, domain) }, left: &p.left, joinsShort: true, plain: p.plain}
	words := withoutQuotedText(text)
	if ats {
		p.plainFronts(&f, text)
		if bytes.IndexByte(text, '[') >= 0 || bytes.ContainsAny(words, "])") { // see cutName
			f.spellings(text)
		}
	}
	first, bracket := bytes.Index(words, []byte("=?")), bytes.IndexAny(words, "[])")
	if !p.plain && first >= 0 && (bracket < 0 || bracket > first) { // they end a name at a bracket
		f.decoded(decodeWords(words, ""))
		f.decoded(decodeWords(words, " "))
	}
	p.more = p.more || p.left < 0
}

// plainFronts looks for addresses that need no decoding.
func (p *addressList) plainFronts(f *finder, text []byte) {
	f.spellings(unquoted(text, true))
	f.spellings(unquoted(text, false))
	if at := bytes.Index(text, []byte("@=?")); at >= 0 { // the domain is encoded
		f.search(text[at:])
		p.broken = p.broken || f.broken
	}
}
