package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"alignd/journal/spool"
	"alignd/record"
)

// The loader's numbers are ours.
const (
	// maxBatch is how many records one transaction takes.
	maxBatch = 512
	// loadEvery is how soon a record can be found.
	loadEvery = time.Second
	// retryMost is the longest wait after the store failed.
	retryMost = 30 * time.Second
	// heldMost is how long the answer to a record is waited for.
	heldMost = 2 * time.Minute
)

// Loader takes records from a spool into its stores, each of which has its own watermark.
// It is one goroutine of its own.
type Loader struct {
	spool  *spool.Spool
	dir    string
	stores []Store
	log    *slog.Logger
	stop   chan struct{}
	ended  sync.WaitGroup

	mu     sync.Mutex
	status Status
}

// Status says how a loader is doing.
type Status struct {
	Loaded  uint64    // records
	Damaged uint64    // places of the spool that hold no whole frame
	Missing uint64    // numbers without a frame
	Last    time.Time // when the stores took the last batch
	Err     error     // why it does not take the next one
}

// NewLoader begins to load what lies in the spool of directory dir into all stores, one
// after the other.
func NewLoader(s *spool.Spool, dir string, log *slog.Logger, stores ...Store) *Loader {
	l := &Loader{spool: s, dir: dir, stores: stores, log: log, stop: make(chan struct{})}
	l.ended.Go(l.run)
	return l
}

// Status tells how it is going.
func (l *Loader) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Close loads what the spool has and ends. It is called once nothing is written to the
// spool any more, and before the store is closed.
func (l *Loader) Close() {
	close(l.stop)
	l.ended.Wait()
}

// run loads until Close. After a failure of a store it begins anew with what each
// store says that it has.
func (l *Loader) run() {
	wait := loadEvery
	for {
		before := l.Status().Loaded
		stopping, err := l.load()
		if l.Status().Loaded > before { // the stores worked meanwhile
			wait = loadEvery
		}
		if err != nil && wait == loadEvery {
			l.log.Warn("the journal takes no records, they stay in the spool", "err", err)
		}
		l.set(func(s *Status) { s.Err = err })
		if stopping {
			return
		}
		select {
		case <-l.stop:
			wait = loadEvery // once more
		case <-time.After(wait):
			wait = min(2*wait, retryMost)
		}
	}
}

func (l *Loader) set(f func(*Status)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.status)
}

// load reads the spool from its begin and follows it. stopping: Close was called, and
// all that the spool has was taken.
func (l *Loader) load() (stopping bool, err error) {
	r, err := spool.NewReader(l.dir, 0)
	if err != nil {
		return l.isStopping(), err
	}
	defer r.Close()
	r.Damaged = func(d spool.Damage) {
		l.log.Warn("the journal's spool is damaged", "damage", d.String())
		l.set(func(s *Status) { s.Damaged++ })
	}
	r.Missing = func(g spool.Gap) {
		l.set(func(s *Status) { s.Missing += uint64(g.Before - g.After - 1) })
	}
	b := batch{loader: l, from: r.ID()}
	for {
		stopping := l.isStopping()
		if err := b.fill(r); err != nil {
			return stopping, err
		}
		if err := b.take(stopping); err != nil {
			return stopping, err
		}
		if b.full {
			continue
		}
		if stopping {
			return true, nil
		}
		for _, store := range l.stores {
			err := store.Tidy(context.Background(), time.Now())
			if errors.Is(err, ErrAnew) {
				return false, err
			}
			if err != nil {
				l.log.Warn("the journal was not tidied", "err", err)
			}
		}
		select {
		case <-l.stop:
		case <-time.After(loadEvery):
		}
	}
}

func (l *Loader) isStopping() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// batch gathers records until their answers are known.
type batch struct {
	loader *Loader
	from   spool.ID
	held   []Raw        // in the order of their numbers
	passed spool.Number // of the last frame read
	known  spool.Number // the answer to each record below is known
	since  time.Time    // when held began to wait
	full   bool         // there may be more to read
}

// fill reads frames until there are none, or enough.
func (b *batch) fill(r *spool.Reader) error {
	b.full = true
	for len(b.held) < maxBatch {
		f, err := r.Next()
		if err == io.EOF {
			b.full = false
			return nil
		}
		if err != nil {
			return err
		}
		b.frame(&f)
	}
	return nil
}

func (b *batch) frame(f *spool.Frame) {
	switch f.Kind {
	case spool.KindStart: // whatever was in flight in the run before
		for i := range b.held {
			if b.held[i].Number >= b.known {
				b.held[i].Answer = AnswerUnknown
			}
		}
	case spool.KindLost:
		for i := range b.held {
			if b.held[i].Number == f.Lost() {
				b.held[i].Answer = AnswerLost
			}
		}
	case spool.KindRecord:
		rec, err := record.Decode(f.Payload)
		if err != nil {
			b.loader.log.Warn("a record in the journal's spool cannot be read", "number", uint64(f.Number), "err", err)
			break
		}
		b.held = append(b.held, Raw{Entry: Entry{Number: f.Number, Record: rec}, Encoded: append([]byte(nil), f.Payload...)})
	}
	b.passed, b.known = f.Number, max(b.known, f.Answered)
}

// take hands on the records whose answer is known; of the last run, when all is over,
// also the others.
func (b *batch) take(all bool) error {
	n := len(b.held)
	for i := range b.held {
		if b.held[i].Number >= b.known && b.held[i].Answer != AnswerUnknown {
			n = i
			break
		}
	}
	switch {
	case n > 0 || len(b.held) == 0:
		b.since = time.Now()
	case len(b.held) >= maxBatch || all && !b.full || time.Since(b.since) > heldMost:
		n = len(b.held)
		for i := range b.held {
			b.held[i].Answer = AnswerUnknown
		}
	}
	if n > 0 {
		for _, store := range b.loader.stores {
			if err := store.Take(context.Background(), b.from, b.held[:n]); err != nil {
				return fmt.Errorf("store: %w", err)
			}
		}
		b.loader.set(func(s *Status) { s.Loaded += uint64(n); s.Last, s.Err = time.Now(), nil })
		b.held = append(b.held[:0], b.held[n:]...)
	}
	b.passOn()
	return nil
}

// passOn tells the spool what all stores have on disk.
func (b *batch) passOn() {
	taken := b.passed
	if len(b.held) > 0 {
		taken = b.held[0].Number - 1
	}
	for _, store := range b.loader.stores {
		if g, gathers := store.(Gatherer); gathers {
			taken = g.Kept(taken)
		}
	}
	b.loader.spool.Taken(taken)
}
