package spf

import "strings"

// DomainSpec is a domain-spec (RFC 7208 section 7.1): a name, perhaps with
// macros in it.
type DomainSpec struct {
	Text string // as published
	// name is the name to ask for when there are no macros, else empty.
	name   string
	pieces []piece // nil when there are no macros
}

// piece is a literal or one macro of a macro-string.
type piece struct {
	literal string // when letter is 0
	letter  byte   // lower case
	escape  bool   // the letter was upper case: URL-escape the value
	reverse bool
	parts   int    // how many right-hand parts are kept; 0 for all
	delims  string // characters that part the value; empty stands for "."
}

// Where a macro-string stands decides which letters it may use: c, r and t
// belong to the text of an explanation (RFC 7208 section 7.2). The grammar
// allows them in unknown modifiers too.
const (
	inName = "slodipvh"
	inText = "slodipvhcrt"
)

// maxParts is where the number of parts stops growing while it is read; RFC
// 7208 section 7.3 wants at least 127.
const maxParts = 1 << 20

// parseMacroString reads a macro-string (RFC 7208 section 7.1). A space is no
// part of it; explanation text is cut at spaces by its reader.
func parseMacroString(s, letters string) (pieces []piece, why string) {
	for s != "" {
		n := 0
		for n < len(s) && s[n] > ' ' && s[n] < 0x7f && s[n] != '%' {
			n++
		}
		if n > 0 {
			pieces = append(pieces, piece{literal: s[:n]})
			s = s[n:]
			continue
		}
		if s[0] != '%' {
			return nil, "character not allowed"
		}
		p, size, why := parseMacro(s, letters)
		if why != "" {
			return nil, why
		}
		pieces = append(pieces, p)
		s = s[size:]
	}
	return pieces, ""
}

// parseMacro reads the macro-expand that s starts with.
func parseMacro(s, letters string) (p piece, size int, why string) {
	if len(s) < 2 {
		return p, 0, "% without a macro"
	}
	switch s[1] {
	case '%':
		return piece{literal: "%"}, 2, ""
	case '_':
		return piece{literal: " "}, 2, ""
	case '-':
		return piece{literal: "%20"}, 2, ""
	case '{':
	default:
		return p, 0, "% without a macro"
	}
	end := strings.IndexByte(s, '}')
	if end < 3 {
		return p, 0, "macro without a letter or closing brace"
	}
	p, why = parseMacroBody(s[2:end], letters)
	return p, end + 1, why
}

// parseMacroBody reads macro-letter transformers *delimiter.
func parseMacroBody(s, letters string) (p piece, why string) {
	p.letter, p.escape = s[0]|0x20, isAlpha(s[0]) && s[0]&0x20 == 0
	if !isAlpha(s[0]) || strings.IndexByte(letters, p.letter) < 0 {
		return p, "unknown macro letter, or one for explanations only"
	}
	s = s[1:]
	digits := 0
	for digits < len(s) && isDigit(s[digits]) {
		p.parts = min(p.parts*10+int(s[digits]-'0'), maxParts)
		digits++
	}
	if digits > 0 && p.parts == 0 {
		return p, "macro keeps zero parts"
	}
	if s = s[digits:]; s != "" && s[0]|0x20 == 'r' {
		p.reverse = true
		s = s[1:]
	}
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(".-+,/_=", s[i]) < 0 {
			return p, "malformed macro"
		}
	}
	p.delims = s
	return p, ""
}

// parseDomainSpec reads macro-string domain-end: it ends in a macro, or in a
// dot, a toplabel and perhaps a dot (RFC 7208 section 7.1).
func parseDomainSpec(s string) (*DomainSpec, string) {
	if s == "" {
		return nil, "empty domain"
	}
	pieces, why := parseMacroString(s, inName)
	if why != "" {
		return nil, why
	}
	if last := pieces[len(pieces)-1]; !last.macro() && !endsInTopLabel(last.literal) {
		return nil, "domain ends neither in a top label nor in a macro"
	}
	d := &DomainSpec{Text: s}
	if strings.IndexByte(s, '%') < 0 {
		d.name = string(truncate(lower([]byte(s))))
	} else {
		d.pieces = pieces
	}
	return d, ""
}

// macro tells "%%", "%_", "%-" and macros with a letter from a literal run,
// which holds neither "%" nor a space.
func (p piece) macro() bool {
	return p.letter != 0 || p.literal[0] == '%' || p.literal[0] == ' '
}

// endsInTopLabel checks "." toplabel [ "." ]: letters, digits and inner
// hyphens, not digits alone.
func endsInTopLabel(s string) bool {
	s = strings.TrimSuffix(s, ".")
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 {
		return false
	}
	label := s[dot+1:]
	if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	numeric := true
	for i := 0; i < len(label); i++ {
		c := label[i]
		if !isAlpha(c) && !isDigit(c) && c != '-' {
			return false
		}
		numeric = numeric && isDigit(c)
	}
	return !numeric
}
