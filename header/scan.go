package header

import (
	"bytes"
	"strings"
)

// token is a lexical token of RFC 5322 section 3.2.
type token int

const (
	tokEnd       token = iota
	tokWord            // an atom, or what is shown like one
	tokQuoted          // a quoted string
	tokDot             // .
	tokAt              // @
	tokOpen            // <
	tokClose           // >
	tokComma           // ,
	tokSemicolon       // ;
	tokColon           // :
)

// scanner cuts a field value into tokens. White space, folds and comments
// between them are skipped.
type scanner struct {
	text    []byte
	at      int    // the next octet
	tok     token  // the last token
	from    int    // where it begins
	bad     string // why scanning ended early; constant text
	wordEnd int    // of the last encoded word
	pureEnd int    // the same for one to the letter of RFC 2047
	cut     int    // behind the last character at which some readers end a name
	endless bool   // no further encoded word has an end
	odd     bool   // the element holds what RFC 5322 does not allow there
	oddAt   int    // where the first of that stands
	oddHere bool   // there is some of it that begins in this element
}

// fail notes the first problem. Scanning ends there.
func (s *scanner) fail(what string) {
	if s.bad == "" {
		s.bad = what
	}
}

// next returns the next token; after a failure tokEnd.
func (s *scanner) next() token {
	s.tok = s.scan()
	if s.bad != "" {
		s.tok = tokEnd
	}
	return s.tok
}

func (s *scanner) scan() token {
	s.skip()
	s.from = s.at
	if s.bad != "" || s.at == len(s.text) {
		return tokEnd
	}
	switch s.text[s.at] {
	case '"':
		s.quotedRun('"', "a quoted string")
		return tokQuoted
	case '.':
		s.at++
		return tokDot
	case '@':
		s.at++
		return tokAt
	case '<':
		s.at++
		return tokOpen
	case '>':
		s.at++
		return tokClose
	case ',':
		s.at++
		return tokComma
	case ';':
		s.at++
		return tokSemicolon
	case ':':
		s.at++
		return tokColon
	}
	if isWideAt(s.text[s.at:]) {
		s.at += len(wideAt)
		return tokAt
	}
	s.word()
	return tokWord
}

// specials end a word. The brackets, the closing parenthesis and the backslash
// are specials of RFC 5322 too, but are seen in unquoted display names.
const specials = "\"(.@<>,;: \t\r\n"

// word skips an atom with whatever else is seen in display names. A backslash
// before a special would mean one thing to a strict reader and another one to
// a reader that takes it as a quoted pair.
func (s *scanner) word() {
	for ; s.at < len(s.text) && strings.IndexByte(specials, s.text[s.at]) < 0 && !isWideAt(s.text[s.at:]); s.at++ {
		switch s.text[s.at] {
		case '=':
			s.encodedWord()
		case '[', ']', ')':
			s.cut = s.at + 1
			s.strange(s.at)
		case '\\':
			s.cut = s.at + 1
			s.strange(s.at)
		case 0x7f:
			s.strange(s.at)
		default:
			if s.text[s.at] < ' ' {
				s.strange(s.at)
			}
		}
		if s.text[s.at] == '\\' && s.at+1 < len(s.text) && strings.IndexByte("\"()<>@,;:\\", s.text[s.at+1]) >= 0 {
			s.fail("a backslash outside of quotes")
			return
		}
	}
}

// encodedWord notes where the encoded word ends that begins here, if one does.
func (s *scanner) encodedWord() {
	if s.endless || s.at < s.wordEnd || s.at+1 == len(s.text) || s.text[s.at+1] != '?' {
		return
	}
	w, ok := encodedWordAt(s.text[s.at:])
	switch {
	case !ok:
	case w.text == nil:
		s.endless = true
	default:
		if s.at > s.from && s.at != s.wordEnd && bytes.IndexByte(w.text, '@') >= 0 {
			s.strange(s.at) // within an atom it is a word for some readers only
		}
		s.wordEnd = s.at + w.size
		if isPure(w.text) {
			s.pureEnd = s.wordEnd
		}
	}
}

