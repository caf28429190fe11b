package state

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"alignd/internal/owned"
	"alignd/judge"
)

// The numbers are ours, but for askMost.
const (
	// askMost is how long a message that is about to be put off waits for an answer.
	askMost = 500 * time.Millisecond
	// askAgain is how long nothing is asked after there was none.
	askAgain = 30 * time.Second
	// servedAgain and keepWaits are as in judge.Waits.
	servedAgain = time.Hour
	keepWaits   = 6 * 24 * time.Hour
	// maxWaits is how many are kept at most: the oldest go.
	maxWaits = 1_000_000
	// servedQueue is how many messages that were let in wait to be noted.
	servedQueue = 1000
	// maxAsked is how many recipients of a message are asked for in one statement.
	maxAsked = 1000
)

// Waits is what hosts of one store know together of mail put off. It implements
// judge.Shared.
type Waits struct {
	state *State
	log   *slog.Logger

	mu     sync.Mutex
	broken time.Time // when there was no answer; zero: there was one
	trying bool      // one message asks whether there is one again

	served chan noted
	ended  sync.WaitGroup
	cancel context.CancelFunc
}

// noted is a message that was let in.
type noted struct {
	keys []judge.SharedKey
	at   time.Time
}

// Waits begins to share. The state outlives it.
func (s *State) Waits() *Waits {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Waits{state: s, log: s.log, served: make(chan noted, servedQueue), cancel: cancel}
	w.ended.Go(func() { owned.Guarded(w.log, "telling other hosts what was let in", func() { w.note(ctx) }) })
	return w
}

// Close ends it. What was let in just now may not be noted any more.
func (w *Waits) Close() {
	w.cancel()
	w.ended.Wait()
}

// Deferred implements judge.Shared.
func (w *Waits) Deferred(keys []judge.SharedKey, now time.Time) []judge.SharedWait {
	if len(keys) == 0 || !w.mayAsk() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askMost)
	defer cancel()
	before, err := w.ask(ctx, keys, now)
	w.answered(err)
	if err != nil {
		return nil
	}
	list := make([]judge.SharedWait, len(keys))
	for i, k := range keys {
		list[i] = before[k]
	}
	return list
}

// mayAsk is false for a while after there was no answer; then one message asks.
func (w *Waits) mayAsk() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.broken.IsZero():
		return true
	case w.trying || time.Since(w.broken) < askAgain:
		return false
	}
	w.trying = true
	return true
}

func (w *Waits) answered(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := !w.broken.IsZero()
	w.trying = false
	switch {
	case err != nil:
		if w.broken = time.Now(); !was {
			w.log.Warn("what other hosts put off is not known for now, each counts for itself", "err", err)
		}
	case was:
		w.broken = time.Time{}
		w.log.Info("what other hosts put off is known again")
	}
}

// ask notes a deferral under each key, and returns what was there before.
func (w *Waits) ask(ctx context.Context, keys []judge.SharedKey, now time.Time) (map[judge.SharedKey]judge.SharedWait, error) {
	// In one order everywhere, so that no two hosts wait for each other; each once, as
	// a row is changed once by a statement.
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, func(a, b judge.SharedKey) int { return bytes.Compare(a[:], b[:]) })
	sorted = slices.Compact(sorted)
	before := make(map[judge.SharedKey]judge.SharedWait, len(sorted))
	for part := range slices.Chunk(sorted, maxAsked) {
		if err := w.askPart(ctx, part, now, before); err != nil {
			return nil, err
		}
	}
	return before, nil
}

func (w *Waits) askPart(ctx context.Context, keys []judge.SharedKey, now time.Time, before map[judge.SharedKey]judge.SharedWait) error {
	at, over := now.UnixMilli(), now.Add(-servedAgain).UnixMilli()
	args := make([]any, 0, 2*len(keys)+2)
	for i := range keys {
		args = append(args, keys[i][:], at)
	}
	// One that has served and does so no more, or is too old, begins anew.
	const anew = "(state_waits.served <> 0 AND state_waits.served < ? OR state_waits.first < ?)"
	old := now.Add(-keepWaits).UnixMilli()
	statement := "INSERT INTO state_waits VALUES " + strings.TrimSuffix(strings.Repeat("(?, ?, 0, 1), ", len(keys)), ", ") + `
		ON CONFLICT (id) DO UPDATE SET
		first = CASE WHEN ` + anew + ` THEN excluded.first ELSE state_waits.first END,
		times = CASE WHEN ` + anew + ` THEN 1 ELSE state_waits.times + 1 END,
		served = CASE WHEN ` + anew + ` THEN 0 ELSE state_waits.served END
		RETURNING id, first, served, times`
	args = append(args, over, old, over, old, over, old)
	return w.state.rows(ctx, w.state.db, func(r *sql.Rows) error {
		var id []byte
		var first, served int64
		var times int
		if err := r.Scan(&id, &first, &served, &times); err != nil || len(id) != len(judge.SharedKey{}) {
			return errors.Join(err, ErrDamaged)
		}
		if times > 1 {
			x := judge.SharedWait{First: time.UnixMilli(first), Times: times - 1}
			if served != 0 {
				x.Served = time.UnixMilli(served)
			}
			before[judge.SharedKey(id)] = x
		}
		return nil
	}, statement, args...)
}

// Served implements judge.Shared.
func (w *Waits) Served(keys []judge.SharedKey, now time.Time) {
	select {
	case w.served <- noted{slices.Clone(keys), now}:
	default: // that message is let in once more, at another host, should it come again
	}
}

// note writes down what was let in.
func (w *Waits) note(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-w.served:
			if err := w.noteOne(ctx, n); err != nil && ctx.Err() == nil {
				w.log.Warn("other hosts are not told that a message was let in", "err", err)
			}
		}
	}
}

func (w *Waits) noteOne(ctx context.Context, n noted) error {
	ctx, cancel := context.WithTimeout(ctx, 10*askMost)
	defer cancel()
	for _, k := range n.keys {
		_, err := w.state.exec(ctx, w.state.db, "UPDATE state_waits SET served = ? WHERE id = ? AND served = 0", n.at.UnixMilli(), k[:])
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetWaits removes what is too old or too much.
func (s *State) forgetWaits(ctx context.Context, now time.Time) error {
	_, err := s.exec(ctx, s.db, "DELETE FROM state_waits WHERE first < ?", now.Add(-keepWaits).UnixMilli())
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, s.db, "DELETE FROM state_waits WHERE first <= (SELECT first FROM state_waits ORDER BY first DESC LIMIT 1 OFFSET ?)", maxWaits)
	return err
}
