package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"alignd/internal/owned"
	"alignd/journal/spool"
)

// The loader's numbers are ours.
const (
	// maxHeld is how many records are read before the answer to the first of them has to be
	// known, and maxOctets how long they are together, if there is more than one.
	maxHeld   = 512
	maxOctets = 4 << 20
	// maxBatch is how many records one transaction takes. What is decoded of them lives
	// until then, and the heap grows to three times of what lives.
	maxBatch = 256
	// loadEvery is how soon a record can be found.
	loadEvery = time.Second
	// retryMost is the longest wait after the store of records failed; retryOther, after
	// another one did: to try again is to read the whole spool.
	retryMost  = 30 * time.Second
	retryOther = 10 * time.Minute
	// heldMost is how long the answer to a record is waited for.
	heldMost = 2 * time.Minute
	// closeWithin is how long Close waits for a store that hangs. What it does not take
	// stays in the spool, for the next start.
	closeWithin = 10 * time.Second
)

// Loader takes records from a spool into its stores, each of which has its own watermark.
// A store that fails keeps none of the others waiting. It is one goroutine of its own.
type Loader struct {
	spool *spool.Spool
	dir   string
	feeds []*feed
	// reading is how the reading of the spool is doing, of whatever stores take.
	reading *feed

	log   *slog.Logger
	stop  chan struct{}
	ended sync.WaitGroup
	told  map[string]bool // of what is wrong with the spool

	aside *aside
	fewer int // records than maxHeld, and than maxBatch, make a list

	tookNone bool // records were not taken, as what fails is not only a count

	ctx    context.Context // of what the stores do
	cancel context.CancelFunc

	mu     sync.Mutex
	most   spool.Number // that the first store took
	status Status
}

// Status says how a loader is doing.
type Status struct {
	Loaded     uint64    // records that the first store took
	Damaged    uint64    // places of the spool that hold no whole frame
	Missing    uint64    // numbers without a frame
	Unreadable uint64    // records that this version cannot read
	Aside      uint64    // times that a store failed on a record, which was set aside
	Last       time.Time // when a store took the last batch
	Err        error     // why one of the stores does not take the next one
	Since      time.Time // when Err began; zero while there is none
}

// NewLoader begins to load what lies in the spool of directory dir into all stores, one
// after the other.
func NewLoader(s *spool.Spool, dir string, log *slog.Logger, stores ...Store) *Loader {
	l := &Loader{spool: s, dir: dir, log: log, stop: make(chan struct{}), told: map[string]bool{}, aside: openAside(dir)}
	l.reading = &feed{name: feedSpool, wait: loadEvery}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	name := feedRecords
	for _, store := range stores {
		l.feeds = append(l.feeds, &feed{store: store, name: name, wait: loadEvery, left: l.aside.left(name)})
		name = feedCounts
	}
	l.ended.Go(func() { owned.Guarded(log, "the loader of the journal", l.run) })
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
	defer time.AfterFunc(closeWithin, l.cancel).Stop()
	l.ended.Wait()
	l.cancel()
}

// run loads until Close. After a failure it begins anew with what each store says that
// it has.
func (l *Loader) run() {
	for last := false; ; {
		stopping, err := l.tried()
		if err != nil && !errors.Is(err, ErrAnew) {
			l.failed(l.reading, err)
		}
		switch {
		case stopping && (last || err == nil && !l.anyAway()):
			return
		case stopping: // once more, for those that failed
			last = true
			for _, f := range l.feeds {
				f.until = time.Time{}
			}
		default:
			l.pause(max(loadEvery, time.Until(l.reading.until)))
		}
	}
}

// tried is load. A panic is a fault of the spool's reading: that is tried again, and
// neither this daemon ends nor the next one, which would read the same.
func (l *Loader) tried() (stopping bool, err error) {
	err = owned.Tried(l.log, "the loader of the journal", func() (err error) {
		stopping, err = l.load()
		return err
	})
	if errors.Is(err, owned.ErrPanic) {
		stopping = l.isStopping()
	}
	return stopping, err
}

func (l *Loader) anyAway() bool { return slices.ContainsFunc(l.feeds, (*feed).away) }

// pause waits, but not longer than until Close.
func (l *Loader) pause(d time.Duration) {
	select {
	case <-l.stop:
	case <-time.After(d):
	}
}

func (l *Loader) set(f func(*Status)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.status)
}

// load reads the spool from its begin and follows it. stopping: Close was called, and
// the spool was read to its end. ErrAnew: a store that failed is to be tried again.
func (l *Loader) load() (stopping bool, err error) {
	for _, f := range l.feeds {
		if time.Now().After(f.until) {
			f.until = time.Time{}
		}
	}
	r, err := spool.NewReader(l.dir, 0)
	if err != nil {
		return l.isStopping(), err
	}
	defer r.Close()
	r.Damaged, r.Missing = l.damaged, l.missing
	b := batch{loader: l, from: r.ID(), since: time.Now()}
	for {
		stopping := l.isStopping()
		if err := b.fill(r); err != nil {
			return stopping, err
		}
		b.take(stopping)
		idle, until := l.idle()
		switch {
		case stopping && (idle || !b.full):
			return true, nil
		case !until.IsZero() && time.Now().After(until):
			return false, ErrAnew
		case idle: // what is read now would be read again
			l.pause(time.Until(until))
			return l.isStopping(), ErrAnew
		case b.full:
			continue
		case !stopping:
			l.tidy()
			l.readsOn()
			l.pause(loadEvery)
			if id, err := spool.ReadID(l.dir); err == nil && id != b.from {
				return false, ErrAnew // another spool took its place, or made room for this one again
			}
		}
	}
}

// once reports whether something is told for the first time: the spool is read again
// after each failure of a store.
func (l *Loader) once(what string) bool {
	if l.told[what] || len(l.told) >= maxTold {
		return false
	}
	l.told[what] = true
	return true
}

// maxTold bounds what is remembered of faults in the spool.
const maxTold = 10_000

func (l *Loader) damaged(d spool.Damage) {
	if l.once(fmt.Sprintf("%s %d", d.Path, d.Offset)) {
		l.log.Warn("the journal's spool is damaged", "damage", d.String())
		l.set(func(s *Status) { s.Damaged++ })
	}
}

func (l *Loader) missing(g spool.Gap) {
	if l.once(fmt.Sprintf("gap %d", g.After)) {
		l.set(func(s *Status) { s.Missing += uint64(g.Before - g.After - 1) })
	}
}

func (l *Loader) unreadable(n spool.Number, err error) {
	if l.once(fmt.Sprintf("record %d", n)) {
		l.set(func(s *Status) { s.Unreadable++ })
		if l.Status().Unreadable == 1 { // a later version may have left many
			l.log.Error("a record in the journal's spool cannot be read and is passed over, as all others like it", "number", uint64(n), "err", err)
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
