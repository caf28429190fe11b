// Package testsign signs and seals messages for tests, the slow and obvious
// way: whole strings, regular expressions and textbook RSA, sharing no code
// with the verifiers. It can make what a decent signer would not: signatures
// are given as templates, so that any tag can be wrong, doubled or absent.
//
// Its canonicalizations also serve as the reference in fuzz tests. It is used
// by tests only.
package testsign

import (
	"regexp"
	"strings"
)

var (
	wsp  = regexp.MustCompile(`[ \t]+`)
	fold = regexp.MustCompile(`\r\n([ \t])`)
)

// SimpleBody is RFC 6376 section 3.4.3.
func SimpleBody(body string) string {
	for strings.HasSuffix(body, "\r\n") {
		body = strings.TrimSuffix(body, "\r\n")
	}
	return body + "\r\n"
}

// RelaxedBody is RFC 6376 section 3.4.4.
func RelaxedBody(body string) string {
	lines := strings.Split(body, "\r\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(wsp.ReplaceAllString(l, " "), " ")
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// RelaxedField is RFC 6376 section 3.4.2 without the final CRLF.
func RelaxedField(field string) string {
	name, value, _ := strings.Cut(field, ":")
	value = fold.ReplaceAllString(strings.TrimSuffix(value, "\r\n"), "$1")
	value = strings.Trim(wsp.ReplaceAllString(value, " "), " ")
	return strings.ToLower(strings.TrimRight(name, " \t")) + ":" + value
}
