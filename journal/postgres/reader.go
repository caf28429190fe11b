package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"alignd/journal"
)

// Reader reads a journal. It needs no right but SELECT. Its methods are safe for concurrent
// use.
type Reader struct {
	// Skipped hears of blocks that cannot be read; nil to be told of none.
	Skipped func(error)

	sessions *Sessions
	shared   bool // others use the sessions, too
}

// NewReader does not reach for the server before it is asked something.
func NewReader(access Access) *Reader {
	return &Reader{sessions: &Sessions{access: access, most: 1}}
}

// Close ends what sessions are open, unless they are others' too.
func (r *Reader) Close() error {
	if r.shared {
		return nil
	}
	return r.sessions.Close()
}

// session runs f in one. Where there is no journal yet, f is not called.
func (r *Reader) session(ctx context.Context, f func(*pgx.Conn) error) error {
	s, err := r.sessions.get(ctx)
	if errors.Is(err, errEmpty) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	var found foundError
	switch err := f(s.conn); {
	case err == nil, errors.As(err, &found):
		r.sessions.put(s)
		if errors.Is(found.err, journal.ErrEnough) {
			return nil
		}
		return found.err
	default:
		shut(s.conn)
		return fmt.Errorf("PostgreSQL: %w", err)
	}
}

// foundError is an error of the caller's, who is not to take it for the server's.
type foundError struct{ err error }

func (e foundError) Error() string { return e.err.Error() }

// pageRows is how many rows are read at once. Each page is a transaction of its own.
const pageRows = 1000

// Search implements journal.Searcher. An id that looks like a token is first taken for one:
// a token is of one message, so that nothing is looked for once that is found.
func (r *Reader) Search(ctx context.Context, q journal.Query, found func(*journal.Entry) error) error {
	if !looksLikeToken(q.ID) {
		return r.search(ctx, q, found)
	}
	token, any := q, false
	token.ID, token.Token = "", q.ID
	err := r.search(ctx, token, func(e *journal.Entry) error {
		any = true
		return found(e)
	})
	if err != nil || any {
		return err
	}
	return r.search(ctx, q, found)
}

// looksLikeToken: sixteen digits and lower-case letters, of which a message's token is.
func looksLikeToken(id string) bool {
	return len(id) == 16 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func (r *Reader) search(ctx context.Context, q journal.Query, found func(*journal.Entry) error) error {
	return r.session(ctx, func(conn *pgx.Conn) error {
		parts, filters, err := partsOf(ctx, conn)
		if err != nil {
			return err
		}
		parts = slices.DeleteFunc(parts, func(p part) bool { return !mayHold(p.day, q.Since, q.Until) })
		var w wanted
		if filters {
			w = wantedOf(&q)
		}
		days, err := candidates(ctx, conn, parts, w)
		if err != nil {
			return err
		}
		s := search{reader: r, conn: conn, query: &q, left: q.Limit, found: found}
		most := 1
		if len(w) > 0 && len(days) <= maxTogether {
			most = maxTogether // mostly few of many, all of which are needed
		}
		for ; len(days) > 0 && (q.Token == "" || s.handed == 0); most = s.more(most) {
			n := min(most, len(days))
			if err := s.days(ctx, days[:n]); err != nil {
				return err
			}
			days = days[n:]
		}
		return nil
	})
}

// maxTogether is how many days are asked at most in one statement where the newest entries
// are found in order of time. The number is ours.
const maxTogether = 16

// more is how many days are asked next in one statement. The newest are asked alone, as they
// mostly have what is wanted; what is rare is asked for in ever more days, so that a question
// to each does not wait for the answer of the other.
func (s *search) more(last int) int {
	switch {
	case few(s.query):
		return 4 * last
	case unindexed(s.query):
		return 1
	}
	return min(4*last, maxTogether)
}

// mayHold: the day is within the time that is wanted.
func mayHold(d day, since, until time.Time) bool {
	return (until.IsZero() || d.begin() < until.UnixMilli()+1) && (since.IsZero() || (d+1).begin() > since.UnixMilli())
}

// search is one that is going on.
type search struct {
	reader *Reader
	conn   *pgx.Conn
	query  *journal.Query
	left   int // entries that are wanted still; 0 at first is all
	handed int // entries
	found  func(*journal.Entry) error
}

// place is where a record is.
type place struct{ time, id int64 }

func (p place) block() int64 { return p.id >> placeBits }

func (p place) day() day { return dayOf(time.UnixMilli(p.time)) }

// days searches some, newest first. The first page is as long as what is wanted.
func (s *search) days(ctx context.Context, days []day) error {
	size := pageRows
	if s.query.Limit > 0 {
		size = min(size, s.left)
	}
	c, err := s.condition(ctx, days)
	if err != nil {
		return err
	}
	if unindexed(s.query) {
		if list, all, err := s.rare(ctx, c); err != nil || all {
			return errors.Join(err, s.hand(ctx, list))
		}
	}
	var before *place
	for {
		list, err := s.page(ctx, c, before, size)
		if err != nil {
			return err
		}
		if err := s.hand(ctx, list); err != nil {
			return err
		}
		if len(list) < size {
			return nil
		}
		before, size = &list[len(list)-1], pageRows
	}
}

// page reads the next places, newest first.
func (s *search) page(ctx context.Context, c *condition, before *place, size int) ([]place, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	c = c.clone()
	if before != nil {
		c.add("time <= $", before.time)
		c.add("(time, id) < ($, $)", before.time, before.id)
	}
	order := fmt.Sprintf(" ORDER BY time DESC, id DESC LIMIT %d", size)
	var list []place
	err := c.ask("time, id", func(from string) (err error) {
		list, err = s.read(ctx, c, "SELECT time, id FROM "+from, order)
		return err
	})
	return list, late(ctx, err, readWithin)
}

func (s *search) read(ctx context.Context, c *condition, text, order string) (list []place, err error) {
	if !c.few {
		return places(ctx, s.conn, text+order, c.args)
	}
	// Found by their key and then put in order, whatever the planner thinks of the filters.
	text = "WITH few AS MATERIALIZED (" + text + ") SELECT * FROM few"
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, byBitmaps, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		list, err = places(ctx, tx, text+order, c.args)
		return err
	})
	return list, err
}

