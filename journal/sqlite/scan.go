package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"alignd/journal"
)

// scanBlocks is how many blocks are read in one transaction, for the reason of pageRows.
const scanBlocks = 64

// Scan implements journal.Reader. Files that cannot be read are passed over, and told of.
func (r *Reader) Scan(ctx context.Context, since, until time.Time, each func(journal.Block) error) error {
	list, err := files(r.dir)
	if err != nil {
		return err
	}
	for _, n := range list {
		if !mayHold(n, since, until) {
			continue
		}
		err := r.inEither(n, func(n name) (handed bool, err error) {
			err = r.scanFile(ctx, n, func(b journal.Block) error {
				handed = true
				return each(b)
			})
			return handed, err
		})
		if stop, err := r.after(ctx, err); stop {
			return err
		}
	}
	return nil
}

func (r *Reader) scanFile(ctx context.Context, n name, each func(journal.Block) error) (err error) {
	f, err := r.open(ctx, n)
	if errors.Is(err, errEmpty) { // about to be made
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { r.done(f, err) }()
	if !f.learned {
		if err := readDictionaries(ctx, f.conn, f.layout); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
		f.learned = true
	}
	for after := int64(0); ; {
		var list []journal.Block
		if list, after, err = blocksAfter(ctx, f.conn, after); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
		for _, b := range list {
			if err := each(b); err != nil {
				return foundError{err}
			}
		}
		if len(list) < scanBlocks {
			return nil
		}
	}
}

// blocksAfter reads the next scanBlocks blocks behind one, and tells which was the last.
func blocksAfter(ctx context.Context, conn *sql.Conn, after int64) (list []journal.Block, last int64, err error) {
	rows, err := conn.QueryContext(ctx, "SELECT id, data FROM blocks WHERE id > ? ORDER BY id LIMIT ?", after, scanBlocks)
	if err != nil {
		return nil, after, err
	}
	for rows.Next() {
		var b []byte
		if err = rows.Scan(&after, &b); err != nil {
			break
		}
		list = append(list, b)
	}
	return list, after, errors.Join(err, rows.Err(), rows.Close())
}
