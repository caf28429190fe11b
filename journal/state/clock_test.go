package state

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"alignd/journal/spool"
)

// A clock that is wrong removes no counts: neither one that is set while alignd runs, nor one
// that is years ahead at the start.
func TestAWrongClockRemovesNoCounts(t *testing.T) {
	const years = 12_000 * time.Hour
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		newer time.Duration   // after noon, of what the run before counted last
		clock []time.Duration // after noon, of one look after the other
		left  bool
		said  string
	}{
		{name: "a clock that is right", clock: []time.Duration{time.Hour, 2 * time.Hour}, left: true},
		{name: "a clock that is right, and old counts", newer: years - time.Hour, clock: []time.Duration{years, years + time.Hour}},
		{name: "a clock that is years ahead at the start", clock: []time.Duration{years, years + time.Minute}, left: true, said: "the newest counts are over a day old"},
		{name: "a clock that is set by years", clock: []time.Duration{time.Hour, years, years + time.Minute}, left: true, said: "the clock jumped, so no old counts are removed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stores(t, func(t *testing.T, open func() *State) {
				first := open()
				take(t, first, spool.ID{1}, mail{at: noon, author: "a.example"}.raw(1), mail{at: noon.Add(c.newer), author: "c.example"}.raw(2))
				if err := first.settleDue(ctx, noon.Add(years)); err != nil {
					t.Fatal(err)
				}
				if err := first.Close(); err != nil {
					t.Fatal(err)
				}
				s := open()
				var said bytes.Buffer
				s.aged.Log = slog.New(slog.NewTextHandler(&said, nil))
				// It counts by its clock before it looks for the first time.
				take(t, s, spool.ID{2}, mail{at: noon.Add(c.clock[0]), author: "b.example"}.raw(1))
				s.started = time.Now().Add(-2 * forgetAfter)
				for _, after := range c.clock {
					if err := s.Tidy(ctx, noon.Add(after)); err != nil {
						t.Fatal(err)
					}
				}
				table, err := s.Count(ctx, Question{By: ByDomain})
				if err != nil {
					t.Fatal(err)
				}
				found := false
				for _, row := range table.Rows {
					found = found || row.Text == "a.example"
				}
				if found != c.left || (c.said == "") != (said.Len() == 0) || !strings.Contains(said.String(), c.said) {
					t.Errorf("counts are left: %v; said %q", found, said.String())
				}
			})
		})
	}
}
