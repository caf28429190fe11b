package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/internal/owned"
	"alignd/journal/spool"
	"alignd/record"
)

// picky is a shelf that fails whenever it is to keep a record of one of these tokens.
type picky struct {
	shelf
	bad   []string
	cause error
	away  int // how often it fails in the same way, whatever it is given
	// What one that gathers has in memory, of from.
	gathers bool
	from    spool.ID
	taken   spool.Number
	memory  []string
}

func newPicky(cause error, bad ...string) *picky {
	return &picky{shelf: shelf{have: map[spool.ID]spool.Number{}}, bad: bad, cause: cause}
}

func (s *picky) Take(_ context.Context, from spool.ID, batch []Raw) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away > 0 {
		s.away--
		return s.cause
	}
	if s.from != from {
		s.flush()
		s.from, s.taken = from, s.have[from]
	}
	for _, e := range batch {
		if e.Number <= s.taken {
			continue
		}
		if slices.Contains(s.bad, e.Record.Evidence.Token) {
			s.memory, s.taken = nil, s.have[from]
			return fmt.Errorf("%w: %w", ErrAnew, s.cause)
		}
		s.memory, s.taken = append(s.memory, e.Record.Evidence.Token+" "+e.Answer.String()), e.Number
		if !s.gathers {
			s.flush()
		}
	}
	return nil
}

func (s *picky) flush() {
	s.kept, s.memory, s.have[s.from] = append(s.kept, s.memory...), nil, s.taken
}

// gathering is a picky that gathers.
type gathering struct{ *picky }

func (s gathering) Kept(passed spool.Number) spool.Number {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.memory) == 0 {
		return passed
	}
	return min(passed, s.have[s.from])
}

func (s gathering) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return nil
}

func (s gathering) Tidy(ctx context.Context, _ time.Time) error { return s.Flush(ctx) }

// A record that a store fails on whenever it meets it is set aside, in a file that keeps
// it, and what stands behind it is kept, each once.
func TestARecordThatAStoreFailsOnIsSetAside(t *testing.T) {
	panics := fmt.Errorf("%w: index out of range", owned.ErrPanic)
	for _, row := range []struct {
		name    string
		cause   error
		gathers bool
		bad     []int
	}{
		{name: "one in the middle", cause: panics, bad: []int{100}},
		{name: "refused for what is in it", cause: ErrRecord, bad: []int{100}},
		{name: "the first, and several in a row", cause: panics, bad: []int{0, 300, 301, 302}},
		{name: "the last of a list", cause: panics, bad: []int{maxBatch - 1}},
		{name: "the last of what is read at once", cause: panics, bad: []int{maxHeld - 1}},
		{name: "of a store that gathers", cause: panics, gathers: true, bad: []int{100, 550}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			sp, err := spool.Open(spool.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			var bad, want []string
			for i := range 600 {
				if token := fmt.Sprint("m", i); slices.Contains(row.bad, i) {
					bad = append(bad, token)
				} else {
					want = append(want, token+" written")
				}
			}
			s := newPicky(row.cause, bad...)
			s.gathers = row.gathers
			sink := NewSink(sp)
			for i := range 600 {
				sink.Take(message(fmt.Sprint("m", i)))(true)
			}
			var said syncBuffer
			log := slog.New(slog.NewTextHandler(&said, nil))
			store := Store(s)
			if row.gathers {
				store = gathering{s}
			}
			l := NewLoader(sp, dir, log, store)
			for start := time.Now(); s.count() < len(want) || l.Status().Err != nil; time.Sleep(10 * time.Millisecond) {
				if time.Since(start) > 30*time.Second {
					t.Fatalf("%d of %d records, %+v, said %s", s.count(), len(want), l.Status(), said.String())
				}
			}
			if err := sp.Close(); err != nil {
				t.Fatal(err)
			}
			l.Close()
			if !slices.Equal(s.kept, want) {
				t.Errorf("%d records, want %d, each once and in order", len(s.kept), len(want))
			}
			st := l.Status()
			if n := len(row.bad); st.Aside != uint64(n) || SetAside(dir) != n || strings.Count(said.String(), "goes on without it") != n {
				t.Errorf("%+v, %d files, want %d; said %s", st, SetAside(dir), n, said.String())
			}
			asideAreWhole(t, dir, bad)
			run(t, dir, s, func(record.Sink) {}) // which passes them over at once
			if len(s.kept) != len(want) || SetAside(dir) != len(row.bad) {
				t.Errorf("after a restart: %d records, %d files", len(s.kept), SetAside(dir))
			}
		})
	}
}

// asideAreWhole reads what was set aside.
func asideAreWhole(t *testing.T, dir string, want []string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, asideDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, path := range list {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		x, err := NewExportReader(f)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		s := &shelf{have: map[spool.ID]spool.Number{}}
		if _, err := Import(t.Context(), Importing{From: x, Stores: []Store{s}}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		got = append(got, strings.TrimSuffix(strings.Join(s.kept, ","), " written"))
		f.Close()
	}
	if !slices.Equal(got, want) {
		t.Errorf("set aside are %q, want %q", got, want)
	}
}

// A store that was away when it failed is no reason to go on without a record, whatever it
// said, and also where it comes back between two of them.
func TestAStoreThatIsAwaySetsNothingAside(t *testing.T) {
	for _, row := range []struct {
		name  string
		cause error
		times []int
	}{
		{name: "it says so", cause: errors.New("connection refused"), times: []int{1, 3}},
		{name: "it panics", cause: owned.ErrPanic, times: []int{1, 2, 3, 4, 9, 21}},
		{name: "it refuses each record", cause: ErrRecord, times: []int{1, 3, 21, 23}},
	} {
		for _, away := range row.times {
			t.Run(fmt.Sprint(row.name, ", tried ", away), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				sp, err := spool.Open(spool.Options{Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				sink, s := NewSink(sp), newPicky(row.cause)
				s.away = away
				for i := range 20 {
					sink.Take(message(fmt.Sprint(i)))(true)
				}
				l := NewLoader(sp, dir, slog.New(slog.DiscardHandler), s)
				for start := time.Now(); s.count() < 20 && time.Since(start) < 5*time.Minute; {
					time.Sleep(10 * time.Millisecond)
				}
				if err := sp.Close(); err != nil {
					t.Fatal(err)
				}
				l.Close()
				slices.Sort(s.kept)
				left, _ := filepath.Glob(filepath.Join(dir, asideDir, "*"))
				if st := l.Status(); len(slices.Compact(s.kept)) != 20 || st.Loaded != 20 || st.Aside != 0 || len(left) > 0 {
					t.Errorf("%d records, %+v, files %q", len(s.kept), st, left)
				}
			})
		}
	}
}
