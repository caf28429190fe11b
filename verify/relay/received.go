package relay

import "strings"

// maxReceived is the longest Received field that is read, in octets. The number
// is ours; real ones have a few hundred.
const maxReceived = 8 << 10

// maxHELO is the longest HELO name that is kept. RFC 5321 section 4.5.3.1.2: a
// domain has at most 255 octets.
const maxHELO = 255

// What can be wrong with a Received field.
const (
	tooLong      = "too long"
	badCharacter = "control character or escaped parenthesis"
	unbalanced   = "unbalanced parentheses"
	noFrom       = "no from clause: not received by SMTP"
	submitted    = "submitted on the host itself"
	noBy         = "not exactly one by clause"
	noAddress    = "no client address"
	ambiguous    = "more than one thing may be the client address"
	unknownShape = "an address, but not where a known MTA writes it"
)

// parseReceived reads a Received field (RFC 5321 section 4.4): who handed the
// message over, to whom, and by which protocol.
func parseReceived(value []byte) (h hop, problem string) {
	if len(value) > maxReceived {
		return hop{}, tooLong
	}
	text := string(value)
	if !readable(text) {
		return hop{}, badCharacter
	}
	parts, problem := scan(text)
	switch {
	case problem != "":
		return hop{}, problem
	case len(parts) == 0:
		return hop{}, noFrom
	case parts[0].comment:
		if strings.HasPrefix(parts[0].text, "qmail ") && strings.HasSuffix(parts[0].text, " invoked from network") {
			return hop{queued: true}, ""
		}
		return hop{}, submitted
	case parts[0].is("by"):
		return withoutFrom(parts)
	case !parts[0].is("from") || len(parts) < 2:
		return hop{}, noFrom
	}
	first := 1
	if !parts[1].comment { // the name, which may be "by"
		first = 2
	}
	by := byClause(parts[first:])
	if by < 0 {
		return hop{}, noBy
	}
	by += first
	return received(parts[1:by], parts[by:])
}

// received reads the two halves of a field with a from clause.
func received(from, by []part) (hop, string) {
	way := protocol(by)
	h, problem := fromClause(from)
	if lone, ok := loneLiteral(from, by); ok {
		h, problem = lone, ""
	}
	if problem == noAddress && (way == lmtp || isSocket(from)) && !isLiteral(from[0]) {
		h, problem = hop{helo: name(from), socket: true}, "" // RFC 2033: between processes of one site
	}
	if problem != "" {
		return hop{}, problem
	}
	if len(h.helo) > maxHELO {
		return hop{}, tooLong
	}
	h.by, h.way = byName(by), way
	if hasLogin(from) || hasLogin(by) {
		h.way = login
	}
	return h, ""
}

// withoutFrom reads "by NAME with SMTP id ...".
func withoutFrom(parts []part) (hop, string) {
	if byClause(parts[1:]) >= 0 {
		return hop{}, noBy
	}
	return hop{by: byName(parts), way: protocol(parts)}, ""
}

// byClause returns where the only "by" stands, or -1.
func byClause(parts []part) int {
	by := -1
	for i, p := range parts {
		switch {
		case !p.is("by"):
		case by >= 0:
			return -1
		default:
			by = i
		}
	}
	return by
}

// byName is the host that wrote the field; by begins with the word "by".
func byName(by []part) string {
	if len(by) < 2 || by[1].comment {
		return ""
	}
	return strings.TrimRight(by[1].text, ",;")
}

// part is a word, or a comment without its outer parentheses.
type part struct {
	text    string
	comment bool
}

func (p part) is(word string) bool {
	return len(p.text) == len(word) && !p.comment && strings.EqualFold(p.text, word)
}

// scan splits a field into words and comments. Quotes mean nothing to it: they
// are no safe fence around what a client chose.
func scan(s string) (parts []part, problem string) {
	parts = make([]part, 0, 24)
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case isSpace(c):
			i++
		case c == ')':
			return nil, unbalanced
		case c == '(':
			n := comment(s[i:])
			if n == 0 {
				return nil, unbalanced
			}
			text := strings.Trim(s[i+1:i+n-1], spaces)
			if hidesBy(text) {
				return nil, ambiguous
			}
			parts = append(parts, part{text, true})
			i += n
		default:
			start := i
			for i < len(s) && !isSpace(s[i]) && s[i] != '(' && s[i] != ')' {
				i++
			}
			parts = append(parts, part{text: s[start:i]})
		}
	}
	return parts, ""
}

// readable refuses control characters, and backslashes that would let readers
// disagree about where a comment ends.
func readable(s string) bool {
	for i := 0; i < len(s); i++ {
		if isControl(s[i]) && !isSpace(s[i]) {
			return false
		}
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`()\`, s[i+1]) >= 0 {
			return false
		}
	}
	return true
}

// comment returns the length of the comment that s begins with, 0 when it does
// not end.
func comment(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// hidesBy finds the comment that a HELO name opened and a recipient closed: it
// has swallowed the MTA's own words, its comments among them.
func hidesBy(text string) bool {
	if !strings.Contains(text, "(") {
		return false
	}
	apart := func(r rune) bool { return r < 0x80 && isSpace(byte(r)) || r == '(' || r == ')' }
	for word := range strings.FieldsFuncSeq(text, apart) {
		if strings.EqualFold(word, "by") {
			return true
		}
	}
	return false
}

const spaces = " \t\r\n"

func isSpace(c byte) bool   { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func isControl(c byte) bool { return c < ' ' || c == 0x7f }
