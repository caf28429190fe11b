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
// what is no character of XML (XML 1.0 section 2.2), drops comments and processing
// instructions, escapes "<" where no tag begins, refuses DOCTYPE, and bounds what the
// decoder can hold at a time.
type cleaner struct {
	in    *bufio.Reader
	limit int
	// since counts octets handed out since the decoder last made something of them.
	since int
	// replaced counts octets and characters that were replaced.
	replaced int
	// lone counts "<" that began no tag.
	lone  int
	cdata bool // within a CDATA section
	lines int  // of what was dropped, to be handed out
	err   error
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
	for mark, _ := in.Peek(3); string(mark) == "\ufeff"; mark, _ = in.Peek(3) {
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
	case len(head) > 3 && head[0] == '<' && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return "utf-16le"
	case len(head) > 3 && head[0] == 0 && head[1] == '<' && head[2] == 0 && head[3] != 0:
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
	for n+len(escaped) <= len(p) && c.err == nil {
		if n > 0 && c.in.Buffered() == 0 {
			break
		}
		if c.lines > 0 {
			p[n] = '\n'
			n, c.lines = n+1, c.lines-1
			continue
		}
		if plain := c.plain(p[n:]); plain > 0 {
			n += plain
			continue
		}
		n += c.next(p[n:])
	}
	if c.since += n; c.since > c.limit && c.err == nil {
		c.err = boundError{"the octets of one text or tag"}
	}
	if n == 0 {
		return 0, c.err
	}
	return n, nil
}

// plain copies what is buffered up to the next character that may be more than itself.
func (c *cleaner) plain(to []byte) int {
	ahead, _ := c.in.Peek(min(c.in.Buffered(), len(to)))
	n := 0
	for n < len(ahead) && (ahead[n] >= ' ' && ahead[n] < utf8.RuneSelf && ahead[n] != '<' && ahead[n] != '&' && ahead[n] != ']' || ahead[n] == '\n') {
		n++
	}
	copy(to, ahead[:n])
	_, _ = c.in.Discard(n)
	return n
}

// escaped is a "<" that begins no tag.
const escaped = "&lt;"

// next writes what the next character becomes: nothing, itself, or a replacement.
func (c *cleaner) next(to []byte) int {
	r, size, err := c.in.ReadRune()
	switch {
	case err != nil:
		c.err = err
		return 0
	case r == utf8.RuneError && size == 1, !isXML(r):
		r = utf8.RuneError
		c.replaced++
	case c.cdata:
		if end, _ := c.in.Peek(2); r == ']' && string(end) == "]>" {
			c.cdata = false
		}
	case r == '<':
		switch c.markup() {
		case markupDropped:
			return 0
		case markupNone:
			c.lone++
			return copy(to, escaped)
		}
	case r == '&' && c.badReference():
		r = utf8.RuneError
		c.replaced++
	}
	return utf8.EncodeRune(to, r)
}

type markup int

const (
	markupNone    markup = iota // "<" is only a character
	markupTag                   // or the begin of CDATA
	markupDropped               // and so is all of it
)

// mostName is how much is looked at behind "<" for a tag, and mostInstruction how long a
// processing instruction may be; ours.
const (
	mostName        = 80
	mostInstruction = 4096
)

// markup tells what a "<" begins that was just read.
func (c *cleaner) markup() markup {
	ahead, _ := c.in.Peek(mostName)
	switch {
	case bytes.HasPrefix(ahead, []byte("!--")):
		c.drop("-->")
		return markupDropped
	case bytes.HasPrefix(ahead, []byte("![CDATA[")):
		c.cdata = true
		return markupTag
	case len(ahead) > 1 && ahead[0] == '!' && 'a' <= ahead[1]|0x20 && ahead[1]|0x20 <= 'z':
		c.err = doctypeError{}
		return markupDropped
	case len(ahead) > 0 && ahead[0] == '?':
		if ahead, _ = c.in.Peek(mostInstruction); bytes.Contains(ahead, []byte("?>")) {
			c.drop("?>")
			return markupDropped
		}
	case isTag(ahead):
		return markupTag
	}
	return markupNone
}

// isTag reports whether what stands behind "<" is the name of an element, and not an
// address or URI that somebody put in angle brackets.
func isTag(ahead []byte) bool {
	name := bytes.TrimPrefix(ahead, []byte("/"))
	end := bytes.IndexFunc(name, func(r rune) bool {
		return !('a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r >= utf8.RuneSelf || strings.ContainsRune("_:.-", r))
	})
	switch {
	case len(name) == 0 || strings.ContainsRune("0123456789.-", rune(name[0])):
		return false
	case end < 0:
		return true
	case end == 0:
		return false
	case name[end] == '/':
		return end+1 == len(name) || name[end+1] == '>'
	}
	return strings.ContainsRune(" \t\r\n>", rune(name[end]))
}

// drop reads past a text, and keeps its lines.
func (c *cleaner) drop(upTo string) {
	var last [3]byte
	for n := 0; ; n++ {
		b, err := c.in.ReadByte()
		switch {
		case err != nil:
			c.err = err
			return
		case n > c.limit:
			c.err = boundError{"the octets of one text or tag"}
			return
		case b == '\n':
			c.lines++
		}
		copy(last[:], last[1:])
		last[2] = b
		if strings.HasSuffix(string(last[:]), upTo) && n+1 >= len(upTo) {
			return
		}
	}
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

func isXML(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r != 0xfffe && r != 0xffff
}
