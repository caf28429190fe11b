package header

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"alignd/domain"

	"golang.org/x/text/encoding/japanese"
)

// finder looks for domains in text that some reader may take for an address. It
// takes every name behind an at sign, in each spelling that readers make of the
// text. A word of one label is no author: "Acme@Home".
type finder struct {
	note func(domain string)
	// left is how many names are looked at; below zero there were more.
	left *int
	// broken: there is a name that DNS cannot carry or a word that cannot be
	// decoded, so a reader may show an author that was not found.
	broken bool
	// joins: some readers drop white space within a domain (Python's
	// email.utils), so it counts without it too.
	joins bool
	// joinsShort: only where what stands before the white space has one label.
	joinsShort bool
	plain      bool // the field has no encoded word for anybody, see mayHoldWord
}

// The at signs of typographers count, as the eye takes them for one.
const (
	wideAt  = "\uff20"
	smallAt = "\ufe6b"
)

// maxNames is how many at signs are looked at in all text that is no address list,
// in all spellings of it; ours. With more of them From names too many domains.
const maxNames = 2000

// maxName is how much of a name behind an at sign is looked at. Longer ones are none in DNS.
const maxName = 4 * domain.MaxLength

// atSign is the length of the at sign that t begins with; 0 if it does not.
func atSign(t []byte) int {
	switch {
	case len(t) == 0:
		return 0
	case t[0] == '@':
		return 1
	case isWideAt(t):
		return len(wideAt)
	}
	return 0
}

func isWideAt(t []byte) bool {
	return len(t) >= 3 && t[0] == 0xef && (string(t[:3]) == wideAt || string(t[:3]) == smallAt)
}

// hasAt reports whether t may hold an address, perhaps in an encoded word.
func hasAt(t []byte) bool {
	return bytes.IndexByte(t, '@') >= 0 || bytes.Contains(t, []byte("=?")) || hasWideAt(t) || bytes.IndexByte(t, 0x1b) >= 0
}

func hasWideAt(t []byte) bool {
	return bytes.Contains(t, []byte(wideAt)) || bytes.Contains(t, []byte(smallAt))
}

// search finds the domains in t as it is and decoded.
func (f *finder) search(t []byte) {
	if *f.left < 0 || !hasAt(t) {
		return
	}
	f.spellings(t)
	if bytes.IndexByte(t, 0x1b) >= 0 { // raw ISO-2022-JP, which some readers decode
		if text, err := japanese.ISO2022JP.NewDecoder().Bytes(t); err == nil {
			f.spellings(text)
		}
	}
	if f.plain || !bytes.Contains(t, []byte("=?")) {
		return
	}
	// Some readers find words in what is none for others: "=?utf-,8?q?...?=".
	f.broken = f.broken || bytes.Contains(withoutWords(t), []byte("=?"))
	d := decodeWords(t, "")
	f.broken = f.broken || d.broken
	f.joins = true // who decodes first is that kind of reader
	f.decoded(d)
	f.joins = false
	f.decoded(decodeWords(t, " ")) // some readers leave a space between words
}

func (f *finder) decoded(d decoded) {
	f.spellings(d.text)
	if !bytes.Equal(d.octets, d.text) { // what a reader sees who does not know the character set
		f.spellings(d.octets)
	}
}

// spellings finds the domains in t as it stands, and without what some readers leave out.
func (f *finder) spellings(t []byte) {
	f.scan(t)
	if bytes.IndexFunc(t, func(r rune) bool { return r <= ' ' || r == '\\' || r == '(' || r == 0x7f }) >= 0 {
		f.scan(condensed(t, true))
		if bytes.IndexByte(t, '(') >= 0 {
			f.scan(condensed(t, false))
		}
	}
	if parts := bytes.FieldsFunc(t, isWideSpace); len(parts) > 1 { // some readers drop it wherever it stands
		f.scan(bytes.Join(parts, nil))
	}
}

// isWideSpace: white space that is not of ASCII, as U+00A0.
func isWideSpace(r rune) bool { return r >= utf8.RuneSelf && unicode.IsSpace(r) }

