// Package rollout watches over rollouts: it stops stages that exceed their bounds (stop_if),
// by what the state of the journal counts, and says how each stands.
package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"alignd/internal/owned"
	"alignd/journal/state"
	"alignd/judge"
	"alignd/policy"
)

// The numbers are ours.
const (
	// watchEvery is how often counters are read.
	watchEvery = time.Minute
	// watchAhead is how long before its begin a stage is looked at, so that one that is to
	// be stopped does not begin.
	watchAhead = 2 * watchEvery
	// watchPatience is how long the counters may take.
	watchPatience = 5 * time.Second
)

// State is where stops and counters are; *state.State is one.
type State interface {
	Stops(context.Context) ([]state.Stop, error)
	SetStop(context.Context, state.Stop) error
	Pairs(context.Context, state.PairQuery) ([]state.Pair, error)
}

// Watch stops stages of rollouts that exceed their bounds (stop_if), and has
// messages judged by what is stopped. A nil one does nothing.
type Watch struct {
	log   *slog.Logger
	state State
	stops *judge.Stops
	cache string // file that remembers the stops where the state cannot be read
	now   func() time.Time
	rules atomic.Pointer[policy.Rules]
	count atomic.Int64 // of stages that are stopped

	mu      sync.Mutex // of look
	held    map[string]bool
	last    map[string]state.Stop // in force as of the last look; nil before
	blind   bool                  // the last look failed
	done    chan struct{}
	running sync.WaitGroup
}

// New keeps in the file cache what is stopped, for a start while s cannot be read. s is nil
// where there is none.
func New(s State, cache string, log *slog.Logger) *Watch {
	return &Watch{log: log, state: s, stops: &judge.Stops{}, cache: cache, now: time.Now, held: map[string]bool{}, done: make(chan struct{})}
}

// Begin looks for the first time, so that what was stopped before a restart is stopped
// for the first message, and then once a minute.
func (w *Watch) Begin(rules *policy.Rules) {
	if w == nil {
		return
	}
	w.Use(rules)
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

// Use takes up the rules of a reload.
func (w *Watch) Use(rules *policy.Rules) {
	if w != nil {
		w.rules.Store(rules)
		w.look()
	}
}

// Close ends it.
func (w *Watch) Close() {
	if w != nil {
		close(w.done)
		w.running.Wait()
	}
}

// Stops are what messages are to be judged by.
func (w *Watch) Stops() *judge.Stops { return w.stops }

// Stopped is how many stages are.
func (w *Watch) Stopped() int64 { return w.count.Load() }

// look reads stops and counters. What cannot be read changes nothing.
func (w *Watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	watches := w.rules.Load().Watches()
	if len(watches) == 0 {
		w.hold(nil)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), watchPatience)
	defer cancel()
	err := owned.Tried(w.log, "watching over rollouts", func() error { return w.lookAt(ctx, watches) })
	if err != nil {
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

func (w *Watch) lookAt(ctx context.Context, watches []policy.Watch) error {
	if w.state == nil {
		return errors.New("there are none, see above")
	}
	list, err := w.state.Stops(ctx)
	if err == nil {
		list, err = w.again(ctx, watches, list)
	}
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
			"at", x.Stage.Source.String())
		w.held[x.ID] = true
	}
	w.hold(stopped)
	return nil
}

// again keeps stops once more that are in force here and that the state has lost, as where
// its file was removed or an earlier copy of it came back: nobody said to go on.
func (w *Watch) again(ctx context.Context, watches []policy.Watch, list []state.Stop) ([]state.Stop, error) {
	known := w.last
	if known == nil {
		known = w.remembered(watches)
	}
	for id, s := range heldStops(watches, slices.Collect(values(known))) {
		if slices.ContainsFunc(list, func(x state.Stop) bool { return x.ID == id && x.At.Unix() >= s.At.Unix() }) {
			continue
		}
		if err := w.state.SetStop(ctx, s); err != nil {
			return nil, err
		}
		w.log.Warn("a stop of a rollout was lost with the counts and is kept again", "id", id, "since", s.At.Format(time.RFC3339))
		list = append(slices.DeleteFunc(list, func(x state.Stop) bool { return x.ID == id }), s)
	}
	return list, nil
}

// hold has messages judged by the stops, and tells of those that others made or ended.
func (w *Watch) hold(stopped map[string]state.Stop) {
	if stopped != nil {
		w.last = stopped
	}
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
func (w *Watch) remember(stopped map[string]state.Stop) {
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
func (w *Watch) remembered(watches []policy.Watch) map[string]state.Stop {
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
