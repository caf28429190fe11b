package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"alignd/internal/owned"
	"alignd/journal"
	"alignd/journal/spool"
)

// Options say where a store is and how long it keeps what. The zero value of all but
// Access is a default.
type Options struct {
	Access
	// Keep is how long records are kept; 0 is DefaultKeep.
	Keep time.Duration
	// MaxSize bounds the partitions, indexes and all, in octets; 0 is DefaultMaxSize.
	MaxSize int64
	// Hurry has Tidy look at each call for what is due. It is for tests and measurements.
	Hurry bool
	// Log hears what an admin should know; nil for nobody.
	Log *slog.Logger
}

// What is kept where Options do not say. The numbers are ours.
const (
	DefaultKeep    = 30 * 24 * time.Hour
	DefaultMaxSize = 10 << 30
)

// blockSize is when a block is full, in octets before compression. The number is ours: a
// reader of one record unpacks a block.
const blockSize = 128 << 10

// Store implements journal.Store. Take and Tidy are called by one goroutine.
type Store struct {
	opt  Options
	conn *pgx.Conn // nil while there is none

	// have is what each spool was told that it is taken, whatever the database has now.
	have map[spool.ID]spool.Number
	// What follows holds for one session: the database may be another one in the next.
	sure   map[spool.ID]bool // have was compared with the database
	days   map[day]bool      // that have partitions
	ranges map[day]int64     // of days that were written to: the page from which on there are no filters
	known  map[name]bool     // whose texts it has
	ids    []int64           // of blocks, not used yet

	mu     sync.Mutex
	health journal.Health

	retention journal.Retention
	newest    *time.Time // the newest record as of the first session; nil before
	checked   time.Time
	tidied    time.Time
	filtered  time.Time

	version    int               // of the tables
	making     *making           // the day that is being sealed; nil for none
	due        []part            // days that may be sealed next
	sealLooked time.Time         // for such days
	sealTried  map[day]time.Time // when a day was begun

	rows   copying
	blocks copying
	raw    []byte
	zip    journal.Block
}

// name is a key with the day whose partition has its text.
type name struct {
	day day
	key journal.Key
}

