package spf

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLookalikes bounds the look-alikes that are told of one check; ours.
const maxLookalikes = 4

// Lookalike says why txt is no SPF record, though it was meant as one. It is empty
// for a record, and for a text that has nothing to do with SPF.
//
// RFC 7208 section 4.5: what does not begin with a version section of exactly
// "v=spf1", ended by a space or the end of the record, is discarded.
func Lookalike(txt string) string {
	if isRecord(txt) {
		return ""
	}
	txt = txt[:min(len(txt), 1024)] // more of it says nothing new
	lower := strings.ToLower(txt)
	switch at := strings.Index(lower, version); {
	case at == 0:
		return afterVersion(txt[len(version):])
	case at > 0 && strings.TrimLeft(txt[:at], " \t") == "":
		if why := Lookalike(txt[at:]); why != "" {
			return why
		}
		return "white space stands in front of v=spf1"
	case at > 0 && strings.Trim(txt[:at], "\"'“ ") == "":
		return "a quotation mark is part of the text: it stands in front of v=spf1"
	case at > 0:
		return "v=spf1 does not stand at the beginning"
	case strings.HasPrefix(lower, "spf2.0/"):
		return "it is a Sender ID record (RFC 4406), which is no SPF record"
	case misspelt.MatchString(lower):
		return "it does not start with v=spf1"
	case hasTerms(txt):
		return "the version section v=spf1 is missing"
	}
	return ""
}

// misspelt finds other spellings of the version section at the beginning.
var misspelt = regexp.MustCompile(`^\W{0,3}(v\s*[=:]?\s*spf\b|v\s*[=:]?\s*spf\s*[.\-]?[0-9]|spf1?\s*[=:]|spf1\s)`)

// afterVersion names what stands where the space behind v=spf1 should.
func afterVersion(rest string) string {
	r, n := utf8.DecodeRuneInString(rest)
	switch {
	case r >= '0' && r <= '9' || r == '.':
		return "it says another version than spf1"
	case isAlpha(byte(r)) && r < utf8.RuneSelf, strings.ContainsRune("+-~?", r):
		return "no space stands behind v=spf1"
	}
	return strconv.QuoteToASCII(rest[:n]) + " stands behind v=spf1 instead of a space"
}

// hasTerms reports whether txt is made of terms, with one among them that hardly
// stands anywhere else.
func hasTerms(txt string) bool {
	telling := false
	for word := range strings.FieldsSeq(txt) {
		t, why := parseTerm(word)
		if why != "" {
			return false
		}
		switch t.Kind {
		case Include, IP4, IP6:
			telling = true
		case All:
			telling = telling || word != "all"
		}
	}
	return telling
}

// noteLookalikes keeps what the texts at name that are no records look like.
func (e *evaluation) noteLookalikes(name string, list []string) {
	for _, text := range list {
		if len(e.lookalikes) < maxLookalikes {
			e.lookalikes = append(e.lookalikes, name+" "+text)
		}
	}
}

// lookalikes tells of the texts among an answer's that are none.
func lookalikes(texts []string) []string {
	var list []string
	for _, txt := range texts {
		if why := Lookalike(txt); why != "" && len(list) < maxLookalikes {
			list = append(list, strconv.QuoteToASCII(txt[:min(len(txt), maxShown)])+": "+why)
		}
	}
	return list
}

// maxShown is how much of a look-alike is shown, in octets; ours.
const maxShown = 60
