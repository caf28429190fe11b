package state

import (
	"context"
	"testing"
	"time"

	"alignd/journal/spool"
)

func TestTrendsCountWhatQuestionsCount(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		for n := range 100 {
			m := mail{at: noon.Add(time.Duration(n-100) * 40 * time.Minute), author: "a.example", rule: []string{"one", "two"}[n%2]}
			take(t, s, spool.ID{1}, m.raw(n+1))
		}
		first := noon.Add(-60 * time.Hour)
		for _, settledUntil := range []time.Time{{}, noon.Add(-30 * time.Hour)} {
			if err := s.flush(ctx); err != nil {
				t.Fatal(err)
			}
			if !settledUntil.IsZero() {
				s.tidied = time.Time{}
				if err := s.Tidy(ctx, settledUntil); err != nil {
					t.Fatal(err)
				}
			}
			day, err := s.DaysOf(ctx, ByRule, "one", first)
			if err != nil {
				t.Fatal(err)
			}
			hours, err := s.Hours(ctx, first)
			if err != nil {
				t.Fatal(err)
			}
			check := func(kind string, got map[time.Time]Counts, span time.Duration, q Question) {
				t.Helper()
				for at := first.Truncate(span); at.Before(noon); at = at.Add(span) {
					q.Since, q.Until = at, at.Add(span)
					table, err := s.Count(ctx, q)
					if err != nil {
						t.Fatal(err)
					}
					var want Counts
					for i := range table.Rows {
						want.Add(&table.Rows[i].Counts)
					}
					if got[at] != want {
						t.Errorf("%s at %s, settled until %s: %+v, want %+v", kind, at, settledUntil, got[at], want)
					}
				}
			}
			each := map[string][]uint64{"one": make([]uint64, 3), "three": make([]uint64, 1)}
			if err := s.DaysEach(ctx, ByRule, first, each); err != nil {
				t.Fatal(err)
			}
			for i, n := range each["one"] {
				if want := day[first.Truncate(24*time.Hour).AddDate(0, 0, i)].Messages; n != want || each["three"][0] != 0 {
					t.Errorf("day %d of each: %d, want %d", i, n, want)
				}
			}
			check("days of a rule", day, 24*time.Hour, Question{By: ByRule, Only: "one"})
			check("hours", hours, time.Hour, Question{})
		}
	})
}
