package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"alignd/journal"
)

// Scan implements journal.Reader.
func (r *Reader) Scan(ctx context.Context, since, until time.Time, each func(journal.Block) error) error {
	return r.session(ctx, func(conn *pgx.Conn) error {
		parts, _, err := partsOf(ctx, conn)
		if err != nil {
			return err
		}
		for _, p := range slices.Backward(parts) {
			if !mayHold(p.day, since, until) {
				continue
			}
			if err := scanDay(ctx, conn, p.day, each); err != nil {
				return err
			}
		}
		return nil
	})
}

func scanDay(ctx context.Context, conn *pgx.Conn, d day, each func(journal.Block) error) error {
	for after := int64(0); ; {
		list, err := blocksAfter(ctx, conn, d, after)
		if err != nil {
			return err
		}
		for _, b := range list {
			if err := each(b.data); err != nil {
				return foundError{err}
			}
			after = b.id
		}
		if len(list) < blocksAtOnce {
			return nil
		}
	}
}

func blocksAfter(ctx context.Context, conn *pgx.Conn, d day, after int64) ([]block, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	rows, err := conn.Query(ctx, "SELECT id, data FROM blocks WHERE day = $1 AND id > $2 ORDER BY id LIMIT $3", int32(d), after, blocksAtOnce)
	if err != nil {
		return nil, late(ctx, err, readWithin)
	}
	list, err := pgx.CollectRows(rows, toBlock)
	return list, late(ctx, err, readWithin)
}
