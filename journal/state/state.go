// Package state keeps what follows from records and is small: counts of messages by
// hour, day and week, pairs of Author Domain and infrastructure, the configurations that
// judged, and stages of a rollout that were stopped. It lies in one SQLite file of a
// host, or in the tables of one PostgreSQL that several hosts share; the statements are
// the same.
//
// State is a journal.Store: a loader hands it each record once, by its own watermark. It
// gathers counts in memory and writes them with the watermark in one transaction every
// few seconds. Until then the spool keeps the records (journal.Gatherer), so whatever is
// killed, each is counted exactly once.
//
// An hour in the making belongs to the spool that its records came through, so hosts do
// not wait for each other. When it is over it is settled: added to the counts of that
// hour, its day and its week, which all hosts share.
//
// # Files
//
//	state.go       State, as a loader and as readers see it
//	open.go        files and databases; file.go: whether a file is still there
//	schema.go      their tables; dialect.go: where databases differ
//	count.go       what is counted of a message; counts.go: the counts
//	trend.go       counts by hour and by day; trendeach.go: of many values
//	summary.go     the counts of an hour; encode.go: as they are kept; merge.go, settle.go: added up
//	query.go       questions; pairs.go, senders.go: who sends as whom
//	book.go        pairs by day in memory; bookcounts.go
//	others.go      reports of others; elsewhere.go: questions to them
//	othersbook.go  these reports in memory; remembered.go
//	tally.go       what a message adds to a report that we owe; outbox.go: from there to the mail;
//	               outboxcount.go, mails.go: how many; failures.go: failure reports
//	configs.go     the configurations that judged
//	daemon.go      what a daemon tells of itself; daemons.go: where that is kept
//	stops.go       stages of rollouts that are stopped; waits.go: mail that was put off
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"alignd/internal/owned"
	"alignd/journal"
	"alignd/journal/spool"
)

// The numbers are ours.
const (
	// flushEvery is how long counts are gathered. After a slow flush it is longer, so
	// that flushes take a fiftieth of the time at most.
	flushEvery = 2 * time.Second
	flushShare = 50
	// settleAfter is how long after its end an hour is settled, as records follow late.
	settleAfter = 10 * time.Minute
	// strayAfter is when an hour is settled for a spool that does so no more.
	strayAfter = 48 * time.Hour
	// keepCounts is how long counts are kept.
	keepCounts = 400 * 24 * time.Hour
	// configMargin is how much longer than the last record that it judged a
	// configuration is kept: a file of records goes a day late, and more on a host
	// that was off.
	configMargin = 7 * 24 * time.Hour
	// tidyEvery is how often is looked for what is to be settled and removed.
	tidyEvery = time.Minute
)

// State implements journal.Store and journal.Gatherer; these methods are called by one
// goroutine, the others by any.
type State struct {
	db      *sql.DB
	file    *file // nil where it is not the file of a host that is written
	dialect *dialect
	log     *slog.Logger
	keep    time.Duration // of records
	others  time.Duration // how long reports of others are kept
	steps   []step

	readOnly  bool
	borrowed  bool          // db is not ours to close
	isReady   atomic.Bool   // the tables are there, and of this version
	preparing chan struct{} // has room for who makes them

	from       spool.ID
	begun      bool         // from, kept and live are as the database has them
	kept       spool.Number // of from, on disk
	taken      spool.Number // of from, the last that is gathered
	live       map[int64]*hour
	seen       map[[32]byte]time.Time // configurations of records, and when the database was told
	fresh      map[[32]byte]time.Time // those that it is to be told of
	namer      namer
	flushed    time.Time
	took       time.Duration // the last flush
	tidied     time.Time
	started    time.Time // by the monotonic clock
	aged       journal.Retention
	newest     time.Time // the end of the newest hour that was counted before the start
	newestRead bool
	reports    *tallies

	remembered *Remembered // nil: Elsewhere adds up each time

	closing sync.Once
}

