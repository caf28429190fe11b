package state

import (
	"cmp"
	"slices"
	"strings"
)

// Key is a value of a dimension. Author and Infrastructure of a pair are both of its
// texts; other values have the first only.
type Key struct{ Text, Second string }

func (k Key) compare(o Key) int {
	return cmp.Or(strings.Compare(k.Text, o.Text), strings.Compare(k.Second, o.Second))
}

// Most is how many values of a dimension a settled time has. One in the making has up to
// twice as many before those beyond leave it. The number is ours.
const Most = 10_000

// summary counts the values of a dimension in some time, the most frequent ones one by
// one and the rest together. It is a Space-Saving sketch (Metwally, Agrawal and El
// Abbadi, 2005) that keeps what it has truly seen apart from what it may have missed.
//
// Up to twice Most values all is exact. Beyond, the least frequent leave for rest, and
// threshold grows to the most that one of them may have had. A value that comes later
// may be one of those: its missed is that threshold. So a count is never too high and
// at most missed too low, and missed is at most the messages of that time divided by
// Most. A value with more messages than that is always there, however many others
// come once.
type summary struct {
	most      int // Most, but for tests
	values    map[Key]*value
	threshold uint64 // what a value that is absent may have had at most
	rest      tally
	dirty     bool // it is not on disk as it is
}

type value struct {
	tally
	missed uint64
}

func newSummary() *summary { return &summary{most: Most, values: map[Key]*value{}} }

// of is the value of k, which is made where it is absent.
func (s *summary) of(k Key) *value {
	v := s.values[k]
	if v == nil {
		if len(s.values) >= 2*s.most {
			s.shorten()
		}
		v = &value{missed: s.threshold}
		s.values[k] = v
	}
	return v
}

func (s *summary) add(k Key, t *tally) {
	s.of(k).add(t)
	s.dirty = true
}

// merge adds what o counts of another time or host.
func (s *summary) merge(o *summary) {
	for k, v := range s.values {
		if o.values[k] == nil {
			v.missed += o.threshold
		}
	}
	for k, v := range o.values {
		mine := s.values[k]
		if mine == nil {
			mine = &value{missed: s.threshold}
			s.values[k] = mine
		}
		mine.add(&v.tally)
		mine.missed += v.missed
	}
	s.threshold += o.threshold
	s.rest.add(&o.rest)
	s.dirty = true
}

// shorten moves all but the most frequent values to the rest. Of equally frequent ones
// those stay that passed more often: who floods with forgeries has few of these.
func (s *summary) shorten() {
	if len(s.values) <= s.most {
		return
	}
	order := make([]ranked, 0, len(s.values))
	for k, v := range s.values {
		order = append(order, ranked{k, v})
	}
	slices.SortFunc(order, ranked.compare)
	for _, r := range order[s.most:] {
		s.threshold = max(s.threshold, r.weight())
		s.rest.add(&r.value.tally)
		delete(s.values, r.key)
	}
	s.dirty = true
}

type ranked struct {
	key   Key
	value *value
}

// weight is the most that the value may have had.
func (r ranked) weight() uint64 { return r.value.n[nMessages] + r.value.missed }

// compare orders the most frequent first, and every two the same way each time.
func (r ranked) compare(o ranked) int {
	return cmp.Or(cmp.Compare(o.weight(), r.weight()), cmp.Compare(o.value.n[nPass], r.value.n[nPass]), r.key.compare(o.key))
}
