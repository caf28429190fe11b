package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
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
// without its end is a part of one, and reading it says so. A length with the highest
// bit set is that of a configuration that records behind it name: its hash in 32
// octets, and its text as a zstd frame. Where the bit below is set, too, the text is
// without local parts of addresses, and not what the hash was made of.

// exportMagic begins an export. The number is the version of the form.
const exportMagic = "alignd-journal 1\n"

// Bounds of what is read; ours.
const (
	maxExportHeader = 64 << 10
	maxExportBlock  = maxBlock
	// exportBlock is how many octets of items make a block.
	exportBlock = 512 << 10
	// maxExportConfigs bounds all texts of configurations of an export, unpacked.
	maxExportConfigs = 512 << 20
)

// Marks of the length of a configuration, and of one whose text was changed.
const (
	isConfig  = 1 << 31
	isChanged = 1 << 30
)

// ExportHeader says what an export holds. A key that is not known is passed over.
type ExportHeader struct {
	// ID is made with the export and names it: 32 hexadecimal digits.
	ID      string    `json:"id,omitempty"`
	Program string    `json:"program,omitempty"` // that wrote it
	Created time.Time `json:"created,omitzero"`
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	// Addresses is keep, hash or drop: what became of the local parts.
	Addresses string `json:"addresses,omitempty"`
	// Key names the key that they were hashed with; Secret is that key, in hexadecimal
	// digits, and absent where it is kept apart.
	Key    string `json:"key,omitempty"`
	Secret string `json:"secret,omitempty"`
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
	return x.frame(0, x.packed)
}

// Config writes a configuration, which records that are added later may name. Its text
// need not be what the hash was made of.
func (x *ExportWriter) Config(hash [sha256.Size]byte, text []byte) error {
	if err := x.flush(); err != nil {
		return err
	}
	kind := uint32(isConfig)
	if sha256.Sum256(text) != hash {
		kind |= isChanged
	}
	return x.frame(kind, tight.EncodeAll(text, hash[:]))
}

func (x *ExportWriter) frame(kind uint32, data []byte) error {
	if _, err := x.w.Write(binary.BigEndian.AppendUint32(nil, kind|uint32(len(data)))); err != nil {
		return err
	}
	_, err := x.w.Write(data)
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
	// Configs are the texts of configurations by their hashes, as far as it was read.
	Configs map[[sha256.Size]byte][]byte
	room    int // for more of them
	r       *bufio.Reader
	ended   bool
	count   uint64
	read    uint64 // entries of the blocks so far
	damaged bool   // a block could not be unpacked, so read is too low
	unpack  Unpacker
}

// NewExportReader reads the begin of an export.
func NewExportReader(r io.Reader) (*ExportReader, error) {
	x := &ExportReader{r: bufio.NewReaderSize(r, 256<<10), Configs: map[[sha256.Size]byte][]byte{}, room: maxExportConfigs}
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

// Next is the next block, in memory of its own; io.EOF after the last one. Where these
// are not as many entries as the export's end says, it is ErrBrokenExport.
func (x *ExportReader) Next() (Block, error) {
	if x.ended {
		return nil, io.EOF
	}
	for {
		var size [4]byte
		if _, err := io.ReadFull(x.r, size[:]); err != nil {
			return nil, broken(err)
		}
		n := binary.BigEndian.Uint32(size[:])
		if n == 0 {
			return nil, x.end()
		}
		kind := n & isConfig
		if kind != 0 {
			kind = n & (isConfig | isChanged)
		}
		if n -= kind; n > maxExportBlock {
			return nil, ErrBrokenExport
		}
		var b bytes.Buffer // it grows as octets come: a length may lie
		if _, err := io.CopyN(&b, x.r, int64(n)); err != nil {
			return nil, broken(err)
		}
		if kind == 0 {
			if err := x.unpack.Each(b.Bytes(), func(Item) { x.read++ }); err != nil {
				x.damaged = true // whoever unpacks it tells
			}
			return b.Bytes(), nil
		}
		if err := x.config(b.Bytes(), kind&isChanged != 0); err != nil {
			return nil, err
		}
	}
}

// config takes up a configuration, if it is what its hash says or was changed.
func (x *ExportReader) config(data []byte, changed bool) error {
	if len(data) < sha256.Size {
		return ErrBrokenExport
	}
	hash := [sha256.Size]byte(data)
	text, err := decoder.DecodeAll(data[sha256.Size:], nil)
	if err != nil || !changed && sha256.Sum256(text) != hash {
		return fmt.Errorf("%w: a configuration in it", ErrBrokenExport)
	}
	if x.room -= len(text); x.room < 0 {
		return fmt.Errorf("%w: its configurations are larger than %d MiB", ErrBrokenExport, maxExportConfigs>>20)
	}
	x.Configs[hash] = text
	return nil
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
	x.count = binary.BigEndian.Uint64(count[:])
	if x.read != x.count && !x.damaged { // a block fell out, or came twice
		return fmt.Errorf("%w: it has %d messages, and its end says %d", ErrBrokenExport, x.read, x.count)
	}
	x.ended = true
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
