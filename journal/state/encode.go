package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A summary is kept as the zstd frame of
//
//	version, one octet
//	start    varint, seconds since 1970: what the times are counted from
//	threshold
//	rest     tally
//	number of values, and of each, in order of their keys:
//	  length and octets of both texts, missed, tally
//
// where a tally is a mask of those that are not zero, lowest bit first, and these, and
// first and last where Messages is not zero. All numbers are unsigned varints but for
// times, which are signed.

const encodingVersion = 1

// maxSummary bounds what a summary unpacks to, in octets: four times Most values with texts
// as long as domains may be.
const maxSummary = 64 << 20

var (
	// packer has a small window: what is alike stands side by side in a summary.
	packer, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	unpacker, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxSummary))
)

// ErrDamaged: a summary does not hold what it says.
var ErrDamaged = errors.New("counts are damaged")

// encode writes s into a new slice.
func (s *summary) encode(start time.Time) []byte {
	e := encoder{start: start.Unix()}
	e.out = append(make([]byte, 0, 64+48*len(s.values)), encodingVersion)
	e.out = binary.AppendVarint(e.out, e.start)
	e.number(s.threshold)
	e.tally(&s.rest)
	e.number(uint64(len(s.values)))
	for _, k := range slices.SortedFunc(maps.Keys(s.values), Key.compare) {
		v := s.values[k]
		e.text(k.Text)
		e.text(k.Second)
		e.number(v.missed)
		e.tally(&v.tally)
	}
	return packer.EncodeAll(e.out, nil)
}

type encoder struct {
	out   []byte
	start int64
}

func (e *encoder) number(n uint64) { e.out = binary.AppendUvarint(e.out, n) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.out = append(e.out, s...)
}

func (e *encoder) tally(t *tally) {
	mask := uint64(0)
	for i, n := range t.n {
		if n != 0 {
			mask |= 1 << i
		}
	}
	e.number(mask)
	for _, n := range t.n {
		if n != 0 {
			e.number(n)
		}
	}
	if t.n[nMessages] != 0 {
		e.out = binary.AppendVarint(e.out, t.first-e.start)
		e.out = binary.AppendVarint(e.out, t.last-e.start)
	}
}

// reader reads an encoded summary, a value at a time, in the order of their keys. The
// zero value has none.
type reader struct {
	data  []byte
	start int64
	left  uint64
	bad   bool

	threshold uint64
	rest      tally

	// The value that next found; the texts are in the memory of data.
	text, second []byte
	value        value
}

// newReader reads what encode wrote, unpacked.
func newReader(data []byte) (*reader, error) {
	if len(data) == 0 || data[0] != encodingVersion {
		return nil, fmt.Errorf("%w: they are of a version that is not known", ErrDamaged)
	}
	d := &reader{data: data[1:]}
	d.start = d.signed()
	d.threshold = d.number()
	d.tally(&d.rest)
	d.left = d.number()
	return d, d.fault()
}

// fault is an error once what was read is no summary.
func (d *reader) fault() error {
	if d.bad || d.left == 0 && len(d.data) > 0 {
		return ErrDamaged
	}
	return nil
}

// next reads the next value, and is false where there is none.
func (d *reader) next() bool {
	if d.left == 0 || d.bad {
		return false
	}
	d.left--
	d.text = d.octets()
	d.second = d.octets()
	d.value.missed = d.number()
	d.tally(&d.value.tally)
	return !d.bad
}

func (d *reader) number() uint64 {
	if len(d.data) > 0 && d.data[0] < 0x80 {
		n := d.data[0]
		d.data = d.data[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.bad, d.data = true, nil
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *reader) signed() int64 {
	n := d.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *reader) octets() []byte {
	n := d.number()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return nil
	}
	text := d.data[:n:n]
	d.data = d.data[n:]
	return text
}

func (d *reader) tally(t *tally) {
	*t = tally{}
	mask := d.number()
	for i := 0; mask != 0; i++ {
		if mask&1 != 0 {
			n := d.number()
			if i < fields { // else of a later version
				t.n[i] = n
			}
		}
		mask >>= 1
	}
	if t.n[nMessages] != 0 {
		t.first = d.start + d.signed()
		t.last = d.start + d.signed()
	}
}

// unpack undoes what encode does last.
func unpack(packed []byte) ([]byte, error) {
	data, err := unpacker.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return data, nil
}

// decodeSummary reads what encode wrote.
func decodeSummary(packed []byte) (*summary, error) {
	data, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	d, err := newReader(data)
	if err != nil {
		return nil, err
	}
	s := newSummary()
	s.threshold, s.rest = d.threshold, d.rest
	for d.next() {
		v := d.value
		s.values[Key{string(d.text), string(d.second)}] = &v
	}
	return s, d.fault()
}
