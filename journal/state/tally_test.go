package state

import (
	"context"
	"fmt"
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/spool"
)

// tallied has s count what of says of each of n messages.
func tallied(t *testing.T, s *State, first, n int, of func(i int) Tally) {
	t.Helper()
	i := first
	s.reports.of = func(*journal.Entry) []Tally { i++; return []Tally{of(i - 1)} }
	for k := range n {
		take(t, s, spool.ID{1}, mail{at: noon, author: "a.example"}.raw(first+k+1))
	}
	if err := s.flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func key(format string, args ...any) (k [32]byte) {
	copy(k[:], fmt.Sprintf(format, args...))
	return k
}

func today() time.Time { return noon.Truncate(24 * time.Hour) }

// Forged mail fills a report, and what passes has room still.
func TestForgedMailLeavesRoomForWhatPasses(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s := context.Background(), open()
		of := func(passed bool) func(int) Tally {
			return func(i int) Tally {
				return Tally{Report: key("r"), Day: today(), Domain: "a.example", Org: "a.example", About: []byte("{}"), Passed: passed, Line: key("%v %d", passed, i), Data: []byte("{}")}
			}
		}
		tallied(t, s, 0, 1, of(true))
		if _, err := s.exec(ctx, s.db, "UPDATE state_tallies SET lines = ?", maxLines); err != nil {
			t.Fatal(err)
		}
		tallied(t, s, 1, 3, of(false))
		tallied(t, s, 4, 2, of(true))
		var d Draft
		if err := s.Drafts(ctx, today().Add(24*time.Hour), func(x *Draft) { d = *x }); err != nil {
			t.Fatal(err)
		}
		if d.Messages != 6 || d.Dropped != 3 || d.Lines != maxLines+2 {
			t.Errorf("%+v", d)
		}
	})
}

// A report that says much of itself counts as many lines, so that a day is bounded.
func TestALongReportCountsAsManyLines(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s := context.Background(), open()
		tallied(t, s, 0, 2, func(i int) Tally {
			return Tally{Report: key("r"), Day: today(), Domain: "a.example", Org: "a.example", About: make([]byte, freeAbout+10*lineUnit), Line: key("%d", i), Data: []byte("{}")}
		})
		lines := int64(0)
		if err := s.Drafts(ctx, today().Add(24*time.Hour), func(x *Draft) { lines = x.Lines }); err != nil || lines != 12 {
			t.Errorf("%d lines, %v", lines, err)
		}
	})
}

// Whoever has one domain has names without number: of few is remembered that mail passed.
func TestPassesOfOneOrganizationAreBounded(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s := context.Background(), open()
		tallied(t, s, 0, maxOfOrg+20, func(i int) Tally {
			return Tally{OnlyPassed: true, Day: today(), Domain: fmt.Sprintf("a%d.evil.example", i), Org: "evil.example"}
		})
		tallied(t, s, 200, maxOfOrg+20, func(i int) Tally {
			name := fmt.Sprintf("a%d.worse.example", i)
			return Tally{Report: key("%s", name), Day: today(), Domain: name, Org: "worse.example", About: []byte("{}"), Passed: true, Line: key("l"), Data: []byte("{}")}
		})
		tallied(t, s, 400, 1, func(int) Tally {
			return Tally{OnlyPassed: true, Day: today(), Domain: "shop.example", Org: "shop.example"}
		})
		who, err := s.Deserving(ctx, today(), 1)
		if err != nil || len(who) != 2*maxOfOrg+1 || !who["shop.example"] {
			t.Errorf("%d domains, %v", len(who), err)
		}
	})
}
