package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Dictionary is what blocks have in common: octets of items like theirs. Small blocks
// that are packed with one take as little room as large ones, and a reader of one record
// unpacks a small block. It is kept beside its blocks. It packs for one goroutine.
type Dictionary struct {
	encoder *zstd.Encoder // nil: it is too short to be of use
}

// Bounds of what a dictionary holds, in octets. The numbers are ours: readers keep it in
// memory for each file.
const (
	MaxDictionary = 128 << 10
	minDictionary = 1 << 10
)

// numberOf names a dictionary in the frames that were packed with it (RFC 8878 section
// 3.1.1.1.3): numbers below 32768 and from 2^31 on are not for us.
func numberOf(dictionary []byte) uint32 {
	sum := sha256.Sum256(dictionary)
	return binary.BigEndian.Uint32(sum[:])>>1 | 1<<15
}

// NewDictionary is the dictionary of that content, which is not changed afterwards.
func NewDictionary(content []byte) (*Dictionary, error) {
	if len(content) < minDictionary {
		return &Dictionary{}, nil
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithEncoderDictRaw(numberOf(content), content))
	return &Dictionary{encoder: e}, err
}

// learned is a dictionary that can be read, and when a file that has it was opened last.
type learned struct {
	decoder *zstd.Decoder
	at      atomic.Int64 // a time.Duration since began
}

// dictionaries are those that were learned, by their number.
var dictionaries sync.Map

// learnedFor is for how long one is remembered after its file was opened, which nobody reads
// for as long: who looks at a journal for years would have those of all files that are gone.
// Ours.
const learnedFor = 24 * time.Hour

// began is for times that no step of the clock changes.
var began = time.Now()

// LearnDictionary makes all blocks readable that were packed with the dictionary of that
// content, for a day. It is called whenever a file is opened, and safe for concurrent use.
func LearnDictionary(content []byte) error { return learn(content, time.Since(began)) }

func learn(content []byte, now time.Duration) error {
	if len(content) < minDictionary {
		return nil
	}
	id := numberOf(content)
	if x, known := dictionaries.Load(id); known {
		x.(*learned).at.Store(int64(now))
		return nil
	}
	// There is one for each file, and what each takes adds up to much over 90 days.
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecoderLowmem(true), zstd.WithDecoderDictRaw(id, content))
	if err != nil {
		return err
	}
	fresh := &learned{decoder: d}
	fresh.at.Store(int64(now))
	if _, known := dictionaries.LoadOrStore(id, fresh); known {
		d.Close()
	}
	dictionaries.Range(func(id, x any) bool {
		if now-time.Duration(x.(*learned).at.Load()) > learnedFor {
			dictionaries.Delete(id) // and not closed: a block may be unpacked with it just now
		}
		return true
	})
	return nil
}

// errNoDictionary: the block was packed with a dictionary that nobody learned.
var errNoDictionary = errors.New("its dictionary is missing")

// Pack is PackTight with the dictionary.
func (d *Dictionary) Pack(dst Block, items []byte) Block {
	if d.encoder == nil {
		return PackTight(dst, items)
	}
	return d.encoder.EncodeAll(items, dst[:0])
}

// Unpack is what was packed. It is safe for concurrent use, as all that reads blocks.
func (b Block) Unpack() ([]byte, error) { return b.unpack(nil) }

// unpack is Unpack into the memory of dst.
func (b Block) unpack(dst []byte) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return nil, err
	}
	if h.DictionaryID == 0 {
		return decoder.DecodeAll(b, dst[:0])
	}
	d, known := dictionaries.Load(h.DictionaryID)
	if !known {
		return nil, errNoDictionary
	}
	return d.(*learned).decoder.DecodeAll(b, dst[:0])
}
