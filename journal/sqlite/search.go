package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"alignd/journal"
)

// Reader reads a journal, beside the process that writes it or without one. Its methods
// are safe for concurrent use.
type Reader struct {
	dir  string
	kept *Kept // nil: no file is open between calls
	// Skipped hears of files that cannot be read; nil to be told of none.
	Skipped func(error)
}

// NewReader reads the journal in dir.
func NewReader(dir string) *Reader { return &Reader{dir: dir} }

// Close implements journal.Reader. What stays open is its Kept's.
func (r *Reader) Close() error { return nil }

// pageRows is how many rows are read in one transaction, so that a reader that takes
// its time keeps no writer waiting.
const pageRows = 1000

// firstRows are read at first where most rows are what is wanted: those of a time.
const firstRows = 20

// Search implements journal.Searcher. Files that cannot be read are passed over, and
// told of.
func (r *Reader) Search(ctx context.Context, q journal.Query, found func(*journal.Entry) error) error {
	list, err := files(r.dir)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(n name) bool { return !mayHold(n, q.Since, q.Until) })
	slices.Reverse(list)
	left := q.Limit
	var next *ahead
	for i, n := range list {
		here := next
		if here == nil {
			here = r.openAhead(ctx, n)
		}
		if next = nil; i+1 < len(list) {
			next = r.openAhead(ctx, list[i+1])
		}
		err := r.inEither(n, func(n name) (handed bool, err error) {
			err = r.searchFile(ctx, here, n, &q, func(e *journal.Entry) error {
				handed = true
				if err := found(e); err != nil {
					return err
				}
				if left--; left == 0 {
					return journal.ErrEnough
				}
				return nil
			})
			return handed, err
		})
		if stop, err := r.after(ctx, err); stop {
			if next != nil {
				next.drop(r)
			}
			return err
		}
	}
	return nil
}

// inEither reads a file, or its sealed form where it was sealed after the files were
// listed. read tells whether it has handed anything on.
func (r *Reader) inEither(n name, read func(name) (handed bool, err error)) error {
	handed, err := read(n)
	if err == nil || handed || n.sealed {
		return err
	}
	if _, gone := os.Stat(filepath.Join(r.dir, n.String())); !errors.Is(gone, os.ErrNotExist) {
		return err
	}
	n.sealed = true
	_, err = read(n)
	return err
}

// after says what becomes of a search or scan after one file, whose outcome is fault.
func (r *Reader) after(ctx context.Context, fault error) (stop bool, err error) {
	var found foundError
	switch {
	case errors.As(fault, &found):
		if errors.Is(found.err, journal.ErrEnough) {
			return true, nil
		}
		return true, found.err
	case ctx.Err() != nil:
		return true, ctx.Err()
	case errors.Is(fault, os.ErrNotExist): // sealed or removed meanwhile
	case fault != nil && r.Skipped != nil:
		r.Skipped(plain(fault))
	}
	return false, nil
}

// mayHold: the file's day is within the time that is wanted.
func mayHold(n name, since, until time.Time) bool {
	day, err := time.Parse(dayForm, n.day)
	if err != nil {
		return false
	}
	return (until.IsZero() || day.Before(until)) && (since.IsZero() || !day.AddDate(0, 0, 1).Before(since))
}

// foundError is an error of the caller's, who is not to take it for the file's.
type foundError struct{ err error }

func (e foundError) Error() string { return e.err.Error() }

