package header

import (
	"bytes"
	"strings"
)

// inComments looks at the comments in text for an address.
func (p *addressList) inComments(text []byte) {
	if bytes.IndexByte(text, '(') < 0 {
		return
	}
	pieces(text, func(piece, _ []byte) {
		if len(piece) > 1 && piece[0] == '(' {
			p.search(piece, false)
		}
	})
}

// inNames looks at the quoted strings and encoded words in text for a plain address.
func (p *addressList) inNames(text []byte, search func(piece []byte)) {
	pieces(text, func(piece, _ []byte) {
		if len(piece) > 1 && piece[0] != '(' && (bytes.IndexByte(piece, '@') >= 0 || hasWideAt(piece)) {
			search(piece)
		}
	})
}

// angled is where an element has its angle address.
type angled struct {
	domain            string
	open, behind, end int // its brackets; the end of the element
}

// beside looks at an element with an angle address, for readers that find another author beside it.
func (p *addressList) beside(a angled) {
	name, inside := p.text[p.start:a.open], p.text[a.open:a.behind]
	p.inComments(inside) // some (Camel, JavaMail that is not strict) begin or end an address there
	p.angleInName(name, false)
	wide := hasWideAt(inside)
	if wide {
		p.inComments(p.text[p.start:a.end])
	}
	switch {
	case !hasAt(name):
	case wide || quotedDomain(name):
		p.inNames(name, func(piece []byte) { p.search(piece, false) })
	case !plainAngle(p.text[a.open:a.end]): // people and programs write that, too
		p.inNames(name, p.front(a.domain))
	}
	p.angleInComment(name, a.domain, "<,")
	if rest := p.text[a.behind:a.end]; bytes.IndexFunc(withoutComments(rest), func(r rune) bool { return r > ' ' }) >= 0 {
		p.angleInComment(rest, a.domain, "<")
	}
	p.more = p.more || p.left < 0
}

// angleInComment looks for an angle address in a comment in front of the author's, or behind
// that and words: some readers (Horde, libetpan) show it. In front Horde also takes a comma in
// a comment for the end of an address. signs are the characters that make the difference.
func (p *addressList) angleInComment(text []byte, angle, signs string) {
	if bytes.IndexByte(text, '(') < 0 || !bytes.ContainsAny(text, signs) {
		return
	}
	front := p.front(angle)
	pieces(text, func(piece, _ []byte) {
		if len(piece) > 1 && piece[0] == '(' && bytes.ContainsAny(piece, signs) {
			front(piece)
		}
	})
}

// front notes the addresses in a part of a name as in front of an angle address.
func (p *addressList) front(angle string) func(piece []byte) {
	f := finder{note: func(d string) { p.addFront(d, angle) }, left: &p.left, plain: p.plain}
	return f.spellings
}

// quotedDomain reports whether a quoted string stands behind an at sign in a display name.
func quotedDomain(name []byte) (found bool) {
	last := byte(' ') // 0 for the end of a quoted string or of an encoded word
	pieces(withoutComments(name), func(piece, _ []byte) {
		switch {
		case len(piece) > 1:
			found, last = found || last == '@' && piece[0] == '"', 0
		case piece[0] > ' ':
			last = piece[0]
		}
	})
	return found
}

// plainAngle reports whether an angle address ends an element and has, outside of quotes, neither white
// space nor a colon. Else some readers (Roundcube) take the first at sign of the element for the author's.
func plainAngle(t []byte) bool {
	t = bytes.TrimRight(t, " \t\r\n")
	if bytes.IndexFunc(t, func(r rune) bool { return r <= ' ' || r == ':' }) < 0 {
		return true
	}
	plain := true
	pieces(bytes.TrimRight(withoutComments(t), " \t\r\n"), func(piece, _ []byte) {
		plain = plain && piece[0] > ' ' && piece[0] != ':'
	})
	return plain
}

