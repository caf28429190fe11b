package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Damage is a part of a segment that holds no whole frame: what a kill or a power cut
// left of the last write, or worse.
type Damage struct {
	Path   string // of the segment
	Offset int64  // in octets
	Octets int64  // that were passed over
	Torn   bool   // it is the end of the segment: a write that did not come to its end
}

func (d Damage) String() string {
	if d.Torn {
		return fmt.Sprintf("%s: torn frame at octet %d, %d octets passed over", d.Path, d.Offset, d.Octets)
	}
	return fmt.Sprintf("%s: damage at octet %d, %d octets passed over", d.Path, d.Offset, d.Octets)
}

// Gap are numbers between two frames that no frame was found for.
type Gap struct{ After, Before Number }

// Reader reads the frames of a spool in the order of their numbers, from one process
// or from another than the one that writes. It is used by one goroutine.
type Reader struct {
	// Damaged hears of each damage, once; nil to be told of none.
	Damaged func(Damage)
	// Missing hears of numbers that are gone; nil to be told of none.
	Missing func(Gap)

	dir  string
	id   ID
	next Number // the lowest number that is wanted
	last Number // of the last frame that was read

	file  *os.File
	path  string
	first Number // of the open segment
	// foreign are files named like segments that hold nothing of this spool, with their
	// sizes when that was seen.
	foreign map[string]int64
	offset  int64  // in the file, of buf[0]
	mem     []byte // what buf lies in, used again
	buf     []byte // read and not yet cut
	whole   bool   // its header was read
	headed  bool   // and was good
}

// readAhead is how much is read at once, in octets. The number is ours: a reader that
// follows a daemon's spool keeps to memory that is warm.
const readAhead = 64 << 10

// keptMost is how much memory goes on to the next segment; a search behind damage may
// take more. The number is ours.
const keptMost = 2 * MaxPayload

// NewReader begins with the first frame whose number is at least from.
func NewReader(dir string, from Number) (*Reader, error) {
	id, err := ReadID(dir)
	if err != nil {
		return nil, err
	}
	return &Reader{dir: dir, id: id, next: from}, nil
}

// ID is that of the spool that is read.
func (r *Reader) ID() ID { return r.id }

// Close lets go of the open segment.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// Next returns the next frame; its payload is valid until the next call. io.EOF means
// that there is none yet; a later call may find one.
func (r *Reader) Next() (Frame, error) {
	for {
		if r.file == nil {
			if err := r.open(); err != nil {
				return Frame{}, err
			}
		}
		f, err := r.cut()
		switch {
		case err == io.EOF:
			ended, err := r.ended()
			if err != nil {
				return Frame{}, err
			}
			if !ended {
				return Frame{}, io.EOF
			}
			continue
		case err != nil:
			return Frame{}, err
		case f.Number < r.next: // asked for later ones
			continue
		case r.last != 0 && !f.Number.follows(r.last) && r.Missing != nil:
			r.Missing(Gap{After: r.last, Before: f.Number})
		}
		r.last, r.next = f.Number, f.Number+1
		return f, nil
	}
}

// open opens the segment that holds next, or the first one behind it.
func (r *Reader) open() error {
	list, err := segments(r.dir)
	if err != nil {
		return err
	}
	at := -1
	for i := range list {
		if list[i].first <= r.next || at < 0 {
			at = i
		}
	}
	if at < 0 {
		return io.EOF
	}
	return r.enter(list[at])
}

func (r *Reader) enter(s segment) error {
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) { // removed meanwhile; look again next time
		return io.EOF
	}
	if err != nil {
		return err
	}
	if len(r.mem) > keptMost {
		r.mem = nil
	}
	r.file, r.path, r.first = f, s.path, s.first
	r.offset, r.buf, r.whole, r.headed = 0, r.mem[:0], false, false
	return nil
}

// fill reads on; io.EOF where nothing was added.
func (r *Reader) fill() error {
	have := len(r.buf)
	if have > len(r.mem)/2 || r.mem == nil { // what is left of a long frame, or a search
		grown := make([]byte, max(2*len(r.mem), readAhead))
		copy(grown, r.buf)
		r.mem = grown
	} else {
		copy(r.mem, r.buf)
	}
	n, err := r.file.ReadAt(r.mem[have:], r.offset+int64(have))
	r.buf = r.mem[:have+n]
	if n > 0 {
		return nil
	}
	return err
}

// drop lets go of the first n octets of buf.
func (r *Reader) drop(n int) {
	r.offset += int64(n)
	r.buf = r.buf[n:]
}

