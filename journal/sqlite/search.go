package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"alignd/journal"
)

// Reader reads a journal, beside the process that writes it or without one. Its methods
// are safe for concurrent use.
type Reader struct {
	dir string
	// Skipped hears of files that cannot be read; nil to be told of none.
	Skipped func(error)
}

// NewReader reads the journal in dir.
func NewReader(dir string) *Reader { return &Reader{dir: dir} }

// Close implements journal.Reader. No file is open between calls.
func (r *Reader) Close() error { return nil }

// pageRows is how many rows are read in one transaction, so that a reader that takes
// its time keeps no writer waiting.
const pageRows = 1000

// Search implements journal.Searcher. Files that cannot be read are passed over, and
// told of.
func (r *Reader) Search(ctx context.Context, q journal.Query, found func(*journal.Entry) error) error {
	list, err := files(r.dir)
	if err != nil {
		return err
	}
	left := q.Limit
	for _, n := range slices.Backward(list) {
		if !mayHold(n, q.Since, q.Until) {
			continue
		}
		err := r.searchFile(ctx, n, &q, func(e *journal.Entry) error {
			if err := found(e); err != nil {
				return err
			}
			if left--; left == 0 {
				return journal.ErrEnough
			}
			return nil
		})
		if stop, err := r.after(ctx, err); stop {
			return err
		}
	}
	return nil
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

func (r *Reader) searchFile(ctx context.Context, n name, q *journal.Query, found func(*journal.Entry) error) error {
	db, conn, is, err := openReading(ctx, r.dir, n)
	if errors.Is(err, errEmpty) { // about to be made
		return nil
	}
	if err != nil {
		return err
	}
	defer db.Close()
	defer conn.Close()
	c := is.condition(q)
	if err := is.client(ctx, conn, c, q.Client); err != nil {
		return fmt.Errorf("%s: %w", n, err)
	}
	blocks, skipped := blockCache{conn: conn}, error(nil)
	for before := int64(math.MaxInt64); ; {
		rows, err := is.page(ctx, conn, c, before)
		if err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
		for _, row := range rows {
			e, err := blocks.entry(ctx, row.block, row.place)
			if err != nil {
				err = fmt.Errorf("%s: record %d: %w", n, row.id, err)
				if codeOf(err) != 0 || ctx.Err() != nil {
					return err
				}
				skipped = cmp.Or(skipped, err) // those beside it may be whole
				continue
			}
			if !q.Matches(e) {
				continue
			}
			if err := found(e); err != nil {
				return foundError{err}
			}
		}
		if len(rows) < pageRows {
			return skipped
		}
		before = rows[len(rows)-1].id
	}
}

// rowPlace is where a row's record is.
type rowPlace struct{ id, block, place int64 }

// page reads the next rows, newest first, in a transaction of its own.
func (l layout) page(ctx context.Context, conn *sql.Conn, c *condition, before int64) ([]rowPlace, error) {
	text := fmt.Sprintf("SELECT id, %s FROM records WHERE %s AND id < ? ORDER BY id DESC LIMIT %d", l.place(), c.where(), pageRows)
	rows, err := conn.QueryContext(ctx, text, append(slices.Clone(c.args), before)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []rowPlace
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
	id    int64
	items []journal.Item
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
