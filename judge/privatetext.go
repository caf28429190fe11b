package judge

import (
	"io"
	"mime"
	"regexp"
	"strings"
)

// Texts come from outside, too, and may spell an address in many ways. What looks like one is
// hidden, though some of it may be none: a word too few does less harm than a mailbox too many.
// Known and left: a local part with white space that is not quoted loses its last word only, and
// so does what separates the two in words of no form.

const (
	// inLocal are parts of a local part: atoms, quoted strings, and both (RFC 5322 section 3.4.1).
	inLocal = `(?:"(?:[^"\\]|\\.)*"|[^\s<>,;:"()\[\]@])+`
	// spelledAt is "@" in percent-encoding (RFC 3986 section 2.1), quoted-printable (RFC 2045
	// section 6.7), xtext (RFC 3461 section 4), references of HTML, escapes, wide forms, and words
	// in brackets.
	spelledAt = `%40|=40|\+40|&#0*64;|&#[xX]0*40;|&commat;|\\x40|\\u0040|\x{FF20}|\x{FE6B}|\s*[(\[{<]\s*(?i:at|@)\s*[)\]}>]\s*`
	// spelledDomain ends in a label of letters, as there are many numbers with 40.
	spelledDomain = `[\pL\pN_-]+(?:\.[\pL\pN_-]+)*\.(?:\pL{2,}|xn--[a-z0-9-]+)`
)

var (
	// addressInText is an address in a text: local part and domain. A comment may be between
	// (RFC 5322 section 3.4), and more than one "@".
	addressInText = regexp.MustCompile(`(` + inLocal + `(?:@` + inLocal + `)*)(?:\([^()]*\))?@(\[[^\]]*\]|[^\s<>,;:"()\[\]@]*)`)
	spelledInText = regexp.MustCompile(`(` + inLocal + `)(` + spelledAt + `)(` + spelledDomain + `)`)
	// encodedWords are those of RFC 2047 that belong together.
	encodedWords = regexp.MustCompile(`=\?[^?\s]*\?[BbQq]\?[^?\s]*\?=(?:\s+=\?[^?\s]*\?[BbQq]\?[^?\s]*\?=)*`)
	// behindName is what may stand between a name that is known and a domain: as in a VERP or SRS
	// address whose "@" is another one, and in words.
	behindName = regexp.MustCompile(`^(?:=|\s+(?i:at)\s+)(` + spelledDomain + `)`)
)

// marks are in each text that is looked at closely.
var marks = []string{"@", "40", "64;", "&commat;", "\uff20", "\ufe6b", "=?", "at)", "AT)", "at]", "AT]", "at}", "AT}", "at>", "AT>", " at ", " AT ", "At"}

func marked(s string) bool {
	for _, m := range marks {
		if strings.Contains(s, m) {
			return true
		}
	}
	return strings.Contains(s, "=")
}

// text hides the local parts of the addresses in a text.
func (h *hiding) text(s string) string {
	if !marked(s) {
		return s
	}
	if strings.Contains(s, "=?") {
		s = encodedWords.ReplaceAllStringFunc(s, h.encoded)
	}
	if strings.Contains(s, "@") {
		s = addressInText.ReplaceAllStringFunc(s, func(found string) string {
			at := strings.LastIndexByte(found, '@')
			local := found[:at]
			if n := strings.LastIndexByte(local, '('); n > 0 && strings.HasSuffix(local, ")") {
				local = local[:n]
			}
			return h.local(local, strings.TrimRight(found[at+1:], ".'")) + found[at:]
		})
	}
	s = spelledInText.ReplaceAllStringFunc(s, func(found string) string {
		m := spelledInText.FindStringSubmatch(found)
		return h.local(m[1], m[3]) + m[2] + m[3]
	})
	for _, name := range h.names() {
		if len(name) >= minName {
			s = h.named(s, name)
		}
	}
	return s
}

// encoded are encoded words: as they are where they have no address, else in the clear, without
// its local part. The octets of a charset that is not known are taken as they are.
func (h *hiding) encoded(words string) string {
	var text strings.Builder
	d := mime.WordDecoder{CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil }}
	for word := range strings.FieldsSeq(words) {
		clear, err := d.Decode(word)
		if err != nil {
			return words
		}
		text.WriteString(clear)
	}
	clear := strings.ToValidUTF8(text.String(), "?")
	if strings.Contains(clear, "=?") { // it is not decoded again
		return words
	}
	if hidden := h.text(clear); hidden != clear {
		return hidden
	}
	return words
}

// named hides a name of this message where a domain follows it in a form that others have, too.
func (h *hiding) named(s, name string) string {
	lower := strings.ToLower(s)
	if len(lower) != len(s) { // letters whose other form is longer
		s = lower
	}
	var b strings.Builder
	done := 0
	for {
		n := strings.Index(lower[done:], name)
		if n < 0 {
			break
		}
		begin, end := done+n, done+n+len(name)
		m := behindName.FindStringSubmatch(s[end:])
		if m == nil || begin > 0 && isAlphanumeric(s[begin-1]) {
			b.WriteString(s[done:end])
		} else {
			b.WriteString(s[done:begin] + h.local(s[begin:end], m[1]))
		}
		done = end
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}
