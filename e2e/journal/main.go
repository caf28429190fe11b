// The journal program fills a journal with made records, to measure questions on it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"path/filepath"
	"time"

	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/sqlite"
	"alignd/record"
)

func main() {
	n := flag.Int("n", 1_000_000, "how many records")
	path := flag.String("path", "", "folder of the journal, as its option path names it")
	days := flag.Float64("days", 10.9, "days that they are spread over, the last one being today")
	flag.Parse()
	if *path == "" {
		log.Fatal("journal: name a folder with -path")
	}
	if err := fill(filepath.Join(*path, "journal"), *n, *days); err != nil {
		log.Fatal("journal: ", err)
	}
}

// perBatch is what the loader takes at once.
const perBatch = 512

func fill(dir string, n int, days float64) error {
	s, err := sqlite.Open(sqlite.Options{Dir: dir, Keep: 1000 * 24 * time.Hour, MaxSize: 1 << 50})
	if err != nil {
		return err
	}
	end := time.Now().UTC()
	end = end.Truncate(24 * time.Hour).Add(min(end.Sub(end.Truncate(24*time.Hour)), 23*time.Hour))
	span := time.Duration(days * float64(24*time.Hour))
	world := made.World{Begin: end.Add(-span), Step: span / time.Duration(n)}
	batches := make(chan []journal.Raw, 4)
	go func() {
		defer close(batches)
		for at := 0; at < n; at += perBatch {
			batches <- batch(&world, at, min(n, at+perBatch))
		}
	}()
	ctx, begin, taking := context.Background(), time.Now(), time.Duration(0)
	for b := range batches {
		from := time.Now()
		if err := s.Take(ctx, spool.ID{1}, b); err != nil {
			return err
		}
		taking += time.Since(from)
	}
	fmt.Printf("%d records taken in %.0f s, of them %.0f in the store: %.1f µs each\n",
		n, time.Since(begin).Seconds(), taking.Seconds(), float64(taking.Microseconds())/float64(n))
	begin = time.Now()
	if err := s.Close(); err != nil {
		return err
	}
	return seal(ctx, dir, begin)
}

// seal waits until all files but the last are sealed.
func seal(ctx context.Context, dir string, begin time.Time) error {
	s, err := sqlite.Open(sqlite.Options{Dir: dir, Keep: 1000 * 24 * time.Hour, MaxSize: 1 << 50})
	if err != nil {
		return err
	}
	for {
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
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Printf("sealed in %.0f s\n", time.Since(begin).Seconds())
	return s.Close()
}

func batch(w *made.World, from, to int) []journal.Raw {
	list := make([]journal.Raw, 0, to-from)
	for i := from; i < to; i++ {
		r := w.Record(i)
		list = append(list, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1), Record: r}, Encoded: record.Append(nil, r)})
	}
	return list
}
