package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"alignd/internal/owned"
)

// Row is what is known of a value.
type Row struct {
	Key
	Counts
	// Missed is how many messages Messages may lack at most, as the value was rare for a
	// time in which there were very many.
	Missed uint64
}

// Question says what is counted. Zero fields say nothing.
type Question struct {
	By Dimension
	// Since and Until bound the time; Until is excluded, and zero is until now. Hours are
	// not divided: the first and the last are whole.
	Since, Until time.Time
	// Only is the first text of the keys that are wanted.
	Only string
	// Rank orders the rows, the highest first, and those with 0 are not wanted; nil is
	// by Messages.
	Rank func(*Counts) uint64
	// Limit is how many rows are wanted at most; 0 is all.
	Limit int
}

// Table is the answer to a question, the most frequent value first.
type Table struct {
	Rows []Row
	// Other counts the values that are not among them.
	Other Counts
	// Absent is how many messages a value may have had at most that was not found.
	Absent uint64
}

// Count answers a question.
func (s *State) Count(ctx context.Context, q Question) (*Table, error) {
	list, err := s.summaries(ctx, &q)
	if err != nil {
		return nil, err
	}
	t := &Table{}
	var other tally
	m := merger{}
	for _, d := range list {
		t.Absent += d.threshold
		other.add(&d.rest)
		m.push(d)
	}
	top := topRows{q: &q}
	for m.next() {
		if q.Only != "" && string(m.text) != q.Only {
			continue
		}
		m.value.missed += t.Absent
		if left := top.add(&m); left != nil {
			other.add(left)
		}
	}
	for _, d := range list {
		if err := d.fault(); err != nil {
			return nil, err
		}
	}
	t.Rows, t.Other = top.sorted(), other.counts()
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

// hours are the whole hours that a question is about. Where it is until now, they go on
// to the end of the longest span: nothing is there yet.
func (q *Question) hours() (from, to int64) {
	if !q.Since.IsZero() {
		from = floor(q.Since.Unix(), hourSeconds)
	}
	if q.Until.IsZero() {
		longest := spans[len(spans)-1] * hourSeconds
		return from, floor(time.Now().Unix(), longest) + longest
	}
	return from, floor(q.Until.Add(time.Hour-1).Unix(), hourSeconds)
}

// summaries are all that make up the time of a question, in one view of the database.
func (s *State) summaries(ctx context.Context, q *Question) (list []*reader, err error) {
	from, to := q.hours()
	var packed [][]byte
	var starts []int64
	one := func(r *sql.Rows) error {
		var start int64
		var data []byte
		err := r.Scan(&start, &data)
		starts, packed = append(starts, start), append(packed, data)
		return err
	}
	// One statement sees one state of the database: no hour is settled meanwhile.
	text, args := "SELECT start, data FROM state_live WHERE dimension = ? AND start >= ? AND start < ?", []any{int(q.By), from, to}
	for _, c := range cover(from, to) {
		text += " UNION ALL SELECT start, data FROM state_counts WHERE dimension = ? AND span = ? AND start >= ? AND start < ?"
		args = append(args, int(q.By), c.span, c.from, c.to)
	}
	err = s.rows(ctx, s.db, one, text, args...)
	if err != nil {
		return nil, err
	}
	return openAll(packed, starts)
}

// openAll unpacks, on all processors.
func openAll(packed [][]byte, starts []int64) ([]*reader, error) {
	list, errs := make([]*reader, len(packed)), make([]error, len(packed))
	var work owned.Group
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range packed {
		limit <- struct{}{}
		work.Go(func() {
			defer func() { <-limit }()
			data, err := unpack(packed[i])
			if err == nil {
				list[i], err = newReader(data)
			}
			if err != nil {
				errs[i] = fmt.Errorf("counts of %s: %w", time.Unix(starts[i], 0).UTC().Format(time.RFC3339), err)
			}
		})
	}
	work.Wait()
	return list, errors.Join(errs...)
}
