package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"alignd/journal/spool"
)

// spans are the lengths of time that counts are settled in, in hours. A question takes
// the longest that fit into its time, so that 90 days are some twenty summaries.
var spans = []int64{1, 24, 7 * 24}

// liveHour is an hour of a spool that is not settled.
type liveHour struct {
	spool spool.ID
	start int64
}

// settleDue settles the hours that are over: its own, and those that a spool left which
// is no more.
func (s *State) settleDue(ctx context.Context, now time.Time) error {
	own := now.Add(-time.Hour - settleAfter).Unix()
	stray := now.Add(-strayAfter).Unix()
	var list []liveHour
	err := s.rows(ctx, s.db, func(r *sql.Rows) error {
		var h liveHour
		var id []byte
		if err := r.Scan(&id, &h.start); err != nil || len(id) != len(h.spool) {
			return err
		}
		h.spool = spool.ID(id)
		if h.start <= stray || h.start <= own && s.begun && h.spool == s.from {
			list = append(list, h)
		}
		return nil
	}, "SELECT DISTINCT spool, start FROM state_live WHERE start <= ?", own)
	if err != nil {
		return err
	}
	for spool, days := range byDay(list) {
		for day, starts := range days {
			if err := s.settle(ctx, spool, starts); err != nil {
				return fmt.Errorf("settling hours of %s: %w", time.Unix(day, 0).UTC().Format(time.DateOnly), err)
			}
		}
	}
	return nil
}

// byDay are the begins of hours, by spool and day. Hours of a day are settled together, as
// after a time in which nobody did: their day and week are then written once.
func byDay(list []liveHour) map[spool.ID]map[int64][]int64 {
	all := map[spool.ID]map[int64][]int64{}
	for _, h := range list {
		if all[h.spool] == nil {
			all[h.spool] = map[int64][]int64{}
		}
		day := floor(h.start, 24*hourSeconds)
		all[h.spool][day] = append(all[h.spool][day], h.start)
	}
	return all
}

// settle moves the counts of hours of one day to what is settled.
func (s *State) settle(ctx context.Context, from spool.ID, starts []int64) error {
	err := s.changeShared(ctx, func(tx *sql.Tx) error {
		hours := map[int]map[int64]*summary{}
		for _, start := range starts {
			if err := s.readHour(ctx, tx, from, start, hours); err != nil {
				return err
			}
			if _, err := s.exec(ctx, tx, "DELETE FROM state_live WHERE spool = ? AND start = ?", from[:], start); err != nil {
				return err
			}
		}
		for d, sums := range hours {
			if err := s.settleHours(ctx, tx, d, sums); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && s.begun && from == s.from {
		for _, start := range starts {
			delete(s.live, start)
		}
	}
	return err
}

// readHour adds the summaries of an hour to those by dimension and begin.
func (s *State) readHour(ctx context.Context, tx *sql.Tx, from spool.ID, start int64, to map[int]map[int64]*summary) error {
	return s.rows(ctx, tx, func(r *sql.Rows) error {
		var d int
		var data []byte
		if err := r.Scan(&d, &data); err != nil {
			return err
		}
		sum, err := decodeSummary(data)
		if err != nil {
			return err
		}
		if to[d] == nil {
			to[d] = map[int64]*summary{}
		}
		to[d][start] = sum
		return nil
	}, "SELECT dimension, data FROM state_live WHERE spool = ? AND start = ?", from[:], start)
}

// settleHours adds those of one day and dimension to the spans that they are in.
func (s *State) settleHours(ctx context.Context, tx *sql.Tx, d int, hours map[int64]*summary) error {
	for _, span := range spans {
		parts := map[int64][]*summary{}
		for _, start := range slices.Sorted(maps.Keys(hours)) {
			at := floor(start, span*hourSeconds)
			parts[at] = append(parts[at], hours[start])
		}
		for start, list := range parts {
			if err := s.settleInto(ctx, tx, settled{span, start, d}, list); err != nil {
				return err
			}
		}
	}
	return nil
}

// settled names a summary of state_counts.
type settled struct {
	span, start int64
	dimension   int
}

// settleInto adds summaries to one.
func (s *State) settleInto(ctx context.Context, tx *sql.Tx, to settled, list []*summary) error {
	all := newSummary()
	err := s.rows(ctx, tx, readSummary(&all), "SELECT data FROM state_counts WHERE span = ? AND start = ? AND dimension = ?", to.span, to.start, to.dimension)
	if err != nil {
		return err
	}
	for _, sum := range list {
		all.merge(sum)
		if len(all.values) > 2*all.most { // as many as one in the making has
			all.shorten()
		}
	}
	all.shorten()
	_, err = s.exec(ctx, tx, "INSERT INTO state_counts VALUES (?, ?, ?, ?) ON CONFLICT (dimension, span, start) DO UPDATE SET data = excluded.data",
		to.span, to.start, to.dimension, all.encode(time.Unix(to.start, 0)))
	return err
}

// readSummary reads a row of one.
func readSummary(to **summary) func(*sql.Rows) error {
	return func(r *sql.Rows) error {
		var data sql.RawBytes
		err := r.Scan(&data)
		if err == nil {
			*to, err = decodeSummary(data)
		}
		return err
	}
}

// forget removes what is too old.
func (s *State) forget(ctx context.Context, now time.Time) error {
	if err := s.readNewest(ctx); err != nil {
		return err
	}
	if !s.aged.Due(now, s.newest) || time.Since(s.started) < forgetAfter {
		return nil
	}
	before := now.Add(-keepCounts).Unix()
	errs := []error{s.forgetWaits(ctx, now), s.forgetOthers(ctx, now)}
	for _, span := range spans {
		_, err := s.exec(ctx, s.db, "DELETE FROM state_counts WHERE span = ? AND start < ?", span, before-span*hourSeconds)
		errs = append(errs, err)
	}
	_, err := s.exec(ctx, s.db, "DELETE FROM state_configs WHERE last < ?", now.Add(-s.keep-configMargin).Unix())
	return errors.Join(append(errs, err)...)
}

// forgetAfter is how long nothing is removed after the start, whatever there is; ours. A
// clock may be set late.
const forgetAfter = time.Hour

// readNewest finds out, once, of when the newest counts are that were there at the start: those
// of this run have its clock.
func (s *State) readNewest(ctx context.Context) error {
	if s.newestRead {
		return nil
	}
	newest := int64(0)
	for _, question := range []string{
		"SELECT COALESCE(MAX(start), 0) FROM state_live",
		fmt.Sprintf("SELECT COALESCE(MAX(start), 0) FROM state_counts WHERE dimension = %d AND span = 1", Total),
	} {
		err := s.rows(ctx, s.db, func(r *sql.Rows) error {
			var start int64
			err := r.Scan(&start)
			newest = max(newest, start)
			return err
		}, question)
		if err != nil {
			return err
		}
	}
	if s.newestRead = true; newest > 0 {
		s.newest = time.Unix(newest+hourSeconds, 0)
	}
	return nil
}
