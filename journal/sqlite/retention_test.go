package sqlite

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/journal/spool"
)

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		list = append(list, strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".db"), ".sealed"))
	}
	return list
}

// filled has a file for each of the days before noon, some of them.
func filled(t *testing.T, opt Options, days ...int) *Store {
	t.Helper()
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for i, back := range days {
		take(t, s, spool.ID{1}, batch(1+10*i, 10, noon.AddDate(0, 0, -back)))
	}
	return s
}

func TestRetentionByAgeAndSize(t *testing.T) {
	t.Run("age", func(t *testing.T) {
		opt := Options{Dir: t.TempDir(), Keep: 48 * time.Hour}
		s := filled(t, opt, 5, 3, 2, 1, 0)
		if err := s.retain(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if got, want := names(t, opt.Dir), []string{"2026-11-25.1", "2026-11-26.1", "2026-11-27.1"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("size", func(t *testing.T) {
		opt := Options{Dir: t.TempDir(), MaxSize: 1}
		s := filled(t, opt, 2, 1, 0)
		if err := s.retain(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if got, want := names(t, opt.Dir), []string{"2026-11-27.1"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v: the newest stays", got, want)
		}
	})
}

func TestAWrongClockRemovesNothing(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		name   string
		newest time.Time
		clock  []time.Duration // after noon, a minute apart by the monotonic clock
		want   []bool
		said   string
	}{
		{name: "a clock that goes as time does", newest: noon, clock: []time.Duration{0, minute, 2 * minute}, want: []bool{true, true, true}},
		{name: "a clock that is set by an hour", newest: noon, clock: []time.Duration{0, time.Hour}, want: []bool{true, true}},
		{name: "a clock that jumps by years", newest: noon, clock: []time.Duration{0, 9000 * time.Hour, 9000*time.Hour + minute}, want: []bool{true, false, false}, said: "clock jumped"},
		{name: "a clock that jumps back", newest: noon, clock: []time.Duration{0, -9000 * time.Hour}, want: []bool{true, false}, said: "clock jumped"},
		{name: "a journal that is three days old at the start", newest: noon.AddDate(0, 0, -3), clock: []time.Duration{0, minute}, want: []bool{false, false}, said: "over a day old"},
		{name: "an empty journal", clock: []time.Duration{0}, want: []bool{true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said bytes.Buffer
			r := retention{log: slog.New(slog.NewTextHandler(&said, nil))}
			for i, after := range c.clock {
				if got := r.due(noon.Add(after), time.Duration(i)*minute, c.newest); got != c.want[i] {
					t.Errorf("look %d: due is %t", i, got)
				}
			}
			if (said.Len() > 0) != (c.said != "") || !strings.Contains(said.String(), c.said) {
				t.Errorf("said %q", said.String())
			}
		})
	}
	r := retention{log: slog.New(slog.DiscardHandler)}
	old := noon.AddDate(0, 0, -3)
	if r.due(noon, 0, old) || !r.due(noon.Add(idleWait), idleWait, old) {
		t.Error("an hour after the start of an old journal it is due")
	}
}
