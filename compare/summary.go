package compare

import (
	"cmp"
	"slices"
	"time"

	"alignd/evidence"
	"alignd/policy"
)

// Summary adds up what filters in front and alignd said of many messages. The zero value
// is empty. It is not safe for concurrent use.
type Summary struct {
	Messages int // that were judged beside a filter
	// First and Last are when the first and the last of them began.
	First, Last time.Time
	Filters     []*Filter // in the order of their ids
}

// Filter is one filter in front, by its authserv-id.
type Filter struct {
	With string
	// Wrote is how many messages had a field of it; Absent, how many had none.
	Wrote, Absent int
	// Compared is how many messages had a result that could be compared, and Agreed
	// those of them in which all were the same.
	Compared, Agreed int
	Methods          []*Method // in the order spf, dkim, dmarc, header.from, arc, iprev
	Kinds            []*Kind   // after Sort, the most frequent first
	// Other is how many differences are in no Kind, as there were MaxKinds.
	Other int
}

// Method counts the results of one method.
type Method struct {
	Method           string
	Compared, Agreed int
}

// Kind is one kind of difference.
type Kind struct {
	Difference // of the first one; Of and, of header.from, both words are its own
	Count      int
	Samples    []string // names of messages, at most MaxSamples
}

// Bounds of a Summary; ours.
const (
	MaxKinds   = 500
	MaxSamples = 3
)

// Add counts a message; name is how an admin finds it again.
func (s *Summary) Add(name string, ev *evidence.Message, v *policy.Verdict) {
	if len(ev.Incumbents) == 0 {
		return
	}
	s.Messages++
	if s.First.IsZero() || ev.Time.Before(s.First) {
		s.First = ev.Time
	}
	if ev.Time.After(s.Last) {
		s.Last = ev.Time
	}
	for i := range ev.Incumbents {
		f := s.filter(ev.Incumbents[i].ServID)
		if ev.Incumbents[i].Fields == 0 {
			f.Absent++
		} else {
			f.Wrote++
		}
	}
	differs, compared := map[*Filter]bool{}, map[*Filter]bool{}
	for _, p := range Pairs(ev, v) {
		f := s.filter(p.With)
		m := f.method(p.Method)
		m.Compared++
		compared[f] = true
		if p.Same() {
			m.Agreed++
		} else {
			differs[f] = true
		}
	}
	for f := range compared {
		f.Compared++
		if !differs[f] {
			f.Agreed++
		}
	}
	for _, d := range Differences(ev, v) {
		s.filter(d.With).count(name, d)
	}
}

func (s *Summary) filter(id string) *Filter {
	for _, f := range s.Filters {
		if f.With == id {
			return f
		}
	}
	f := &Filter{With: id}
	s.Filters = append(s.Filters, f)
	slices.SortFunc(s.Filters, func(a, b *Filter) int { return cmp.Compare(a.With, b.With) })
	return f
}

var methodOrder = []string{SPF, DKIM, DMARC, From, ARC, IPRev}

func (f *Filter) method(name string) *Method {
	for _, m := range f.Methods {
		if m.Method == name {
			return m
		}
	}
	m := &Method{Method: name}
	f.Methods = append(f.Methods, m)
	slices.SortFunc(f.Methods, func(a, b *Method) int {
		return slices.Index(methodOrder, a.Method) - slices.Index(methodOrder, b.Method)
	})
	return m
}

func (f *Filter) count(name string, d Difference) {
	i := slices.IndexFunc(f.Kinds, func(k *Kind) bool { return k.same(&d) })
	switch {
	case i >= 0:
	case len(f.Kinds) >= MaxKinds: // who writes the fields chooses the words
		f.Other++
		return
	default:
		i = len(f.Kinds)
		f.Kinds = append(f.Kinds, &Kind{Difference: d})
	}
	k := f.Kinds[i]
	k.Count++
	if len(k.Samples) < MaxSamples && !slices.Contains(k.Samples, name) {
		k.Samples = append(k.Samples, name)
	}
}

// same reports whether a difference is of this kind. That of two Author Domains is,
// whatever they are.
func (k *Kind) same(d *Difference) bool {
	return k.Method == d.Method && k.Rule == d.Rule && (k.Method == From || k.Theirs == d.Theirs && k.Ours == d.Ours)
}

// Sort puts the most frequent kinds first.
func (s *Summary) Sort() {
	for _, f := range s.Filters {
		slices.SortStableFunc(f.Kinds, func(a, b *Kind) int { return b.Count - a.Count })
	}
}

// Settled reports whether something was compared with each filter, and whoever differs
// from alignd is not right, as far as it can be told.
func (s *Summary) Settled() bool {
	for _, f := range s.Filters {
		if f.Compared == 0 || f.Other > 0 || slices.ContainsFunc(f.Kinds, func(k *Kind) bool { return k.Right != Ours }) {
			return false
		}
	}
	return len(s.Filters) > 0
}
