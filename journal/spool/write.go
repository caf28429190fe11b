package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"alignd/internal/owned"
)

func lostPayload(n Number) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// writer is what the writing goroutine has for itself, but for what the methods lock
// Spool.mu for.
type writer struct {
	spool    *Spool
	file     file      // the segment that grows; nil before the first
	segments []segment // all, oldest first, the one that grows last
	octets   int64     // of all segments
	room     room
	size     int64     // whole frames of the one that grows, in octets
	torn     bool      // octets of a failed write may stand behind size
	failed   bool      // the last write did
	looked   time.Time // when stillThere last did
	buf      []byte

	uncounted uint64 // records of the batch that count has not seen

	start   *Frame // the first of the run; nil once it is written
	started bool   // and on disk
}

// write is the life of the goroutine that writes.
func (s *Spool) write() {
	defer close(s.written)
	for {
		batch, more := s.next()
		if len(batch) > 0 {
			s.w.tried(batch)
		}
		if !more {
			return
		}
	}
}

// tried is deliver. A panic costs the batch: who waits for it has his patience, and what
// follows is written behind what is known to be whole.
func (w *writer) tried(batch []*entry) {
	log := w.spool.opt.Log
	if w.failed { // a fault that stays would be told for each message
		log = slog.New(slog.DiscardHandler)
	}
	w.uncounted = records(batch) // once written, entries belong to those who wait
	err := owned.Tried(log, "the journal's spool", func() error { w.deliver(batch); return nil })
	if err == nil {
		return
	}
	w.buf, w.torn, w.failed = nil, w.file != nil, true
	s := w.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Dropped += w.uncounted
	s.counts.Err = fmt.Errorf("%w: %w", ErrDropped, err)
	s.waits.dropped(s.taken)
}

// next waits for entries. more is false when they are the last ones.
func (s *Spool) next() (batch []*entry, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closing {
		s.work.Wait()
	}
	if s.closing {
		s.mark()
	}
	batch, s.queue, s.octets = s.queue, nil, 0
	return batch, !s.closing
}

// deliver writes a batch and tells those who wait.
func (w *writer) deliver(batch []*entry) {
	n, err := w.put(batch)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrDropped, err)
	}
	dropped, full := w.count(batch, n, err)
	for i, e := range batch {
		if e.written == nil {
			continue
		}
		if i < n {
			e.written <- nil
		} else {
			e.written <- err
		}
	}
	w.tell(err, dropped, full)
}

// count notes that n of a batch were written, and returns how many records were not. full:
// records were dropped before.
func (w *writer) count(batch []*entry, n int, err error) (dropped uint64, full bool) {
	s := w.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	dropped = records(batch[n:])
	s.counts.Written += records(batch[:n])
	s.counts.Dropped += dropped
	w.uncounted = 0
	if n > 0 {
		s.waits.written(batch[n-1].frame.Number)
	}
	if err != nil {
		s.waits.dropped(s.taken)
	}
	s.counts.Err = err
	s.counts.Octets, s.counts.Segments = w.octets, len(w.segments)
	full, s.full = s.full, false
	return dropped, full
}

func records(list []*entry) (n uint64) {
	for _, e := range list {
		if e.frame.Kind == KindRecord {
			n++
		}
	}
	return n
}

// tell says once that writing fails, and once that it works again; full: records were
// dropped before, as it took too long.
func (w *writer) tell(err error, dropped uint64, full bool) {
	switch log := w.spool.opt.Log; {
	case err != nil && !w.failed:
		log.Error("the journal's spool cannot be written, records are dropped", "err", err, "records", dropped)
	case err == nil && (w.failed || full):
		log.Warn("the journal's spool is written again", "dropped", w.spool.Counts().Dropped)
	}
	w.failed = err != nil
}

// tellLate says at most once a minute that the disk is slow; mu is held.
func (s *Spool) tellLate() {
	if now := time.Now(); s.lateTold.IsZero() || now.Sub(s.lateTold) > time.Minute {
		s.lateTold = now
		s.opt.Log.Warn("the disk of the journal's spool is slow, records follow their answers", "late", s.counts.Late)
	}
}

// tellFull says once that a disk takes too long, until it has taken what waits; mu is held.
func (s *Spool) tellFull() {
	if !s.full && !s.closing {
		s.full = true
		s.opt.Log.Error("the disk of the journal's spool hangs, records are dropped", "late", s.counts.Late)
	}
}

// put writes a batch by one write(2) for each segment that it goes to. n is how many of
// it are written: all without an error.
func (w *writer) put(batch []*entry) (n int, err error) {
	w.buf = w.buf[:0]
	if err := w.stillThere(); err != nil {
		return 0, err
	}
	if err := w.startRun(batch); err != nil {
		return 0, err
	}
	for i, e := range batch {
		if w.file == nil || w.size+int64(len(w.buf)) >= w.spool.opt.SegmentSize {
			if err := w.flush(); err != nil {
				return n, err
			}
			n = i
			if err := w.begin(e.frame.Number); err != nil {
				return n, err
			}
		}
		w.buf = w.spool.id.appendFrame(w.buf, &e.frame)
	}
	if err := w.flush(); err != nil {
		return n, err
	}
	return len(batch), nil
}