// Open does not reach for the server: that is tried again at each Take and Tidy.
func Open(opt Options) *Store {
	if opt.Keep <= 0 {
		opt.Keep = DefaultKeep
	}
	if opt.MaxSize <= 0 {
		opt.MaxSize = DefaultMaxSize
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{opt: opt, have: map[spool.ID]spool.Number{}, retention: journal.Retention{Log: opt.Log}, sealTried: map[day]time.Time{}}
}

// Close ends the session.
func (s *Store) Close() error {
	s.leave()
	return nil
}

// Health implements journal.Reporter.
func (s *Store) Health() journal.Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

func (s *Store) leave() {
	if s.conn != nil {
		shut(s.conn)
		s.conn = nil
	}
}

// enter begins a session where there is none.
func (s *Store) enter(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() {
		return nil
	}
	conn, err := s.opt.connect(ctx)
	if err != nil {
		return err
	}
	if err = s.ensureSchema(ctx, conn); err != nil {
		shut(conn)
		return err
	}
	if err == nil && s.newest == nil { // before the first record of this run, which has the time of a clock that may be wrong
		s.newest, err = newestOf(ctx, conn)
	}
	if err != nil {
		shut(conn)
		return err
	}
	s.conn, s.ids, s.making, s.due = conn, nil, nil, nil
	s.sure, s.days, s.known, s.ranges = map[spool.ID]bool{}, map[day]bool{}, map[name]bool{}, map[day]int64{}
	return nil
}

// ensureSchema makes the tables, or adds what older ones lack. Where that is not allowed
// they serve as they are.
func (s *Store) ensureSchema(ctx context.Context, conn *pgx.Conn) (err error) {
	s.version, err = checkSchema(ctx, conn)
	switch {
	case errors.Is(err, errEmpty):
		err, s.version = makeSchema(ctx, conn), version
	case err == nil && s.version < version:
		var fault *pgconn.PgError
		if err = migrate(ctx, conn); err == nil {
			s.opt.Log.Info("the tables of the journal are of a newer version now", "version", version)
			s.version = version
		} else if errors.As(err, &fault) && fault.Code == codeNoRight {
			s.opt.Log.Warn("the tables of the journal stay as an older version made them: looking for an id takes longer", "err", err)
			err = nil
		}
	}
	return err
}

// Take implements journal.Store. All of a batch is taken in one transaction, or nothing.
func (s *Store) Take(ctx context.Context, from spool.ID, batch []journal.Raw) error {
	ctx, cancel := context.WithTimeout(ctx, takeWithin)
	defer cancel()
	err := s.tried(ctx, func() error { return s.take(ctx, from, batch) })
	return s.outcome(ctx, err)
}

// tried runs f in a session. Where it panics, the session is left as after any fault.
func (s *Store) tried(ctx context.Context, f func() error) error {
	return owned.Tried(s.opt.Log, "the store of records", func() error {
		if err := s.enter(ctx); err != nil {
			return err
		}
		return f()
	})
}

// outcome leaves the session after a fault: what it thinks is not to be relied on.
func (s *Store) outcome(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s.leave()
	if errors.Is(err, journal.ErrAnew) {
		s.opt.Log.Warn("records are taken again from the spool", "err", err)
	}
	var fault *pgconn.PgError
	if errors.As(err, &fault) && fault.Code == codeDiskFull {
		return fmt.Errorf("PostgreSQL: the disk of the database is full: %w", err)
	}
	return fmt.Errorf("PostgreSQL: %w", late(ctx, err, takeWithin))
}

func (s *Store) take(ctx context.Context, from spool.ID, batch []journal.Raw) error {
	if !s.sure[from] {
		if err := s.compare(ctx, from); err != nil {
			return err
		}
	}
	for len(batch) > 0 && batch[0].Number <= s.have[from] {
		batch = batch[1:]
	}
	if len(batch) == 0 {
		return nil
	}
	if err := s.prepare(ctx, batch); err != nil {
		return err
	}
	last := batch[len(batch)-1].Number
	// In other levels the trigger of a day that is sealed meanwhile would not see that it is.
	err := pgx.BeginTxFunc(ctx, s.conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if err := s.advance(ctx, tx, from, last); err != nil {
			return err
		}
		if err := s.blocks.send(ctx, s.conn, intoBlocks); err != nil {
			return err
		}
		return s.rows.send(ctx, s.conn, intoRecords)
	})
	if err != nil {
		return err
	}
	s.have[from] = last
	return s.makeFilters(ctx)
}

// compare reads what the database has taken of a spool. Where that is less than it had once
// taken, it fell back.
func (s *Store) compare(ctx context.Context, from spool.ID) error {
	var n int64
	if err := s.conn.QueryRow(ctx, "SELECT coalesce(max(number), 0) FROM loaded WHERE spool = $1", from[:]).Scan(&n); err != nil {
		return err
	}
	had := s.have[from]
	s.have[from], s.sure[from] = spool.Number(n), true
	if spool.Number(n) < had {
		return fmt.Errorf("the database has less than it had, number %d of the spool for %d, as after a failover or a restore: %w", n, had, journal.ErrAnew)
	}
	return nil
}

// advance moves the watermark from where the store knows it to be. If it is elsewhere, the
// database is not the one that it was, though the session is the same: a pooler may have
// gone to another server.
func (s *Store) advance(ctx context.Context, tx pgx.Tx, from spool.ID, to spool.Number) error {
	text, args := "UPDATE loaded SET number = $2 WHERE spool = $1 AND number = $3", []any{from[:], int64(to), int64(s.have[from])}
	if s.have[from] == 0 {
		text, args = "INSERT INTO loaded VALUES ($1, $2) ON CONFLICT DO NOTHING", args[:2]
	}
	tag, err := tx.Exec(ctx, text, args...)
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		delete(s.have, from) // it is asked for anew
		return fmt.Errorf("the database is not the one that was written last, or another process writes for this spool: %w", journal.ErrAnew)
	}
	return nil
}

