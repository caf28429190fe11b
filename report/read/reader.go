package read

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Reader reads report files one after the other and leaves out reports that it has
// read already. It must not be used by several goroutines at once.
type Reader struct {
	sink   Sink
	limits Limits
	seen   map[[16]byte]struct{}
}

// New returns a Reader that hands on to sink. Zero fields of limits are defaults.
func New(sink Sink, limits Limits) *Reader {
	limits.fill()
	return &Reader{sink: sink, limits: limits, seen: map[[16]byte]struct{}{}}
}

// File reads one file, and returns how many reports it held, those read already
// included. What is wrong with the file is told to the sink; the error is the
// sink's own, or means that records could not be kept aside.
func (r *Reader) File(name string, in io.Reader) (reports int, err error) {
	f := &file{Reader: r, name: name}
	err = f.content("", 0, &counted{r: in, max: r.limits.File})
	f.plainText()
	if own := new(ownError); errors.As(err, own) {
		return f.reports, own.err
	}
	if err != nil {
		f.problem("", err)
	}
	return f.reports, nil
}

// ownError is one that the file is not to blame for.
type ownError struct{ err error }

func (e ownError) Error() string { return e.err.Error() }

// file is one file being read.
type file struct {
	*Reader
	name     string
	reports  int
	expanded int64
	parts    int
	problems int
	// text is the first plain text of a mail, for failure reports that have no more.
	text     []byte
	textPart string
}

func (f *file) problem(part string, err error) { f.say(part, err.Error()) }

func (f *file) say(part, text string) {
	switch f.problems++; {
	case f.problems < f.limits.Problems:
		f.sink.Problem(Problem{f.name, part, text})
	case f.problems == f.limits.Problems:
		f.sink.Problem(Problem{f.name, "", "more problems than are told of one file"})
	}
}

// kind is what something is by its content.
type kind int

const (
	kindOther kind = iota
	kindEmpty
	kindGzip
	kindZip
	kindXML
	kindMail
)

func kindOf(head []byte) kind {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n\x00")
	switch {
	case len(text) == 0:
		return kindEmpty
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return kindGzip
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return kindZip
	case text[0] == '<', encodingOf(head) != "":
		return kindXML
	case startsMail(text):
		return kindMail
	}
	return kindOther
}

