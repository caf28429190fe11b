package authres

import (
	"strings"
	"unicode/utf8"

	"alignd/domain"
)

// Limits of the writer, in octets before escaping; longer text is cut and ends
// in "...". Together they keep each word below the 998 octets of a line (RFC
// 5322 section 2.1.1). The numbers are ours: a value holds the longest address.
const (
	maxValue   = 384
	maxComment = 256
	maxKeyword = 64
)

const cut = "..."

// clean returns s with each octet or character that cannot be shown replaced by
// "?": controls, NUL, CR and LF, and what is not ASCII. Nothing is removed, so a
// hostile text never turns into the name of somebody else.
func clean(s string, limit int) string {
	long := len(s) > limit
	if long {
		s = s[:limit-len(cut)]
	}
	if !printable(s) {
		s = replaceHidden(s)
	}
	if long {
		s += cut
	}
	return s
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func replaceHidden(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case r < utf8.RuneSelf && !isControl(byte(r)):
			b.WriteByte(byte(r))
		default:
			b.WriteByte('?')
		}
		i += n
	}
	return b.String()
}

// escape puts a backslash before each octet of special, and before "=" where the
// text would look like a result or property to a filter that searches the raw
// field.
func escape(s, special string) string {
	if !strings.ContainsAny(s, special) && !deceives(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(special, s[i]) >= 0 || s[i] == '=' && looksLikeSpec(s[:i]) {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// deceives reports whether escape has an "=" to hide.
func deceives(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && looksLikeSpec(s[:i]) {
			return true
		}
	}
	return false
}

// methods are the names that readers search for.
var methods = []string{"spf", "dkim", "dmarc", "arc", "iprev", "auth", "sender-id", "dkim-adsp", "dkim-atps", "domainkeys", "vbr", "rrvs", "smime", "dnswl", "bimi"}

// looksLikeSpec reports whether before, which an "=" follows, ends like a method
// or a property. Only its last octets are looked at.
func looksLikeSpec(before string) bool {
	const enough = 72
	if len(before) > enough {
		before = before[len(before)-enough:]
	}
	before = strings.ToLower(strings.TrimRight(before, " \t"))
	for _, m := range methods {
		if strings.HasSuffix(before, m) {
			return true
		}
	}
	word := before[1+strings.LastIndexFunc(before, func(r rune) bool {
		return r >= utf8.RuneSelf || r != '.' && !isKeyword(byte(r))
	}):]
	for _, ptype := range []string{"header.", "smtp.", "policy.", "body.", "dns."} {
		if strings.Contains(word, ptype) {
			return true
		}
	}
	return false
}

// pvalue renders a property's value: a token, an address with a dot-atom for its
// local part, or else a quoted string (RFC 8601 section 2.2).
func pvalue(v string) string {
	v = clean(asciiDomain(v), maxValue)
	if all(v, isBare) || isAddress(v) && !deceives(v) {
		return v
	}
	return `"` + escape(v, `"\`) + `"`
}

// word renders a value that is not an address: authserv-id or reason.
func word(v string) string {
	v = clean(v, maxValue)
	if all(v, isBare) {
		return v
	}
	return `"` + escape(v, `"\`) + `"`
}

// isAddress matches [[local-part] "@"] domain-name (RFC 8601 section 2.2) with a
// dot-atom as local part.
func isAddress(v string) bool {
	local, host, found := strings.Cut(v, "@")
	if !found {
		return false
	}
	return (local == "" || isDotAtom(local)) && isDomain(host)
}

func isDotAtom(s string) bool {
	return all(s, func(c byte) bool { return isAtext(c) && c != '\'' || c == '.' }) && noEmptyLabel(s)
}

// isDomain matches domain-name of RFC 6376 section 3.5, sub-domain 1*("."
// sub-domain): two labels at least, of letters, digits and inner hyphens (RFC 5321
// section 4.1.2). Any other name that DNS carries must be quoted, as some readers
// give up the whole field otherwise.
func isDomain(s string) bool {
	if !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isName(label) || label[0] == '-' {
			return false
		}
	}
	return true
}

func noEmptyLabel(s string) bool {
	return s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

// asciiDomain turns the U-labels of a domain or of an address's domain into
// A-labels; anything else comes back as it was.
func asciiDomain(v string) string {
	at := strings.LastIndexByte(v, '@')
	if printable(v[at+1:]) || at < 0 && !strings.Contains(v, ".") {
		return v
	}
	host, err := domain.Normalize(v[at+1:])
	if err != nil {
		return v
	}
	return v[:at+1] + host
}
