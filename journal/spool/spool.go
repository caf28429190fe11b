package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Options say where a spool is and how much it may take. The zero value of all but Dir
// is a default.
type Options struct {
	// Dir is made if it is absent. Nothing else may lie in it.
	Dir string
	// Max bounds the octets of all segments; 0 is DefaultMax.
	Max int64
	// KeepFree is the share of the file system that stays free, from 0 to 1; 0 is
	// DefaultKeepFree.
	KeepFree float64
	// Keep is how long segments stay that every store has taken, so that a store that
	// falls back behind what it took can take it again; 0 is DefaultKeep.
	Keep time.Duration
	// Patience is how long Append waits; 0 is DefaultPatience.
	Patience time.Duration
	// SegmentSize is when a segment ends, in octets; 0 is DefaultSegmentSize.
	SegmentSize int64
	// Log hears what an admin should know; nil for nobody.
	Log *slog.Logger

	// disk stands for the file system in tests, and now for the clock.
	disk disk
	now  func() time.Time
}

// The defaults. All numbers are ours.
const (
	DefaultMax         = 1 << 30
	DefaultKeepFree    = 0.05
	DefaultKeep        = time.Hour
	DefaultPatience    = 100 * time.Millisecond
	DefaultSegmentSize = 16 << 20
	// maxQueue bounds the octets that wait to be written.
	maxQueue = 32 << 20
	// syncEvery is how much a power cut may cost.
	syncEvery = time.Second
)

const lockFile = "lock"

