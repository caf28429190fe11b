package state

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"
)

// SenderKind says whether a pair is worth a look.
type SenderKind string

// The kinds.
const (
	// SenderSteady: failing mail that looks honest came on several days.
	SenderSteady SenderKind = "steady"
	// SenderNew: some came, and the pair is new.
	SenderNew SenderKind = "new"
	// SenderUsual is all that is neither.
	SenderUsual SenderKind = ""
	// SenderOnce: a few messages, none of which passed. Who forges from many places has
	// thousands of these.
	SenderOnce SenderKind = "once"
)

// What a pair has to show to stand out. The numbers are ours: those of a suggestion
// (package sources), and of what is new there.
const (
	leastHonest = 5
	// honestShare: a quarter of its failing mail has to look so, as some of what a network
	// of households sends in all is signed by somebody.
	honestShare = 4
	steadyDays  = 3
	freshDays   = 7
)

// Sender is a pair over some days.
type Sender struct {
	Author         string `json:"author_domain"`
	Own            bool   `json:"own"`
	Infrastructure string `json:"infrastructure"`
	Messages       uint64 `json:"messages"`
	Pass           uint64 `json:"pass"`
	Fail           uint64 `json:"fail"`
	// Honest is how many of Fail look honest, at least: a signature passes, or SPF does,
	// of somebody. It is no proof; who forges may have a domain of his own.
	Honest   uint64 `json:"fail_looks_honest"`
	Refused  uint64 `json:"refused"`
	Deferred uint64 `json:"deferred"`
	Held     uint64 `json:"held"`
	Tagged   uint64 `json:"tagged"`
	// First is when it was first seen in all days of the book, Last the last time.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Days  int       `json:"days"` // on which it sent
	// HonestDays are those with mail of Honest.
	HonestDays int        `json:"days_looks_honest"`
	New        bool       `json:"new"`
	Kind       SenderKind `json:"kind"`
	// Trend are its messages by day, the oldest first, and TrendFail those that fail.
	Trend     []uint64 `json:"by_day,omitempty"`
	TrendFail []uint64 `json:"fail_by_day,omitempty"`
}

// SenderQuery says which pairs are wanted. Zero fields say nothing.
type SenderQuery struct {
	Days                   int // with today; at most and by default all of the book
	Author, Infrastructure string
	Own                    func(author string) bool
	OwnOnly                bool
	Kinds                  []SenderKind // only these
	Limit                  int
	Trend                  bool
}

// Senders are pairs, what matters first.
type Senders struct {
	Since time.Time `json:"since"`
	List  []*Sender `json:"pairs"`
	All   int       `json:"all"` // that are wanted, also beyond the limit
	// Single counts those of kind SenderOnce, wanted or not.
	Single struct {
		Pairs    int    `json:"pairs"`
		Messages uint64 `json:"messages"`
		Refused  uint64 `json:"refused"`
	} `json:"once"`
	// Absent is how many messages a pair may have had at most that is not there, as others
	// had more on each of these days (Most).
	Absent uint64 `json:"absent"`
}

// sums are those of one pair.
type sums struct {
	messages, pass, fail, honest, tagged, held, deferred, refused uint64
	days, honestDays                                              uint16
	ever                                                          bool
	first, last                                                   int64
}

// Senders answers a question.
func (b *Book) Senders(q SenderQuery) *Senders {
	if q.Days < 1 || q.Days > len(b.days) {
		q.Days = len(b.days)
	}
	from := len(b.days) - q.Days
	s := &Senders{Since: time.Unix(b.first+int64(from)*daySeconds, 0).UTC()}
	all := b.sums(from)
	began := b.began()
	top, own, known := topSenders{limit: q.Limit}, false, ""
	for _, d := range b.days[from:] {
		s.Absent += d.absent
	}
	for id := range all {
		x, k := &all[id], &b.keys[id]
		if x.messages == 0 || q.Author != "" && k.Text != q.Author || q.Infrastructure != "" && k.Second != q.Infrastructure {
			continue
		}
		if q.Own != nil && (k.Text != known || id == 0) {
			own, known = q.Own(k.Text), k.Text
		}
		if q.OwnOnly && !own {
			continue
		}
		r := rankedSender{id: uint32(id), own: own, fresh: b.fresh(x, began), sums: x}
		if r.kind = x.kind(r.fresh); r.kind == SenderOnce {
			s.Single.Pairs++
			s.Single.Messages += x.messages
			s.Single.Refused += x.refused
		}
		if len(q.Kinds) > 0 && !slices.Contains(q.Kinds, r.kind) {
			continue
		}
		s.All++
		top.add(r, b.keys)
	}
	s.List = b.shown(&top)
	if q.Trend {
		b.trends(top.list, s.List, from)
	}
	return s
}

// sums adds up the days from one on; first and whether a pair was there are of all.
func (b *Book) sums(from int) []sums {
	all := make([]sums, len(b.keys))
	for i, d := range b.days {
		start := b.first + int64(i)*daySeconds
		for j := range d.rows {
			r := &d.rows[j]
			x := &all[r.id]
			if !x.ever {
				x.ever, x.first = true, start+int64(r.first)
			}
			if i < from {
				continue
			}
			honest := uint64(min(r.fail, max(r.failSigned, r.failBySPF)))
			x.messages += uint64(r.messages)
			x.pass += uint64(r.pass)
			x.fail += uint64(r.fail)
			x.honest += honest
			x.tagged += uint64(r.tagged)
			x.held += uint64(r.held)
			x.deferred += uint64(r.deferred)
			x.refused += uint64(r.refused)
			x.last = start + int64(r.last)
			x.days++
			if honest > 0 {
				x.honestDays++
			}
		}
	}
	return all
}

