package state

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// The same question is answered again for a minute, another one and a later one anew, where
// reports are too many to have them in memory.
func TestElsewhereIsRememberedForAMinute(t *testing.T) {
	defer func(was int64) { maxBookOthers = was }(maxBookOthers)
	maxBookOthers = 0
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s, memory := context.Background(), open(), Remembered{}
		s.Remember(&memory)
		q := ElsewhereQuery{Since: noon.Add(-48 * time.Hour), Unproven: true}
		count := func(q ElsewhereQuery) int64 {
			t.Helper()
			e, err := s.Elsewhere(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			return e.Reports
		}
		add := func(id string) {
			t.Helper()
			if err := s.AddOther(ctx, &Other{Domain: "a.example", Org: "o.example", ReportID: id, Start: noon, Until: noon.Add(time.Hour), Trust: TrustVouched, Reporter: "o.example", Stored: noon,
				Rows: []OtherRow{{Source: "192.0.2.1", Network: "192.0.2.0/24", Author: "a.example", Messages: 1}}}); err != nil {
				t.Fatal(err)
			}
		}
		add("1")
		first := count(q)
		add("2")
		local := q
		local.Since = q.Since.In(time.FixedZone("", 3600))
		other := q
		other.Author = "a.example"
		if again, here, anew := count(q), count(local), count(other); first != 1 || again != 1 || here != 1 || anew != 2 {
			t.Errorf("%d, again %d and %d, of another question %d", first, again, here, anew)
		}
		for i := range memory.list {
			memory.list[i].at = memory.list[i].at.Add(-rememberedFor)
		}
		if later := count(q); later != 2 {
			t.Errorf("after a minute: %d reports", later)
		}
	})
}

// What is remembered has a bound, by answers and by what is in them.
func TestRememberedHasABound(t *testing.T) {
	r, now := Remembered{}, noon
	ask := func(i int) ElsewhereQuery { return ElsewhereQuery{Author: fmt.Sprint(i)} }
	for i := range 3 * rememberedAnswers {
		r.keep(ask(i), &Elsewhere{}, now)
		r.keep(ask(i), &Elsewhere{Reports: int64(i)}, now)
	}
	if n := len(r.list); n != rememberedAnswers {
		t.Errorf("%d answers", n)
	}
	if e := r.find(ask(3*rememberedAnswers-1), now); e == nil || e.Reports != 3*rememberedAnswers-1 {
		t.Errorf("the newest is %v", e)
	}
	r.keep(ask(0), &Elsewhere{Sources: make([]ElsewhereSource, maxElsewhere)}, now)
	r.keep(ask(1), &Elsewhere{Sources: make([]ElsewhereSource, 1)}, now)
	if len(r.list) != 1 || r.find(ask(1), now) == nil {
		t.Errorf("%d answers", len(r.list))
	}
}
