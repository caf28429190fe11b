package read

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"alignd/header"
)

// parts divides the body of a multipart (RFC 2046 section 5.1.1). As an io.Reader it
// gives the octets of one part, its header section too. mime/multipart reads that
// itself, and ends with the first one that has a line which is no field: all reports
// behind it would be lost.
type parts struct {
	in       *bufio.Reader
	boundary []byte // "--" and what is declared

	midLine bool   // what comes next continues a line
	held    []byte // a line break that belongs to the boundary, if one follows
	out     []byte // of the part, to be given out
	outside bool   // of any part
	closed  bool   // behind the last boundary
}

func newParts(in io.Reader, boundary string) *parts {
	return &parts{in: bufio.NewReaderSize(in, 16<<10), boundary: bytes.TrimRight([]byte("--"+boundary), " \t")}
}

// next goes on to the next part, and reports whether there is one.
func (p *parts) next() (bool, error) {
	if _, err := io.Copy(io.Discard, p); err != nil {
		return false, err
	}
	p.outside = false
	return !p.closed, nil
}

// Read implements io.Reader.
func (p *parts) Read(b []byte) (int, error) {
	for len(p.out) == 0 {
		if p.outside || p.closed {
			return 0, io.EOF
		}
		if err := p.line(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

// line takes the next line, or as much of it as is buffered.
func (p *parts) line() error {
	line, err := p.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
		return err
	}
	begins := !p.midLine
	p.midLine = errors.Is(err, bufio.ErrBufferFull)
	if rest, ok := bytes.CutPrefix(bytes.TrimRight(line, " \t\r\n"), p.boundary); ok && begins && !p.midLine {
		switch string(rest) {
		case "":
			p.held, p.outside = nil, true
			return nil
		case "--":
			p.held, p.closed = nil, true
			return nil
		}
	}
	text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	p.out = append(append(p.out[:0], p.held...), text...)
	p.held = append(p.held[:0], line[len(text):]...)
	if errors.Is(err, io.EOF) {
		p.out, p.held, p.closed = append(p.out, p.held...), nil, true
	}
	return nil
}

// Bounds, ours: how many lines that are no fields are left out of a header section, and
// how far behind one a field of MIME is looked for.
const (
	mostStray  = 10
	strayAhead = 1024
)

// section reads the header section of a mail or part. Lines that are no fields, as some
// senders leave them between those of MIME, are left out.
func section(in *bufio.Reader) (*header.Fields, io.Reader, error) {
	fields, next, err := header.Section(in, header.Limits{})
	for n := 0; err == nil && n < mostStray && isStray(next, in); n++ {
		var more *header.Fields
		if more, next, err = header.Section(in, header.Limits{}); err == nil {
			for i := range more.Len() {
				fields.Add(more.At(i).Name(), more.At(i).Value())
			}
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return fields, io.MultiReader(bytes.NewReader(next), in), nil
}

// isStray reports whether a line, which is no field, has fields of MIME behind it, before
// any empty line.
func isStray(line []byte, in *bufio.Reader) bool {
	if line == nil || bytes.HasPrefix(line, []byte("--")) { // a boundary
		return false
	}
	ahead, _ := in.Peek(strayAhead)
	return startsMIME(ahead)
}