// startsMail reports whether text begins with a header field, or mbox's "From ".
func startsMail(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if bytes.HasPrefix(line, []byte("From ")) {
		return true
	}
	name, _, ok := bytes.Cut(line, []byte(":"))
	return ok && len(name) > 0 && len(name) < 80 && !bytes.ContainsFunc(bytes.TrimRight(name, " \t"), func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// content reads what comes, whatever it is. An error ends the file; what is wrong
// with this content alone is told.
func (f *file) content(part string, depth int, in io.Reader) error {
	if depth > f.limits.Depth {
		return boundError{"containers in each other"}
	}
	if f.parts++; f.parts > f.limits.Parts {
		return boundError{"parts of one file"}
	}
	buf := bufio.NewReaderSize(in, 16<<10)
	head, err := buf.Peek(1024)
	if err != nil && !errors.Is(err, io.EOF) {
		return f.local(part, err)
	}
	switch kindOf(head) {
	case kindEmpty:
		f.say(part, "empty")
	case kindGzip:
		return f.gzip(part, depth, buf)
	case kindZip:
		return f.zip(part, depth, buf)
	case kindXML:
		return f.xml(part, buf)
	case kindMail:
		return f.mail(part, depth, buf)
	default:
		f.say(part, "neither XML nor gzip, zip or mail")
	}
	return nil
}

// local tells an error of one part; one of the whole file is handed back.
func (f *file) local(part string, err error) error {
	bound := boundError{}
	if err == nil || errors.As(err, new(ownError)) || errors.As(err, &bound) && bound.name == expandedBound {
		return err
	}
	f.problem(part, err)
	return nil
}

func (f *file) xml(part string, in io.Reader) error {
	p := aggregateParser{limits: &f.limits, notes: &notes{max: f.limits.Problems}, emit: f.aggregate}
	err := p.parse(in)
	for _, text := range p.notes.texts() {
		f.say(part, text)
	}
	return f.local(part, err)
}

// aggregate hands a report on, unless it was read before.
func (f *file) aggregate(head *Aggregate, records *Records) error {
	f.reports++
	sum := sha256.Sum256([]byte(strings.Join([]string{head.OrgName, head.ReportID, head.Domain, head.Begin, head.End}, "\x00")))
	key := [16]byte(sum[:])
	if _, again := f.seen[key]; again && head.ReportID != "" {
		f.say("", fmt.Sprintf("report %.100q of %.100q was read already and is left out", head.ReportID, head.OrgName))
		return nil
	}
	f.seen[key] = struct{}{}
	if err := f.sink.Aggregate(head, records); err != nil {
		return ownError{err}
	}
	return nil
}

// counted counts what was read, and bounds it where max is set.
type counted struct {
	r      io.Reader
	n, max int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.max > 0 && c.n > c.max {
		return 0, boundError{"the octets of one file"}
	}
	return n, err
}

const expandedBound = "the octets of all that is unpacked"

// expanding bounds what is unpacked from in.
type expanding struct {
	file *file
	r    io.Reader
	in   func() int64 // octets that went in
	n    int64
}

func (e *expanding) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.n += int64(n)
	e.file.expanded += int64(n)
	switch {
	case e.file.expanded > e.file.limits.Expanded:
		return 0, boundError{expandedBound}
	case e.n > ratioFloor && e.n/max(e.in(), 1) > e.file.limits.Ratio:
		return 0, boundError{"the ratio of unpacking"}
	}
	return n, err
}

func (f *file) gzip(part string, depth int, in io.Reader) error {
	packed := &counted{r: in}
	z, err := gzip.NewReader(packed)
	if err != nil {
		return f.local(part, fmt.Errorf("gzip: %w", err))
	}
	return f.content(within(part, "gzip"), depth+1, &expanding{file: f, r: z, in: func() int64 { return packed.n }})
}

// maxZipHeld is how much of an archive is kept in memory; a larger one, as its
// directory stands at its end, goes to a temporary file.
const maxZipHeld = 4 << 20

func (f *file) zip(part string, depth int, in io.Reader) error {
	at, size, done, err := seekable(in)
	if err != nil {
		return ownError{err}
	}
	defer done()
	archive, err := zip.NewReader(at, size)
	if err != nil {
		return f.local(part, fmt.Errorf("zip: %w", err))
	}
	for _, member := range archive.File {
		if member.FileInfo().IsDir() {
			continue
		}
		where := within(part, fmt.Sprintf("zip member %.100q", member.Name))
		r, err := member.Open()
		if err != nil {
			f.problem(where, err)
			continue
		}
		packed := max(int64(min(member.CompressedSize64, uint64(size))), 1)
		err = f.content(where, depth+1, &expanding{file: f, r: r, in: func() int64 { return packed }})
		r.Close()
		if err != nil {
			return err
		}
	}
	if len(archive.File) == 0 {
		f.say(part, "zip: no members")
	}
	return nil
}

// seekable gives access to any place of in.
func seekable(in io.Reader) (at io.ReaderAt, size int64, done func(), err error) {
	var held bytes.Buffer
	if _, err := io.CopyN(&held, in, maxZipHeld); errors.Is(err, io.EOF) {
		return bytes.NewReader(held.Bytes()), int64(held.Len()), func() {}, nil
	}
	tmp, err := os.CreateTemp("", "alignd-report-")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("keeping an archive aside: %w", err)
	}
	_ = os.Remove(tmp.Name())
	size, err = io.Copy(tmp, io.MultiReader(&held, in))
	if err != nil {
		tmp.Close()
		return nil, 0, nil, fmt.Errorf("keeping an archive aside: %w", err)
	}
	return tmp, size, func() { tmp.Close() }, nil
}

func within(part, next string) string {
	if part == "" {
		return next
	}
	return part + " > " + next
}
