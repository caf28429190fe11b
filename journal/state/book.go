package state

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Book has the counts of all pairs by day in memory, so that any number of days, order
// and trend is answered at once: summed up anew for each question they take seconds over
// 90 days of much mail.
//
// A Book is not changed once it is made, and safe for concurrent use. Renew makes the next
// one, and reads only what is new.
type Book struct {
	first int64 // the first day, and
	days  []*bookDay
	ids   map[Key]uint32
	keys  []Key
	made  time.Time // when it was read as a whole
}

// bookDay is one day of UTC. Without messages it is the zero bookDay.
type bookDay struct {
	size   int64 // octets of what is settled of it, as stored
	live   bool  // it had hours that were not settled
	absent uint64
	rows   []bookRow // each pair once
}

// bookRow is a pair on a day. 90 days have up to 900,000, so the numbers are short.
type bookRow struct {
	id                                                                           uint32
	messages, pass, fail, tagged, held, deferred, refused, failSigned, failBySPF uint32
	first, last                                                                  uint32 // seconds of the day
}

const daySeconds = 24 * hourSeconds

// The bounds of a Book are ours.
const (
	// BookDays is how many days it goes back, with today.
	BookDays = 90
	// bookAge is when it is read as a whole again: pairs of days that are gone leave it.
	bookAge = 24 * time.Hour
	// unsure is how old a day is at which its size tells whether it changed.
	unsure = 3 * daySeconds
)

// ReadBook reads the last BookDays.
func (s *State) ReadBook(ctx context.Context, now time.Time) (*Book, error) {
	return s.RenewBook(ctx, nil, now)
}

// RenewBook is the book of now, with what old has of days that did not change since.
func (s *State) RenewBook(ctx context.Context, old *Book, now time.Time) (*Book, error) {
	today := floor(now.Unix(), daySeconds)
	b := &Book{first: today - (BookDays-1)*daySeconds, days: make([]*bookDay, BookDays), ids: map[Key]uint32{}, made: now}
	if old != nil {
		b.ids, b.keys, b.made = old.ids, slices.Clip(old.keys), old.made
	}
	settled, live, err := s.bookSources(ctx, b, old)
	if err != nil {
		return nil, err
	}
	known, names := len(b.keys), newNames(b)
	for i := range b.days {
		start := b.first + int64(i)*daySeconds
		if b.days[i] != nil {
			continue
		}
		list, err := openAll(append(live[start], settled[start]...), slices.Repeat([]int64{start}, len(live[start])+len(settled[start])))
		if err != nil {
			return nil, err
		}
		d, err := names.day(list, start)
		if err != nil {
			return nil, err
		}
		d.live = len(live[start]) > 0
		for _, data := range settled[start] {
			d.size += int64(len(data))
		}
		b.days[i] = d
	}
	if len(b.keys) > known {
		b.ids = names.merged()
	}
	return b, nil
}

// Aged reports whether it is time to read all anew: a book that is only renewed keeps pairs
// of days that are gone.
func (b *Book) Aged(now time.Time) bool { return now.Sub(b.made).Abs() >= bookAge }

// bookSources reads what is new of each day, and takes the other days from old.
func (s *State) bookSources(ctx context.Context, b, old *Book) (settled, live map[int64][][]byte, err error) {
	settled, live = map[int64][][]byte{}, map[int64][][]byte{}
	to := func(days map[int64][][]byte) func(*sql.Rows) error {
		return func(r *sql.Rows) error {
			var start int64
			var data []byte
			err := r.Scan(&start, &data)
			at := floor(start, daySeconds)
			days[at] = append(days[at], data)
			return err
		}
	}
	end := b.first + BookDays*daySeconds
	return settled, live, s.look(ctx, func(tx *sql.Tx) error {
		err := s.rows(ctx, tx, to(live), "SELECT start, data FROM state_live WHERE dimension = ? AND start >= ? AND start < ?", int(ByPair), b.first, end)
		if err != nil {
			return err
		}
		from := b.first // whatever is older is as old has it
		if old != nil {
			if from, err = s.unchanged(ctx, tx, b, old, live); err != nil {
				return err
			}
		}
		return s.rows(ctx, tx, to(settled), "SELECT start, data FROM state_counts WHERE dimension = ? AND span = 24 AND start >= ? AND start < ?", int(ByPair), from, end)
	})
}

