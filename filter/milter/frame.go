package milter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Frame sizes in octets.
const (
	// frameHeader is the length field in front of each frame.
	frameHeader = 4
	// smallBuffer is what a connection always holds. Postfix writes in pieces
	// of this size.
	smallBuffer = 4 << 10
	// bigBuffer takes a whole body chunk (65,535 octets with all MTAs known)
	// and the begin of the next frame. It is borrowed for a message.
	bigBuffer = 72 << 10
	// maxSentFrame is the longest frame Sendmail reads from a filter
	// (MILTER_MAX_DATA_SIZE).
	maxSentFrame = 65535
)

// What the reader says about ill-formed frames.
var (
	errEmptyFrame = errors.New("frame of length zero")
	errLongFrame  = errors.New("frame over the limit")
)

// bigBuffers holds the buffers that no message uses at the moment, smallBuffers
// those that no connection uses.
var (
	bigBuffers   = sync.Pool{New: func() any { return new([bigBuffer]byte) }}
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
)

// frameReader cuts a stream into frames. It reads ahead as far as its buffer
// goes; it grows for a frame as that frame's octets arrive, never on the word of
// the length field alone.
type frameReader struct {
	src io.Reader
	max int // longest frame, its command letter included

	buf   []byte             // small, borrowed, or an own one for a frame over bigBuffer
	r, w  int                // buf[r:w] is read and not yet handed out
	small *[smallBuffer]byte // borrowed as long as the connection lives
	big   *[bigBuffer]byte   // borrowed; nil when buf is another one
}

// next returns the next frame. data is valid until the next call. An end of the
// stream between two frames is io.EOF, within a frame io.ErrUnexpectedEOF. After
// errLongFrame the frame can be passed over with skip.
func (f *frameReader) next() (cmd byte, data []byte, err error) {
	if err := f.need(frameHeader); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(f.buf[f.r:])
	if length == 0 {
		return 0, nil, errEmptyFrame
	}
	if uint64(length) > uint64(f.max) {
		return 0, nil, fmt.Errorf("%w: %d octets, limit %d", errLongFrame, length, f.max)
	}
	end := frameHeader + int(length)
	if err := f.need(end); err != nil {
		return 0, nil, err
	}
	frame := f.buf[f.r : f.r+end : f.r+end]
	f.r += end
	return frame[frameHeader], frame[frameHeader+1:], nil
}

// skip passes over a frame that next refused as too long, if its command is cmd.
// Otherwise it reports false, and nothing more can be read.
func (f *frameReader) skip(cmd byte) (bool, error) {
	if err := f.need(frameHeader + 1); err != nil {
		return false, err
	}
	if f.buf[f.r+frameHeader] != cmd {
		return false, nil
	}
	rest := frameHeader + int64(binary.BigEndian.Uint32(f.buf[f.r:]))
	for {
		n := min(rest, int64(f.buffered()))
		f.r += int(n)
		if rest -= n; rest == 0 {
			return true, nil
		}
		switch err := f.need(1); {
		case err == io.EOF:
			return false, io.ErrUnexpectedEOF
		case err != nil:
			return false, err
		}
	}
}

// buffered is the number of octets read and not yet handed out.
func (f *frameReader) buffered() int { return f.w - f.r }

// need returns when n octets are buffered.
func (f *frameReader) need(n int) error {
	if f.buffered() >= n {
		return nil
	}
	if f.buf == nil {
		f.small = smallBuffers.Get().(*[smallBuffer]byte)
		f.buf = f.small[:]
	}
	copy(f.buf, f.buf[f.r:f.w])
	f.r, f.w = 0, f.w-f.r
	for idle := 0; f.w < n; {
		if f.w == len(f.buf) || n > len(f.buf) && len(f.buf) < bigBuffer {
			f.grow(n)
		}
		m, err := f.src.Read(f.buf[f.w:])
		f.w += m
		switch {
		case f.w >= n:
		case err == io.EOF && f.w > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case m > 0:
			idle = 0
		default:
			if idle++; idle == 100 {
				return io.ErrNoProgress
			}
		}
	}
	return nil
}

// grow makes room for a frame of n octets: first the borrowed buffer, then
// twice of what has arrived.
func (f *frameReader) grow(n int) {
	if len(f.buf) < bigBuffer {
		f.big = bigBuffers.Get().(*[bigBuffer]byte)
		copy(f.big[:], f.buf[:f.w])
		f.buf = f.big[:]
		return
	}
	own := make([]byte, min(n, 2*len(f.buf)))
	copy(own, f.buf[:f.w])
	f.giveBack()
	f.buf = own
}

// release goes back to the small buffer, unless more than that is read ahead.
func (f *frameReader) release() {
	if len(f.buf) <= smallBuffer || f.buffered() > smallBuffer {
		return
	}
	f.w = copy(f.small[:], f.buf[f.r:f.w])
	f.r = 0
	f.buf = f.small[:]
	f.giveBack()
}

// close ends the reader; frames handed out are no longer valid.
func (f *frameReader) close() {
	f.giveBack()
	if f.small != nil {
		smallBuffers.Put(f.small)
	}
	f.small, f.buf, f.r, f.w = nil, nil, 0, 0
}

func (f *frameReader) giveBack() {
	if f.big != nil {
		bigBuffers.Put(f.big)
		f.big = nil
	}
}

// openFrame begins a frame at the end of dst and returns where it starts;
// closeFrame fills in its length.
func openFrame(dst []byte, cmd byte) (_ []byte, start int) {
	return append(dst, 0, 0, 0, 0, cmd), len(dst)
}

func closeFrame(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-frameHeader))
	return dst
}

// appendFrame appends a whole frame with text as its only content.
func appendFrame(dst []byte, cmd byte, text string) []byte {
	dst, start := openFrame(dst, cmd)
	return closeFrame(append(dst, text...), start)
}

// appendString appends s with the NUL that ends strings in this protocol.
func appendString(dst []byte, s string) []byte {
	return append(append(dst, s...), 0)
}
