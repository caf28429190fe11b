package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/journal/spool"
	"alignd/record"
)

// shelf is a Store in memory that fails as often as it is told.
type shelf struct {
	mu    sync.Mutex
	fails int
	have  map[spool.ID]spool.Number
	kept  []string // "token answer"
}

func (s *shelf) Take(_ context.Context, from spool.ID, batch []Raw) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return errors.New("the shelf is out of order")
	}
	for _, e := range batch {
		if e.Number > s.have[from] {
			s.have[from] = e.Number
			s.kept = append(s.kept, e.Record.Evidence.Token+" "+e.Answer.String())
		}
	}
	return nil
}

func (s *shelf) Tidy(context.Context, time.Time) error { return nil }
func (s *shelf) Close() error                          { return nil }

// run is a process that writes to the spool in dir and loads into s.
func run(t *testing.T, dir string, s Store, write func(record.Sink)) {
	t.Helper()
	sp, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	l := NewLoader(sp, dir, slog.New(slog.DiscardHandler), s)
	write(NewSink(sp))
	if err := sp.Close(); err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func message(token string) *record.Record {
	return &record.Record{Evidence: evidence.Message{Token: token, Time: time.Now()}}
}

func TestEachRecordIsLoadedOnceWithItsAnswer(t *testing.T) {
	dir := t.TempDir()
	s := &shelf{have: map[spool.ID]spool.Number{}, fails: 1}
	run(t, dir, s, func(sink record.Sink) {
		sink.Take(message("heard"))(true)
		sink.Take(message("lost"))(false)
	})
	run(t, dir, s, func(sink record.Sink) {
		sink.Take(message("in flight")) // the process ends before the answer
	})
	run(t, dir, s, func(sink record.Sink) { sink.Take(message("next"))(true) })
	want := []string{"heard written", "lost lost", "in flight unknown", "next written"}
	if !slices.Equal(s.kept, want) {
		t.Errorf("got %q, want %q", s.kept, want)
	}
}

func TestASpoolThatWasNotLoadedIsLoadedLater(t *testing.T) {
	dir := t.TempDir()
	broken := &shelf{have: map[spool.ID]spool.Number{}, fails: 1 << 30}
	var want []string
	for i := range 3 {
		run(t, dir, broken, func(sink record.Sink) {
			for j := range 600 { // more than a batch
				token := fmt.Sprintf("%d/%d", i, j)
				sink.Take(message(token))(true)
				want = append(want, token+" written")
			}
		})
	}
	s := &shelf{have: map[spool.ID]spool.Number{}}
	run(t, dir, s, func(record.Sink) {})
	if !slices.Equal(s.kept, want) {
		t.Errorf("%d records, want %d", len(s.kept), len(want))
	}
}