// unchanged takes days from old, and returns the first that it did not take. A day of which
// something is settled late has another size.
func (s *State) unchanged(ctx context.Context, tx *sql.Tx, b, old *Book, live map[int64][][]byte) (from int64, err error) {
	sizes := map[int64]int64{}
	one := func(r *sql.Rows) error {
		var start, size int64
		err := r.Scan(&start, &size)
		sizes[start] = size
		return err
	}
	end := b.first + BookDays*daySeconds
	err = s.rows(ctx, tx, one, "SELECT start, length(data) FROM state_counts WHERE dimension = ? AND span = 24 AND start >= ? AND start < ?", int(ByPair), b.first, end)
	from = end
	for i := range b.days {
		start := b.first + int64(i)*daySeconds
		at := int((start - old.first) / daySeconds)
		if at < 0 || at >= len(old.days) || end-start <= unsure || len(live[start]) > 0 || old.days[at].live || old.days[at].size != sizes[start] {
			from = min(from, start)
			continue
		}
		b.days[i] = old.days[at]
	}
	return from, err
}

// names gives pairs their numbers.
type names struct {
	book  *Book
	old   map[Key]uint32 // of the book before, which others may read
	fresh map[Key]uint32
	last  string // the author that came last
}

func newNames(b *Book) *names {
	return &names{book: b, old: b.ids, fresh: map[Key]uint32{}}
}

func (n *names) of(text, second []byte) uint32 {
	if id, ok := n.old[Key{string(text), string(second)}]; ok {
		return id
	}
	if id, ok := n.fresh[Key{string(text), string(second)}]; ok {
		return id
	}
	if n.last != string(text) {
		n.last = string(text)
	}
	k, id := Key{n.last, string(second)}, uint32(len(n.book.keys))
	n.book.keys = append(n.book.keys, k)
	n.fresh[k] = id
	return id
}

// merged are all numbers; maps of earlier books stay as they are.
func (n *names) merged() map[Key]uint32 {
	if len(n.old) == 0 {
		return n.fresh
	}
	all := maps.Clone(n.old)
	maps.Copy(all, n.fresh)
	return all
}

// day adds up the summaries of a day.
func (n *names) day(list []*reader, start int64) (*bookDay, error) {
	d, m := &bookDay{}, merger{}
	size := 0
	for _, r := range list {
		d.absent += r.threshold
		size = max(size, int(min(r.left, 2*Most)))
		m.push(r)
	}
	d.rows = make([]bookRow, 0, size)
	for m.next() {
		d.rows = append(d.rows, rowOf(n.of(m.text, m.second), &m.value.tally, start))
	}
	for _, r := range list {
		if err := r.fault(); err != nil {
			return nil, fmt.Errorf("counts of %s: %w", time.Unix(start, 0).UTC().Format(time.DateOnly), err)
		}
	}
	return d, nil
}

func rowOf(id uint32, t *tally, start int64) bookRow {
	n := func(at int) uint32 { return uint32(min(t.n[at], math.MaxUint32)) }
	second := func(at int64) uint32 { return uint32(max(0, min(at-start, daySeconds-1))) }
	return bookRow{id: id, messages: n(nMessages), pass: n(nPass), fail: n(nFail), tagged: n(nTagged), held: n(nHeld), deferred: n(nDeferred), refused: n(nRefused),
		failSigned: n(nFailDKIM), failBySPF: n(nFailSPF), first: second(t.first), last: second(t.last)}
}
