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
//	rest     counts
//	number of values, and of each, in order of their keys:
//	  length and octets of both texts, missed, counts
//
// where counts are a mask of those that are not zero, lowest bit first, and these, and
// First and Last where Messages is not zero. All numbers are unsigned varints but for
// times, which are signed.

const encodingVersion = 1

// maxSummary bounds what a summary unpacks to, in octets: twice room values with texts
// as long as domains may be.
const maxSummary = 64 << 20

var (
	packer, _   = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
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
	e.counts(&s.rest)
	e.number(uint64(len(s.values)))
	for _, k := range slices.SortedFunc(maps.Keys(s.values), Key.compare) {
		v := s.values[k]
		e.text(k.Text)
		e.text(k.Second)
		e.number(v.missed)
		e.counts(&v.Counts)
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

func (e *encoder) counts(c *Counts) {
	mask := uint64(0)
	list := c.numbers()
	for i, n := range list {
		if *n != 0 {
			mask |= 1 << i
		}
	}
	e.number(mask)
	for _, n := range list {
		if *n != 0 {
			e.number(*n)
		}
	}
	if c.Messages != 0 {
		e.out = binary.AppendVarint(e.out, c.First.Unix()-e.start)
		e.out = binary.AppendVarint(e.out, c.Last.Unix()-e.start)
	}
}

// decode hands all values of an encoded summary to each, whose texts are not to be kept,
// with its threshold, and returns what else it has.
func decode(packed []byte, each func(text, second []byte, v *value, threshold uint64)) (threshold uint64, rest Counts, err error) {
	data, err := unpacker.DecodeAll(packed, nil)
	if err != nil {
		return 0, rest, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(data) == 0 || data[0] != encodingVersion {
		return 0, rest, fmt.Errorf("%w: counts of a version that is not known", ErrDamaged)
	}
	d := decoder{data: data[1:]}
	d.start = d.signed()
	threshold = d.number()
	d.counts(&rest)
	for n := d.number(); n > 0 && !d.bad; n-- {
		var v value
		text := d.text()
		second := d.text()
		v.missed = d.number()
		if d.counts(&v.Counts); !d.bad {
			each(text, second, &v, threshold)
		}
	}
	if d.bad || len(d.data) > 0 {
		return 0, rest, ErrDamaged
	}
	return threshold, rest, nil
}

type decoder struct {
	data  []byte
	start int64
	bad   bool
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.bad, d.data = true, nil
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) signed() int64 {
	n, size := binary.Varint(d.data)
	if size <= 0 {
		d.bad, d.data = true, nil
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) text() []byte {
	n := d.number()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return nil
	}
	text := d.data[:n:n]
	d.data = d.data[n:]
	return text
}

func (d *decoder) counts(c *Counts) {
	mask := d.number()
	for i, n := range c.numbers() {
		if mask&(1<<i) != 0 {
			*n = d.number()
		}
	}
	for mask >>= fields; mask != 0; mask &= mask - 1 { // of a later version
		d.number()
	}
	if c.Messages != 0 {
		c.First = time.Unix(d.start+d.signed(), 0).UTC()
		c.Last = time.Unix(d.start+d.signed(), 0).UTC()
	}
}

// decodeSummary reads what encode wrote.
func decodeSummary(packed []byte) (*summary, error) {
	s := newSummary()
	var err error
	s.threshold, s.rest, err = decode(packed, func(text, second []byte, v *value, _ uint64) {
		mine := *v
		s.values[Key{string(text), string(second)}] = &mine
	})
	return s, err
}
