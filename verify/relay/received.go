package relay

import (
	"net/netip"
	"strings"
)

// maxReceived is the longest Received field that is read, in octets. The number
// is ours; real ones have a few hundred.
const maxReceived = 8 << 10

// maxHELO is the longest HELO name that is kept. RFC 5321 section 4.5.3.1.2: a
// domain has at most 255 octets.
const maxHELO = 255

// hop is what a Received field says about who handed the message over.
type hop struct {
	ip   netip.Addr
	helo string // may be empty
	// queued: the field only tells that the message went on inside the host
	// after it came by SMTP; the field below is by the same writer.
	queued bool
}

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
)

// parseReceived reads the from clause of a Received field. It knows the shapes
// of the common MTAs by the place where the MTA itself writes the address:
//
//	from HELO (RDNS [IP])           Postfix, Sendmail, OpenSMTPD, Gmail, Courier
//	from HELO ([IP])                the same without RDNS, IIS, Domino
//	from HELO (IP)                  Exchange, PowerMTA; from RDNS (IP): qmail
//	from RDNS ([IP] helo=HELO)      Exim
//	from [IP] (helo=HELO)           Exim without RDNS
//	from RDNS (HELO HELO) (IP)      qmail; ([IP]): Cisco, James
//	from [IP] (HELO HELO)           CommuniGate; without brackets: Yahoo
//
// HELO is the client's choice and may look like any of it. So each comment in
// front of "by" is looked at, and two that could hold the address are one too
// many; a second "by", unbalanced and escaped parentheses are not accepted.
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
	case len(parts) == 0 || !parts[0].comment && !strings.EqualFold(parts[0].text, "from"):
		return hop{}, noFrom
	case parts[0].comment:
		if strings.HasPrefix(parts[0].text, "qmail ") && strings.HasSuffix(parts[0].text, " invoked from network") {
			return hop{queued: true}, ""
		}
		return hop{}, submitted
	case len(parts) < 2 || parts[1].comment:
		return hop{}, noFrom
	}
	rest := parts[2:]
	by := byClause(rest)
	if by < 0 {
		return hop{}, noBy
	}
	h, problem = fromClause(parts[1].text, rest[:by])
	if problem == "" && len(h.helo) > maxHELO {
		return hop{}, tooLong
	}
	return h, problem
}

// byClause returns where the only "by" stands, or -1; a second "from" is as bad.
func byClause(parts []part) int {
	by := -1
	for i, p := range parts {
		switch {
		case p.comment:
		case strings.EqualFold(p.text, "from"), by >= 0 && strings.EqualFold(p.text, "by"):
			return -1
		case strings.EqualFold(p.text, "by"):
			by = i
		}
	}
	return by
}

// part is a word, or a comment without its outer parentheses.
type part struct {
	text    string
	comment bool
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
			n := strings.IndexAny(s[i:], spaces+"()")
			if n < 0 {
				n = len(s) - i
			}
			parts = append(parts, part{text: s[i : i+n]})
			i += n
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
	for word := range strings.FieldsSeq(text) {
		if strings.EqualFold(word, "by") {
			return true
		}
	}
	return false
}

// fromClause reads what stands between "from" and "by".
func fromClause(name string, rest []part) (hop, string) {
	if len(rest) == 0 {
		return hop{}, noAddress
	}
	helo, saysHELO := "", false
	var found []hop // comments that hold an address
	last := 0       // position of the last of them
	for i, p := range rest {
		if !p.comment { // a HELO name with blanks, or no known shape
			return hop{}, ambiguous
		}
		if i == 0 {
			helo, saysHELO = heloComment(p.text)
		}
		if h, ok := tcpInfo(p.text); ok {
			found = append(found, h)
			last = i
		}
	}
	if saysHELO {
		return heloShape(name, helo, rest, found)
	}
	switch literal, bracketed, isLiteral := address(name); {
	case len(found) == 1 && last == 0:
		if found[0].helo == "" {
			found[0].helo = name
		}
		return found[0], ""
	case len(found) > 0:
		return hop{}, ambiguous
	case isLiteral && bracketed:
		if helo, ok := eximKeys(strings.Fields(rest[0].text)); ok {
			return hop{ip: literal, helo: helo}, ""
		}
	}
	return hop{}, noAddress
}

