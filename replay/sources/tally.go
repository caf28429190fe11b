package sources

import (
	"cmp"
	"slices"
)

// Count is how often a name was met.
type Count struct {
	Name  string
	Count int
}

// maxNames is how many names a tally keeps apart; ours.
const maxNames = 8

// tally counts names, at most maxNames of them: names of which one message was met give
// way to new ones.
type tally struct {
	list []Count
	// Other is what was met of names that had no room.
	other int
}

func (t *tally) add(name string) {
	if name == "" {
		return
	}
	for i := range t.list {
		if t.list[i].Name == name {
			t.list[i].Count++
			return
		}
	}
	if len(t.list) < maxNames {
		t.list = append(t.list, Count{name, 1})
		return
	}
	t.other++
	if i := slices.IndexFunc(t.list, func(c Count) bool { return c.Count == 1 }); i >= 0 {
		t.list[i] = Count{name, 1}
	}
}

// sorted are the names, the most frequent first.
func (t *tally) sorted() []Count {
	list := slices.Clone(t.list)
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Name, b.Name)) })
	return list
}

// table keeps at most max entries. When it is full, the lesser half of it goes, and
// gone hears of each.
type table[K comparable, V any] struct {
	max    int
	rows   map[K]*row[V]
	made   int // rows ever made: their order
	weight func(*V) int
	gone   func(*V)
}

type row[V any] struct {
	value V
	made  int
}

// at is the entry of k, which is made where there is none.
func (t *table[K, V]) at(k K) (v *V, isNew bool) {
	if r := t.rows[k]; r != nil {
		return &r.value, false
	}
	if t.rows == nil {
		t.rows = map[K]*row[V]{}
	}
	if len(t.rows) >= t.max {
		t.prune()
	}
	t.made++
	r := &row[V]{made: t.made}
	t.rows[k] = r
	return &r.value, true
}

// prune drops the half with the least weight, of those the oldest first.
func (t *table[K, V]) prune() {
	type ranked struct {
		key          K
		weight, made int
	}
	list := make([]ranked, 0, len(t.rows))
	for k, r := range t.rows {
		list = append(list, ranked{k, t.weight(&r.value), r.made})
	}
	slices.SortFunc(list, func(a, b ranked) int { return cmp.Or(a.weight-b.weight, a.made-b.made) })
	for _, r := range list[:(len(list)+1)/2] {
		if t.gone != nil {
			t.gone(&t.rows[r.key].value)
		}
		delete(t.rows, r.key)
	}
}

// all are the entries in the order in which they were made.
func (t *table[K, V]) all() []*V {
	list := make([]*row[V], 0, len(t.rows))
	for _, r := range t.rows {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *row[V]) int { return a.made - b.made })
	values := make([]*V, len(list))
	for i, r := range list {
		values[i] = &r.value
	}
	return values
}

// get is the entry of k, or nil.
func (t *table[K, V]) get(k K) *V {
	if r := t.rows[k]; r != nil {
		return &r.value
	}
	return nil
}

// has reports whether there is an entry of k.
func (t *table[K, V]) has(k K) bool { return t.rows[k] != nil }
