package spf

import (
	"net/netip"
	"strings"
)

// parseTerm reads one term; why is empty when it is well-formed.
//
// A term is a modifier when a name and "=" start it, before any ":" or "/"
// (RFC 7208 section 4.6.1); "all=x" is therefore an unknown modifier.
func parseTerm(text string) (t Term, why string) {
	if n := nameLength(text); n > 0 && n < len(text) && text[n] == '=' {
		return parseModifier(text, n)
	}
	t = Term{Text: text, Qualifier: '+', Bits4: 32, Bits6: 128}
	if strings.IndexByte("+-~?", text[0]) >= 0 {
		t.Qualifier = text[0]
		text = text[1:]
	}
	name, arg := text, ""
	if i := strings.IndexAny(text, ":/"); i >= 0 {
		name, arg = text[:i], text[i:]
	}
	switch kind := mechanism(name); kind {
	case All:
		if arg != "" {
			return t, "all takes no argument"
		}
	case Include, Exists, PTR:
		return parseTarget(t, kind, arg)
	case A, MX:
		return parseAddressed(t, kind, arg)
	case IP4, IP6:
		return parseNetwork(t, kind, arg)
	default:
		return t, "unknown mechanism"
	}
	return t, ""
}

// mechanism returns the kind that has this name, or UnknownModifier.
func mechanism(name string) Kind {
	for k := All; k < Redirect; k++ {
		if strings.EqualFold(name, kindNames[k]) && isASCII(name) {
			return k
		}
	}
	return UnknownModifier
}

// nameLength is the length of the name that s starts with:
// ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ).
func nameLength(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isAlpha(c) || i > 0 && (isDigit(c) || c == '-' || c == '_' || c == '.') {
			continue
		}
		return i
	}
	return len(s)
}

// parseModifier reads redirect, exp and unknown modifiers. The known names
// are never unknown modifiers, whatever their value (RFC 7208 section 6 and
// the suite's redirect-syntax-error).
func parseModifier(text string, equals int) (t Term, why string) {
	t = Term{Text: text, Kind: UnknownModifier}
	name, value := text[:equals], text[equals+1:]
	switch {
	case strings.EqualFold(name, "redirect"):
		t.Kind = Redirect
	case strings.EqualFold(name, "exp"):
		t.Kind = Exp
	default:
		_, why = parseMacroString(value, inText)
		return t, why
	}
	t.Target, why = parseDomainSpec(value)
	return t, why
}

// parseTarget reads the argument of include, exists and ptr; ptr may go without.
func parseTarget(t Term, kind Kind, arg string) (_ Term, why string) {
	t.Kind = kind
	switch {
	case arg == "" && kind == PTR:
		return t, ""
	case arg == "" || arg[0] != ':':
		return t, kind.String() + " needs a colon and a domain"
	}
	t.Target, why = parseDomainSpec(arg[1:])
	return t, why
}

// parseAddressed reads the argument of a and mx: [ ":" domain-spec ]
// [ dual-cidr-length ]. A domain-spec never ends in "/" and digits, so the
// prefix lengths can be taken off first.
func parseAddressed(t Term, kind Kind, arg string) (_ Term, why string) {
	t.Kind = kind
	rest, bits6, ok6 := cutBits(arg, "//", 128)
	rest, bits4, ok4 := cutBits(rest, "/", 32)
	if !ok6 || !ok4 {
		return t, "prefix length out of range"
	}
	t.Bits4, t.Bits6 = bits4, bits6
	if rest == "" {
		return t, ""
	}
	if rest[0] != ':' {
		return t, "malformed prefix length"
	}
	t.Target, why = parseDomainSpec(rest[1:])
	return t, why
}

// cutBits takes slash and a prefix length off the end of s. Without one the
// length is limit; ok is false when it exceeds limit.
func cutBits(s, slash string, limit uint8) (rest string, bits uint8, ok bool) {
	digits := len(s)
	for digits > 0 && isDigit(s[digits-1]) {
		digits--
	}
	if digits == len(s) || !strings.HasSuffix(s[:digits], slash) {
		return s, limit, true
	}
	n, ok := parseBits(s[digits:], limit)
	return s[:digits-len(slash)], n, ok
}

// parseBits reads a prefix length: no leading zero (RFC 7208 section 12).
func parseBits(s string, limit uint8) (bits uint8, ok bool) {
	if s == "" || len(s) > 3 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return uint8(n), n <= int(limit)
}

// parseNetwork reads the argument of ip4 and ip6 (RFC 7208 section 5.6).
func parseNetwork(t Term, kind Kind, arg string) (_ Term, why string) {
	t.Kind = kind
	if arg == "" || arg[0] != ':' {
		return t, kind.String() + " needs a colon and an address"
	}
	limit := uint8(32)
	if kind == IP6 {
		limit = 128
	}
	text, length, hasLength := strings.Cut(arg[1:], "/")
	bits := limit
	if hasLength {
		var ok bool
		if bits, ok = parseBits(length, limit); !ok {
			return t, "malformed prefix length"
		}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Is4() != (kind == IP4) || addr.Zone() != "" {
		return t, "malformed " + kind.String() + " address"
	}
	t.Prefix = netip.PrefixFrom(addr, int(bits))
	return t, ""
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
