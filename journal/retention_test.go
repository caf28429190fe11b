package journal

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

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
			r := Retention{Log: slog.New(slog.NewTextHandler(&said, nil))}
			for i, after := range c.clock {
				if got := r.DueAfter(noon.Add(after), time.Duration(i)*minute, c.newest); got != c.want[i] {
					t.Errorf("look %d: due is %t", i, got)
				}
			}
			if (said.Len() > 0) != (c.said != "") || !strings.Contains(said.String(), c.said) {
				t.Errorf("said %q", said.String())
			}
		})
	}
	r := Retention{Log: slog.New(slog.DiscardHandler)}
	old := noon.AddDate(0, 0, -3)
	if r.DueAfter(noon, 0, old) || !r.DueAfter(noon.Add(idleWait), idleWait, old) {
		t.Error("an hour after the start of an old journal it is due")
	}
}
