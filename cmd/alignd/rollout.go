package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"alignd/journal/state"
	"alignd/judge"
	"alignd/policy"
)

// The numbers of the watch over rollouts are ours, but for
// passedWithin.
const (
	// watchEvery is how often counters are read.
	watchEvery = time.Minute
	// watchAhead is how long before its begin a stage is looked at, so that one that is to
	// be stopped does not begin.
	watchAhead = 2 * watchEvery
	// watchPatience is how long the counters may take.
	watchPatience = 5 * time.Second
	// A sender is steady, so that its failing mail counts, where on steadyDays days of UTC
	// of the last passedWithin mail of it passed by SPF, and that is one of steadyPart of
	// its messages at least. A signed message passes again wherever it is sent from, and
	// says nothing of who sends it.
	passedWithin = 30 // days, and today
	steadyDays   = 3
	steadyPart   = 10
)

// stopState is where stops and counters are; *state.State is one.
type stopState interface {
	Stops(context.Context) ([]state.Stop, error)
	SetStop(context.Context, state.Stop) error
	Pairs(context.Context, state.PairQuery) ([]state.Pair, error)
}

// rolloutWatch stops stages of rollouts that exceed their bounds (stop_if), and has
// messages judged by what is stopped. A nil one does nothing.
type rolloutWatch struct {
	log   *slog.Logger
	state stopState
	stops *judge.Stops
	cache string // file that remembers the stops where the state cannot be read
	now   func() time.Time
	rules atomic.Pointer[policy.Rules]
	count atomic.Int64 // of stages that are stopped

	mu      sync.Mutex // of look
	held    map[string]bool
	blind   bool // the last look failed
	done    chan struct{}
	running sync.WaitGroup
}

func newRolloutWatch(s stopState, cache string, log *slog.Logger) *rolloutWatch {
	return &rolloutWatch{log: log, state: s, stops: &judge.Stops{}, cache: cache, now: time.Now, held: map[string]bool{}, done: make(chan struct{})}
}

// begin looks for the first time, so that what was stopped before a restart is stopped
// for the first message, and then once a minute.
func (w *rolloutWatch) begin(rules *policy.Rules) {
	if w == nil {
		return
	}
	w.use(rules)
	w.running.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-tick.C:
				w.look()
			}
		}
	})
}

// use takes up the rules of a reload.
func (w *rolloutWatch) use(rules *policy.Rules) {
	if w != nil {
		w.rules.Store(rules)
		w.look()
	}
}

func (w *rolloutWatch) close() {
	if w != nil {
		close(w.done)
		w.running.Wait()
	}
}

// look reads stops and counters. What cannot be read changes nothing.
func (w *rolloutWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	watches := w.rules.Load().Watches()
	if len(watches) == 0 {
		w.hold(nil)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), watchPatience)
	defer cancel()
	if err := w.lookAt(ctx, watches); err != nil {
		if !w.blind {
			w.log.Warn("the counters of rollouts cannot be read, what is stopped stays so", "err", err)
		}
		if w.blind = true; len(w.held) == 0 {
			w.hold(w.remembered(watches))
		}
		return
	}
	w.blind = false
}

func (w *rolloutWatch) lookAt(ctx context.Context, watches []policy.Watch) error {
	if w.state == nil {
		return errors.New("there are none, see above")
	}
	list, err := w.state.Stops(ctx)
	if err != nil {
		return err
	}
	stopped := heldStops(watches, list)
	counted := counters{state: w.state, now: w.now()}
	for i := range watches {
		x := &watches[i]
		if _, held := stopped[x.ID]; held || counted.now.Add(watchAhead).Before(x.Stage.Start) || behindStop(watches[:i], x, stopped) {
			continue
		}
		tallies, err := counted.of(ctx, x, list)
		if err != nil {
			w.hold(stopped)
			return err
		}
		why := x.Exceeded(slices.Values(tallies))
		if why == "" {
			continue
		}
		stop := state.Stop{ID: x.ID, At: counted.now.UTC(), Reason: why, Fingerprint: x.Fingerprint[:]}
		if err := w.state.SetStop(ctx, stop); err != nil {
			w.hold(stopped)
			return err
		}
		stopped[x.ID] = stop
		w.log.Warn("rollout stopped", "id", x.ID, "stage", x.Stage.Name, "stays_at", x.Before, "reason", why, "would_have", wouldHave(x, tallies),
			"at", fmt.Sprintf("%s:%d", x.Stage.Source.File, x.Stage.Source.Line))
		w.held[x.ID] = true
	}
	w.hold(stopped)
	return nil
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

// hold has messages judged by the stops, and tells of those that others made or ended.
func (w *rolloutWatch) hold(stopped map[string]state.Stop) {
	ids := make([]string, 0, len(stopped))
	for id, s := range stopped {
		ids = append(ids, id)
		if !w.held[id] {
			w.log.Warn("rollout is stopped", "id", id, "since", s.At.Format(time.RFC3339), "reason", s.Reason)
		}
	}
	for id := range w.held {
		if _, still := stopped[id]; !still {
			w.log.Info("rollout goes on", "id", id)
			delete(w.held, id)
		}
	}
	slices.Sort(ids)
	if changed := !slices.Equal(ids, w.stops.IDs()); changed {
		w.stops.Set(ids)
		w.remember(stopped)
	}
	for _, id := range ids {
		w.held[id] = true
	}
	w.count.Store(int64(len(ids)))
}

// remember writes the stops beside the journal, for a start without the database.
func (w *rolloutWatch) remember(stopped map[string]state.Stop) {
	data, err := json.Marshal(slices.Collect(values(stopped)))
	if err == nil {
		if err = os.WriteFile(w.cache+".new", data, 0o640); err == nil {
			err = os.Rename(w.cache+".new", w.cache)
		}
	}
	if err != nil {
		w.log.Warn("stopped rollouts are not remembered for a start without the database", "err", err)
	}
}

// remembered are the stops that remember wrote.
func (w *rolloutWatch) remembered(watches []policy.Watch) map[string]state.Stop {
	var list []state.Stop
	data, err := os.ReadFile(w.cache)
	if err != nil || json.Unmarshal(data, &list) != nil {
		return nil
	}
	return heldStops(watches, list)
}

func values[K comparable, V any](m map[K]V) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// stopsFile is where stops are remembered.
func stopsFile(path string) string { return filepath.Join(path, "stops.json") }

// counters reads what stages are stopped by, each span of time once.
type counters struct {
	state stopState
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
