package web

import (
	"net/netip"
	"sync"
	"time"

	"alignd/journal"
	"alignd/journal/state"
	"alignd/replay/sources"
)

// sourceCache has for a minute what the journal has of sources that others tell of: of
// those that send nothing here each look would ask all its days again. The zero value is ready.
type sourceCache struct {
	mu   sync.Mutex
	list map[sourceKey]sourceFound
}

type sourceKey struct {
	author  string
	network netip.Prefix
	since   int64
}

type sourceFound struct {
	of string // the infrastructure; empty where nothing came
	at time.Time
}

const (
	sourceAge = time.Minute
	// sourcesMost is how many sources are remembered; ours.
	sourcesMost = 1000
)

func (c *sourceCache) find(key sourceKey, now time.Time) (of string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.list[key]
	return x.of, ok && now.Sub(x.at).Abs() < sourceAge
}

// keep forgets all where there is no room for one more.
func (c *sourceCache) keep(key sourceKey, of string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil || len(c.list) >= sourcesMost {
		c.list = map[sourceKey]sourceFound{}
	}
	c.list[key] = sourceFound{of, now}
}

// usualOthers is what is asked where nobody says more.
func usualOthers(now time.Time) othersQuery {
	q := othersQuery{days: 30, by: "source"}
	q.Since = now.Truncate(24*time.Hour).AddDate(0, 0, 1-q.days)
	return q
}

// sourcesAtOnce is how many sources are looked for in one pass over the journal; ours, tests
// set another.
var sourcesAtOnce = 25

// infrastructures are those of the newest messages of some sources, by their place; empty
// where nothing came. A page asks for a short time: those that are left out were not asked.
func (a *asked) infrastructures(q *othersQuery, list []state.ElsewhereSource, places []int) (of map[int]string, err error) {
	of = map[int]string{}
	var keys []sourceKey
	var at []int
	for _, i := range places {
		network, err := netip.ParsePrefix(list[i].Network)
		if err != nil {
			continue
		}
		key := sourceKey{list[i].Author, network, q.Since.Unix()}
		if known, ok := a.sources.find(key, a.now); ok {
			of[i] = known
		} else if len(at) < lookedUp {
			keys, at = append(keys, key), append(at, i)
		}
	}
	if len(at) == 0 {
		return of, nil
	}
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	step := 1
	if _, ok := r.(journal.Finder); ok {
		step = sourcesAtOnce
	}
	for begun := time.Now(); len(at) > 0; keys, at = keys[step:], at[step:] {
		step = min(step, len(at))
		found, err := a.newestOf(r, keys[:step], q.Since)
		if err != nil {
			return nil, err
		}
		for k, i := range at[:step] {
			of[i] = found[k]
			a.sources.keep(keys[k], found[k], a.now)
		}
		if a.format == asHTML && time.Since(begun) > looksSoon {
			break
		}
	}
	return of, nil
}

// newestOf has the infrastructure of the newest message of each.
func (a *asked) newestOf(r journal.Reader, keys []sourceKey, since time.Time) (of []string, err error) {
	of = make([]string, len(keys))
	list := make([]journal.Query, len(keys))
	for i, k := range keys {
		list[i] = journal.Query{Domain: k.author, Client: k.network, Since: since, Limit: 1}
	}
	note := func(i int, e *journal.Entry) {
		of[i] = sources.Infrastructure(&e.Record.Evidence, a.opt.Backend.Organization)
	}
	if f, ok := r.(journal.Finder); ok {
		return of, f.Newest(a.ctx, list, note)
	}
	for i := range list {
		err := r.Search(a.ctx, list[i], func(e *journal.Entry) error {
			note(i, e)
			return journal.ErrEnough
		})
		if err != nil {
			return nil, err
		}
	}
	return of, nil
}
