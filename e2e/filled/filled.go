// Package filled fills a journal with made records, to measure questions on it.
package filled

import (
	"context"
	"path/filepath"
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
	end := time.Now().UTC()
	span := time.Duration(days * float64(24*time.Hour))
	world := made.World{Begin: end.Add(-span), Step: span / time.Duration(n)}
	batches := make(chan []journal.Raw, 4)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(batches)
		for at := 0; at < n && ctx.Err() == nil; at += perBatch {
			batches <- batch(&world, at, min(n, at+perBatch))
		}
	}()
	begin := time.Now()
	for b := range batches {
		from := time.Now()
		if err := s.Take(ctx, spool.ID{1}, b); err != nil {
			go func() { // let the other one end
				for range batches {
				}
			}()
			return cost, err
		}
		cost.Taking += time.Since(from)
	}
	cost.All = time.Since(begin)
	if err := s.Close(); err != nil {
		return cost, err
	}
	begin = time.Now()
	err = seal(ctx, dir)
	cost.Sealing = time.Since(begin)
	return cost, err
}

func open(dir string) (*sqlite.Store, error) {
	return sqlite.Open(sqlite.Options{Dir: dir, Keep: 1000 * 24 * time.Hour, MaxSize: 1 << 50, Hurry: true})
}

// perBatch is what the loader takes at once.
const perBatch = 512

// seal waits until all files but the last are sealed.
func seal(ctx context.Context, dir string) error {
	s, err := open(dir)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := s.Tidy(ctx, time.Now()); err != nil {
			return err
		}
		all, err := filepath.Glob(filepath.Join(dir, "*.db"))
		if err != nil {
			return err
		}
		sealed, err := filepath.Glob(filepath.Join(dir, "*.sealed.db"))
		if err != nil {
			return err
		}
		if len(sealed) >= len(all)-1 {
			return s.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ctx.Err()
}

func batch(w *made.World, from, to int) []journal.Raw {
	list := make([]journal.Raw, 0, to-from)
	for i := from; i < to; i++ {
		r := w.Record(i)
		list = append(list, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1), Record: r}, Encoded: record.Append(nil, r)})
	}
	return list
}