// besideBare looks at an element with an address without angle brackets whose at sign stands
// at at, for readers that find another author in it.
func (p *addressList) besideBare(at, domainEnd int) {
	if p.bad != "" {
		return
	}
	text := p.text[p.start:p.from]
	if s := (scanner{text: p.text, at: p.start}); bytes.IndexByte(text, '(') >= 0 {
		s.skip()
		colon := p.start > 0 && p.text[p.start-1] == ':'
		if colon || p.text[at] != '@' || bytes.IndexByte(p.text[s.at:domainEnd], '(') >= 0 {
			p.inComments(text) // some (JavaMail that is not strict) take it for the whole then
		}
	}
	if p.wordEnd <= domainEnd {
		local := p.start + bytes.LastIndexAny(p.text[p.start:at], " \t\r\n)") + 1
		p.halfWord(p.text[local:domainEnd], true)
	}
	p.angleInName(text, true)
}

// angleInName looks at a list element with an address for an angle address in a quoted string that
// stands behind something, or in a comment: some readers (Horde, VMime) take it for the author.
func (p *addressList) angleInName(text []byte, comments bool) {
	if bytes.IndexByte(text, '"') < 0 && !comments && !p.group {
		return
	}
	first := !p.odd || p.oddAt > p.start
	last := byte(' ')
	pieces(text, func(piece, _ []byte) {
		open, quote := bytes.IndexByte(piece, '<'), bytes.IndexByte(piece, '"')
		shown := false
		switch {
		case len(piece) == 1:
		case piece[0] == '"':
			shown = !first && (open > 0 || last > ' ')
		default: // a comment or an encoded word
			shown = open > 0 && (quote >= 0 || comments && piece[0] == '(') ||
				p.group && bytes.IndexByte(piece, ';') >= 0 // where a group ends for some (nodemailer)
		}
		if shown {
			p.search(piece, true)
		}
		last = piece[len(piece)-1]
		first = first && strings.IndexByte(" \t\r\n", piece[0]) >= 0
	})
}

// halfWord looks for the middle of an encoded word without its beginning in text, and if that is
// an address for what goes on behind one. Some readers (Camel) decode an address that holds
// either, from its third octet to its last but two.
func (p *addressList) halfWord(text []byte, address bool) {
	at := middle(text, address)
	if at < 0 || address && at < 2 {
		return
	}
	p.broken, p.plain = true, false
	if at+5 < len(text) {
		p.search([]byte("=?utf-8"+string(text[at:len(text)-2])+"?="), true)
	}
}

// middle is where "?B?" or "?Q?" stands in t, -1 if it does not. Encoded words are passed over;
// those that an atom goes on behind are not, if they are glued.
func middle(t []byte, glued bool) int {
	endless := false // no further word has an end
	for at := 0; at+2 < len(t); at++ {
		switch {
		case t[at] == '=' && t[at+1] == '?' && !endless:
			w, ok := encodedWordAt(t[at:])
			if !ok || w.text == nil {
				endless = ok
				continue
			}
			behind := t[at+w.size:]
			if !glued || len(behind) == 0 || !isAtext(behind[0]) || bytes.HasPrefix(behind, []byte("=?")) {
				at += w.size - 1
			}
		case t[at] == '?' && t[at+2] == '?' && strings.IndexByte("bBqQ", t[at+1]) >= 0:
			return at
		}
	}
	return -1
}

// besideGroup looks at the name of a group, for readers that find an author in it: the address in a
// comment (JavaMail), or in a name that has white space or a colon (Roundcube, VMime).
func (p *addressList) besideGroup(name []byte) {
	p.inComments(name)
	p.angleInName(name, true)
	plain := true // as a single word
	pieces(bytes.TrimLeft(withoutComments(name), " \t\r\n"), func(piece, _ []byte) {
		plain = plain && piece[0] > ' ' && (piece[0] != '"' || bytes.IndexByte(piece, ':') < 0)
	})
	if !plain || p.at < len(p.text) && p.text[p.at] > ' ' {
		p.inNames(name, func(piece []byte) { p.search(piece, false) })
	}
}
