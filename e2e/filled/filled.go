// Package filled fills stores with made records, to measure questions on them.
package filled

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/sqlite"
	"alignd/record"
)

// Cost is how long it took, all in all, in the store, and to seal what was over.
type Cost struct{ All, Taking, Sealing time.Duration }

// Journal fills the journal of the option path with n records, spread over some days of
// which the last one is today. It waits until all files but the one in use are sealed.
func Journal(ctx context.Context, path string, n int, days float64) (cost Cost, err error) {
	dir := filepath.Join(path, "journal")
	s, err := open(dir)
	if err != nil {
		return cost, err
	}
	begin := time.Now()
	taking := &timed{Store: s}
	err = records(ctx, n, days, taking)
	cost.All, cost.Taking = time.Since(begin), taking.took
	if err = errors.Join(err, s.Close()); err != nil {
		return cost, err
	}
	begin = time.Now()
	err = seal(ctx, dir)
	cost.Sealing = time.Since(begin)
	return cost, err
}

type timed struct {
	journal.Store
	took time.Duration
}

// Take adds up how long it takes.
func (t *timed) Take(ctx context.Context, from spool.ID, batch []journal.Raw) error {
	begin := time.Now()
	defer func() { t.took += time.Since(begin) }()
	return t.Store.Take(ctx, from, batch)
}

func open(dir string) (*sqlite.Store, error) {
	return sqlite.Open(sqlite.Options{Dir: dir, Keep: 1000 * 24 * time.Hour, MaxSize: 1 << 50, Hurry: true})
}

// perBatch is what the loader takes at once.
const perBatch = 512

// records hands n records to each store, spread over some days that end now. Stores work
// side by side.
func records(ctx context.Context, n int, days float64, stores ...journal.Store) error {
	span := time.Duration(days * float64(24*time.Hour))
	world := made.World{Begin: time.Now().UTC().Add(-span), Step: span / time.Duration(n)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all []chan []journal.Raw
	var work sync.WaitGroup
	for _, s := range stores {
		batches := make(chan []journal.Raw, 4)
		all = append(all, batches)
		work.Go(func() {
			for b := range batches {
				if ctx.Err() != nil {
					continue // let the others end
				}
				if err := s.Take(ctx, spool.ID{1}, b); err != nil {
					cancel(err)
				}
			}
		})
	}
	for at := 0; at < n && ctx.Err() == nil; at += perBatch {
		b := batch(&world, at, min(n, at+perBatch))
		for _, batches := range all {
			batches <- b
		}
	}
	for _, batches := range all {
		close(batches)
	}
	work.Wait()
	return context.Cause(ctx)
}

// seal waits until all files but the last are sealed.
func seal(ctx context.Context, dir string) error {
	s, err := open(dir)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := s.Tidy(ctx, time.Now()); err != nil {
			return errors.Join(err, s.Close())
		}
		all, err := filepath.Glob(filepath.Join(dir, "*.db"))
		if err != nil {
			return errors.Join(err, s.Close())
		}
		sealed, err := filepath.Glob(filepath.Join(dir, "*.sealed.db"))
		if err != nil {
			return errors.Join(err, s.Close())
		}
		if len(sealed) >= len(all)-1 {
			return s.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.Join(ctx.Err(), s.Close())
}

// batch has records whose clients have names that lead back to them, but for those who forge.
func batch(w *made.World, from, to int) []journal.Raw {
	list := make([]journal.Raw, 0, to-from)
	for i := from; i < to; i++ {
		r := w.Record(i)
		if name := r.Evidence.Client.PeerName; !strings.Contains(name, "attacker") {
			r.Evidence.IPRev.Result, r.Evidence.IPRev.Names = "pass", []string{name}
		}
		list = append(list, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1), Record: r}, Encoded: record.Append(nil, r)})
	}
	return list
}
