package state

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Hours are the counts of each hour from first to now, by its begin. Hours without messages
// are not there.
func (s *State) Hours(ctx context.Context, first time.Time) (map[time.Time]Counts, error) {
	return s.trend(ctx, trend{By: Total, hours: 1}, first)
}

// Days are the counts of each day of UTC from first to now, by its begin. Days without
// messages are not there.
func (s *State) Days(ctx context.Context, first time.Time) (map[time.Time]Counts, error) {
	return s.trend(ctx, trend{By: Total, hours: 24}, first)
}

// DaysOf is Days of one value, by its first text.
func (s *State) DaysOf(ctx context.Context, by Dimension, only string, first time.Time) (map[time.Time]Counts, error) {
	return s.trend(ctx, trend{By: by, Only: &only, hours: 24}, first)
}

// DomainDays is Days of the Author Domains of a set. What is among the rest of a time with too
// many domains is not counted.
func (s *State) DomainDays(ctx context.Context, first time.Time, of map[string]bool) (map[time.Time]Counts, error) {
	return s.trend(ctx, trend{By: ByDomain, Among: of, hours: 24}, first)
}

// trend says what is counted, by spans of so many hours.
type trend struct {
	By    Dimension
	Only  *string // nil is all
	Among map[string]bool
	hours int64
}

func (s *State) trend(ctx context.Context, t trend, first time.Time) (map[time.Time]Counts, error) {
	span := t.hours * hourSeconds
	from := floor(first.Unix(), span)
	sums := map[int64]*tally{}
	add := func(r *sql.Rows) error {
		var start int64
		var packed sql.RawBytes
		if err := r.Scan(&start, &packed); err != nil {
			return err
		}
		at := floor(start, span)
		if sums[at] == nil {
			sums[at] = &tally{}
		}
		if err := t.add(sums[at], packed); err != nil {
			return fmt.Errorf("counts of %s: %w", time.Unix(start, 0).UTC().Format(time.RFC3339), err)
		}
		return nil
	}
	err := s.rows(ctx, s.db, add, "SELECT start, data FROM state_counts WHERE dimension = ? AND span = ? AND start >= ? "+
		"UNION ALL SELECT start, data FROM state_live WHERE dimension = ? AND start >= ?", int(t.By), t.hours, from, int(t.By), from)
	if err != nil {
		return nil, err
	}
	list := make(map[time.Time]Counts, len(sums))
	for at, sum := range sums {
		if sum.n[nMessages] > 0 {
			list[time.Unix(at, 0).UTC()] = sum.counts()
		}
	}
	return list, nil
}

// add adds what a summary has of the value, or all that it has.
func (t *trend) add(to *tally, packed []byte) error {
	data, err := unpack(packed)
	if err != nil {
		return err
	}
	d, err := newReader(data)
	if err != nil {
		return err
	}
	all := t.Only == nil && t.Among == nil
	if all {
		to.add(&d.rest)
	}
	for d.next() {
		if all || t.Only != nil && string(d.text) == *t.Only || t.Among[string(d.text)] {
			to.add(&d.value.tally)
		}
	}
	return d.fault()
}