// condensed is t without comments, backslashes, control characters and the
// white space around dots and at signs (RFC 5322 sections 3.2.1, 3.2.2 and 4.4).
// Comments with an at sign go only if all do.
func condensed(t []byte, all bool) []byte {
	out := make([]byte, 0, len(t))
	var open []int // where comments begin in out
	lastAt := -1   // in out
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == '\\' && i+1 < len(t):
			i++
			out = append(out, t[i])
		case c == '(':
			open = append(open, len(out))
			out = append(out, c)
		case c == ')' && len(open) > 0:
			start := open[len(open)-1]
			open = open[:len(open)-1]
			if all || lastAt < start {
				out = out[:start]
			} else {
				out = append(out, c)
			}
		case atSign(t[i:]) > 0:
			lastAt = len(out)
			out = append(out, c)
		case c == '\t' || c == ' ':
			out = append(out, ' ')
		case c < ' ' || c == 0x7f || c == '\\':
		default:
			out = append(out, c)
		}
	}
	return withoutGaps(out)
}

// withoutGaps removes spaces around dots and at signs, in place.
func withoutGaps(t []byte) []byte {
	out := t[:0]
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == ' ' && len(out) > 0 && (out[len(out)-1] == '.' || out[len(out)-1] == '@'):
			continue
		case c == '.' || c == '@':
			out = append(bytes.TrimRight(out, " "), c)
		default:
			out = append(out, c)
		}
	}
	return out
}

// scan looks at the name behind each at sign.
func (f *finder) scan(t []byte) {
	for len(t) > 0 {
		at := bytes.IndexFunc(t, func(r rune) bool { return r == '@' || r == 0xff20 || r == 0xfe6b })
		if at < 0 {
			return
		}
		t = t[at+atSign(t[at:]):]
		name := bytes.TrimLeft(t, " \t\r\n")
		bare := bytes.TrimLeft(name, "<>[](),;:\"'` \t\r\n")
		n := nameLen(bare)
		if bytes.ContainsAny(name[:len(name)-len(bare)], "<>[](),;: ") && atSign(bare[n:]) > 0 {
			continue // the local part of another address
		}
		if *f.left--; *f.left < 0 {
			return
		}
		f.name(bare[:n])
		for len(bare) < len(name) && n < len(bare) && bare[n] == ':' { // a tag, as of "[IPv6:"
			bare = bare[n+1:]
			n = nameLen(bare)
			f.name(bare[:n])
		}
		f.goesOn(bare, n)
		if f.joins || f.joinsShort && bytes.IndexByte(bare[:n], '.') < 0 {
			f.joined(bare, n)
		}
	}
}

// goesOn looks at what stands right behind the name in t, which has n octets. It
// goes on for readers that leave out control characters; and for those that leave
// out quotes, brackets and "<>" too, but they do not agree with others.
func (f *finder) goesOn(t []byte, n int) {
	name := f.glued(t, n, isControl)
	if len(name) > n && !hasInnerDot(string(t[:n])) {
		f.name(name)
	}
	out := isLeftOut
	if !hasInnerDot(string(t[:n])) {
		out = func(r rune) bool { return isLeftOut(r) || isBracket(r) }
	}
	if more := f.glued(t, n, out); len(more) > len(name) && hasInnerDot(string(more)) {
		f.broken = true
		if bare := withoutQuotes(t[:min(len(t), maxName)]); nameLen(bare) > n {
			f.name(bare[:nameLen(bare)])
		}
	}
}

