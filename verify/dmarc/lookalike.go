package dmarc

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxLookalikes bounds the look-alikes that are told of one name; ours.
const maxLookalikes = 4

// asksPolicy finds the tag that makes a text without version a policy.
var asksPolicy = regexp.MustCompile(`(^|[;\s"])s?p\s*[=:]\s*"?(none|quarantine|reject)\b`)

// Lookalike says why txt, published where a DMARC record is expected, is none,
// though it was meant as one. It is empty for a record, and for a text that has
// nothing to do with DMARC.
//
// RFC 9989 section 4.7: the value of v must match precisely and the tag be the
// first one; section 4.10: what does not start with it is discarded.
func Lookalike(txt string) string {
	if _, ok := cutVersion(txt); ok {
		return ""
	}
	txt = txt[:min(len(txt), 1024)] // more of it says nothing new
	lower := strings.ToLower(txt)
	if !strings.Contains(lower, "dmarc") && !asksPolicy.MatchString(lower) {
		return ""
	}
	if before, ok := strings.CutSuffix(txt, strings.TrimLeft(txt, wsp)); ok && before != "" {
		if why := Lookalike(txt[len(before):]); why != "" {
			return why
		}
		return "white space stands in front of v=DMARC1"
	}
	at := strings.Index(lower, "v=dmarc1")
	switch {
	case strings.IndexAny(txt, `"'`) == 0 || strings.HasPrefix(txt, "“"):
		return "a quotation mark is part of the text: it stands in front of v=DMARC1"
	case at > 0:
		return "v=DMARC1 is not the first tag"
	case at < 0:
		return withoutVersion(txt, lower)
	case txt[len("v="):len("v=DMARC1")] != "DMARC1":
		return "the value of v is not DMARC1 in capital letters"
	}
	return afterVersion(txt[len("v=DMARC1"):])
}

// withoutVersion is for a text in which v=DMARC1 does not stand.
func withoutVersion(txt, lower string) string {
	if name, value, found := strings.Cut(lower, "="); found && trim(name) == "v" && strings.HasPrefix(trim(value), "dmarc") {
		head, _, _ := strings.Cut(txt, ";")
		_, value, _ := strings.Cut(head, "=")
		return "the value of v is " + quote(trim(value)) + " and not DMARC1"
	}
	return "it does not start with v=DMARC1"
}

// afterVersion names what stands where the semicolon behind v=DMARC1 should.
func afterVersion(rest string) string {
	next := strings.TrimLeft(rest, wsp)
	r, n := utf8.DecodeRuneInString(next)
	switch {
	case next != rest || r == '\\' || r == '%':
		return "no semicolon stands behind v=DMARC1"
	case r >= '0' && r <= '9':
		return "it says another version than DMARC1"
	}
	return quote(next[:n]) + " stands behind v=DMARC1 instead of a semicolon"
}

// lookalikes tells of the texts among an answer's that are none.
func lookalikes(texts []string) []string {
	var list []string
	for _, txt := range texts {
		if why := Lookalike(txt); why != "" && len(list) < maxLookalikes {
			list = append(list, quote(txt)+": "+why)
		}
	}
	return list
}

// at says of each look-alike where it was found.
func at(name string, list []string) []string {
	var told []string
	for _, text := range list {
		told = append(told, "_dmarc."+name+" "+text)
	}
	return told
}