// rare reads the places of what no index finds where they are few: in the order of the table
// that is quicker than in the order of time. Where there are more, it is known soon, and the
// newest are found soon. all: the list has them all, newest first.
func (s *search) rare(ctx context.Context, c *condition) (list []place, all bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	err = c.ask("time, id", func(from string) (err error) {
		list, err = places(ctx, s.conn, "SELECT time, id FROM "+from+" LIMIT "+strconv.Itoa(frequent), c.args)
		return err
	})
	if err != nil || len(list) == frequent {
		return nil, false, late(ctx, err, readWithin)
	}
	slices.SortFunc(list, func(a, b place) int { return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(b.id, a.id)) })
	return list, true, nil
}

// byBitmaps leaves the planner the indexes that find a few rows among many.
const byBitmaps = "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; " +
	"SET LOCAL max_parallel_workers_per_gather = 0"

type querier interface {
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

func places(ctx context.Context, from querier, text string, args []any) ([]place, error) {
	rows, err := from.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p place, err error) {
		return p, row.Scan(&p.time, &p.id)
	})
}

// blocksAtOnce is how many blocks are read at a time.
const blocksAtOnce = 16

// hand hands over what stands at places, a few blocks at a time.
func (s *search) hand(ctx context.Context, list []place) error {
	for len(list) > 0 {
		ids, days, n := []int64{}, []int32{}, 0
		for ; n < len(list); n++ {
			if slices.Contains(ids, list[n].block()) {
				continue
			}
			if len(ids) == blocksAtOnce {
				break
			}
			ids = append(ids, list[n].block())
			if d := int32(list[n].day()); !slices.Contains(days, d) {
				days = append(days, d)
			}
		}
		blocks, err := s.blocks(ctx, days, ids)
		if err != nil {
			return err
		}
		for _, p := range list[:n] {
			if err := s.one(blocks[p.block()], p); err != nil {
				return err
			}
		}
		list = list[n:]
	}
	return nil
}

// blocks reads and unpacks some, which are of some days.
func (s *search) blocks(ctx context.Context, days []int32, ids []int64) (map[int64][]journal.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	var parts []string
	for _, d := range days {
		parts = append(parts, fmt.Sprintf("SELECT id, data FROM %s WHERE day = %d AND id = ANY ($1)", day(d).partition("blocks"), d))
	}
	list, err := s.ask(ctx, strings.Join(parts, " UNION ALL "), ids)
	if isGone(err) {
		list, err = s.ask(ctx, "SELECT id, data FROM blocks WHERE id = ANY ($1) AND day = ANY ($2)", ids, days)
	}
	found := make(map[int64][]journal.Item, len(ids))
	for _, b := range list {
		items, err := b.data.Items()
		if err != nil {
			s.reader.skip(fmt.Errorf("block %d: %w", b.id, err))
		}
		found[b.id] = items
	}
	return found, late(ctx, err, readWithin)
}

func (s *search) ask(ctx context.Context, text string, args ...any) ([]block, error) {
	rows, err := s.conn.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, toBlock)
}

type block struct {
	id   int64
	data journal.Block
}

func toBlock(row pgx.CollectableRow) (b block, err error) {
	return b, row.Scan(&b.id, (*[]byte)(&b.data))
}

// one hands over what stands at a place, if it is wanted.
func (s *search) one(items []journal.Item, p place) error {
	at := int(p.id & (maxItems - 1))
	if at >= len(items) {
		return nil // told of, or the day was removed meanwhile
	}
	e, err := items[at].Entry()
	if err != nil {
		s.reader.skip(fmt.Errorf("record %d: %w", p.id, err))
		return nil
	}
	if !s.query.Matches(e) {
		return nil
	}
	s.handed++
	if err := s.found(e); err != nil {
		return foundError{err}
	}
	if s.left--; s.left == 0 {
		return foundError{journal.ErrEnough}
	}
	return nil
}

func (r *Reader) skip(err error) {
	if r.Skipped != nil {
		r.Skipped(err)
	}
}