// prepare does what can be done before the transaction, so that it is short: partitions,
// names, and the rows to send. What of it remains without records does no harm.
func (s *Store) prepare(ctx context.Context, batch []journal.Raw) error {
	names := map[name]string{}
	days := map[day][]int{}
	for i := range batch {
		d := dayOf(batch[i].Record.Evidence.Time)
		days[d] = append(days[d], i)
		for key, text := range journal.NamesOf(batch[i].Record) {
			if n := (name{d, key}); !s.known[n] {
				names[n] = text
			}
		}
	}
	s.rows.begin()
	s.blocks.begin()
	for _, d := range slices.Sorted(maps.Keys(days)) {
		if err := s.ensureDay(ctx, d); err != nil {
			return err
		}
		if err := s.pack(ctx, d, batch, days[d]); err != nil {
			return err
		}
		s.ranges[d] += 0 // is written to
	}
	return s.addNames(ctx, names)
}

func (s *Store) ensureDay(ctx context.Context, d day) error {
	if s.days[d] {
		return nil
	}
	if err := makeDay(ctx, s.conn, d); err != nil {
		return fmt.Errorf("partitions of %s: %w", d, err)
	}
	s.days[d] = true
	return nil
}

// pack makes rows and blocks of the entries of a day, which are those of batch that at lists.
func (s *Store) pack(ctx context.Context, d day, batch []journal.Raw, at []int) error {
	s.raw = s.raw[:0]
	id, place := int64(0), 0
	flush := func() {
		s.zip = journal.Pack(s.zip, s.raw)
		s.blocks.block(d, id, place, s.zip)
		s.raw, place = s.raw[:0], 0
	}
	for _, i := range at {
		if place == 0 {
			var err error
			if id, err = s.nextID(ctx); err != nil {
				return err
			}
		}
		s.raw = journal.AppendItem(s.raw, &batch[i])
		c := journal.ColumnsOf(&batch[i].Entry)
		s.rows.record(&c, id<<placeBits|int64(place))
		if place++; len(s.raw) >= blockSize || place == maxItems {
			flush()
		}
	}
	if place > 0 {
		flush()
	}
	return nil
}

// idsAtOnce is how many ids of blocks are asked for at a time.
const idsAtOnce = 64

func (s *Store) nextID(ctx context.Context) (id int64, err error) {
	if len(s.ids) == 0 {
		rows, err := s.conn.Query(ctx, "SELECT nextval('blocks_id') FROM generate_series(1, $1)", idsAtOnce)
		if err != nil {
			return 0, err
		}
		if s.ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			return 0, err
		}
	}
	id, s.ids = s.ids[0], s.ids[1:]
	return id, nil
}

// maxKnown bounds what is remembered of names that the database has, so that a flood of
// different ones costs no memory.
const maxKnown = 50_000

// addNames writes texts in a statement of its own, in one order for all hosts: none waits for
// the transaction of another.
func (s *Store) addNames(ctx context.Context, names map[name]string) error {
	if len(names) == 0 {
		return nil
	}
	list := slices.SortedFunc(maps.Keys(names), func(a, b name) int {
		if a.day != b.day {
			return int(a.day - b.day)
		}
		if a.key < b.key {
			return -1
		}
		return 1
	})
	days, keys, texts := make([]int32, len(list)), make([]int64, len(list)), make([]string, len(list))
	for i, n := range list {
		days[i], keys[i], texts[i] = int32(n.day), int64(n.key), text(names[n])
	}
	_, err := s.conn.Exec(ctx, "INSERT INTO names SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[]) ON CONFLICT DO NOTHING", days, keys, texts)
	if err != nil {
		return err
	}
	if len(s.known)+len(list) > maxKnown {
		clear(s.known)
	}
	for _, n := range list {
		s.known[n] = true
	}
	return nil
}

// text is what PostgreSQL takes as one: UTF-8 without NUL. The record has the octets.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
