package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// Number names a frame of a spool and orders them all: the run of the process that
// wrote it in the upper 24 bits, and its place in that run, from 1, in the lower 40. So
// a number is never given twice, though a power cut may take the last frames of a run
// that a store has taken already. Zero is before all.
type Number uint64

const (
	placeBits = 40
	maxRun    = 1<<(64-placeBits) - 1
)

// A run has at least the number of the minute since 2026 in which it began. The numbers are
// ours: so those of fifteen years fit into an int64, as stores have numbers, and later on
// segments alone decide.
const runEvery = time.Minute

var runsSince = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func firstOf(run uint64) Number { return Number(run<<placeBits | 1) }

// Run grows with each process that writes to the spool.
func (n Number) Run() uint64 { return uint64(n) >> placeBits }

// Place is the place in the run, from 1.
func (n Number) Place() uint64 { return uint64(n) & (1<<placeBits - 1) }

// follows: no frame is missing between the two.
func (n Number) follows(before Number) bool { return n == before+1 || n.Place() == 1 }

// Kind says what a frame holds.
type Kind byte

// The kinds of frames.
const (
	// KindRecord is a record, written before its message was answered.
	KindRecord Kind = 'R'
	// KindLost says that the answer to the record whose number it holds could not be
	// written: the MTA did not hear of it.
	KindLost Kind = 'L'
	// KindMark holds nothing; it is there for its Answered.
	KindMark Kind = 'M'
	// KindStart is the first frame of a process. Whether records before it were
	// answered that no frame before it tells of, nobody knows.
	KindStart Kind = 'S'
)

// Frame is one entry of the log.
type Frame struct {
	Number Number
	Kind   Kind
	// Answered: the answer to each record with a number below it was written, or a
	// KindLost frame says that it was not.
	Answered Number
	// Payload is what Append was given; for KindLost see Lost.
	Payload []byte
}

// Lost is the number of the record that a KindLost frame tells of; zero for others.
func (f *Frame) Lost() Number {
	if f.Kind != KindLost || len(f.Payload) != 8 {
		return 0
	}
	return Number(binary.BigEndian.Uint64(f.Payload))
}

// A frame on disk, all numbers big-endian:
//
//	octets  what
//	4       "AJF1", where the reader finds its feet again behind damage
//	4       CRC-32C of the spool's id and all that follows
//	4       length of the payload
//	1       kind
//	8       number
//	8       answered
//	        payload
const (
	frameMagic  = "AJF1"
	frameHeader = 4 + 4 + 4 + 1 + 8 + 8
	// MaxPayload bounds what Append takes, in octets. The number is ours, above what
	// a record may take.
	MaxPayload = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of a frame's octets. The id is in it so that no text of a message,
// which stands in a payload, passes for a frame where the frame around it is damaged.
func (id *ID) sum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(id[:], castagnoli), castagnoli, b)
}

// appendFrame appends f in the form it has on disk.
func (id *ID) appendFrame(dst []byte, f *Frame) []byte {
	start := len(dst)
	dst = append(dst, frameMagic...)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(f.Payload)))
	dst = append(dst, byte(f.Kind))
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.Number))
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.Answered))
	dst = append(dst, f.Payload...)
	binary.BigEndian.PutUint32(dst[start+4:], id.sum(dst[start+8:]))
	return dst
}

// What is wrong with octets that are no whole frame.
var (
	// errShort: the octets end within a frame that may be a good one.
	errShort = errors.New("the frame is not whole")
	// errDamaged: no frame begins here.
	errDamaged = errors.New("the frame is damaged")
)

// cutFrame reads the frame that b begins with and returns its size. The payload
// aliases b.
func (id *ID) cutFrame(b []byte) (f Frame, size int, err error) {
	if n := min(len(b), len(frameMagic)); string(b[:n]) != frameMagic[:n] {
		return Frame{}, 0, errDamaged
	}
	if len(b) < frameHeader {
		return Frame{}, 0, errShort
	}
	length := binary.BigEndian.Uint32(b[8:])
	if length > MaxPayload {
		return Frame{}, 0, errDamaged
	}
	size = frameHeader + int(length)
	if len(b) < size {
		return Frame{}, 0, errShort
	}
	if id.sum(b[8:size]) != binary.BigEndian.Uint32(b[4:]) {
		return Frame{}, 0, errDamaged
	}
	return Frame{
		Kind:     Kind(b[12]),
		Number:   Number(binary.BigEndian.Uint64(b[13:])),
		Answered: Number(binary.BigEndian.Uint64(b[21:])),
		Payload:  b[frameHeader:size:size],
	}, size, nil
}
