package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Ids (queue, token, message) are random, and an index over random keys has each record
// change a page somewhere, which PostgreSQL logs whole after each checkpoint. So they have
// Bloom filters over ranges of pages (BRIN), a twentieth of the size, which are made once a
// range is full; until then the range is read. PostgreSQL makes them where it vacuums, which
// is rarer than this. docs/decisions/postgres-indexes.md has the measurements.

// filterEvery is how often filters are made. The number is ours: what comes in that time is
// read without.
const filterEvery = 20 * time.Second

// makeFilters makes those of the full ranges of the days that were written to. One host at a
// time does so; a vacuum that works on the day is not disturbed, it does the same.
func (s *Store) makeFilters(ctx context.Context) error {
	if time.Since(s.filtered) < filterEvery {
		return nil
	}
	s.filtered = time.Now()
	for d, from := range s.ranges {
		to, err := s.makeFiltersOf(ctx, d, from)
		var fault *pgconn.PgError
		if errors.As(err, &fault) && (fault.Code == codeLockTimeout || fault.Code == codeNoTable) {
			continue
		}
		if err != nil {
			return err
		}
		s.ranges[d] = to
	}
	return nil
}

// makeFiltersOf begins with a page, and returns the first one of the range that is not full.
func (s *Store) makeFiltersOf(ctx context.Context, d day, from int64) (to int64, err error) {
	to = from
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1, $2)", lockClass, lockFilter).Scan(&mine); err != nil || !mine {
			return err
		}
		// A vacuum gives way to who waits for a second (deadlock_timeout).
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '200ms'"); err != nil {
			return err
		}
		part := d.partition("records")
		var pages int64
		if err := tx.QueryRow(ctx, "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint", part).Scan(&pages); err != nil {
			return err
		}
		full := pages / rangePages * rangePages
		if full <= from {
			return nil
		}
		text := fmt.Sprintf(`SELECT sum(brin_summarize_range(indexrelid, page)) FROM pg_index JOIN pg_class ON oid = indexrelid, generate_series($2::bigint, $3::bigint, %d) AS page
			WHERE indrelid = $1::text::regclass AND relam = (SELECT oid FROM pg_am WHERE amname = 'brin')`, rangePages)
		if _, err := tx.Exec(ctx, text, part, from, full-rangePages); err != nil {
			return err
		}
		to = full
		return nil
	})
	return to, err
}
