package web

import (
	"context"
	"sync"
	"time"

	"alignd/journal/state"
)

// pairCache keeps who sends as whom for a minute: of much mail it takes longer to read
// than anything else that a page asks for.
type pairCache struct {
	mu   sync.Mutex
	list []keptPairs // newest last
}

type keptPairs struct {
	query state.PairQuery
	at    time.Time
	pairs []state.Pair
}

const (
	pairsAge  = time.Minute
	keptLists = 4
)

// of are the pairs of a question; they are not changed.
func (c *pairCache) of(ctx context.Context, st *state.State, q state.PairQuery, now time.Time) ([]state.Pair, error) {
	c.mu.Lock()
	for i := range c.list {
		if k := &c.list[i]; k.query == q && now.Sub(k.at).Abs() < pairsAge {
			defer c.mu.Unlock()
			return k.pairs, nil
		}
	}
	c.mu.Unlock()
	found, err := st.Pairs(ctx, q)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) >= keptLists {
		c.list = c.list[1:]
	}
	c.list = append(c.list, keptPairs{q, now, found})
	return found, nil
}
