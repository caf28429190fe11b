package milter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestFrameReader(t *testing.T) {
	whole := func(sizes ...int) []byte {
		var b []byte
		for i, n := range sizes {
			b = appendFrame(b, byte('A'+i), strings.Repeat(string(rune('a'+i)), n))
		}
		return b
	}
	tests := []struct {
		name   string
		stream []byte
		want   []int // sizes of contents
		err    error
	}{
		{name: "an empty stream ends between frames", err: io.EOF},
		{name: "frames without content", stream: whole(0, 0), want: []int{0, 0}, err: io.EOF},
		{name: "a frame that fills the small buffer", stream: whole(smallBuffer-5, 1), want: []int{smallBuffer - 5, 1}, err: io.EOF},
		{name: "a frame one octet over the small buffer", stream: whole(3, smallBuffer-4, 1), want: []int{3, smallBuffer - 4, 1}, err: io.EOF},
		{name: "whole body chunks between small frames", stream: whole(10, 65535, 20, 65535, 65535, 1),
			want: []int{10, 65535, 20, 65535, 65535, 1}, err: io.EOF},
		{name: "a frame at the limit, then small ones", stream: whole(1<<20-1, 5, 5000), want: []int{1<<20 - 1, 5, 5000}, err: io.EOF},
		{name: "a frame over the limit", stream: whole(1, 1<<20), want: []int{1}, err: errLongFrame},
		{name: "the largest length there is", stream: []byte{255, 255, 255, 255, 'A'}, err: errLongFrame},
		{name: "a length of zero is refused at once", stream: []byte{0, 0, 0, 0}, err: errEmptyFrame},
		{name: "a stream cut in the length", stream: []byte{0, 0, 0}, err: io.ErrUnexpectedEOF},
		{name: "a stream cut before the command", stream: []byte{0, 0, 0, 1}, err: io.ErrUnexpectedEOF},
		{name: "a stream cut in the content", stream: whole(7, 9)[:18], want: []int{7}, err: io.ErrUnexpectedEOF},
	}
	readers := map[string]func(io.Reader) io.Reader{
		"at once":     func(r io.Reader) io.Reader { return r },
		"by octet":    iotest.OneByteReader,
		"by halves":   iotest.HalfReader,
		"err at once": iotest.DataErrReader,
	}
	for _, tt := range tests {
		for how, wrap := range readers {
			t.Run(tt.name+" "+how, func(t *testing.T) {
				f := frameReader{src: wrap(bytes.NewReader(tt.stream)), max: 1 << 20}
				defer f.close()
				for i, size := range tt.want {
					cmd, data, err := f.next()
					if err != nil || cmd != byte('A'+i) || !bytes.Equal(data, bytes.Repeat([]byte{byte('a' + i)}, size)) {
						t.Fatalf("frame %d: got %q, %d octets, %v; want %d octets", i, cmd, len(data), err, size)
					}
					f.release()
				}
				if _, _, err := f.next(); !errors.Is(err, tt.err) {
					t.Errorf("after the frames: got %v, want %v", err, tt.err)
				}
			})
		}
	}
}

func TestFrameReaderDoesNotTrustTheLength(t *testing.T) {
	claim := binary.BigEndian.AppendUint32(nil, 1<<28)
	f := frameReader{src: io.MultiReader(bytes.NewReader(claim), strings.NewReader(strings.Repeat("x", 1000))), max: 1 << 30}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := f.next()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 4*bigBuffer {
		t.Errorf("a frame of 256 MiB that ends after 1,000 octets took %d octets of memory", got)
	}
}

