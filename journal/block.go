package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"alignd/journal/spool"
	"alignd/record"
)

// Block is a number of entries as a store keeps them: the zstd frame of their items. Of
// each item it has the size of the record as a varint, the answer in one octet, the number
// in the spool in eight, and the record as package record encodes it.
type Block []byte

// Item is an entry in a block that is unpacked.
type Item []byte

// maxBlock bounds what a block unpacks to, in octets; more is damage. The number is
// ours, above what a batch may hold.
const maxBlock = 64 << 20

var (
	// encoder packs while mail comes in. Its window holds the blocks of both stores; with
	// that of the library the first one above 128 KiB would take 8 to 16 MiB for good.
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	// tight takes its time, as it works once.
	tight, _   = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlock))
)

// ErrDamagedBlock: a block does not hold what it says.
var ErrDamagedBlock = errors.New("a block of records is damaged")

// AppendItem adds e to items, which Pack makes a block of.
func AppendItem(items []byte, e *Raw) []byte {
	items = binary.AppendUvarint(items, uint64(len(e.Encoded)))
	items = append(items, byte(e.Answer))
	items = binary.BigEndian.AppendUint64(items, uint64(e.Number))
	return append(items, e.Encoded...)
}

// Pack makes a block of items, one behind the other, and writes it into dst's memory.
func Pack(dst Block, items []byte) Block { return encoder.EncodeAll(items, dst[:0]) }

// PackTight is Pack, smaller and slower.
func PackTight(dst Block, items []byte) Block { return tight.EncodeAll(items, dst[:0]) }

// Items unpacks b. It is safe for concurrent use, as all of this file.
func (b Block) Items() (items []Item, err error) {
	if err := new(Unpacker).Each(b, func(i Item) { items = append(items, i) }); err != nil {
		return nil, err
	}
	return items, nil
}

// Unpacker unpacks many blocks in the same memory. It is for one goroutine.
type Unpacker struct{ data []byte }

// Each hands each item of b to found, which does not keep it.
func (u *Unpacker) Each(b Block, found func(Item)) error {
	data, err := b.unpack(u.data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamagedBlock, err)
	}
	u.data = data
	for len(data) > 0 {
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)) || len(data)-n < 9+int(size) {
			return ErrDamagedBlock
		}
		end := n + 9 + int(size)
		found(data[:end:end])
		data = data[end:]
	}
	return nil
}

// body is an item without its size.
func (i Item) body() []byte {
	_, n := binary.Uvarint(i)
	return i[n:]
}

// Answer says whether the MTA heard the reply.
func (i Item) Answer() Answer { return Answer(i.body()[0]) }

// Number is that of the entry in its spool.
func (i Item) Number() spool.Number { return spool.Number(binary.BigEndian.Uint64(i.body()[1:])) }

// Encoded is the record as it is encoded, in the item's memory.
func (i Item) Encoded() []byte { return i.body()[9:] }

// Entry decodes the item.
func (i Item) Entry() (*Entry, error) {
	r, err := record.Decode(i.Encoded())
	if err != nil {
		return nil, err
	}
	return &Entry{Answer: i.Answer(), Number: i.Number(), Record: r}, nil
}
