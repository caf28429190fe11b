package rollout

import (
	"context"
	"fmt"
	"time"

	"alignd/journal/state"
	"alignd/policy"
)

// Of these numbers all are ours but for passedWithin.
const (
	// A sender is steady, so that its failing mail counts, where on steadyDays days of UTC
	// of the last passedWithin mail of it passed by SPF, and that is one of steadyPart of
	// its messages at least. A signed message passes again wherever it is sent from, and
	// says nothing of who sends it.
	passedWithin = 30 // days, and today
	steadyDays   = 3
	steadyPart   = 10
)

// counters reads what stages are stopped by, each span of time once.
type counters struct {
	state State
	now   time.Time
	known map[pairKey]bool // senders that are steady
	spans map[time.Time][]state.Pair
}

type pairKey struct{ author, infrastructure string }

// of are the counts of the time that a stage is judged by: its last hours, but not those
// before an admin resumed it.
func (c *counters) of(ctx context.Context, x *policy.Watch, list []state.Stop) ([]policy.Tally, error) {
	since := c.now.Add(-x.Stage.StopIf.Over)
	for _, s := range list {
		if s.ID == x.ID && string(s.Fingerprint) == string(x.Fingerprint[:]) && s.Resumed.After(since) {
			since = s.Resumed.Truncate(time.Hour).Add(time.Hour) // hours are not divided
		}
	}
	if since.After(c.now) {
		return nil, nil
	}
	if c.known == nil {
		var err error
		if c.known, err = c.steady(ctx); err != nil {
			return nil, err
		}
		c.spans = map[time.Time][]state.Pair{}
	}
	pairs, read := c.spans[since]
	if !read {
		var err error
		if pairs, err = c.state.Pairs(ctx, state.PairQuery{Since: since, Until: c.now.Add(time.Hour)}); err != nil {
			return nil, err
		}
		c.spans[since] = pairs
	}
	tallies := make([]policy.Tally, len(pairs))
	for i := range pairs {
		p := &pairs[i]
		tallies[i] = policy.Tally{Author: p.Author, Infrastructure: p.Infrastructure, Pass: p.Pass, Fail: p.Fail, PassRefused: p.PassSPFRefused,
			Known: c.known[pairKey{p.Author, p.Infrastructure}]}
	}
	return tallies, nil
}

// steady are the senders whose failing mail counts.
func (c *counters) steady(ctx context.Context) (map[pairKey]bool, error) {
	const day = 24 * time.Hour
	today := c.now.UTC().Truncate(day)
	first, end := today.Add(-passedWithin*day), today.Add(day)
	all, err := c.state.Pairs(ctx, state.PairQuery{Since: first, Until: end, BySPF: true})
	if err != nil {
		return nil, err
	}
	days := map[pairKey]int{}
	for at := first; at.Before(end); at = at.Add(day) {
		list, err := c.state.Pairs(ctx, state.PairQuery{Since: at, Until: at.Add(day), BySPF: true})
		if err != nil {
			return nil, err
		}
		for i := range list {
			days[pairKey{list[i].Author, list[i].Infrastructure}]++
		}
	}
	known := map[pairKey]bool{}
	for i := range all {
		p := &all[i]
		if key := (pairKey{p.Author, p.Infrastructure}); days[key] >= steadyDays && p.PassSPF >= (p.Messages+steadyPart-1)/steadyPart {
			known[key] = true
		}
	}
	return known, nil
}

// wouldHave says what the stage would have been about, had it gone on.
func wouldHave(x *policy.Watch, tallies []policy.Tally) string {
	var fail, known uint64
	for i := range tallies {
		if t := &tallies[i]; x.Covers(t.Author) {
			if fail += t.Fail; t.Known {
				known += t.Fail
			}
		}
	}
	return fmt.Sprintf("%d failing messages of the last %d h would come under %s, not %s; %d are of senders that passed steadily",
		fail, int(x.Stage.StopIf.Over.Hours()), x.Stage.Name, x.Before, known)
}
