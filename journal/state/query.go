package state

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Row is what is known of a value.
type Row struct {
	Key
	Counts
	// Missed is how many messages Messages may lack at most, as the value was rare for a
	// time in which there were very many.
	Missed uint64
}

// Table is the answer to a question, the most frequent value first.
type Table struct {
	Rows []Row
	// Other counts the values that are not among them.
	Other Counts
	// Absent is how many messages a value may have had at most that is not there.
	Absent uint64
}

// Count is what was counted in a dimension from since to until, which is excluded.
// Hours are not divided: the first and the last are whole. only, if not nil, says which
// values are wanted; it does not keep the texts.
func (s *State) Count(ctx context.Context, d Dimension, since, until time.Time, only func(text, second []byte) bool) (*Table, error) {
	t := &Table{}
	at := map[Key]int{}
	err := s.each(ctx, d, since, until, func(data []byte) error {
		threshold, rest, err := decode(data, func(text, second []byte, v *value, threshold uint64) {
			if only != nil && !only(text, second) {
				return
			}
			i, known := at[Key{string(text), string(second)}]
			if !known {
				i = len(t.Rows)
				t.Rows = append(t.Rows, Row{Key: Key{string(text), string(second)}})
				at[t.Rows[i].Key] = i
			}
			t.Rows[i].Add(&v.Counts)
			t.Rows[i].Missed += v.missed - threshold // the threshold of all comes at the end
		})
		t.Absent += threshold
		t.Other.Add(&rest)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range t.Rows {
		t.Rows[i].Missed += t.Absent
	}
	slices.SortFunc(t.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), a.Key.compare(b.Key))
	})
	return t, nil
}

// run is a number of settled spans in a row.
type run struct{ span, from, to int64 }

// cover are the spans that make up the hours between two, the longest that fit.
func cover(from, to int64) (list []run) {
	for at := from; at < to; {
		for _, span := range slices.Backward(spans) {
			length := span * hourSeconds
			if floor(at, length) != at || at+length > to {
				continue
			}
			if n := len(list); n > 0 && list[n-1].span == span {
				list[n-1].to = at + length
			} else {
				list = append(list, run{span, at, at + length})
			}
			at += length
			break
		}
	}
	return list
}

// each hands all summaries of a time to f, in one view of the database.
func (s *State) each(ctx context.Context, d Dimension, since, until time.Time, f func(data []byte) error) error {
	from, to := hoursOf(since, until)
	one := func(r *sql.Rows) error {
		var start int64
		var data sql.RawBytes
		if err := r.Scan(&start, &data); err != nil {
			return err
		}
		if err := f(data); err != nil {
			return fmt.Errorf("counts of %s: %w", time.Unix(start, 0).UTC().Format(time.RFC3339), err)
		}
		return nil
	}
	return s.look(ctx, func(tx *sql.Tx) error {
		for _, c := range cover(from, to) {
			err := s.rows(ctx, tx, one, "SELECT start, data FROM state_counts WHERE dimension = ? AND span = ? AND start >= ? AND start < ?",
				int(d), c.span, c.from, c.to)
			if err != nil {
				return err
			}
		}
		return s.rows(ctx, tx, one, "SELECT start, data FROM state_live WHERE dimension = ? AND start >= ? AND start < ?", int(d), from, to)
	})
}

// hoursOf are the whole hours that a time touches.
func hoursOf(since, until time.Time) (from, to int64) {
	return floor(since.Unix(), hourSeconds), floor(until.Add(time.Hour-1).Unix(), hourSeconds)
}

// Days are the counts of each day of UTC from first to the one of last, by its begin.
// Days without messages are not there.
func (s *State) Days(ctx context.Context, first, last time.Time) (map[time.Time]Counts, error) {
	days := map[time.Time]Counts{}
	from := floor(first.Unix(), daySeconds)
	to := floor(last.Unix(), daySeconds) + daySeconds
	err := s.look(ctx, func(tx *sql.Tx) error {
		add := func(r *sql.Rows) error {
			var start int64
			var data sql.RawBytes
			if err := r.Scan(&start, &data); err != nil {
				return err
			}
			day := time.Unix(floor(start, daySeconds), 0).UTC()
			all := days[day]
			_, rest, err := decode(data, func(_, _ []byte, v *value, _ uint64) { all.Add(&v.Counts) })
			all.Add(&rest)
			days[day] = all
			return err
		}
		err := s.rows(ctx, tx, add, "SELECT start, data FROM state_counts WHERE dimension = ? AND span = 24 AND start >= ? AND start < ?", int(Total), from, to)
		if err != nil {
			return err
		}
		return s.rows(ctx, tx, add, "SELECT start, data FROM state_live WHERE dimension = ? AND start >= ? AND start < ?", int(Total), from, to)
	})
	return days, err
}

const daySeconds = 24 * hourSeconds
