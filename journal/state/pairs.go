package state

import (
	"context"
	"database/sql"
	"time"
)

// PairQuery says which pairs are wanted. Zero fields say nothing.
type PairQuery struct {
	Author string // an Author Domain, in its A-label form
	// Since and Until are those of a Question.
	Since, Until time.Time
	// BySPF: only pairs with mail that passes by SPF (PassSPF).
	BySPF bool
}

// Pair says who sends as a domain. It is the Author Domain and the infrastructure of
// the client: the Organizational Domain of its confirmed name, else its network.
type Pair struct {
	Author, Infrastructure string
	Counts
	Missed uint64 // as that of Row
}

// Pairs are those of a time, the most frequent first. Mail of authenticated clients is
// not among them, as it says nothing of who sends as a domain from outside.
func (s *State) Pairs(ctx context.Context, q PairQuery) ([]Pair, error) {
	about := Question{By: ByPair, Since: q.Since, Until: q.Until, Only: q.Author}
	if q.BySPF {
		about.Rank = func(c *Counts) uint64 { return c.PassSPF }
	}
	t, err := s.Count(ctx, about)
	if err != nil {
		return nil, err
	}
	list := make([]Pair, len(t.Rows))
	for i, r := range t.Rows {
		list[i] = Pair{Author: r.Text, Infrastructure: r.Second, Counts: r.Counts, Missed: r.Missed}
	}
	return list, nil
}

// PairHours are the hours of a day of UTC in which a pair sent, the oldest first.
func (s *State) PairHours(ctx context.Context, author, infrastructure string, day time.Time) ([]PairDay, error) {
	from := floor(day.Unix(), daySeconds)
	var starts []int64
	var packed [][]byte
	one := func(r *sql.Rows) error {
		var start int64
		var data []byte
		err := r.Scan(&start, &data)
		starts, packed = append(starts, start), append(packed, data)
		return err
	}
	err := s.look(ctx, func(tx *sql.Tx) error {
		err := s.rows(ctx, tx, one, "SELECT start, data FROM state_counts WHERE dimension = ? AND span = 1 AND start >= ? AND start < ?", int(ByPair), from, from+daySeconds)
		if err != nil {
			return err
		}
		return s.rows(ctx, tx, one, "SELECT start, data FROM state_live WHERE dimension = ? AND start >= ? AND start < ?", int(ByPair), from, from+daySeconds)
	})
	if err != nil {
		return nil, err
	}
	list, err := openAll(packed, starts)
	if err != nil {
		return nil, err
	}
	var hours [24]tally
	for i, d := range list {
		for d.next() && string(d.text) <= author { // they are in order
			if string(d.text) == author && string(d.second) == infrastructure {
				hours[(starts[i]-from)/hourSeconds].add(&d.value.tally)
				break // each is there once
			}
		}
		if d.bad {
			return nil, ErrDamaged
		}
	}
	var found []PairDay
	for i := range hours {
		if hours[i].n[nMessages] > 0 {
			found = append(found, PairDay{time.Unix(from+int64(i)*hourSeconds, 0).UTC(), hours[i].counts()})
		}
	}
	return found, nil
}
