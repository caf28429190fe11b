package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// An export is a file of entries that no store is needed for: the line exportMagic, a
// line of JSON (ExportHeader), blocks, each behind its length in four octets, and at the
// end the length 0 and the number of entries in eight. Numbers are big-endian. A file
// without its end is a part of one, and reading it says so.

// exportMagic begins an export. The number is the version of the form.
const exportMagic = "alignd-journal 1\n"

// Bounds of what is read; ours.
const (
	maxExportHeader = 64 << 10
	maxExportBlock  = maxBlock
	// exportBlock is how many octets of items make a block.
	exportBlock = 512 << 10
)

// ExportHeader says what an export holds. A key that is not known is passed over.
type ExportHeader struct {
	Created time.Time `json:"created,omitzero"`
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	// Addresses is keep, hash or drop: what became of the local parts.
	Addresses string `json:"addresses,omitempty"`
	// Key names the key that they were hashed with.
	Key string `json:"key,omitempty"`
}

// Errors of an export.
var (
	ErrNoExport     = errors.New("no export of a journal (alignd journal export writes one)")
	ErrLaterExport  = errors.New("an export by a later version of alignd")
	ErrBrokenExport = errors.New("the export is damaged or ends too early")
)

// ExportWriter writes an export.
type ExportWriter struct {
	w      io.Writer
	items  []byte
	packed Block
	count  uint64
}

// NewExportWriter begins an export.
func NewExportWriter(w io.Writer, h ExportHeader) (*ExportWriter, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, exportMagic+string(line)+"\n"); err != nil {
		return nil, err
	}
	return &ExportWriter{w: w}, nil
}

// Add writes an entry. e is not used after it.
func (x *ExportWriter) Add(e *Raw) error {
	x.items = AppendItem(x.items, e)
	x.count++
	if len(x.items) < exportBlock {
		return nil
	}
	return x.flush()
}

func (x *ExportWriter) flush() error {
	if len(x.items) == 0 {
		return nil
	}
	x.packed = Pack(x.packed, x.items)
	x.items = x.items[:0]
	if _, err := x.w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(x.packed)))); err != nil {
		return err
	}
	_, err := x.w.Write(x.packed)
	return err
}

// Close writes the end. It leaves the writer below open.
func (x *ExportWriter) Close() error {
	if err := x.flush(); err != nil {
		return err
	}
	_, err := x.w.Write(binary.BigEndian.AppendUint64([]byte{0, 0, 0, 0}, x.count))
	return err
}

// ExportReader reads an export.
type ExportReader struct {
	Header ExportHeader
	r      *bufio.Reader
	ended  bool
	count  uint64
}

// NewExportReader reads the begin of an export.
func NewExportReader(r io.Reader) (*ExportReader, error) {
	x := &ExportReader{r: bufio.NewReaderSize(r, 256<<10)}
	first, err := x.line(len(exportMagic))
	switch {
	case err != nil && !errors.Is(err, ErrNoExport):
		return nil, err
	case first == exportMagic:
	case err == nil && strings.HasPrefix(first, "alignd-journal "):
		return nil, ErrLaterExport
	default:
		return nil, ErrNoExport
	}
	text, err := x.line(maxExportHeader)
	if err != nil {
		return nil, fmt.Errorf("%w: its header: %w", ErrBrokenExport, err)
	}
	if err := json.Unmarshal([]byte(text), &x.Header); err != nil {
		return nil, fmt.Errorf("%w: its header: %w", ErrBrokenExport, err)
	}
	return x, nil
}

// line reads a line of most octets at most, with its end.
func (x *ExportReader) line(most int) (string, error) {
	var line []byte
	for len(line) < most {
		c, err := x.r.ReadByte()
		if err == io.EOF {
			return string(line), ErrNoExport
		}
		if err != nil {
			return "", err
		}
		if line = append(line, c); c == '\n' {
			return string(line), nil
		}
	}
	return string(line), ErrNoExport
}

// Next is the next block, in memory of its own; io.EOF after the last one.
func (x *ExportReader) Next() (Block, error) {
	if x.ended {
		return nil, io.EOF
	}
	var size [4]byte
	if _, err := io.ReadFull(x.r, size[:]); err != nil {
		return nil, broken(err)
	}
	n := binary.BigEndian.Uint32(size[:])
	switch {
	case n == 0:
		return nil, x.end()
	case n > maxExportBlock:
		return nil, ErrBrokenExport
	}
	var b bytes.Buffer // it grows as octets come: a length may lie
	if _, err := io.CopyN(&b, x.r, int64(n)); err != nil {
		return nil, broken(err)
	}
	return b.Bytes(), nil
}

// end reads how many entries there were, and that nothing follows.
func (x *ExportReader) end() error {
	var count [8]byte
	if _, err := io.ReadFull(x.r, count[:]); err != nil {
		return broken(err)
	}
	if _, err := x.r.ReadByte(); err != io.EOF {
		return broken(err)
	}
	x.ended, x.count = true, binary.BigEndian.Uint64(count[:])
	return io.EOF
}

// Entries is how many entries the export holds, once Next gave io.EOF.
func (x *ExportReader) Entries() uint64 { return x.count }

func broken(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrBrokenExport
	}
	return err
}
