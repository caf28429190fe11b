package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How often Tidy looks. The numbers are ours.
const (
	checkEvery  = 10 * time.Second // whether the database fell back, where no mail comes
	retainEvery = time.Minute
)

// dropWithin is how long a DROP waits for those who read, while others wait behind it. A
// backup may read for hours: it is tried again.
const dropWithin = "1s"

// Tidy implements journal.Store. One host at a time removes partitions.
func (s *Store) Tidy(ctx context.Context, now time.Time) error {
	since := time.Since(s.checked) // of the monotonic clock; now may be any time
	if since < checkEvery && !s.opt.Hurry {
		return nil
	}
	s.checked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, takeWithin)
	defer cancel()
	err := s.tried(ctx, func() error { return s.tidy(ctx, now) })
	return s.outcome(ctx, err)
}

func (s *Store) tidy(ctx context.Context, now time.Time) error {
	for id := range s.have {
		if err := s.compare(ctx, id); err != nil {
			return err
		}
	}
	for _, d := range []day{dayOf(now), dayOf(now) + 1} { // nobody waits at midnight
		if err := s.ensureDay(ctx, d); err != nil {
			return err
		}
	}
	if err := s.makeFilters(ctx); err != nil {
		return err
	}
	if err := s.sealDays(ctx, now); err != nil {
		return err
	}
	if time.Since(s.tidied) < retainEvery {
		return nil
	}
	s.tidied = time.Now()
	return s.retain(ctx, now)
}

// retain removes the days that are older than keep, and the oldest while all take more than
// MaxSize. The day of the newest record stays, and what comes after it.
func (s *Store) retain(ctx context.Context, now time.Time) error {
	at, err := newestOf(ctx, s.conn)
	if err != nil {
		return err
	}
	due := s.retention.Due(now, *s.newest)
	sizes, err := s.sizes(ctx)
	if err != nil {
		return err
	}
	all := int64(0)
	for _, d := range sizes {
		all += d.octets
	}
	defer func() { s.measured(all) }()
	if !due || at.IsZero() {
		return nil
	}
	for _, d := range sizes {
		why := ""
		switch {
		case d.day >= dayOf(*at):
			return nil
		case d.day < dayOf(now.Add(-s.opt.Keep)):
			why = "age"
		case all > s.opt.MaxSize:
			why = "size"
		default:
			return nil
		}
		dropped, err := s.drop(ctx, d.day)
		if err != nil || !dropped {
			return err
		}
		all -= d.octets
		s.opt.Log.Info("a day of the journal was removed", "day", d.day.String(), "for", why, "octets", d.octets)
	}
	return nil
}

// measured notes what retention saw.
func (s *Store) measured(octets int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.Octets, s.health.RetentionStopped = octets, s.retention.Stopped()
}

type sized struct {
	day    day
	octets int64
}

// sizes are those of the days, oldest first.
func (s *Store) sizes(ctx context.Context) ([]sized, error) {
	from := partitions
	if s.version >= 3 { // filters are not of a partition
		from = fmt.Sprintf("(SELECT day, octets FROM %s UNION ALL SELECT day, lines * %d FROM records_sealed) AS parts", partitions, lineOctets)
	}
	rows, err := s.conn.Query(ctx, "SELECT day, sum(octets)::bigint FROM "+from+" GROUP BY day ORDER BY day")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d sized, err error) {
		return d, row.Scan((*int32)(&d.day), &d.octets)
	})
}

// drop removes the partitions of a day, unless another host is at it, or somebody reads them
// for longer than a moment.
func (s *Store) drop(ctx context.Context, d day) (done bool, err error) {
	var parts []string
	for _, table := range tables {
		parts = append(parts, d.partition(table))
	}
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1, $2)", lockClass, lockTidy).Scan(&done); err != nil || !done {
			return err
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = '%s'", dropWithin)); err != nil {
			return err
		}
		if s.version >= 3 {
			if _, err := tx.Exec(ctx, "DELETE FROM records_sealed WHERE day = $1", int32(d)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+strings.Join(parts, ", "))
		return err
	})
	var fault *pgconn.PgError
	if errors.As(err, &fault) && fault.Code == codeLockTimeout {
		return false, nil
	}
	delete(s.days, d)
	delete(s.ranges, d)
	return done && err == nil, err
}

// newestOf is the time of the newest record; the zero time where there is none.
func newestOf(ctx context.Context, conn *pgx.Conn) (*time.Time, error) {
	var ms int64
	if err := conn.QueryRow(ctx, "SELECT coalesce(max(time), 0) FROM records").Scan(&ms); err != nil {
		return nil, err
	}
	at := time.Time{}
	if ms != 0 {
		at = time.UnixMilli(ms)
	}
	return &at, nil
}
