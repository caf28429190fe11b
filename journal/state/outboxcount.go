package state

import (
	"context"
	"database/sql"
	"time"
)

// Standing is how many reports of the outbox stand where, and how many addresses get
// none.
type Standing struct {
	Items map[Progress]int64
	// PutOff are those of Items[Waiting] that were tried before.
	PutOff int64
	// Oldest is the oldest day of those that are not over; zero without one.
	Oldest     time.Time
	Suppressed int64 // addresses, at the time asked about
}

// Standing counts.
func (s *State) Standing(ctx context.Context, now time.Time) (*Standing, error) {
	all := &Standing{Items: map[Progress]int64{}}
	err := s.rows(ctx, s.db, func(r *sql.Rows) error {
		var p Progress
		var tried, n, day int64
		if err := r.Scan(&p, &tried, &n, &day); err != nil {
			return err
		}
		all.Items[p] += n
		if p == Waiting && tried > 0 {
			all.PutOff += n
		}
		if at := time.Unix(day, 0).UTC(); !p.Over() && (all.Oldest.IsZero() || at.Before(all.Oldest)) {
			all.Oldest = at
		}
		return nil
	}, `SELECT o.state, CASE WHEN o.tries > 0 THEN 1 ELSE 0 END AS tried, count(*), min(p.day)
		FROM state_outbox o JOIN state_parts p ON p.id = o.id GROUP BY o.state, tried`)
	if err != nil {
		return nil, err
	}
	all.Suppressed, err = s.number(ctx, s.db, "SELECT count(*) FROM state_suppressed WHERE until > ?", now.Unix())
	return all, err
}

// Dropped is how many messages this process left out of reports, as a day had too many
// rows or an organization too many reports.
func (s *State) Dropped() (rows, reports uint64) {
	return s.reports.droppedRows.Load(), s.reports.droppedReports.Load()
}
