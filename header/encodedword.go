package header

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// maxCharset is the longest name of a character set, with a language (RFC 2231
// section 5), that is looked at; ours.
const maxCharset = 75

// encodedWord is an encoded word of RFC 2047 section 2, as mail programs find
// them: also in quoted strings and comments, without white space around it, and
// with white space in its text.
type encodedWord struct {
	charset string // lower case, without language
	base64  bool
	text    []byte
	size    int // of the whole in octets
	broken  bool
	short   bool // base64 without its padding: many readers drop the last octet
}

// encodedWordAt reads the encoded word at the start of t, which begins with
// "=?". ok is false where there is none. One without an end is broken and has no text.
func encodedWordAt(t []byte) (w encodedWord, ok bool) {
	head := t[2:min(len(t), 2+maxCharset+1)]
	n := bytes.IndexByte(head, '?')
	if n < 0 || bytes.ContainsAny(head[:n], " \t\r\n\"(),.:;<>@[]") {
		return w, false
	}
	charset, _, _ := strings.Cut(strings.ToLower(string(head[:n])), "*")
	at := 2 + n + 1 // the encoding
	if at+1 >= len(t) || t[at+1] != '?' {
		return w, false
	}
	w.charset = charset
	switch t[at] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		w.broken = true
	}
	at += 2
	end := bytes.Index(t[at:], []byte("?="))
	if end < 0 {
		w.broken, w.size = true, at
		return w, true
	}
	w.text, w.size = t[at:at+end], at+end+2
	return w, true
}

// mayHoldWord reports whether a reader may find an encoded word in t, however
// generous: behind "=?" stand a character set and an encoding, each with its "?"
// (RFC 2047 section 2). Both octets are atext (RFC 5322 section 3.2.3), so a local
// part may hold them.
func mayHoldWord(t []byte) bool {
	at := bytes.Index(t, []byte("=?"))
	return at >= 0 && bytes.Count(t[at+2:], []byte("?")) >= 2
}

// decoded is text with its encoded words decoded.
type decoded struct {
	octets []byte // as the sender encoded them
	text   []byte // the same in UTF-8
	broken bool   // one could not be decoded
}

// decodeWords decodes the encoded words in t, with around on both sides of each.
// White space between two of them is dropped (RFC 2047 section 6.2).
func decodeWords(t []byte, around string) (d decoded) {
	open := false // a domain may end in the next word
	for len(t) > 0 {
		at := bytes.Index(t, []byte("=?"))
		if at < 0 {
			break
		}
		w, ok := encodedWordAt(t[at:])
		if !ok {
			at += 2
			d.add(t[:at], t[:at], "")
			t = t[at:]
			continue
		}
		d.add(t[:at], t[:at], "")
		octets, text, fine := w.decode()
		d.add(octets, text, around)
		open = opensDomain(text, opensDomain(t[:at], open)) || bytes.IndexByte(octets, '@') >= 0
		d.broken = d.broken || !fine || w.short && open
		if t = t[at+w.size:]; w.text == nil { // no further one has an end
			break
		}
		if next := bytes.TrimLeft(t, " \t\r\n"); bytes.HasPrefix(next, []byte("=?")) {
			t = next
		}
	}
	d.add(t, t, "")
	return d
}

// opensDomain reports whether a domain may go on behind t, or behind what stands in front
// of t if open says so.
func opensDomain(t []byte, open bool) bool {
	at := max(bytes.LastIndexByte(t, '@'), bytes.LastIndex(t, []byte(wideAt)), bytes.LastIndex(t, []byte(smallAt)))
	return (at >= 0 || open) && !bytes.ContainsAny(t[max(at, 0):], ">,")
}

// withoutWords is t without its encoded words.
func withoutWords(t []byte) (rest []byte) {
	for len(t) > 0 {
		at := bytes.Index(t, []byte("=?"))
		if at < 0 {
			break
		}
		w, ok := encodedWordAt(t[at:])
		if !ok || w.text == nil {
			return t[at:]
		}
		rest = append(rest, t[:at]...)
		t = t[at+w.size:]
	}
	return append(rest, t...)
}

func (d *decoded) add(octets, text []byte, around string) {
	d.octets = append(append(append(d.octets, around...), octets...), around...)
	d.text = append(append(append(d.text, around...), text...), around...)
}

// decode gives the octets of w and its text. ok is false where its text is not known
// for certain: what is there is then what a generous reader makes of it.
func (w *encodedWord) decode() (octets, text []byte, ok bool) {
	octets, ok = w.octets()
	text, known := convert(w.charset, octets)
	return octets, text, ok && known && !w.broken
}

func (w *encodedWord) octets() (octets []byte, ok bool) {
	if !w.base64 {
		return decodeQ(w.text)
	}
	text := bytes.Trim(w.text, " \t\r\n")
	octets = make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, err := base64.RawStdEncoding.Decode(octets, bytes.TrimRight(text, "="))
	if err == nil {
		w.short = len(text)%4 != 0
		return octets[:n], true
	}
	text = bytes.Map(func(r rune) rune { // most readers pass over what is no base64
		if r < 0x80 && (isAlphanumeric(byte(r)) || r == '+' || r == '/') {
			return r
		}
		return -1
	}, text)
	n, _ = base64.RawStdEncoding.Decode(octets, text)
	return octets[:n], false
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// decodeQ is the encoding Q of RFC 2047 section 4.2.
func decodeQ(t []byte) (octets []byte, ok bool) {
	octets, ok = make([]byte, 0, len(t)), true
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == '_':
			octets = append(octets, ' ')
		case c != '=':
			octets = append(octets, c)
		case i+2 < len(t) && hex(t[i+1]) >= 0 && hex(t[i+2]) >= 0:
			octets = append(octets, byte(hex(t[i+1])<<4|hex(t[i+2])))
			i += 2
		default:
			octets, ok = append(octets, c), false
		}
	}
	return octets, ok
}

// hex is the value of a hexadecimal digit, or -1.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// convert gives octets of a character set in UTF-8. ok is false where the
// character set is unknown, or stateful: readers differ in what they show then.
func convert(charset string, octets []byte) (text []byte, ok bool) {
	switch charset {
	case "utf-8", "utf8":
		return octets, utf8.Valid(octets)
	case "us-ascii", "ascii":
		return octets, bytes.IndexFunc(octets, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	}
	for _, prefix := range []string{"iso-2022", "hz", "utf-7", "utf-16", "utf-32", "replacement", "x-user-defined"} {
		if strings.HasPrefix(charset, prefix) {
			return octets, false
		}
	}
	e, err := htmlindex.Get(charset)
	if err != nil || e == encoding.Replacement {
		return octets, false
	}
	text, err = e.NewDecoder().Bytes(octets)
	if err != nil {
		return octets, false
	}
	return text, true
}
