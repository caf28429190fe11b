package read

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// cleaner gives the XML decoder UTF-8 that it does not stumble over. It replaces
// what is no character of XML (XML 1.0 section 2.2), refuses DOCTYPE, and bounds
// what the decoder can hold at a time.
type cleaner struct {
	in    *bufio.Reader
	limit int
	// since counts octets handed out since the decoder last made something of them.
	since int
	// replaced counts octets and characters that were replaced.
	replaced int
	mark     int // how much of "<!" has just been seen
	err      error
}

type doctypeError struct{}

func (doctypeError) Error() string { return "DOCTYPE is refused" }

// newCleaner reads text in any encoding: by its byte order mark, else by its XML
// declaration, else UTF-8.
func newCleaner(r io.Reader, limit int) *cleaner {
	in := bufio.NewReaderSize(r, 16<<10)
	head, _ := in.Peek(1024)
	if label := encodingOf(head); label != "" {
		if decoded, err := charset.NewReaderLabel(label, in); err == nil {
			in = bufio.NewReaderSize(decoded, 16<<10)
		}
	}
	c := &cleaner{in: in, limit: limit}
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	return c
}

// encodingOf is the label of an encoding other than UTF-8, or "".
func encodingOf(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return "utf-16le"
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return "utf-16be"
	case bytes.HasPrefix(head, []byte("<\x00?\x00")):
		return "utf-16le"
	case bytes.HasPrefix(head, []byte("\x00<\x00?")):
		return "utf-16be"
	}
	declaration, _, ok := bytes.Cut(bytes.TrimSpace(head), []byte("?>"))
	if !ok || !bytes.HasPrefix(declaration, []byte("<?xml")) {
		return ""
	}
	_, value, _ := bytes.Cut(declaration, []byte("encoding"))
	value = bytes.TrimLeft(value, " \t\r\n=")
	if len(value) == 0 || value[0] != '"' && value[0] != '\'' {
		return ""
	}
	label, _, _ := bytes.Cut(value[1:], value[:1])
	switch name := strings.ToLower(string(label)); name {
	case "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf16": // without a byte order mark it is none of the latter
		return ""
	default:
		return name
	}
}

// Read implements io.Reader.
func (c *cleaner) Read(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	for n+utf8.UTFMax <= len(p) {
		if n > 0 && c.in.Buffered() == 0 {
			break
		}
		r, size, err := c.in.ReadRune()
		if err != nil {
			c.err = err
			break
		}
		if r == utf8.RuneError && size == 1 || !isXML(r) {
			r = utf8.RuneError
			c.replaced++
		}
		if r == '&' && c.badReference() {
			r = utf8.RuneError
			c.replaced++
		}
		if c.err = c.look(r); c.err != nil {
			break
		}
		n += utf8.EncodeRune(p[n:], r)
	}
	if c.since += n; c.since > c.limit && c.err == nil {
		c.err = boundError{"the octets of one text or tag"}
	}
	if n == 0 {
		return 0, c.err
	}
	return n, nil
}

// badReference takes what follows "&" if it is a reference to a character that is none of
// XML, at which the decoder would give up.
func (c *cleaner) badReference() bool {
	const most = len("#x10ffff;")
	text, _ := c.in.Peek(most)
	digits, _, ok := bytes.Cut(text, []byte(";"))
	digits, isNumber := bytes.CutPrefix(digits, []byte("#"))
	if !ok || !isNumber || len(digits) == 0 {
		return false
	}
	base := 10
	if digits[0]|0x20 == 'x' {
		base, digits = 16, digits[1:]
	}
	n, err := strconv.ParseUint(string(digits), base, 32)
	if err == nil && n <= utf8.MaxRune && isXML(rune(n)) && utf8.ValidRune(rune(n)) {
		return false
	}
	_, _ = c.in.Discard(bytes.IndexByte(text, ';') + 1)
	return true
}

// look finds "<!" followed by a letter.
func (c *cleaner) look(r rune) error {
	switch {
	case r == '<':
		c.mark = 1
	case c.mark == 1 && r == '!':
		c.mark = 2
	case c.mark == 2 && ('a' <= r|0x20 && r|0x20 <= 'z'):
		return doctypeError{}
	default:
		c.mark = 0
	}
	return nil
}

func isXML(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r != 0xfffe && r != 0xffff
}
