// Package rfc8601 reads Authentication-Results by the letter of RFC 8601 section
// 2.2, for tests of what alignd writes. It shares nothing with package authres
// and forgives nothing: what it refuses, some reader in the world refuses.
package rfc8601

import (
	"fmt"
	"regexp"
	"strings"
)

// Field is what a field says.
type Field struct {
	ServID  string
	Results []Result // nil for "none"
}

// Result is one resinfo.
type Result struct {
	Method, Value, Reason string
	Props                 []Property
}

// Property is one propspec; its value is without quotes and quoted-pairs.
type Property struct{ Type, Name, Value string }

// Read reads the value of a field, which may be folded by CRLF and is US-ASCII: that
// of a message without SMTPUTF8.
func Read(value string) (f Field, err error) {
	r := reader{s: value}
	defer func() {
		if p := recover(); p != nil {
			fault, ok := p.(refusal)
			if !ok {
				panic(p)
			}
			err = fmt.Errorf("at octet %d, before %.30q: %s", r.i, r.s[r.i:], string(fault))
		}
	}()
	r.cfws()
	f.ServID = r.value()
	r.cfws()
	r.want(';')
	r.cfws()
	if r.s[r.i:] == "none" {
		return f, nil
	}
	for {
		f.Results = append(f.Results, r.resinfo())
		if r.i == len(r.s) {
			return f, nil
		}
		r.want(';')
		r.cfws()
	}
}

type refusal string

type reader struct {
	s string
	i int
}

func (r *reader) refuse(format string, args ...any) { panic(refusal(fmt.Sprintf(format, args...))) }

func (r *reader) at(c byte) bool { return r.i < len(r.s) && r.s[r.i] == c }

func (r *reader) want(c byte) {
	if !r.at(c) {
		r.refuse("%q is wanted", c)
	}
	r.i++
}

// resinfo = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]
func (r *reader) resinfo() Result {
	var out Result
	out.Method = r.keyword()
	r.cfws()
	r.want('=')
	r.cfws()
	out.Value = r.keyword()
	for space := r.cfws(); r.i < len(r.s) && !r.at(';'); space = r.cfws() {
		if !space {
			r.refuse("CFWS is wanted")
		}
		name := r.keyword()
		if r.cfws(); name == "reason" && r.at('=') {
			if out.Reason != "" || len(out.Props) > 0 {
				r.refuse("a reason behind another one, or behind a property")
			}
			r.want('=')
			r.cfws()
			out.Reason = r.value()
			continue
		}
		p := Property{Type: name}
		r.want('.')
		r.cfws()
		p.Name = r.keyword()
		r.cfws()
		r.want('=')
		r.cfws()
		p.Value = r.pvalue()
		out.Props = append(out.Props, p)
	}
	return out
}

// Keyword = Ldh-str (RFC 5321 section 4.1.2).
func (r *reader) keyword() string {
	k := keyword.FindString(r.s[r.i:])
	if k == "" || k[len(k)-1] == '-' {
		r.refuse("a Keyword is wanted")
	}
	r.i += len(k)
	return k
}

var (
	keyword = regexp.MustCompile(`^[A-Za-z0-9-]+`)
	// token of RFC 2045 section 5.1.
	token = regexp.MustCompile("^[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+$")
	// [ [ local-part ] "@" ] domain-name: Dot-string of RFC 5321 section 4.1.2, and
	// domain-name of RFC 6376 section 3.5 with sub-domain of RFC 5321.
	subDomain = `[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?`
	atom      = "[!#$%&'*+/0-9=?A-Z^_`a-z{|}~-]+"
	address   = regexp.MustCompile(`^((` + atom + `(\.` + atom + `)*)?@)?` + subDomain + `(\.` + subDomain + `)+$`)
)

// pvalue = value / [ [ local-part ] "@" ] domain-name, without quoted local parts.
func (r *reader) pvalue() string {
	if r.at('"') {
		return r.value()
	}
	word := r.word()
	if !token.MatchString(word) && !address.MatchString(word) {
		r.refuse("%q is neither a token nor a domain-name with or without a local part", word)
	}
	return word
}

// value = token / quoted-string (RFC 2045 section 5.1).
func (r *reader) value() string {
	if r.at('"') {
		return r.quoted()
	}
	word := r.word()
	if !token.MatchString(word) {
		r.refuse("%q is no token", word)
	}
	return word
}

// word is everything up to white space, a comment, a quoted string or the next result.
func (r *reader) word() string {
	start := r.i
	for r.i < len(r.s) && !strings.ContainsRune(" \t\r\n;(\"", rune(r.s[r.i])) {
		r.i++
	}
	return r.s[start:r.i]
}

// quoted is quoted-string of RFC 5322 section 3.2.4.
func (r *reader) quoted() string {
	var b strings.Builder
	r.want('"')
	for !r.at('"') {
		switch {
		case r.fold(), r.i == len(r.s):
			if r.i == len(r.s) {
				r.refuse("a quoted-string without end")
			}
		case r.at('\\'):
			b.WriteString(r.pair())
		default:
			b.WriteString(r.text())
		}
	}
	r.i++
	return b.String()
}

// cfws is [CFWS] (RFC 5322 section 3.2.2); it reports whether there was any.
func (r *reader) cfws() bool {
	start := r.i
	for {
		switch {
		case r.at(' ') || r.at('\t'):
			r.i++
		case r.at('('):
			r.comment()
		case !r.fold():
			return r.i > start
		}
	}
}

func (r *reader) comment() {
	r.want('(')
	for !r.at(')') {
		switch {
		case r.fold():
		case r.i == len(r.s):
			r.refuse("a comment without end")
		case r.at('('):
			r.comment()
		case r.at('\\'):
			r.pair()
		default:
			r.text()
		}
	}
	r.i++
}

// fold steps over CRLF if white space follows, as it must.
func (r *reader) fold() bool {
	if !strings.HasPrefix(r.s[r.i:], "\r\n") {
		return false
	}
	line := r.s[r.i+2:]
	if blank, _, _ := strings.Cut(line, "\r\n"); strings.Trim(blank, " \t") == "" || line[0] != ' ' && line[0] != '\t' {
		r.refuse("a line end that is no fold, or a line of white space")
	}
	r.i += 2
	return true
}

// pair is quoted-pair: "\" (VCHAR / WSP).
func (r *reader) pair() string {
	r.want('\\')
	if r.i == len(r.s) || r.s[r.i] != '\t' && r.s[r.i] < ' ' || r.s[r.i] > '~' {
		r.refuse("a quoted-pair of no printable character")
	}
	r.i++
	return r.s[r.i-1 : r.i]
}

// text is one character of qtext or ctext, or a blank.
func (r *reader) text() string {
	if r.i == len(r.s) || r.s[r.i] != '\t' && r.s[r.i] < ' ' || r.s[r.i] > '~' {
		r.refuse("a character that may not stand there")
	}
	r.i++
	return r.s[r.i-1 : r.i]
}
