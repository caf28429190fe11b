package header

import (
	"bytes"
	"strings"
)

// strange notes that the element is not to the letter of RFC 5322 at at.
func (s *scanner) strange(at int) {
	s.oddHere = true
	if !s.odd || at < s.oddAt {
		s.odd, s.oddAt = true, at
	}
}

// cutAtComma looks at an element up to end that is not to the letter of RFC 5322. Some
// readers (GMime) lose their way at the first place that is not, and go on behind the
// next comma then, even of a quoted string or comment; from there to the end of the field
// they see what others take for quoted or not. What stands before that place they drop.
func (p *addressList) cutAtComma(end int) {
	if !p.odd || p.cutOff {
		return
	}
	at, next := -1, p.start
	pieces(p.text[p.start:end], func(piece, _ []byte) {
		if i := bytes.IndexByte(piece, ','); at < 0 && i > 0 && piece[0] != '=' && next+i > p.oddAt {
			at = next + i
		}
		next += len(piece)
	})
	if at >= 0 {
		p.cutOff = true
		p.search(p.text[at:], false)
	}
}

// cutName looks at a display name that holds a bracket outside of quotes, before
// cut. Some readers (Python's email.utils) end the element there.
func (p *addressList) cutName(cut int) {
	if cut > p.start {
		p.search(p.text[p.start:cut], false)
	}
}

// isSpokenAt reports whether t begins with the word "at".
func isSpokenAt(t []byte) bool {
	return len(t) > 2 && bytes.EqualFold(t[:2], []byte("at")) && strings.IndexByte(" \t\r\n(", t[2]) >= 0
}

// spokenAt looks at a list element up to end, or at an angle address, whose first word that
// no local part has there stands at lost. Some readers (c-client) take "at" there for an at sign.
func (p *addressList) spokenAt(lost, end int) {
	if lost >= end || !isSpokenAt(p.text[lost:end]) {
		return
	}
	if bytes.ContainsAny(p.text[p.start:lost], "[]") {
		return // no reader has come so far
	}
	name := p.text[lost+2 : end]
	if at := bytes.IndexByte(name, '@'); at >= 0 {
		name = name[:at]
	}
	p.search(append([]byte("@"), name...), false)
}

// spoken is t, a field that is no address list, with an at sign for each word "at" outside of
// quotes and comments, see spokenAt; nil if there is none. It stays a word of a display name
// in front of an angle bracket with a local part, however that goes on.
func spoken(t []byte) (out []byte) {
	words := wordsOf(t)
	doubt := bytes.ContainsAny(words, "\"(\\") // no such name is certain
	for start := 0; start < len(t); {
		end := start
		for end < len(t) && (isAtext(words[end]) || strings.IndexByte(" \t\r\n.", words[end]) >= 0) {
			end++
		}
		inside := bytes.TrimLeft(words[min(end+1, len(t)):], " \t\r\n")
		named := !doubt && end < len(t) && words[end] == '<' && len(inside) > 0 && isAtext(inside[0]) && (start == 0 || words[start-1] != '<')
		for i := start + 1; i < end && !named; i++ {
			if words[i-1] <= ' ' && isSpokenAt(words[i:]) {
				if out == nil {
					out = bytes.Clone(t)
				}
				out[i], out[i+1] = ' ', '@'
			}
		}
		start = end + 1
	}
	return out
}

// wordsOf is t with spaces for its comments, and a letter for each octet of its quoted
// strings and encoded words.
func wordsOf(t []byte) []byte {
	words := make([]byte, 0, len(t))
	pieces(t, func(piece, _ []byte) {
		switch {
		case len(piece) == 1:
			words = append(words, piece[0])
		case piece[0] == '(':
			words = append(words, bytes.Repeat([]byte(" "), len(piece))...)
		default:
			words = append(words, bytes.Repeat([]byte("x"), len(piece))...)
		}
	})
	return words
}

// astray looks at an element up to end for what leads some readers astray, so that they see
// what others take for quoted or not.
func (p *addressList) astray(end int) {
	p.cutAtComma(end)
	text := p.text[p.start:end]
	if p.lost || bytes.IndexByte(text, '(') < 0 || !bytes.ContainsAny(text, "\"[\\") {
		return
	}
	inside, known, lone := false, false, false // inside of angle brackets; lone is known
	pieces(text, func(piece, _ []byte) {
		switch {
		case piece[0] == '<', piece[0] == '>':
			inside = piece[0] == '<'
		case !p.lost && piece[0] == '(' && opensQuotes(piece):
			if !known {
				known, lone = true, p.lone(text)
			}
			if lone && !inside {
				return
			}
			p.lost = true
			p.search(p.text[p.start:], false)
		}
	})
}

// lone reports whether the rest of the field from an element on has no more than one at sign,
// which stands in the angle address of the element: nobody finds another address there.
func (p *addressList) lone(element []byte) bool {
	if p.ats == 0 {
		p.ats = 1 + atSigns(p.text[p.start:])
	}
	inside, found := false, false
	if p.ats <= 2 {
		pieces(element, func(piece, _ []byte) {
			if piece[0] == '<' || piece[0] == '>' {
				inside = piece[0] == '<'
			}
			found = found || inside && piece[0] == '@'
		})
	}
	return found
}

// atSigns is how many at signs t has, its encoded words decoded; one more for each way in
// which more may be in what cannot be decoded.
func atSigns(t []byte) (n int) {
	d := decodeWords(t, "")
	for _, at := range []string{"@", wideAt, smallAt} {
		n += bytes.Count(d.text, []byte(at))
	}
	if d.broken {
		n++
	}
	if bytes.IndexByte(d.octets, 0x1b) >= 0 { // raw ISO-2022-JP
		n++
	}
	return n
}

// opensQuotes reports whether a quoted string or domain literal begins in a comment and does
// not end there, for readers that look for them in comments too (Thunderbird).
func opensQuotes(comment []byte) bool {
	end := byte(0)
	for i := 0; i < len(comment); i++ {
		switch c := comment[i]; {
		case c == '\\':
			if i++; i < len(comment) && isControl(rune(comment[i])) {
				return true // no quoted pair for them
			}
		case end == c:
			end = 0
		case end == 0 && c == '"':
			end = '"'
		case end == 0 && c == '[':
			end = ']'
		}
	}
	return end != 0
}

// behindQuotes looks at an element without an address for a quoted string with an at sign
// in front of other words: some readers (mutt) show all of them as one address.
func (p *addressList) behindQuotes(text []byte) {
	if bytes.IndexByte(text, '"') < 0 {
		return
	}
	var joined []byte
	quoted, behind := false, false // there is such a string; something stands behind it, or a tab in it
	end := func() {
		if behind {
			p.search(joined, false)
		}
		joined, quoted, behind = nil, false, false
	}
	pieces(text, func(piece, _ []byte) {
		switch {
		case piece[0] <= ' ' || piece[0] == '(' && len(piece) > 1:
		case piece[0] == '<' || piece[0] == '>':
			end()
		case piece[0] == '"' && len(piece) > 1:
			behind = behind || quoted || bytes.IndexByte(piece, '\t') > 0
			quoted = quoted || hasAt(piece)
			joined = append(joined, bytes.ReplaceAll(piece[1:len(piece)-1], []byte("\t"), nil)...)
		default:
			behind = behind || quoted
			joined = append(joined, piece...)
		}
	})
	end()
}