// isPure reports whether t can be the text of an encoded word (RFC 2047 section 2: no
// white space, no "?"), and holds nothing at which those end an address who look for
// addresses first: a plain at sign is not allowed in it (section 5 rule 3), but common.
func isPure(t []byte) bool {
	for _, c := range t {
		if c <= ' ' || c == 0x7f || strings.IndexByte("?()\\", c) >= 0 {
			return false
		}
	}
	return bytes.Count(t, []byte("@")) <= 1
}

// checkWord fails where a comment or quoted string begins in an encoded word and ends
// behind it: readers that find encoded words first see what stands there.
func (s *scanner) checkWord(start int) {
	if start < s.wordEnd && s.at > s.wordEnd {
		s.fail("an encoded word that ends in a comment or in quotes")
	}
}

// atom returns the atom here, empty if there is none.
func (s *scanner) atom() []byte {
	start := s.at
	for s.at < len(s.text) && isAtext(s.text[s.at]) && !isWideAt(s.text[s.at:]) {
		s.at++
	}
	return s.text[start:s.at]
}

// isAtext: RFC 5322 section 3.2.3 and, for UTF-8, RFC 6532 section 3.2.
func isAtext(c byte) bool {
	return c > ' ' && c != 0x7f && strings.IndexByte("()<>[]:;@\\,.\"", c) < 0
}

// skip skips white space, folds and comments (CFWS).
func (s *scanner) skip() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		case '(':
			s.comment()
		default:
			return
		}
	}
}

// comment skips a comment; comments nest (RFC 5322 section 3.2.2).
func (s *scanner) comment() {
	depth, start := 0, s.at
	for ; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				s.at++
				s.checkWord(start)
				return
			}
		}
	}
	s.at = len(s.text) // a backslash may have led beyond
	s.fail("a comment that is not closed")
}

// quotedRun skips from the opening octet here to the unquoted octet end.
func (s *scanner) quotedRun(end byte, what string) {
	start := s.at
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case end:
			s.at++
			s.checkWord(start)
			return
		}
	}
	s.at = len(s.text)
	s.fail(what + " that is not closed")
}

// pieces cuts t, which was scanned already, into comments, quoted strings, encoded
// words and single octets.
func pieces(t []byte, each func(piece, behind []byte)) {
	s := scanner{text: t}
	open := false // what began did not end, as in a domain literal: no more of it
	for s.at < len(t) {
		start := s.at
		switch c := t[s.at]; {
		case c == '(' && !open:
			s.comment()
		case c == '"' && !open:
			s.quotedRun('"', "")
		case c == '=':
			s.encodedWord()
			s.at = max(s.at+1, s.pureEnd)
		default:
			s.at++
		}
		if s.bad != "" {
			s.at, s.bad, open = start+1, "", true
		}
		each(t[start:s.at], t[s.at:])
	}
}

// withoutComments is t without its comments.
func withoutComments(t []byte) []byte {
	out := make([]byte, 0, len(t))
	pieces(t, func(piece, _ []byte) {
		if piece[0] != '(' || len(piece) == 1 {
			out = append(out, piece...)
		}
	})
	return out
}

// withoutQuotedText is t without its comments and quoted strings.
func withoutQuotedText(t []byte) []byte {
	out := make([]byte, 0, len(t))
	pieces(t, func(piece, _ []byte) {
		if len(piece) > 1 && (piece[0] == '(' || piece[0] == '"') {
			piece = []byte(" ")
		}
		out = append(out, piece...)
	})
	return out
}

// unquoted is t without comments and without the at signs in quoted strings and
// encoded words: those are text only, unless an at sign follows. Readers end a
// domain at a quoted string, or take it for a part; keep says which.
func unquoted(t []byte, keep bool) []byte {
	out := make([]byte, 0, len(t))
	pieces(t, func(piece, behind []byte) {
		switch {
		case len(piece) == 1 || atSign(behind) > 0:
			out = append(out, piece...)
		case piece[0] == '(' || !keep:
			out = append(out, ' ')
		default:
			for _, c := range bytes.Trim(piece, "\"") {
				if c == '@' || c == '\\' {
					c = ' '
				}
				out = append(out, c)
			}
		}
	})
	return out
}