func (r *Reader) searchFile(ctx context.Context, a *ahead, n name, q *journal.Query, found func(*journal.Entry) error) (err error) {
	f, err := a.take(ctx, r, n)
	if errors.Is(err, errEmpty) { // about to be made
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { r.done(f, err) }()
	return f.search(ctx, q, found)
}

// search hands on what a file has.
func (f *opened) search(ctx context.Context, q *journal.Query, found func(*journal.Entry) error) error {
	s := searching{conn: f.conn, layout: f.layout, query: q, found: found, blocks: blockCache{conn: f.conn, is: f.layout, ready: f.learned}}
	defer s.close()
	defer func() { f.learned = s.blocks.ready }()
	err := s.file(ctx, f.name)
	if err == nil {
		err = s.skipped
	}
	if err != nil && !errors.As(err, new(foundError)) {
		err = fmt.Errorf("%s: %w", f.name, err)
	}
	return err
}

// searching is a search in one file.
type searching struct {
	conn      *sql.Conn
	layout    layout
	query     *journal.Query
	condition *condition
	page      *sql.Stmt
	size      int // of a page, in rows
	blocks    blockCache
	found     func(*journal.Entry) error
	skipped   error // why the first record could not be read that was passed over
}

func (s *searching) close() {
	if s.page != nil {
		s.page.Close()
		s.page = nil
	}
}

func (s *searching) file(ctx context.Context, n name) (err error) {
	s.condition = s.layout.condition(s.query)
	if err := s.layout.client(ctx, s.conn, s.condition, s.query.Client, n.sealed); err != nil {
		return err
	}
	lists := wanted(s.query)
	s.size = pageRows
	if q := s.query; q.Limit > 0 && q.Limit < firstRows && len(lists) == 0 && !q.Client.IsValid() {
		s.size = firstRows
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if n.sealed || s.layout == 1 || len(lists) == 0 {
		return s.span(ctx, everything)
	}
	for before := int64(math.MaxInt64); before > 0; {
		list, next, err := spans(ctx, s.conn, lists, before)
		if err != nil {
			return err
		}
		for _, span := range list {
			if err := s.span(ctx, span); err != nil {
				return err
			}
		}
		before = next
	}
	return nil
}

// prepare has pages be of size.
func (s *searching) prepare(ctx context.Context) (err error) {
	s.close()
	text := fmt.Sprintf("SELECT id, %s FROM records WHERE %s AND id BETWEEN ? AND ? ORDER BY id DESC LIMIT %d",
		s.layout.place(), s.condition.where(), s.size)
	s.page, err = s.conn.PrepareContext(ctx, text)
	return err
}

// span searches rows, the newest first.
func (s *searching) span(ctx context.Context, at span) error {
	for {
		rows, err := s.rows(ctx, at)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := s.row(ctx, row); err != nil {
				return err
			}
		}
		if len(rows) < s.size {
			return nil
		}
		at.last = rows[len(rows)-1].id - 1
		if s.size < pageRows {
			s.size = pageRows
			if err := s.prepare(ctx); err != nil {
				return err
			}
		}
	}
}

// row hands on the record of a row, if it is one that is searched for. A record that
// cannot be read is noted, as those beside it may be whole.
func (s *searching) row(ctx context.Context, row rowPlace) error {
	e, err := s.blocks.entry(ctx, row.block, row.place)
	if err != nil {
		err = fmt.Errorf("record %d: %w", row.id, err)
		if codeOf(err) != 0 || ctx.Err() != nil {
			return err
		}
		s.skipped = cmp.Or(s.skipped, err)
		return nil
	}
	if !s.query.Matches(e) {
		return nil
	}
	if err := s.found(e); err != nil {
		return foundError{err}
	}
	return nil
}

// rowPlace is where a row's record is.
type rowPlace struct{ id, block, place int64 }

// rows reads the newest rows, in a transaction of its own.
func (s *searching) rows(ctx context.Context, at span) (list []rowPlace, err error) {
	rows, err := s.page.QueryContext(ctx, append(slices.Clone(s.condition.args), at.first, at.last)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p rowPlace
		if err := rows.Scan(&p.id, &p.block, &p.place); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// blockCache keeps the last block, as neighbours are mostly in one.
type blockCache struct {
	conn  *sql.Conn
	is    layout
	id    int64
	items []journal.Item
	ready bool // dictionaries were read
}

// entry decodes the item at a place.
func (c *blockCache) entry(ctx context.Context, block, place int64) (*journal.Entry, error) {
	item, err := c.item(ctx, block, place)
	if err != nil {
		return nil, err
	}
	return item.Entry()
}

func (c *blockCache) item(ctx context.Context, block, place int64) (journal.Item, error) {
	if c.items == nil || c.id != block {
		var data []byte
		if err := c.conn.QueryRowContext(ctx, "SELECT data FROM blocks WHERE id = ?", block).Scan(&data); err != nil {
			return nil, err
		}
		if !c.ready {
			if err := readDictionaries(ctx, c.conn, c.is); err != nil {
				return nil, err
			}
			c.ready = true
		}
		items, err := journal.Block(data).Items()
		if err != nil {
			return nil, err
		}
		c.id, c.items = block, items
	}
	if place < 0 || place >= int64(len(c.items)) {
		return nil, journal.ErrDamagedBlock
	}
	return c.items[place], nil
}