// began is the first day with messages.
func (b *Book) began() int64 {
	for i, d := range b.days {
		if len(d.rows) > 0 {
			return b.first + int64(i)*daySeconds
		}
	}
	return math.MaxInt64
}

// fresh reports whether a pair was first seen in the last days, where the book goes back
// further than these.
func (b *Book) fresh(x *sums, began int64) bool {
	since := b.first + int64(len(b.days)-freshDays)*daySeconds
	return began < since && x.first >= since
}

func (x *sums) kind(fresh bool) SenderKind {
	honest := x.honest >= leastHonest && x.honest*honestShare >= x.fail
	switch {
	case honest && x.honestDays >= steadyDays:
		return SenderSteady
	case honest && fresh:
		return SenderNew
	case x.pass == 0 && x.messages < leastHonest:
		return SenderOnce
	}
	return SenderUsual
}

// rankedSender is a pair while the first ones are looked for.
type rankedSender struct {
	id         uint32
	own, fresh bool
	kind       SenderKind
	sums       *sums
}

// class orders kinds of pairs: own domains first, of them those that stand out. What came
// once is behind all others, whoever it poses as, as there is no end of it.
func (r *rankedSender) class() int {
	class := 0
	switch {
	case r.kind == SenderOnce:
		class = 4
	case !r.own:
		class = 2
	}
	if r.kind == SenderUsual || r.kind == SenderOnce && !r.own {
		class++
	}
	return class
}

// topSenders keeps those that rank highest.
type topSenders struct {
	limit int
	list  []rankedSender // a heap, the lowest first, until it is sorted
	keys  []Key
}

func (t *topSenders) higher(a, b *rankedSender) int {
	return cmp.Or(a.class()-b.class(), cmp.Compare(b.sums.honest, a.sums.honest), cmp.Compare(b.sums.fail, a.sums.fail),
		cmp.Compare(b.sums.messages, a.sums.messages), t.keys[a.id].compare(t.keys[b.id]))
}

func (t *topSenders) add(r rankedSender, keys []Key) {
	t.keys = keys
	switch {
	case t.limit <= 0 || len(t.list) < t.limit:
		heap.Push(t, r)
	case t.higher(&r, &t.list[0]) < 0:
		t.list[0] = r
		heap.Fix(t, 0)
	}
}

// Len and so on are for package heap.
func (t *topSenders) Len() int           { return len(t.list) }
func (t *topSenders) Less(i, j int) bool { return t.higher(&t.list[i], &t.list[j]) > 0 }
func (t *topSenders) Swap(i, j int)      { t.list[i], t.list[j] = t.list[j], t.list[i] }

// Push is for package heap.
func (t *topSenders) Push(x any) { t.list = append(t.list, x.(rankedSender)) }

// Pop is for package heap.
func (t *topSenders) Pop() any {
	x := t.list[len(t.list)-1]
	t.list = t.list[:len(t.list)-1]
	return x
}

// shown sorts those that were kept.
func (b *Book) shown(top *topSenders) []*Sender {
	slices.SortFunc(top.list, func(x, y rankedSender) int { return top.higher(&x, &y) })
	list := make([]*Sender, len(top.list))
	for i := range top.list {
		r := &top.list[i]
		x, k := r.sums, b.keys[r.id]
		list[i] = &Sender{Author: k.Text, Own: r.own, Infrastructure: k.Second, Messages: x.messages, Pass: x.pass, Fail: x.fail, Honest: x.honest,
			Refused: x.refused, Deferred: x.deferred, Held: x.held, Tagged: x.tagged, First: time.Unix(x.first, 0).UTC(), Last: time.Unix(x.last, 0).UTC(),
			Days: int(x.days), HonestDays: int(x.honestDays), New: r.fresh, Kind: r.kind}
	}
	return list
}

// trends adds what was sent by day.
func (b *Book) trends(of []rankedSender, list []*Sender, from int) {
	places := make([]int32, len(b.keys)) // from 1
	for i := range of {
		places[of[i].id] = int32(i + 1)
		list[i].Trend, list[i].TrendFail = make([]uint64, len(b.days)-from), make([]uint64, len(b.days)-from)
	}
	for i, d := range b.days[from:] {
		for j := range d.rows {
			if r := &d.rows[j]; places[r.id] > 0 {
				s := list[places[r.id]-1]
				s.Trend[i], s.TrendFail[i] = uint64(r.messages), uint64(r.fail)
			}
		}
	}
}

// PairDay is what a pair sent on a day of UTC.
type PairDay struct {
	Begin time.Time
	Counts
}

// Days are the last days of a pair, the oldest first, also those without mail of it.
func (b *Book) Days(author, infrastructure string, days int) []PairDay {
	if days < 1 || days > len(b.days) {
		days = len(b.days)
	}
	id, known := b.ids[Key{author, infrastructure}]
	var list []PairDay
	for i := len(b.days) - days; i < len(b.days); i++ {
		start := b.first + int64(i)*daySeconds
		day := PairDay{Begin: time.Unix(start, 0).UTC()}
		for j := range b.days[i].rows {
			if r := &b.days[i].rows[j]; known && r.id == id {
				day.Counts = Counts{Messages: uint64(r.messages), Pass: uint64(r.pass), Fail: uint64(r.fail), Tagged: uint64(r.tagged), Held: uint64(r.held),
					Deferred: uint64(r.deferred), Refused: uint64(r.refused), FailDKIM: uint64(r.failSigned), FailSPF: uint64(r.failBySPF),
					First: time.Unix(start+int64(r.first), 0).UTC(), Last: time.Unix(start+int64(r.last), 0).UTC()}
				break
			}
		}
		list = append(list, day)
	}
	return list
}
