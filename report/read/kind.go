package read

import (
	"bytes"
)

// kind is what something is by its content.
type kind int

const (
	kindOther kind = iota
	kindEmpty
	kindGzip
	kindZip
	kindXML
	kindMail
	kindTar
	kindBase64
	kindFeedback
	kindJSON
)

func kindOf(head []byte) kind {
	text := head[blanks(head):]
	switch {
	case len(text) == 0:
		return kindEmpty
	case bytes.HasPrefix(text, []byte("\x1f\x8b")):
		return kindGzip
	case bytes.HasPrefix(text, []byte("PK\x03\x04")), bytes.HasPrefix(text, []byte("PK\x05\x06")):
		return kindZip
	case text[0] == '<', encodingOf(head) != "":
		return kindXML
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return kindTar
	case startsBase64(text):
		return kindBase64
	case startsJSON(text):
		return kindJSON
	case startsFeedback(text):
		return kindFeedback
	case startsMail(text):
		return kindMail
	}
	return kindOther
}

// blanks is how much stands in front that says nothing.
func blanks(head []byte) int {
	text := head
	for {
		next := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\ufeff")), " \t\r\n\x00")
		if len(next) == len(text) {
			return len(head) - len(text)
		}
		text = next
	}
}

// startsBase64 reports whether text is base64 (RFC 4648) of gzip, zip or XML that nobody
// decoded.
func startsBase64(text []byte) bool {
	for _, begin := range []string{"H4sI", "UEsDB", "UEsFB", "PD94bWwg", "PGZlZWRi", "77u/PD94"} {
		if bytes.HasPrefix(text, []byte(begin)) {
			line, _, _ := bytes.Cut(text, []byte("\n"))
			return !bytes.ContainsFunc(bytes.TrimSpace(line), func(r rune) bool {
				return !('a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '+' || r == '/' || r == '=')
			})
		}
	}
	return false
}

// countLine is the length of the line with a number that Apple Mail writes in front of a
// mail (.emlx), or 0.
func countLine(text []byte) int {
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	if digits := bytes.TrimSpace(line); len(digits) == 0 || len(digits) > 12 || len(bytes.Trim(digits, "0123456789")) > 0 || !startsMail(rest) {
		return 0
	}
	return len(line) + 1
}

// startsMail reports whether text begins with a header field, or mbox's "From ".
func startsMail(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if bytes.HasPrefix(bytes.TrimPrefix(line, []byte(">")), []byte("From ")) {
		return true
	}
	name, _, ok := bytes.Cut(line, []byte(":"))
	return ok && len(name) > 0 && len(name) < 80 && !bytes.ContainsFunc(bytes.TrimRight(name, " \t"), func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// startsJSON reports whether text begins an object or a list (RFC 8259), and not a
// sentence in brackets.
func startsJSON(text []byte) bool {
	if text[0] != '{' && text[0] != '[' {
		return false
	}
	next := text[1:]
	next = next[blanks(next):]
	return len(next) > 0 && bytes.IndexByte([]byte("\"{[]}"), next[0]) >= 0
}

// jsonIs says what a text in JSON is.
func jsonIs(head []byte) string {
	for _, key := range []string{`"organization-name"`, `"policies"`, `"policy-type"`, `"contact-info"`, `"start-datetime"`} {
		if bytes.Contains(head, []byte(key)) {
			return "a TLS report (RFC 8460), not a DMARC report"
		}
	}
	return "JSON, which no DMARC report is"
}

// butIs names what is not read but known by its first octets.
func butIs(head []byte) string {
	for _, k := range []struct{ begin, name string }{
		{"BZh", "bzip2"}, {"\xfd7zXZ\x00", "xz"}, {"7z\xbc\xaf\x27\x1c", "7-Zip"}, {"Rar!\x1a\x07", "RAR"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"\x1f\x9d", "compress (.Z)"},
		{"x\x01", "zlib"}, {"x\x9c", "zlib"}, {"x\xda", "zlib"}, {"x\x9f\x3e\x22", "TNEF (winmail.dat)"}, {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Outlook message (.msg)"}, {"%PDF-", "PDF"}, {"begin 6", "uuencode"},
		{"-----BEGIN PGP", "PGP"}, {"\x30\x80", "PKCS #7 (S/MIME)"}, {"\x30\x82", "PKCS #7 (S/MIME)"}, {"\x30\x83", "PKCS #7 (S/MIME)"},
	} {
		if bytes.HasPrefix(head, []byte(k.begin)) {
			return ": it is " + k.name
		}
	}
	return ""
}