// cut takes the next frame out of the open segment; io.EOF where none is whole.
func (r *Reader) cut() (Frame, error) {
	for !r.whole {
		err := checkSegmentHeader(r.buf, r.id, r.first)
		switch {
		case err == nil:
			r.drop(segmentHeader)
			r.whole, r.headed = true, true
		case err == errDamaged: // whatever frames are behind it
			r.whole = true
		case err != errShort:
			return Frame{}, fmt.Errorf("%s: %w", r.path, err)
		default:
			if err := r.fill(); err != nil {
				return Frame{}, err
			}
		}
	}
	for {
		f, size, err := r.id.cutFrame(r.buf)
		switch err {
		case nil:
			r.drop(size)
			return f, nil
		case errShort:
			if err := r.fill(); err != nil {
				return Frame{}, err
			}
		case errDamaged:
			if err := r.findFeet(); err != nil {
				return Frame{}, err
			}
		}
	}
}

// findFeet passes over what is no frame, up to the next whole one. What begins like a
// frame and is not whole may be one that is being written, or damage, or a text that
// somebody sent: only a whole frame ends the search.
func (r *Reader) findFeet() error {
	for from := 1; ; {
		short := -1 // the first that may be whole once more is read
		for i := from; ; i++ {
			n := bytes.Index(r.buf[min(i, len(r.buf)):], []byte(frameMagic))
			if n < 0 {
				break
			}
			i += n
			_, _, err := r.id.cutFrame(r.buf[i:])
			if err == nil {
				r.tell(Damage{Path: r.path, Offset: r.offset, Octets: int64(i)})
				r.drop(i)
				return nil
			}
			if err == errShort && short < 0 {
				short = i
			}
		}
		if from = max(1, len(r.buf)-len(frameMagic)+1); short >= 0 {
			from = short
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// ended reports whether a later segment goes on, so that the open one will not grow.
// What is left of it is damage; the next call enters the later one.
func (r *Reader) ended() (bool, error) {
	list, err := segments(r.dir)
	if err != nil {
		return false, err
	}
	s, found, err := r.following(list)
	if err != nil || !found {
		return false, err
	}
	// It may have grown since, before the later segment was made.
	if err := r.fill(); err == nil {
		return true, nil
	} else if err != io.EOF {
		return false, err
	}
	if len(r.buf) > 0 || !r.whole {
		if r.whole && r.findFeet() == nil { // the length of a frame was damaged
			return true, nil
		}
		if len(r.buf) > 0 { // else it was only made
			r.tell(Damage{Path: r.path, Offset: r.offset, Octets: int64(len(r.buf)), Torn: true})
		}
	}
	if err := r.Close(); err != nil {
		return false, err
	}
	return true, r.enter(s)
}

// following is the segment that comes after the open one. One that has no whole header
// yet follows if a later one does; a file that somebody put there never does.
func (r *Reader) following(list []segment) (next segment, found bool, err error) {
	for _, s := range list {
		if s.first <= r.first {
			continue
		}
		kind, err := r.look(s)
		switch {
		case err != nil:
			return next, false, err
		case kind == isForeign:
			continue
		case next.path == "":
			next = s
		}
		if kind == isOurs {
			return next, true, nil
		}
	}
	return next, false, nil
}

// What a file that is named like a segment is.
type segmentKind int

const (
	isOurs    segmentKind = iota // its header is whole, or a frame in it
	isShort                      // a header that is being written, or was not to its end
	isForeign                    // neither
)

// look tells what s is.
func (r *Reader) look(s segment) (segmentKind, error) {
	if size, known := r.foreign[s.path]; known && size == s.size {
		return isForeign, nil
	}
	other := Reader{id: r.id}
	defer other.Close()
	if err := other.enter(s); err != nil {
		if err == io.EOF { // removed meanwhile
			return isShort, nil
		}
		return isOurs, err
	}
	_, err := other.cut()
	switch {
	case err != io.EOF: // a frame, or what the one who reads it is to tell
		return isOurs, nil
	case !other.whole:
		return isShort, nil
	case other.headed:
		return isOurs, nil
	}
	if r.foreign == nil {
		r.foreign = map[string]int64{}
	}
	r.foreign[s.path] = s.size
	r.tell(Damage{Path: s.path, Octets: s.size})
	return isForeign, nil
}

func (r *Reader) tell(d Damage) {
	if r.Damaged != nil {
		r.Damaged(d)
	}
}