// glued is the name in t, whose first part has n octets, with what follows
// behind characters that are left out, unless that is a local part.
func (f *finder) glued(t []byte, n int, out func(rune) bool) []byte {
	name := t[:min(n, maxName):min(n, maxName)]
	for t = t[n:]; len(name) < maxName; t = t[n:] {
		next := bytes.TrimLeftFunc(t, out)
		if out('<') {
			next = f.behindAngle(t, next)
		}
		n = nameLen(next)
		local := atSign(next[n:]) > 0
		if len(next) == len(t) || n == 0 || local {
			// Some readers (c-client) pass over quotes, and end at the next at sign.
			f.broken = f.broken || local && len(next) < len(t) && len(bytes.Trim(t[:len(t)-len(next)], `"\`)) == 0
			break
		}
		name, t = append(name, next[:n]...), next
	}
	return name
}

// behindAngle is what stands in t behind an empty angle address and the white space
// in front of it, which some readers drop; in a field that is no address list
// also behind white space beside a bracket or quote. Else it is next.
func (f *finder) behindAngle(t, next []byte) []byte {
	rest := bytes.TrimLeftFunc(t, func(r rune) bool { return r <= ' ' || isLeftOut(r) })
	dropped := t[:len(t)-len(rest)]
	if f.joins && bytes.ContainsAny(dropped, "<>)\"") || bytes.Contains(dropped, []byte("<>")) {
		return rest
	}
	return next
}

func isBracket(r rune) bool {
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Ps, unicode.Pe, unicode.Pi, unicode.Pf)
}

func isControl(r rune) bool { return r == 0x7f || r < ' ' && !unicode.IsSpace(r) }

// withoutQuotes is t without the quotes and empty brackets that some readers drop, so
// that they show ceo@bank.example for ceo@bank.ex"ample.
func withoutQuotes(t []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(t, []byte(`"`), nil), []byte("<>"), nil)
}

// isLeftOut: what some readers leave out of an address, white space that is not
// of ASCII included.
func isLeftOut(r rune) bool {
	return isControl(r) || isWideSpace(r) || strings.ContainsRune("()<>[]\\\"", r)
}

// joined is the name in t, whose first part has n octets, without the white space in it.
func (f *finder) joined(t []byte, n int) {
	name := slices.Clone(t[:min(n, maxName)])
	for len(name) < maxName {
		next := bytes.TrimLeft(t[n:], " \t\r\n")
		if len(next) == len(t)-n {
			break
		}
		f.broken = f.broken || !utf8.Valid(t[:n])
		t, n = next, nameLen(next)
		if name = append(name, t[:n]...); n == 0 && bytes.HasPrefix(t, []byte(`\`)) {
			f.broken = true // some readers (Thunderbird) drop it with the octet behind it
		}
	}
	if n < len(name) {
		f.name(name)
	}
}

// nameLen is the length of what a reader may take for a domain at the start of t.
func nameLen(t []byte) int {
	for i := 0; i < len(t); {
		if t[i] < utf8.RuneSelf {
			if t[i] <= ' ' || t[i] == 0x7f || strings.IndexByte("()<>[]:;@\\,\"", t[i]) >= 0 {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(t[i:])
		if isWideAt(t[i:]) || unicode.IsSpace(r) || unicode.In(r, unicode.Ps, unicode.Pe, unicode.Pi, unicode.Pf) || isWideComma(r) {
			return i
		}
		i += n
	}
	return len(t)
}

// isWideComma: the ideographic and full-width comma, colon and semicolon.
func isWideComma(r rune) bool {
	return r == 0x3001 || r == 0xff0c || r == 0xff1a || r == 0xff1b
}

// name notes the domain in an atom behind an at sign: the first part of it that
// has a dot and no character that domains have not.
func (f *finder) name(atom []byte) {
	if len(atom) > maxName {
		atom, f.broken = atom[:maxName], true
	}
	encoded := !f.plain && bytes.Contains(atom, []byte("=?")) // its text is looked at decoded
	rest := string(atom)
	for first := true; rest != ""; first = false {
		n := strings.IndexFunc(rest, func(r rune) bool { return r < utf8.RuneSelf && !isDomainByte(byte(r)) })
		if n < 0 {
			n = len(rest)
		}
		if f.domain(rest[:n]) {
			f.broken = f.broken || !first && !encoded
			return
		}
		rest = rest[min(n+1, len(rest)):]
	}
	if !encoded && hasInnerDot(string(atom)) {
		f.broken = true
	}
}