func newState(db *sql.DB, d dialect, opt Options) *State {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Keep <= 0 {
		opt.Keep = keepCounts
	}
	if opt.KeepOthers <= 0 {
		opt.KeepOthers = keepCounts
	}
	return &State{db: db, dialect: &d, log: opt.Log, keep: opt.Keep, others: opt.KeepOthers, steps: steps, preparing: make(chan struct{}, 1),
		started: time.Now(), aged: journal.Retention{Log: opt.Log, Of: journal.Counts}, reports: newTallies(opt.Tally)}
}

// Take implements journal.Store. What it gathers is on disk when Kept says so.
func (s *State) Take(ctx context.Context, from spool.ID, batch []journal.Raw) error {
	return s.tried(func() error { return s.take(ctx, from, batch) })
}

// tried is what f returns. What a panic left half counted in memory is forgotten.
func (s *State) tried(f func() error) error {
	err := owned.Tried(s.log, "the counts of the journal", f)
	if errors.Is(err, owned.ErrPanic) {
		return s.anew(err)
	}
	return err
}

func (s *State) take(ctx context.Context, from spool.ID, batch []journal.Raw) error {
	if err := s.begin(ctx, from); err != nil {
		return s.anew(err)
	}
	for i := range batch {
		e := &batch[i].Entry
		if e.Number <= s.taken {
			continue
		}
		s.count(e)
		s.reports.note(e)
		s.taken = e.Number
	}
	return s.flushDue(ctx)
}

// Kept implements journal.Gatherer.
func (s *State) Kept(passed spool.Number) spool.Number {
	if s.begun && s.taken == s.kept {
		return passed
	}
	return min(passed, s.kept)
}

// Flush implements journal.Gatherer.
func (s *State) Flush(ctx context.Context) error {
	return s.tried(func() error { return s.flush(ctx) })
}

// Tidy implements journal.Store.
func (s *State) Tidy(ctx context.Context, now time.Time) error {
	return s.tried(func() error { return s.tidy(ctx, now) })
}

func (s *State) tidy(ctx context.Context, now time.Time) error {
	if err := s.flushDue(ctx); err != nil {
		return err
	}
	if !s.tidied.IsZero() && now.Sub(s.tidied).Abs() < tidyEvery {
		return nil
	}
	s.tidied = now
	// One look finds out that the database is away, where each waits for as long as it hangs.
	if err := s.ping(ctx); err != nil {
		return err
	}
	if err := s.flush(ctx); err != nil { // settling is about what is on disk
		return err
	}
	if err := s.stillThere(ctx); err != nil {
		return s.anew(err)
	}
	return errors.Join(s.settleDue(ctx, now), s.saySo(ctx, now), s.forget(ctx, now))
}

// ping waits no longer than anything else that is asked: of a host that is gone TCP tells
// after a quarter of an hour, in which the loader would take nothing and tell of nothing.
func (s *State) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return s.db.PingContext(ctx)
}

// Close writes what is gathered, and closes the database.
func (s *State) Close() (err error) {
	if s.borrowed {
		return nil // it gathered nothing
	}
	s.closing.Do(func() { err = errors.Join(s.flush(context.Background()), s.db.Close()) })
	return err
}

// anew forgets what is in memory: the database knows better, or will.
func (s *State) anew(err error) error {
	s.begun, s.live, s.fresh, s.kept, s.taken = false, nil, nil, 0, 0
	s.reports.clear()
	s.flushed = time.Time{} // the next Take shows whether it works again
	if s.dialect.shared {
		s.isReady.Store(false) // another server may answer next
	}
	return fmt.Errorf("%w: state: %w", journal.ErrAnew, err)
}

