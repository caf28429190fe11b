package web

import (
	"net/netip"
	"sync"
	"time"

	"alignd/journal"
	"alignd/journal/state"
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

// besideAtOnce is how many sources are looked for in one pass over the journal; ours, tests
// set another.
var besideAtOnce = 25

// infrastructures are those of the newest messages of some sources, by their place; empty
// where nothing came. A page asks for a short time: those that are left out were not asked.
func (a *asked) infrastructures(q *othersQuery, list []state.ElsewhereSource, places []int) (of map[int]string, err error) {
	of = map[int]string{}
	var keys []besideKey
	var at []int
	for _, i := range places {
		network, err := netip.ParsePrefix(list[i].Network)
		if err != nil {
			continue
		}
		key := besideKey{list[i].Author, network, q.Since.Unix()}
		if known, ok := a.beside.find(key, a.now); ok {
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
		step = besideAtOnce
	}
	for begun := time.Now(); len(at) > 0; keys, at = keys[step:], at[step:] {
		step = min(step, len(at))
		found, err := a.newestOf(r, keys[:step], q.Since)
		if err != nil {
			return nil, err
		}
		for k, i := range at[:step] {
			of[i] = found[k]
			a.beside.keep(keys[k], found[k], a.now)
		}
		if a.format == asHTML && time.Since(begun) > looksSoon {
			break
		}
	}
	return of, nil
}

// newestOf has the infrastructure of the newest message of each.
func (a *asked) newestOf(r journal.Reader, keys []besideKey, since time.Time) (of []string, err error) {
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
