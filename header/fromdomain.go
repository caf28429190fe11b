package header

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"alignd/domain"
)

func isDomainByte(c byte) bool { return isAlphanumeric(c) || c == '-' || c == '_' || c == '.' }

// dots are what IDNA takes for a full stop (RFC 3490 section 3.1).
const dots = ".\u3002\uff0e\uff61"

// hasInnerDot reports whether there is a dot between other characters that is
// not that of an IP address.
func hasInnerDot(s string) bool {
	if s = strings.Trim(s, dots); !strings.ContainsAny(s, dots) {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err != nil
}

// domain notes s, or what is shown of it where it holds characters that a domain
// must not hold. It reports whether there was something to note.
func (f *finder) domain(s string) bool {
	s = strings.Trim(s, dots)
	if last := strings.LastIndexAny(s, dots); last >= 0 { // no top level domain has one; an encoded word has
		if i := strings.IndexByte(s[last:], '_'); i >= 0 {
			s = s[:last+i]
		}
	}
	if !hasInnerDot(s) {
		return false
	}
	f.broken = f.broken || !utf8.ValidString(s)
	plain, rest := s, ""
	if i := strings.IndexFunc(s, func(r rune) bool { return !isPlain(r) }); i >= 0 {
		plain, rest = s[:i], s[i:]
	}
	goesOn := strings.IndexFunc(rest, isPlain) >= 0 // behind what no domain holds
	whole := f.normalized(s)
	switch {
	case whole:
		f.normalized(plain)
		return true
	case rest != "" && !goesOn:
		return f.normalized(plain)
	}
	f.broken = true // an empty or overlong label, or a character that no domain holds
	found := f.normalized(strings.Trim(plain, dots))
	if !utf8.ValidString(s) && f.normalized(latin1(s)) {
		found = true
	}
	return f.normalized(collapsed(strings.Map(onlyPlain, s))) || found
}

// isPlain: characters that domains, U-labels included, consist of.
func isPlain(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '-' || r == '_' || strings.ContainsRune(dots, r))
}

func onlyPlain(r rune) rune {
	if isPlain(r) {
		return r
	}
	return -1
}

// collapsed has one dot where s has several.
func collapsed(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(dots, r) }), ".")
}

func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// normalized notes s if it is a domain of more than one label.
func (f *finder) normalized(s string) bool {
	d, err := domain.Normalize(s)
	if err != nil || !hasInnerDot(d) {
		return false
	}
	f.note(d)
	return true
}

// isAddressLiteral reports whether a literal is an IP address, with or without
// its tag (RFC 5321 section 4.1.3).
func isAddressLiteral(literal []byte) bool {
	if len(literal) > 100 {
		return false
	}
	s := strings.TrimSpace(string(literal[1 : len(literal)-1]))
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") {
		s = s[5:]
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}
