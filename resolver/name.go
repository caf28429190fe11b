package resolver

import (
	"strings"
	"unicode/utf8"

	"alignd/domain"
)

// A name has two spellings here. Text is what callers write and read: labels
// separated by dots, all other octets as they are. The presentation form of
// RFC 1035 section 5.1 (escaped, with a trailing dot) is what miekg/dns reads
// and writes. Both are lower case, and presentation gives exactly the spelling
// that miekg/dns gives a name it read from a message, so they are compared as
// strings.

// canonical returns name as text in lower case without trailing dot. On names
// that already are, it does not allocate. why is not empty when DNS cannot
// carry the name (RFC 1035 section 2.3.4).
func canonical(name string) (text, why string) {
	name = strings.TrimSuffix(name, ".")
	upper, high, label := false, false, 0
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return name, "empty label"
			}
			label = -1
		case 'A' <= c && c <= 'Z':
			upper = true
		case c >= utf8.RuneSelf:
			high = true
		}
		if label++; label > domain.MaxLabel && !high {
			return name, "label of more than 63 octets"
		}
	}
	switch {
	case label == 0:
		return name, "empty label"
	case high:
		return withULabels(name)
	case len(name) > domain.MaxLength:
		return name, "more than 253 octets"
	case upper:
		return lower(name), ""
	}
	return name, ""
}

// withULabels is canonical for a name with octets above 127: U-labels become
// A-labels (RFC 8616), and what is no U-label is asked as it stands.
func withULabels(name string) (text, why string) {
	if utf8.ValidString(name) {
		if ascii, err := domain.Normalize(name); err == nil {
			return ascii, ""
		}
	}
	if len(name) > domain.MaxLength {
		return name, "more than 253 octets"
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > domain.MaxLabel {
			return name, "empty label or label of more than 63 octets"
		}
	}
	return lower(name), ""
}

// lower folds ASCII letters only: DNS compares octets (RFC 4343 section 3).
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// special reports whether c is written with a backslash in a name.
func special(c byte) bool {
	switch c {
	case '.', ' ', '\'', '@', ';', '(', ')', '"', '\\':
		return true
	}
	return false
}

// presentation escapes a text name and adds the trailing dot.
func presentation(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		c := text[i]
		plain = c > ' ' && c <= '~' && (c == '.' || !special(c))
	}
	if plain {
		return text + "."
	}
	b := make([]byte, 0, len(text)+16)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < ' ' || c > '~':
			b = append(b, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		case c != '.' && special(c):
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '.'))
}

// text turns a presentation name into text; ok is false when text cannot
// express it, because a label holds a dot. The root is "".
func text(presentation string) (name string, ok bool) {
	if strings.IndexByte(presentation, '\\') < 0 {
		return strings.TrimSuffix(lower(presentation), "."), true
	}
	if hasEscapedDot(presentation) {
		return "", false
	}
	name = strings.TrimSuffix(lower(presentation), ".")
	return string(appendUnescaped(nil, name)), true
}

func hasEscapedDot(name string) bool {
	for i := 0; i < len(name); i++ {
		if name[i] != '\\' {
			continue
		}
		c, n := escaped(name[i+1:])
		if c == '.' {
			return true
		}
		i += n
	}
	return false
}

// escaped decodes what stands after a backslash, n octets: three decimal
// digits, or one octet that stands for itself (RFC 1035 section 5.1).
func escaped(s string) (c byte, n int) {
	if len(s) >= 3 && isDigit(s[0]) && isDigit(s[1]) && isDigit(s[2]) {
		return (s[0]-'0')*100 + (s[1]-'0')*10 + (s[2] - '0'), 3
	}
	if s == "" {
		return 0, 0
	}
	return s[0], 1
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// appendUnescaped appends the octets that presentation text s stands for. A
// backslash at the end stands for nothing.
func appendUnescaped(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		c, n := escaped(s[i+1:])
		if n > 0 {
			dst = append(dst, c)
		}
		s = s[i+1+n:]
	}
}

// joinTXT joins the character-strings of one TXT record without separator
// (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2) and returns raw octets.
func joinTXT(strs []string) string {
	joined := strings.Join(strs, "")
	if strings.IndexByte(joined, '\\') < 0 {
		return joined
	}
	return string(appendUnescaped(make([]byte, 0, len(joined)), joined))
}