func TestFrameReaderPassesOverALongFrame(t *testing.T) {
	long, next := appendFrame(nil, 'L', strings.Repeat("x", 10_000)), appendFrame(nil, 'N', "rest")
	for _, tt := range []struct {
		name, stream string
		cmd          byte
		skipped      bool
		err          error
	}{
		{name: "of the command that is asked for", stream: string(long) + string(next), cmd: 'L', skipped: true},
		{name: "not of another command", stream: string(long) + string(next), cmd: 'B'},
		{name: "an end within the frame", stream: string(long[:9000]), cmd: 'L', err: io.ErrUnexpectedEOF},
		{name: "an end before the command", stream: string(long[:4]), cmd: 'L', err: io.ErrUnexpectedEOF},
	} {
		for _, piece := range []int{1, 7, 1 << 20} {
			f := frameReader{src: &pieces{[]byte(tt.stream), piece}, max: 100}
			if _, _, err := f.next(); !errors.Is(err, errLongFrame) {
				t.Fatalf("%s: got %v", tt.name, err)
			}
			if skipped, err := f.skip(tt.cmd); skipped != tt.skipped || err != tt.err {
				t.Errorf("%s, in pieces of %d: got %t, %v", tt.name, piece, skipped, err)
			}
			if tt.skipped {
				if cmd, data, err := f.next(); cmd != 'N' || string(data) != "rest" || err != nil {
					t.Errorf("the next frame: got %q %q, %v", cmd, data, err)
				}
			}
			if len(f.buf) > smallBuffer {
				t.Errorf("a buffer of %d octets was taken for a frame that nobody reads", len(f.buf))
			}
		}
	}
}

func TestFrameReaderReturnsToTheSmallBuffer(t *testing.T) {
	for _, size := range []int{10, smallBuffer, 65535, bigBuffer, 500_000} {
		stream := appendFrame(appendFrame(nil, 'B', strings.Repeat("x", size)), 'E', "rest")
		f := frameReader{src: bytes.NewReader(stream), max: 1 << 20}
		if _, _, err := f.next(); err != nil {
			t.Fatal(err)
		}
		f.release()
		if len(f.buf) != smallBuffer || f.big != nil {
			t.Errorf("after a frame of %d octets: buffer has %d, want %d", size, len(f.buf), smallBuffer)
		}
		if cmd, data, err := f.next(); cmd != 'E' || string(data) != "rest" || err != nil {
			t.Errorf("after a frame of %d octets: got %q %q %v, want what was read ahead", size, cmd, data, err)
		}
	}
}

func TestFrameReaderGivesUpOnAReaderThatReadsNothing(t *testing.T) {
	f := frameReader{src: nothing{}, max: 100}
	if _, _, err := f.next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v, want %v", err, io.ErrNoProgress)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// FuzzFrameReader: the frames that come out, written again, are the stream that
// went in, however it was cut into pieces.
func FuzzFrameReader(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, 'A', ""), 'B', "body"), 3)
	f.Add(appendFrame(nil, 'B', strings.Repeat("x", 5000)), 4096)
	f.Add([]byte{0, 0, 0, 0}, 1)
	f.Add([]byte{255, 255, 255, 255, 'A'}, 2)
	f.Add([]byte{0, 0, 0, 5, 'M', '<', '>'}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		const limit = 100 << 10
		r := frameReader{src: &pieces{stream, min(max(piece, 1), 1<<20)}, max: limit}
		defer r.close()
		var again []byte
		for {
			cmd, data, err := r.next()
			if err != nil {
				checkRest(t, stream[len(again):], limit, err)
				return
			}
			again = appendFrame(again, cmd, string(data))
			if !bytes.HasPrefix(stream, again) {
				t.Fatalf("frames written again differ from the stream")
			}
			if cmd == 'E' {
				r.release()
			}
		}
	})
}

// checkRest tells whether err is the right one for what follows the last frame.
func checkRest(t *testing.T, rest []byte, limit uint32, err error) {
	want := io.EOF
	if len(rest) >= frameHeader {
		switch n := binary.BigEndian.Uint32(rest); {
		case n == 0:
			want = errEmptyFrame
		case n > limit:
			want = errLongFrame
		default:
			want = io.ErrUnexpectedEOF
		}
	} else if len(rest) > 0 {
		want = io.ErrUnexpectedEOF
	}
	if !errors.Is(err, want) {
		t.Fatalf("with %d octets left: got %v, want %v", len(rest), err, want)
	}
}

// pieces is a reader that gives a few octets at a time.
type pieces struct {
	data []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.data)
	p.data = p.data[n:]
	return n, nil
}