// heloShape reads the shapes with a comment (HELO name) in front. The name may
// look like an address; then found has that comment, too.
func heloShape(name, helo string, rest []part, found []hop) (hop, string) {
	_, disguised := tcpInfo(rest[0].text)
	if disguised {
		found = found[1:]
	}
	literal, _, isLiteral := address(name)
	switch {
	case len(found) == 0 && isLiteral && !disguised && len(rest) == 1:
		return hop{ip: literal, helo: helo}, ""
	case len(found) == 0 && !disguised:
		return hop{}, noAddress
	case len(found) != 1 || isLiteral && literal != found[0].ip:
		return hop{}, ambiguous
	}
	if _, ok := tcpInfo(rest[1].text); !ok {
		return hop{}, ambiguous
	}
	return hop{ip: found[0].ip, helo: helo}, ""
}

// tcpInfo reads a comment that holds the client's address. helo is empty unless
// the comment has it.
func tcpInfo(text string) (h hop, ok bool) {
	if s, forged := strings.CutSuffix(text, "(may be forged)"); forged { // Sendmail
		text = strings.TrimSpace(s)
	}
	words := strings.Fields(text)
	if len(words) == 0 || strings.ContainsAny(text, "()") {
		return hop{}, false
	}
	if ip, bracketed, ok := address(words[0]); ok { // [IP] helo=..., [IP]:port, IP
		helo, keys := eximKeys(words[1:])
		return hop{ip: ip, helo: helo}, len(words) == 1 || bracketed && keys
	}
	if len(words) == 1 { // ident or login in front: user@IP
		ip, bracketed, ok := address(words[0][1+strings.LastIndexByte(words[0], '@'):])
		return hop{ip: ip}, ok && !bracketed && strings.IndexByte(words[0], '=') < 0
	}
	// RDNS [IP]; what has "=" in it is Exim's helo=, which the client chose.
	ip, bracketed, ok := address(words[1])
	return hop{ip: ip}, ok && bracketed && len(words) == 2 && !strings.ContainsAny(words[0], "[]=")
}

// heloComment reads "HELO name" and "EHLO name".
func heloComment(text string) (helo string, ok bool) {
	verb, helo, ok := strings.Cut(text, " ")
	ok = ok && (strings.EqualFold(verb, "HELO") || strings.EqualFold(verb, "EHLO"))
	return strings.TrimSpace(helo), ok
}

// eximKeys reads "helo=name port=25 ident=x".
func eximKeys(words []string) (helo string, ok bool) {
	for _, w := range words {
		key, value, found := strings.Cut(w, "=")
		switch {
		case !found:
			return "", false
		case key == "helo" && helo == "":
			helo = value
		case key != "port" && key != "ident":
			return "", false
		}
	}
	return helo, len(words) > 0
}

// address reads [IP], [IPv6:IP], [IP]:port and IP.
func address(s string) (ip netip.Addr, bracketed, ok bool) {
	if strings.HasPrefix(s, "[") {
		inner, port, closed := strings.Cut(s[1:], "]")
		if !closed || port != "" && !isPort(port) {
			return netip.Addr{}, true, false
		}
		s, bracketed = inner, true
	}
	const tag = "IPv6:" // RFC 5321 section 4.1.3
	if len(s) > len(tag) && strings.EqualFold(s[:len(tag)], tag) {
		s = s[len(tag):]
	}
	ip, err := netip.ParseAddr(s)
	ip = ip.Unmap().WithZone("")
	return ip, bracketed, err == nil && !ip.IsUnspecified()
}

// isPort matches ":" and digits.
func isPort(s string) bool {
	return len(s) > 1 && s[0] == ':' && strings.Trim(s[1:], "0123456789") == ""
}

const spaces = " \t\r\n"

func isSpace(c byte) bool   { return strings.IndexByte(spaces, c) >= 0 }
func isControl(c byte) bool { return c < ' ' || c == 0x7f }
