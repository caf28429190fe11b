package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"alignd/journal"
	"alignd/journal/spool"
	"alignd/record"
)

// A block is the zstd frame of, for each record: its size as a varint, the answer in
// one octet, the number in the spool in eight, the record as package record encodes it.

// maxBlock bounds what a block unpacks to, in octets; more is damage. The number is
// ours, above what a batch may hold.
const maxBlock = 64 << 20

var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	// sealer takes its time, as it works once.
	sealer, _  = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlock))
)

func appendItem(dst []byte, e *journal.Raw) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.Encoded)))
	dst = append(dst, byte(e.Answer))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Number))
	return append(dst, e.Encoded...)
}

var errDamagedBlock = errors.New("a block of records is damaged")

// unpack cuts a block into its items, each as appendItem made it.
func unpack(data []byte) (items [][]byte, err error) {
	b, err := decoder.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamagedBlock, err)
	}
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)) || len(b)-n < 9+int(size) {
			return nil, errDamagedBlock
		}
		end := n + 9 + int(size)
		items = append(items, b[:end])
		b = b[end:]
	}
	return items, nil
}

// entry decodes an item.
func entry(item []byte) (*journal.Entry, error) {
	_, n := binary.Uvarint(item)
	item = item[n:]
	r, err := record.Decode(item[9:])
	if err != nil {
		return nil, err
	}
	return &journal.Entry{
		Answer: journal.Answer(item[0]),
		Number: spool.Number(binary.BigEndian.Uint64(item[1:])),
		Record: r,
	}, nil
}
