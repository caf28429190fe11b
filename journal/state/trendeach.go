package state

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// DaysEach adds up how many messages each day from first had of each value that is wanted,
// by its first text: in one reading, into days, which has a number for each day.
func (s *State) DaysEach(ctx context.Context, by Dimension, first time.Time, wanted map[string][]uint64) error {
	const day = 24 * hourSeconds
	from := floor(first.Unix(), day)
	add := func(r *sql.Rows) error {
		var start int64
		var packed sql.RawBytes
		if err := r.Scan(&start, &packed); err != nil {
			return err
		}
		data, err := unpack(packed)
		if err != nil {
			return err
		}
		d, err := newReader(data)
		if err != nil {
			return err
		}
		number := int((floor(start, day) - from) / day)
		for d.next() {
			if days := wanted[string(d.text)]; number < len(days) {
				days[number] += d.value.n[nMessages]
			}
		}
		if err := d.fault(); err != nil {
			return fmt.Errorf("counts of %s: %w", time.Unix(start, 0).UTC().Format(time.RFC3339), err)
		}
		return nil
	}
	return s.rows(ctx, s.db, add, "SELECT start, data FROM state_counts WHERE dimension = ? AND span = 24 AND start >= ? "+
		"UNION ALL SELECT start, data FROM state_live WHERE dimension = ? AND start >= ?", int(by), from, int(by), from)
}
