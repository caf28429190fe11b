package read

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
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
	if f.reports == 0 && f.problems == 0 {
		f.say("", "nothing in it is a report")
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
	// directories is how much was read of those of the archives that are open.
	directories int64
	problems    int
	// text is the first plain text of a mail that tells of a failure, for reports that
	// have no more; textPart is its place, or that of the last text that does not.
	text     *Failure
	textPart string
	hasText  bool
	texts    int // octets of them that were looked at
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

// headLength is how much of something is looked at to know what it is.
const headLength = 1024

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
	head, err := buf.Peek(headLength)
	for n := 0; err == nil && n < f.limits.Text && blanks(head) == headLength && encodingOf(head) == ""; n += headLength {
		_, _ = buf.Discard(headLength)
		head, err = buf.Peek(headLength)
	}
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return f.local(part, err)
	}
	kind := kindOf(head)
	switch kind {
	case kindGzip, kindZip, kindMail, kindBase64:
		_, _ = buf.Discard(blanks(head))                                         // it was read already
		if quoted, _ := buf.Peek(1); kind == kindMail && string(quoted) == ">" { // ">From ", as mbox quotes it
			_, _ = buf.Discard(1)
		}
	}
	switch kind {
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
	case kindTar:
		return f.tar(part, depth, buf)
	case kindFeedback:
		return f.feedback(part, buf)
	case kindJSON:
		f.say(part, jsonIs(head))
	case kindBase64:
		return f.content(within(part, "base64"), depth+1, decode("base64", buf))
	default:
		if n := countLine(head); n > 0 {
			_, _ = buf.Discard(n)
			return f.mail(part, depth, buf)
		}
		if all, _ := buf.Peek(buf.Size()); startOfReport(all) >= 0 {
			_, _ = buf.Discard(startOfReport(all))
			f.say(part, "text stands before the XML")
			return f.xml(part, buf)
		}
		f.say(part, "neither XML nor gzip, zip or mail"+butIs(head))
	}
	return nil
}

// startOfReport is where the XML of a report begins within text, or -1.
func startOfReport(text []byte) int {
	if at := bytes.Index(text, []byte("<?xml ")); at >= 0 && bytes.Contains(text[at:], []byte("<feedback")) {
		return at
	}
	return bytes.Index(text, []byte("<feedback"))
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

func within(part, next string) string {
	if part == "" {
		return next
	}
	return part + " > " + next
}
