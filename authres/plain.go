package authres

import "strings"

// plain makes text for people, a comment or a reason, that needs no backslash:
// some readers know no quoted-pair (RFC 5322 section 3.2.1) and end a quoted
// string or a comment at \" or \), or lose all of the field. Quotes and
// brackets become others that look alike; an "=" that would look like a result
// or property to a filter that searches the raw field becomes a colon.
func plain(text string) string {
	if !strings.ContainsAny(text, `"\()`) && !deceives(text) {
		return text
	}
	b := []byte(text)
	for i, c := range b {
		switch c {
		case '"':
			b[i] = '\''
		case '\\':
			b[i] = '/'
		case '(':
			b[i] = '['
		case ')':
			b[i] = ']'
		case '=':
			if looksLikeSpec(text[:i]) {
				b[i] = ':'
			}
		}
	}
	return string(b)
}

// isBare reports whether c may stand in a value without quotes. An apostrophe
// may (RFC 2045 section 5.1), but some readers take it for a quote and lose
// what follows.
func isBare(c byte) bool { return isToken(c) && c != '\'' }
