package rollout

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"alignd/internal/terminal"
	"alignd/journal/state"
	"alignd/policy"
)

// Show writes how each stage stands, and reports whether one is stopped.
func Show(ctx context.Context, out io.Writer, kept State, watches []policy.Watch, now time.Time) (stopped bool, err error) {
	list, err := kept.Stops(ctx)
	if err != nil {
		return false, err
	}
	held := heldStops(watches, list)
	counted := counters{state: kept, now: now}
	for i := range watches {
		x := &watches[i]
		tallies, err := counted.of(ctx, x, list)
		if err != nil {
			return false, err
		}
		fmt.Fprintln(out, terminal.Line(stageStatus(x, held, watches[:i], now)))
		if s, ok := held[x.ID]; ok {
			fmt.Fprintf(out, "  %s\n  alignd rollout resume %s has it go on\n", terminal.Line(s.Reason), terminal.Line(x.ID))
		}
		fmt.Fprintf(out, "  %s\n", terminal.Line(wouldHave(x, tallies)))
		if why := x.Exceeded(slices.Values(tallies)); why != "" {
			fmt.Fprintf(out, "  now: %s\n", terminal.Line(why))
		}
	}
	return len(held) > 0, nil
}

// stageStatus is the line of one stage.
func stageStatus(x *policy.Watch, stopped map[string]state.Stop, before []policy.Watch, now time.Time) string {
	s, held := stopped[x.ID]
	switch {
	case held:
		return fmt.Sprintf("%s: stopped since %s, the rollout stays at %s", x.ID, s.At.UTC().Format(time.RFC3339), x.Before)
	case behindStop(before, x, stopped):
		return x.ID + ": does not begin, as a stage before it is stopped"
	case now.Before(x.Stage.Start):
		return fmt.Sprintf("%s: begins at %s", x.ID, x.Stage.Start.UTC().Format(time.RFC3339))
	}
	return x.ID + ": has begun"
}

// heldStops are the stops that hold for what stands in the configuration.
func heldStops(watches []policy.Watch, list []state.Stop) map[string]state.Stop {
	held := map[string]state.Stop{}
	for _, s := range list {
		for i := range watches {
			if x := &watches[i]; s.ID == x.ID && s.Resumed.IsZero() && string(s.Fingerprint) == string(x.Fingerprint[:]) {
				held[s.ID] = s
			}
		}
	}
	return held
}

// behindStop reports whether an earlier stage of the same rollout is stopped.
func behindStop(before []policy.Watch, x *policy.Watch, stopped map[string]state.Stop) bool {
	return slices.ContainsFunc(before, func(y policy.Watch) bool {
		_, held := stopped[y.ID]
		return held && y.Entry == x.Entry
	})
}
