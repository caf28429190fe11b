package authres

import "strings"

// lexer walks over a field value. Folds need no step of their own: CR and LF
// count as white space.
type lexer struct {
	s string
	i int
}

func (l *lexer) end() bool { return l.i >= len(l.s) }

// at reports whether the next octet is c.
func (l *lexer) at(c byte) bool { return l.i < len(l.s) && l.s[l.i] == c }

// take steps over c when it comes next.
func (l *lexer) take(c byte) bool {
	if l.at(c) {
		l.i++
		return true
	}
	return false
}

// cfws steps over white space and nested comments (RFC 5322 section 3.2.2). It
// is false when a comment does not end.
func (l *lexer) cfws() bool {
	for l.i < len(l.s) {
		switch c := l.s[l.i]; {
		case isSpace(c):
			l.i++
		case c == '(':
			if !l.comment() {
				return false
			}
		default:
			return true
		}
	}
	return true
}

// comment steps over one comment with those inside it.
func (l *lexer) comment() bool {
	depth := 0
	for ; l.i < len(l.s); l.i++ {
		switch l.s[l.i] {
		case '\\':
			l.i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.i++
				return true
			}
		}
	}
	l.i = len(l.s)
	return false
}

// quoted steps over a quoted string and returns what it means: without quotes,
// quoted-pairs resolved, folds undone. It is false when the string does not end.
func (l *lexer) quoted() (string, bool) {
	start := l.i + 1
	plain := true
	for i := start; i < len(l.s); i++ {
		switch l.s[i] {
		case '"':
			l.i = i + 1
			if plain {
				return l.s[start:i], true
			}
			return unquote(l.s[start:i]), true
		case '\\':
			plain = false
			i++
		case '\r', '\n':
			plain = false
		}
	}
	l.i = len(l.s)
	return "", false
}

func unquote(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\r' || s[i] == '\n':
			continue
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// keyword returns the run of keyword octets that comes next, in lower case.
func (l *lexer) keyword() string {
	start := l.i
	for l.i < len(l.s) && isKeyword(l.s[l.i]) {
		l.i++
	}
	return strings.ToLower(l.s[start:l.i])
}

// text returns what comes next up to white space, ";", "(" or a quote. It is
// false when a control character is in it.
func (l *lexer) text() (string, bool) {
	start := l.i
	for ; l.i < len(l.s); l.i++ {
		c := l.s[l.i]
		if isSpace(c) || c == ';' || c == '(' || c == '"' {
			break
		}
		if isControl(c) {
			return "", false
		}
	}
	return l.s[start:l.i], true
}

// delimited reports whether a word may end here.
func (l *lexer) delimited() bool {
	return l.end() || isSpace(l.s[l.i]) || l.s[l.i] == ';' || l.s[l.i] == '('
}

// skip goes on to the next semicolon outside comments and quoted strings. It is
// false when one of these does not end.
func (l *lexer) skip() bool {
	for l.i < len(l.s) {
		switch l.s[l.i] {
		case ';':
			return true
		case '(':
			if !l.comment() {
				return false
			}
		case '"':
			if _, ok := l.quoted(); !ok {
				return false
			}
		default:
			l.i++
		}
	}
	return true
}

func isSpace(c byte) bool   { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func isControl(c byte) bool { return c < ' ' || c == 0x7f }
func isDigit(c byte) bool   { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
}

// isKeyword allows the underscore, which RFC 5321 section 4.1.2 does not, as in
// policy.is_org.
func isKeyword(c byte) bool { return isAlnum(c) || c == '-' || c == '_' }

// isToken is the token of RFC 2045 section 5.1: printable without tspecials.
func isToken(c byte) bool {
	return ' ' < c && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?=`, rune(c))
}

// isAtext is the atext of RFC 5322 section 3.2.3.
func isAtext(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func all(s string, is func(byte) bool) bool {
	for i := 0; i < len(s); i++ {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
}
