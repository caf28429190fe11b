package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"alignd/internal/made"
	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/record"
)

// fill writes records of w to a new spool, from the one numbered begin.
func fill(b testing.TB, w *made.World, begin, n int) string {
	b.Helper()
	dir := b.TempDir()
	s, err := spool.Open(spool.Options{Dir: dir, Max: 1 << 40, KeepFree: 1e-9, Patience: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	const writers = 64 // so that many go in one write
	numbers := make(chan int)
	done := make(chan error)
	for range writers {
		go func() {
			var err error
			for i := range numbers {
				var n spool.Number
				if n, err = s.Append(record.Append(nil, w.Record(i))); err != nil {
					break
				}
				s.Answered(n)
			}
			done <- err
		}()
	}
	for i := range n {
		numbers <- begin + i
	}
	close(numbers)
	for range writers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// load takes all of a spool into a store, as the daemon does.
func load(b testing.TB, dir string, s journal.Store, n int) {
	b.Helper()
	sp, err := spool.Open(spool.Options{Dir: dir, Max: 1 << 40, KeepFree: 1e-9})
	if err != nil {
		b.Fatal(err)
	}
	defer sp.Close()
	l := journal.NewLoader(sp, dir, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), s)
	for l.Status().Loaded < uint64(n) {
		time.Sleep(5 * time.Millisecond)
	}
	l.Close()
}

func octets(b *testing.B, url, query string) float64 {
	b.Helper()
	n, err := strconv.ParseFloat(ask(b, url, "SELECT ("+query+")::text")[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkLoad is what the daemon's loader and PostgreSQL do together: a spool is read and
// taken in. Its result counts for the processors that both have.
func BenchmarkLoad(b *testing.B) {
	c := pgtest.Start(b, "fsync=on", "shared_buffers=512MB", "max_wal_size=4GB")
	url := c.Database(b)
	for _, indexed := range []bool{true, false} {
		b.Run(fmt.Sprintf("indexes=%t", indexed), func(b *testing.B) {
			execute(b, url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
			s := Open(Options{Access: Access{URL: url}})
			defer s.Close()
			if err := s.Tidy(context.Background(), time.Now()); err != nil {
				b.Fatal(err)
			}
			if !indexed {
				execute(b, url, dropIndexes...)
			}
			execute(b, url, "SELECT pg_stat_reset_shared('wal')")
			const n = 200_000
			begin := 0
			for b.Loop() {
				b.StopTimer()
				dir := fill(b, &made.World{Step: time.Millisecond}, begin, n)
				begin += n
				b.StartTimer()
				load(b, dir, s, n)
			}
			b.ReportMetric(float64(begin)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(octets(b, url, "SELECT sum(octets) FROM "+partitions)/float64(begin), "octets/record")
			b.ReportMetric(octets(b, url, "SELECT wal_bytes FROM pg_stat_wal")/float64(begin), "WAL/record")
		})
	}
}
