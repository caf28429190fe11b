package state

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"
)

// merger adds up summaries, a key at a time in order, without keeping them.
type merger struct {
	heap []*reader

	// What next found. The texts are in a reader's memory. missed of value lacks what all
	// summaries may have missed of a value that they do not have.
	text, second []byte
	value        value
}

func before(a, b *reader) bool {
	c := bytes.Compare(a.text, b.text)
	return c < 0 || c == 0 && bytes.Compare(a.second, b.second) < 0
}

// push adds a summary.
func (m *merger) push(d *reader) {
	if !d.next() {
		return
	}
	m.heap = append(m.heap, d)
	h := m.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !before(h[i], h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

// advance moves on in the summary that is first.
func (m *merger) advance() {
	h := m.heap
	if !h[0].next() {
		last := len(h) - 1
		h[0] = h[last]
		h = h[:last]
		m.heap = h
	}
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(h) {
			return
		}
		if down+1 < len(h) && before(h[down+1], h[down]) {
			down++
		}
		if !before(h[down], h[i]) {
			return
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

// next adds up the next key.
func (m *merger) next() bool {
	if len(m.heap) == 0 {
		return false
	}
	d := m.heap[0]
	m.text, m.second = d.text, d.second
	m.value = value{}
	for len(m.heap) > 0 {
		d := m.heap[0]
		if !bytes.Equal(d.text, m.text) || !bytes.Equal(d.second, m.second) {
			break
		}
		m.value.add(&d.value.tally)
		m.value.missed += d.value.missed - d.threshold
		m.advance()
	}
	return true
}

// topRows keeps the rows that rank highest.
type topRows struct {
	q    *Question
	rows []rankedRow // with a limit a heap, the lowest first
}

type rankedRow struct {
	Row
	rank uint64
}

// higher orders rows, every two the same way each time.
func (r *rankedRow) higher(o *rankedRow) int {
	return cmp.Or(cmp.Compare(o.rank, r.rank), r.Key.compare(o.Key))
}

// add takes what m found, and returns the counts of what has no row.
func (t *topRows) add(m *merger) (left *tally) {
	rank := m.value.n[nMessages]
	var c Counts
	if t.q.Rank != nil {
		c = m.value.counts()
		if rank = t.q.Rank(&c); rank == 0 {
			return &m.value.tally
		}
	}
	full := t.q.Limit > 0 && len(t.rows) == t.q.Limit
	if full && rank < t.rows[0].rank {
		return &m.value.tally
	}
	row := rankedRow{Row{Key{string(m.text), string(m.second)}, m.value.counts(), m.value.missed}, rank}
	switch {
	case t.q.Limit <= 0:
		t.rows = append(t.rows, row)
	case !full:
		heap.Push(t, row)
	case row.higher(&t.rows[0]) > 0:
		return &m.value.tally
	default:
		out := t.rows[0].Counts.tally()
		t.rows[0] = row
		heap.Fix(t, 0)
		return &out
	}
	return nil
}

func (t *topRows) sorted() []Row {
	slices.SortFunc(t.rows, func(a, b rankedRow) int { return a.higher(&b) })
	list := make([]Row, len(t.rows))
	for i := range t.rows {
		list[i] = t.rows[i].Row
	}
	return list
}

// Len and so on are for package heap.
func (t *topRows) Len() int           { return len(t.rows) }
func (t *topRows) Less(i, j int) bool { return t.rows[i].higher(&t.rows[j]) > 0 }
func (t *topRows) Swap(i, j int)      { t.rows[i], t.rows[j] = t.rows[j], t.rows[i] }

// Push is for package heap.
func (t *topRows) Push(x any) { t.rows = append(t.rows, x.(rankedRow)) }

// Pop is for package heap.
func (t *topRows) Pop() any {
	last := len(t.rows) - 1
	x := t.rows[last]
	t.rows = t.rows[:last]
	return x
}