// flush writes buf, whole or not at all.
func (w *writer) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if w.torn {
		if err := w.file.Truncate(w.size); err != nil {
			return err
		}
		w.torn = false
	}
	if err := w.makeRoom(int64(len(w.buf))); err != nil {
		return err
	}
	n, err := w.file.Write(w.buf)
	if err != nil {
		w.torn = n > 0
		if w.torn && w.file.Truncate(w.size) == nil {
			w.torn = false
		}
		return err
	}
	w.size += int64(n)
	w.octets += int64(n)
	w.segments[len(w.segments)-1].size = w.size
	w.buf = w.buf[:0]
	w.spool.syncer.wrote()
	return nil
}

// begin starts a segment with the frame of that number.
func (w *writer) begin(first Number) error {
	opt := &w.spool.opt
	if err := w.makeRoom(segmentHeader); err != nil {
		return err
	}
	path := filepath.Join(opt.Dir, segmentName(first))
	f, err := opt.disk.Create(path)
	if err != nil {
		return err
	}
	header := appendSegmentHeader(nil, w.spool.id, first)
	if _, err := f.Write(header); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	w.spool.syncer.begins(f)
	if n := len(w.segments); n > 0 {
		w.segments[n-1].ended, w.segments[n-1].last = time.Now(), first-1
	}
	w.file, w.size, w.torn = f, segmentHeader, false
	w.segments = append(w.segments, segment{path: path, first: first, size: segmentHeader})
	w.octets += segmentHeader
	return nil
}

var errFull = errors.New("no room within the bounds of the spool")

func isFull(err error) bool {
	return errors.Is(err, errFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// makeRoom removes segments that all stores have taken: those older than Keep, and
// where n octets have no room else, the younger ones, too, and at last those that only
// the store of records has taken. What it is yet to take stays.
func (w *writer) makeRoom(n int64) error {
	for len(w.segments) > 1 && w.isTaken(0) && w.age(0) >= w.spool.opt.Keep {
		if err := w.remove(); err != nil {
			return err
		}
	}
	for !w.fits(n) {
		taken := len(w.segments) > 1 && w.isTaken(0)
		if !taken && (len(w.segments) < 2 || !w.isTakenByFirst(0)) {
			return errFull
		}
		if err := w.remove(); err != nil {
			return err
		}
		w.spool.evicted(taken)
	}
	return nil
}

func (s *Spool) evicted(taken bool) {
	s.mu.Lock()
	s.counts.Evicted++
	first := s.counts.Evicted == 1
	if !taken {
		s.counts.Untaken++
	}
	untaken := !taken && s.counts.Untaken == 1
	s.mu.Unlock()
	if untaken {
		s.opt.Log.Error("the journal's spool is near its bound: segments go that the store of records has, though what is counted of them is not on disk yet")
	}
	if first {
		s.opt.Log.Warn("the journal's spool is near its bound: segments go before their time, a store that falls back could not take them again", "keep", s.opt.Keep)
	}
}

// fits reports whether n more octets are within the bounds.
func (w *writer) fits(n int64) bool {
	opt := &w.spool.opt
	if w.octets+n > opt.Max {
		return false
	}
	if w.room.holds(n) {
		return true
	}
	free, all, err := opt.disk.Free(opt.Dir)
	if err != nil {
		return true
	}
	w.room = room{left: int64(float64(free) - opt.KeepFree*float64(all)), at: time.Now()}
	return w.room.left >= n
}

// room is what was last seen of the disk, as asking at each write costs a tenth of it.
type room struct {
	left int64 // octets above KeepFree
	at   time.Time
}

// roomFor is how long it is believed, and roomSpare what others may write meanwhile, in
// octets; both are ours.
const (
	roomFor   = 100 * time.Millisecond
	roomSpare = 256 << 20
)

// holds: n octets are within it for certain, or as good as.
func (r *room) holds(n int64) bool { return r.left-n > roomSpare && time.Since(r.at) < roomFor }

// isTaken: all frames of segment i are in every store.
func (w *writer) isTaken(i int) bool {
	w.spool.mu.Lock()
	defer w.spool.mu.Unlock()
	return w.segments[i].last <= w.spool.taken
}

func (w *writer) isTakenByFirst(i int) bool {
	w.spool.mu.Lock()
	defer w.spool.mu.Unlock()
	return w.segments[i].last <= w.spool.first
}

// age is how long ago a segment ended, by the monotonic clock; of those of an earlier
// run, how long this one lasts.
func (w *writer) age(i int) time.Duration { return time.Since(w.segments[i].ended) }

// remove removes the oldest segment.
func (w *writer) remove() error {
	if err := os.Remove(w.segments[0].path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	w.octets -= w.segments[0].size
	w.segments = w.segments[1:]
	return nil
}
