package web

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"alignd/journal"
	"alignd/replay/sources"
)

// besideCache has for a minute what the journal has of sources that others tell of: of
// those that send nothing here each look would ask all its days again. The zero value is ready.
type besideCache struct {
	mu   sync.Mutex
	list map[besideKey]besideOf
}

type besideKey struct {
	author  string
	network netip.Prefix
	since   int64
}

type besideOf struct {
	of string // the infrastructure; empty where nothing came
	at time.Time
}

const (
	besideAge = time.Minute
	// besideMost is how many sources are remembered; ours.
	besideMost = 1000
)

func (c *besideCache) find(key besideKey, now time.Time) (of string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.list[key]
	return x.of, ok && now.Sub(x.at).Abs() < besideAge
}

// keep forgets all where there is no room for one more.
func (c *besideCache) keep(key besideKey, of string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil || len(c.list) >= besideMost {
		c.list = map[besideKey]besideOf{}
	}
	c.list[key] = besideOf{of, now}
}

// usualOthers is what is asked where nobody says more.
func usualOthers(now time.Time) othersQuery {
	q := othersQuery{days: 30, by: "source"}
	q.Since = now.Truncate(24*time.Hour).AddDate(0, 0, 1-q.days)
	return q
}

// infrastructureOf is that of the newest message of an author from a network.
func (a *asked) infrastructureOf(ctx context.Context, r journal.Reader, author string, network netip.Prefix, since time.Time) (of string, err error) {
	key := besideKey{author, network, since.Unix()}
	if of, ok := a.beside.find(key, a.now); ok {
		return of, nil
	}
	err = r.Search(ctx, journal.Query{Domain: author, Client: network, Since: since, Limit: 1}, func(e *journal.Entry) error {
		of = sources.Infrastructure(&e.Record.Evidence, a.opt.Backend.Organization)
		return journal.ErrEnough
	})
	if err == nil {
		a.beside.keep(key, of, a.now)
	}
	return of, err
}