// begin reads where the counts of a spool stand.
func (s *State) begin(ctx context.Context, from spool.ID) error {
	if s.begun && s.from == from {
		return nil
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	s.from, s.live, s.fresh = from, map[int64]*hour{}, map[[32]byte]time.Time{}
	if s.seen == nil {
		s.seen = map[[32]byte]time.Time{}
	}
	err := s.look(ctx, func(tx *sql.Tx) error {
		n, err := s.watermark(ctx, tx)
		if err != nil {
			return err
		}
		s.kept, s.taken = n, n
		return s.readLive(ctx, tx)
	})
	if err == nil {
		err = s.readNewest(ctx)
	}
	s.begun = err == nil
	return err
}

// stillThere finds out whether the database is as this process left it.
func (s *State) stillThere(ctx context.Context) error {
	if !s.begun {
		return nil
	}
	return s.look(ctx, func(tx *sql.Tx) error {
		n, err := s.watermark(ctx, tx)
		if err == nil && n != s.kept {
			err = errMoved
		}
		return err
	})
}

func (s *State) watermark(ctx context.Context, on conn) (n spool.Number, err error) {
	one := func(r *sql.Rows) error { return r.Scan(&n) }
	return n, s.rows(ctx, on, one, "SELECT number FROM state_loaded WHERE spool = ?", s.from[:])
}

func (s *State) readLive(ctx context.Context, on conn) error {
	return s.rows(ctx, on, func(r *sql.Rows) error {
		var start int64
		var d Dimension
		var data []byte
		if err := r.Scan(&start, &d, &data); err != nil {
			return err
		}
		if d >= dimensions {
			return nil // of a later version
		}
		sum, err := decodeSummary(data)
		if err != nil {
			return fmt.Errorf("hour %s, %s: %w", time.Unix(start, 0).UTC().Format(time.RFC3339), d, err)
		}
		h := s.hourAt(start)
		h.sums[d], h.stored[d] = sum, true
		return nil
	}, "SELECT start, dimension, data FROM state_live WHERE spool = ?", s.from[:])
}

// flushDue writes what is gathered if it is time.
func (s *State) flushDue(ctx context.Context) error {
	if !s.begun || s.taken == s.kept || time.Since(s.flushed) < max(flushEvery, flushShare*s.took) {
		return nil
	}
	return s.flush(ctx)
}

// flush writes what is gathered. After an error nothing is in memory.
func (s *State) flush(ctx context.Context) error {
	if !s.begun || s.taken == s.kept {
		return nil
	}
	began := time.Now()
	if err := s.change(ctx, func(tx *sql.Tx) error { return s.write(ctx, tx) }); err != nil {
		return s.anew(err)
	}
	for _, h := range s.live {
		for d, sum := range h.sums {
			if sum.dirty {
				sum.dirty, h.stored[d] = false, true
			}
		}
	}
	for hash, at := range s.fresh {
		s.seen[hash] = at
	}
	clear(s.fresh)
	s.reports.written()
	s.kept = s.taken
	s.flushed, s.took = time.Now(), time.Since(began)
	return nil
}

// errMoved: the database is not as this process left it, as another one took its place
// or it was restored.
var errMoved = errors.New("the counts were changed by somebody else, so they are read again")

func (s *State) write(ctx context.Context, tx *sql.Tx) error {
	if n, err := s.watermark(ctx, tx); err != nil || n != s.kept {
		return errors.Join(err, errMoved)
	}
	for start, h := range s.live {
		for d, sum := range h.sums {
			if !sum.dirty {
				continue
			}
			data := sum.encode(time.Unix(start, 0))
			if err := s.writeLive(ctx, tx, start, Dimension(d), data, h.stored[d]); err != nil {
				return err
			}
		}
	}
	if err := s.writeTallies(ctx, tx); err != nil {
		return err
	}
	for hash, at := range s.fresh {
		if _, err := s.exec(ctx, tx, "UPDATE state_configs SET last = ? WHERE hash = ? AND last < ?", at.Unix(), hash[:], at.Unix()); err != nil {
			return err
		}
	}
	_, err := s.exec(ctx, tx, "INSERT INTO state_loaded VALUES (?, ?) ON CONFLICT (spool) DO UPDATE SET number = excluded.number",
		s.from[:], int64(s.taken))
	return err
}

func (s *State) writeLive(ctx context.Context, tx *sql.Tx, start int64, d Dimension, data []byte, stored bool) error {
	if !stored {
		_, err := s.exec(ctx, tx, "INSERT INTO state_live VALUES (?, ?, ?, ?)", s.from[:], start, int(d), data)
		return err
	}
	n, err := s.exec(ctx, tx, "UPDATE state_live SET data = ? WHERE spool = ? AND start = ? AND dimension = ?", data, s.from[:], start, int(d))
	if err == nil && n != 1 {
		err = errMoved
	}
	return err
}