func (o Options) withDefaults() Options {
	if o.Max <= 0 {
		o.Max = DefaultMax
	}
	if o.KeepFree <= 0 {
		o.KeepFree = DefaultKeepFree
	}
	if o.Keep <= 0 {
		o.Keep = DefaultKeep
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.SegmentSize <= 0 {
		o.SegmentSize = min(DefaultSegmentSize, o.Max/8)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.disk == nil {
		o.disk = realDisk{}
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o
}

// What Open and Append say.
var (
	// ErrLocked: another process writes to this spool.
	ErrLocked = errors.New("another process uses this spool")
	// ErrLate: the frame waits to be written and will follow.
	ErrLate = errors.New("the spool is slow, the record follows")
	// ErrDropped: the frame is not kept, as there is no room or the disk fails.
	ErrDropped = errors.New("the spool has no room, the record is dropped")
	errClosed  = errors.New("the spool is closed")
)

// Bound is Options.Max.
func (s *Spool) Bound() int64 { return s.opt.Max }

// Counts is what became of records since Open, and what lies on disk.
type Counts struct {
	Written, Late, Dropped uint64 // records; a late one that was written is in both
	Octets                 int64  // of all segments
	Segments               int
	// Evicted are segments that were removed before Options.Keep was over, for want of
	// room; Untaken those of them that a store other than that of records did not take.
	Evicted, Untaken uint64
	// Err is why the last write failed; nil if it did not.
	Err error
	// Oldest is when the oldest record was written that a store is yet to take, to
	// about a second; zero where none is. Until Placed, the stores have not said what
	// they have of an earlier run, and all of it counts as waiting.
	Oldest time.Time
	Placed bool
}

// Spool is the writing end. Its methods are safe for concurrent use.
type Spool struct {
	opt  Options
	id   ID
	lock *os.File

	mu     sync.Mutex
	work   *sync.Cond // something is queued, or closing
	queue  []*entry
	octets int // of payloads in the queue
	last   Number
	flying map[Number]bool // records whose answer is not known yet
	record Number          // the last one
	marked Number          // Answered of the last frame that was queued
	taken  Number          // all stores have what is up to here
	first  Number          // the store of records has what is up to here
	waits  pending
	counts Counts
	// lateTold is when tellLate last did.
	lateTold time.Time
	full     bool // records were dropped, as too many octets wait
	closing  bool
	written  chan struct{} // closed when all that was queued is written
	synced   sync.WaitGroup

	syncer syncer
	w      writer
}

// entry is a frame on its way to disk.
type entry struct {
	frame    Frame
	written  chan error  // has room for one; nil where nobody waits
	patience *time.Timer // of who waits
}

// entries are those of Append, used again.
var entries = sync.Pool{New: func() any {
	e := &entry{written: make(chan error, 1), patience: time.NewTimer(time.Hour)}
	e.patience.Stop()
	return e
}}

// Open locks the spool in Options.Dir, making it if needed, and begins a new run.
func Open(opt Options) (*Spool, error) {
	opt = opt.withDefaults()
	s := &Spool{opt: opt, flying: map[Number]bool{}, written: make(chan struct{})}
	s.work = sync.NewCond(&s.mu)
	if err := s.open(); err != nil {
		if s.lock != nil {
			s.lock.Close()
		}
		return nil, fmt.Errorf("spool %s: %w", opt.Dir, err)
	}
	go s.write()
	s.synced.Go(s.keepSynced)
	return s, nil
}

func (s *Spool) open() (err error) {
	dir := s.opt.Dir
	held := s.hold()
	if held != nil && !isFull(held) {
		return held
	}
	list, err := segments(dir)
	if err != nil && (held == nil || !errors.Is(err, os.ErrNotExist)) {
		return err
	}
	s.id, err = ReadID(dir)
	if len(list) == 0 && (err == nil || errors.Is(err, os.ErrNotExist)) {
		err = s.beginAnew(err == nil)
	}
	if err != nil {
		return err
	}
	if list, err = s.putAside(list); err != nil {
		return err
	}
	run, err := nextRun(list, s.opt.now())
	if err != nil {
		return err
	}
	s.last = firstOf(run) - 1
	s.w = writer{spool: s, segments: list}
	for i := range list {
		s.w.octets += list[i].size
		list[i].ended, list[i].last = time.Now(), s.last
		if i+1 < len(list) {
			list[i].last = list[i+1].first - 1
		}
	}
	s.counts.Segments, s.counts.Octets = len(list), s.w.octets
	if len(list) > 0 { // of an earlier run, until a store says that it has them
		s.waits.add(s.last, list[0].written)
		s.waits.written(s.last)
	}
	s.last++
	s.w.start = &Frame{Kind: KindStart, Number: s.last, Answered: s.last}
	switch _, err := s.w.put(nil); {
	case isFull(err): // there may be room later: until then records are dropped
		s.counts.Err = fmt.Errorf("%w: %w", ErrDropped, err)
		s.w.tell(s.counts.Err, 0, false)
	case err != nil:
		return err
	}
	return nil
}

// putAside renames what is named like a segment of a time that no daemon lives to see and
// is none: all numbers that are given from now on would be below it.
func (s *Spool) putAside(list []segment) (ours []segment, err error) {
	r := Reader{id: s.id}
	for _, x := range list {
		if x.first.Run() > maxRun/2 {
			kind, err := r.look(x)
			if err != nil {
				return nil, err
			}
			if kind != isOurs {
				to := x.path + foreignSuffix
				if err := os.Rename(x.path, to); err != nil {
					return nil, err
				}
				s.opt.Log.Warn("a file in the journal's spool was not written by alignd and is put aside", "file", to)
				continue
			}
		}
		ours = append(ours, x)
	}
	return ours, nil
}

// ID is the name of the spool.
func (s *Spool) ID() ID { return s.id }

// Append writes a record and returns its number, which Answered or Lost is to be told
// once the MTA has been answered, whatever the error. With ErrLate the record is on its
// way, and payload with it; with any other error it is not kept. Else payload is the
// caller's again.
func (s *Spool) Append(payload []byte) (Number, error) {
	if len(payload) > MaxPayload {
		return 0, fmt.Errorf("%w: %d octets", ErrDropped, len(payload))
	}
	e := entries.Get().(*entry)
	e.frame = Frame{Kind: KindRecord, Payload: payload}
	s.mu.Lock()
	if s.closing || s.octets+len(payload) > maxQueue {
		s.counts.Dropped++
		s.tellFull()
		s.mu.Unlock()
		return 0, ErrDropped
	}
	s.enqueue(e)
	n := e.frame.Number
	s.flying[n] = true
	s.mu.Unlock()
	return n, s.wait(e)
}

// wait waits for e to be written. One that is late stays with who writes it.
func (s *Spool) wait(e *entry) (err error) {
	e.patience.Reset(s.opt.Patience)
	select {
	case err = <-e.written:
		e.patience.Stop()
	case <-e.patience.C:
		s.mu.Lock()
		defer s.mu.Unlock()
		select {
		case err = <-e.written: // just now
		default:
			s.counts.Late++
			s.tellLate()
			return ErrLate
		}
	}
	e.frame = Frame{}
	entries.Put(e)
	return err
}

// enqueue gives e its number; mu is held.
func (s *Spool) enqueue(e *entry) {
	e.frame.Answered = s.answered()
	s.marked = e.frame.Answered
	s.last++
	e.frame.Number = s.last
	if e.frame.Kind == KindRecord {
		s.record = s.last
		s.waits.add(s.last, time.Now())
	}
	s.queue = append(s.queue, e)
	s.octets += len(e.frame.Payload)
	s.work.Signal()
}

// answered is the lowest record without an answer, or the next number; mu is held.
func (s *Spool) answered() Number {
	low := s.last + 1
	for n := range s.flying {
		low = min(low, n)
	}
	return low
}

// mark adds a frame that tells what no frame tells yet: that the last records are
// answered. mu is held.
func (s *Spool) mark() {
	if s.record >= s.marked && s.answered() > s.marked {
		s.enqueue(&entry{frame: Frame{Kind: KindMark}})
	}
}

func (s *Spool) markNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark()
}

// Answered says that the answer to record n was written.
func (s *Spool) Answered(n Number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flying, n)
}

// Lost says that the answer to record n could not be written. It does not wait.
func (s *Spool) Lost(n Number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 || s.closing {
		return
	}
	e := &entry{frame: Frame{Kind: KindLost, Payload: lostPayload(n)}}
	s.enqueue(e) // with n still flying: no earlier frame may say that it is answered
	delete(s.flying, n)
}

// Taken says that every store has what is up to and with n. Segments that hold nothing
// later may go.
func (s *Spool) Taken(n Number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = max(s.taken, n)
	s.counts.Placed = true
	s.waits.taken(s.taken)
}

// TakenByFirst says that the store of records has what is up to and with n. Where the
// spool has no room else, its segments may go though another store is yet to take them:
// a record is worth more than what others make of it.
func (s *Spool) TakenByFirst(n Number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = max(s.first, n)
}

// Counts tells how it is going.
func (s *Spool) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Oldest = s.waits.oldest()
	return c
}

// Close writes what waits, syncs it, and lets go of the spool.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		<-s.written
		return errClosed
	}
	s.closing = true
	s.work.Signal()
	s.mu.Unlock()
	<-s.written
	s.synced.Wait()
	return errors.Join(s.syncer.close(), s.lock.Close())
}
