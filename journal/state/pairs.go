package state

import (
	"context"
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
