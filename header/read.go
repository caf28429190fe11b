package header

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits bound what Read keeps. A zero field means its default.
type Limits struct {
	Fields int // number of fields; default 10,000
	Bytes  int // octets of the whole header section; default 4 MiB
}

// The defaults of Limits, ours: above what Postfix (header_size_limit, 100 KiB
// a field) and Sendmail (MaxHeadersLength, 32 KiB) let through.
const (
	DefaultMaxFields = 10_000
	DefaultMaxBytes  = 4 << 20
)

// ErrTooLarge is returned by Read when a limit is exceeded.
var ErrTooLarge = errors.New("header section too large")

// Read reads the header section of a message file and returns it with the
// body, which is streamed: lines that end in LF or CRLF come out of it with
// CRLF, a bare CR stays.
//
// The section ends as in an MTA: at the empty line, which belongs to neither
// part, or before the first line that is neither a field nor a continuation,
// which then opens the body. A "From " line at the top (mbox) is dropped.
//
// The error is ErrTooLarge, or that of r.
func Read(r *bufio.Reader, lim Limits) (*Fields, io.Reader, error) {
	h, next, err := Section(r, lim)
	if err != nil {
		return nil, nil, err
	}
	return h, withCRLF(io.MultiReader(bytes.NewReader(next), r)), nil
}

// Section reads the header section as Read does and leaves the body in r as it is, but
// for its first line where no empty line stands before it: that is next, else nil.
func Section(r *bufio.Reader, lim Limits) (h *Fields, next []byte, err error) {
	if lim.Fields == 0 {
		lim.Fields = DefaultMaxFields
	}
	if lim.Bytes == 0 {
		lim.Bytes = DefaultMaxBytes
	}
	in := lines{r: r, left: lim.Bytes}
	line, err := in.next()
	if err == nil && isMboxLine(trimEOL(line)) {
		line, err = in.next()
	}
	h = new(Fields)
	var pending []byte // the field being read, lines joined by CRLF
	for ; err == nil; line, err = in.next() {
		text := trimEOL(line)
		if len(pending) > 0 && len(text) > 0 && (text[0] == ' ' || text[0] == '\t') {
			pending = append(append(pending, '\r', '\n'), text...)
			continue
		}
		h.addLine(pending)
		pending = pending[:0]
		if len(text) == 0 {
			line = nil
			break
		}
		if nameLength(text) < 0 {
			break
		}
		if h.Len() >= lim.Fields {
			return nil, nil, fmt.Errorf("reading header: %w: more than %d fields", ErrTooLarge, lim.Fields)
		}
		pending = append(pending, text...)
	}
	if err != nil && err != io.EOF {
		return nil, nil, fmt.Errorf("reading header: %w", err)
	}
	h.addLine(pending)
	return h, bytes.Clone(line), nil
}

// addLine adds a whole field, whose name is known to be well-formed.
func (h *Fields) addLine(field []byte) {
	if len(field) == 0 {
		return
	}
	colon := bytes.IndexByte(field, ':')
	h.Add(field[:colon], field[colon+1:])
}

// isMboxLine reports whether text begins a message of an mbox file. A field From
// with white space before its colon does not (RFC 5322 section 4.5).
func isMboxLine(text []byte) bool {
	return (bytes.HasPrefix(text, []byte("From ")) || bytes.HasPrefix(text, []byte(">From "))) && nameLength(text) < 0
}

// nameLength is the position of the colon in a line that begins a field, or
// -1: a name of printable US-ASCII (RFC 5322 section 2.2), then perhaps white
// space (section 4.5), then the colon.
func nameLength(line []byte) int {
	i := 0
	for i < len(line) && line[i] > ' ' && line[i] < 0x7f && line[i] != ':' {
		i++
	}
	if i == 0 {
		return -1
	}
	for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	if i == len(line) || line[i] != ':' {
		return -1
	}
	return i
}

func trimEOL(line []byte) []byte {
	line, ended := bytes.CutSuffix(line, []byte("\n"))
	if !ended {
		return line // the last line of a file; a CR there is a bare one
	}
	return bytes.TrimSuffix(line, []byte("\r"))
}

// lines reads lines of any length, at most left octets in all.
type lines struct {
	r    *bufio.Reader
	left int
	long []byte // a line longer than r's buffer
}

// next returns a line with its end, valid until the next call. At the end of
// input the last line may have no end; then comes io.EOF.
func (l *lines) next() ([]byte, error) {
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if l.left -= len(part); l.left < 0 {
			return nil, ErrTooLarge
		}
		if err == nil && len(l.long) == 0 {
			return part, nil
		}
		l.long = append(l.long, part...)
		switch {
		case err == nil || err == io.EOF && len(l.long) > 0:
			return l.long, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// withCRLF returns a reader that yields r with each line end as CRLF: an LF that
// no CR precedes gets one. A bare CR is kept.
func withCRLF(r io.Reader) io.Reader { return &crlfReader{r: r} }

type crlfReader struct {
	r       io.Reader
	in      [16 << 10]byte
	pending []byte // unread part of in
	cr      bool   // the last octet given out was CR
	err     error
}

func (c *crlfReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(c.pending) == 0 {
			if n > 0 || c.err != nil {
				break
			}
			var m int
			m, c.err = c.r.Read(c.in[:])
			c.pending = c.in[:m]
			continue
		}
		run := c.pending
		if i := bytes.IndexByte(run, '\n'); i == 0 && !c.cr {
			p[n], c.cr = '\r', true
			n++
			continue
		} else if i == 0 {
			run = run[:1]
		} else if i > 0 {
			run = run[:i]
		}
		m := copy(p[n:], run)
		n, c.cr, c.pending = n+m, run[m-1] == '\r', c.pending[m:]
	}
	if n == 0 && len(p) > 0 {
		return 0, c.err
	}
	return n, nil
}
