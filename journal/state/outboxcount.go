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

// Standing counts. Reports that are over are counted without a look at what they are.
func (s *State) Standing(ctx context.Context, now time.Time) (*Standing, error) {
	all := &Standing{Items: map[Progress]int64{}}
	err := s.rows(ctx, s.db, func(r *sql.Rows) error {
		var p Progress
		var n int64
		err := r.Scan(&p, &n)
		all.Items[p] = n
		return err
	}, "SELECT state, count(*) FROM state_outbox GROUP BY state")
	if err != nil {
		return nil, err
	}
	if all.PutOff, err = s.number(ctx, s.db, "SELECT count(*) FROM state_outbox WHERE state = ? AND tries > 0", string(Waiting)); err != nil {
		return nil, err
	}
	oldest := func(r *sql.Rows) error {
		var day sql.NullInt64
		err := r.Scan(&day)
		if day.Valid {
			all.Oldest = time.Unix(day.Int64, 0).UTC()
		}
		return err
	}
	if err := s.rows(ctx, s.db, oldest, "SELECT min(p.day) FROM state_outbox o JOIN state_parts p ON p.id = o.id WHERE o.state IN ('waiting', 'sending')"); err != nil {
		return nil, err
	}
	all.Suppressed, err = s.number(ctx, s.db, "SELECT count(*) FROM state_suppressed WHERE until > ?", now.Unix())
	return all, err
}

// Listed is an item with what it is about.
type Listed struct {
	Item
	Part Part // without its data, and empty where the report is forgotten
}

// ItemQuery says which items are wanted. Zero fields say nothing.
type ItemQuery struct {
	Over   bool // those that are over, else the others
	State  Progress
	Domain string
}

// Newest are the items of the outbox that changed last, up to most.
func (s *State) Newest(ctx context.Context, q ItemQuery, most int) (list []Listed, err error) {
	which, args := "state IN ('waiting', 'sending')", []any{}
	if q.Over {
		which = "state NOT IN ('waiting', 'sending')"
	}
	if q.State != "" {
		which, args = which+" AND state = ?", append(args, string(q.State))
	}
	if q.Domain != "" {
		which, args = which+" AND id IN (SELECT id FROM state_parts WHERE domain = ?)", append(args, q.Domain)
	}
	const order = " ORDER BY changed DESC, id, target"
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		var x Listed
		var next, changed, day int64
		err := r.Scan(&x.ID, &x.Target, &x.State, &x.Reason, &next, &x.Tries, &x.Lost, &changed, &x.Domain, &day, &x.Part.About)
		x.Next, x.Changed = time.Unix(next, 0).UTC(), time.Unix(changed, 0).UTC()
		x.Part.Domain, x.Part.Day = x.Domain, time.Unix(day, 0).UTC()
		list = append(list, x)
		return err
	}, "SELECT o.id, target, state, reason, next, tries, lost, changed, coalesce(domain, ''), coalesce(day, 0), about FROM (SELECT * FROM state_outbox WHERE "+which+order+
		" LIMIT ?) o LEFT JOIN state_parts p ON p.id = o.id ORDER BY changed DESC, o.id, target", append(args, most)...)
}

// Counting are the drafts of the oldest days, those with the most messages first, of one
// domain or of all, up to most; all is how many there are.
func (s *State) Counting(ctx context.Context, domain string, most int) (list []Draft, all int64, err error) {
	which, args := "lines > 0", []any{}
	if domain != "" {
		which, args = which+" AND domain = ?", append(args, domain)
	}
	if all, err = s.number(ctx, s.db, "SELECT count(*) FROM state_tallies WHERE "+which, args...); err != nil {
		return nil, 0, err
	}
	return list, all, s.rows(ctx, s.db, func(r *sql.Rows) error {
		d, err := scanDraft(r)
		list = append(list, d)
		return err
	}, "SELECT "+draftColumns+" FROM state_tallies WHERE "+which+" ORDER BY day, messages DESC, domain LIMIT ?", append(args, most)...)
}

// Deserves reports whether mail of a domain passed on so many days since a time.
func (s *State) Deserves(ctx context.Context, domain string, since time.Time, days int) (bool, error) {
	n, err := s.number(ctx, s.db, "SELECT count(*) FROM state_passes WHERE domain = ? AND day >= ?", domain, since.Unix())
	return n >= int64(days), err
}

// Dropped is how many messages this process left out of reports, as a day had too many
// rows or an organization too many reports.
func (s *State) Dropped() (rows, reports uint64) {
	return s.reports.droppedRows.Load(), s.reports.droppedReports.Load()
}
