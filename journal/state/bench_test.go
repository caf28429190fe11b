package state

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/spool"
)

// What a record costs the loader: counted in memory, and flushed as often as under load.
func BenchmarkTake(b *testing.B) {
	for _, authors := range []int{500, 20_000} {
		b.Run(fmt.Sprintf("authors=%d", authors), func(b *testing.B) {
			w := made.World{Begin: noon, Domains: authors}
			batch := make([]journal.Raw, 16384)
			for i := range batch {
				batch[i] = journal.Raw{Entry: journal.Entry{Record: w.Record(i)}}
			}
			s := fileAt(b, filepath.Join(b.TempDir(), "state.db"))
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				from := n % (len(batch) / 512) * 512
				for i := range 512 {
					batch[from+i].Number = spool.Number(n*512 + i + 1)
				}
				if err := s.Take(context.Background(), spool.ID{1}, batch[from:from+512]); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/512, "ns/record")
		})
	}
}

// generated is a state of 90 days whose dimension has so many values an hour, of so many
// in all.
func generated(t testing.TB, days, hourly, all int) *State {
	s := fileAt(t, filepath.Join(t.TempDir(), "state.db"))
	ctx := context.Background()
	start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-days)
	for day := range days {
		sum := newSummary()
		for h := 0; h < 24; h += 6 { // more of them would change nothing of what is read
			at := start.AddDate(0, 0, day).Add(time.Duration(h) * time.Hour)
			hour := newSummary()
			for i := range hourly {
				// The first half writes each hour, the others now and then.
				k := i
				if i >= hourly/2 {
					k = hourly/2 + (i*7919+day*104729+h*1299709)%(all-hourly/2)
				}
				hour.add(Key{Text: fmt.Sprintf("%x-company.example", k*0x9e3779b97f4a7c1)}, &tally{n: [fields]uint64{nMessages: uint64(1 + hourly/(k+1)), nPass: 1}, first: at.Unix(), last: at.Unix()})
			}
			put(t, s, 1, at, hour)
			sum.merge(hour)
			sum.shorten()
		}
		put(t, s, 24, start.AddDate(0, 0, day), sum)
		week := time.Unix(floor(start.AddDate(0, 0, day).Unix(), 168*hourSeconds), 0)
		all := newSummary()
		if err := s.rows(ctx, s.db, readSummary(&all), "SELECT data FROM state_counts WHERE span = 168 AND start = ?", week.Unix()); err != nil {
			t.Fatal(err)
		}
		all.merge(sum)
		all.shorten()
		put(t, s, 168, week, all)
	}
	return s
}

func put(t testing.TB, s *State, span int, at time.Time, sum *summary) {
	t.Helper()
	_, err := s.exec(context.Background(), s.db, "INSERT INTO state_counts VALUES (?, ?, ?, ?) ON CONFLICT (dimension, span, start) DO UPDATE SET data = excluded.data",
		span, at.Unix(), int(ByDomain), sum.encode(at))
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkNinetyDays(b *testing.B) {
	for _, c := range []struct{ hourly, all int }{{300, 5_000}, {10_000, 200_000}} {
		b.Run(fmt.Sprintf("hourly=%d", c.hourly), func(b *testing.B) {
			s := generated(b, 91, c.hourly, c.all)
			b.ReportAllocs()
			for b.Loop() {
				q := Question{By: ByDomain, Since: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -90), Limit: 50}
				if _, err := s.Count(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
