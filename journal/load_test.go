package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/journal/spool"
	"alignd/record"
)

// shelf is a Store in memory that fails, or panics, as often as it is told.
type shelf struct {
	mu     sync.Mutex
	fails  int
	panics int
	full   bool // it fails where there is something to keep
	failed int  // how often, as it is full
	have   map[spool.ID]spool.Number
	kept   []string // "token answer"
}

func (s *shelf) Take(_ context.Context, from spool.ID, batch []Raw) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return errors.New("the shelf is out of order")
	}
	if s.panics > 0 {
		s.panics--
		panic("the shelf falls down")
	}
	for _, e := range batch {
		if e.Number > s.have[from] {
			if s.full {
				s.failed++
				return errors.New("the shelf is full")
			}
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

// Somebody removes the segments while no daemon runs, as who wants room on a disk: what comes
// then has numbers that the store had already, and is kept all the same.
func TestSegmentsThatAreGoneAtTheStart(t *testing.T) {
	dir := t.TempDir()
	s := &shelf{have: map[spool.ID]spool.Number{}}
	var want []string
	for i := range 4 {
		token := fmt.Sprint("m", i)
		run(t, dir, s, func(sink record.Sink) { sink.Take(message(token))(true) })
		want = append(want, token+" written")
		if i == 0 { // those of one run stay
			continue
		}
		list, err := filepath.Glob(filepath.Join(dir, "*.seg"))
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		for _, path := range list {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !slices.Equal(s.kept, want) {
		t.Errorf("kept is %q, want %q", s.kept, want)
	}
}

// gatherer is a shelf that does not know the spool before its first record.
type gatherer struct{ *shelf }

func (g gatherer) Kept(passed spool.Number) spool.Number {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.have) == 0 {
		return 0
	}
	return passed
}

func (g gatherer) Flush(context.Context) error { return nil }

// A daemon that has had no message since it was installed has nothing that waits, also
// after a restart.
func TestASpoolWithoutRecordsHasNoneWaiting(t *testing.T) {
	dir := t.TempDir()
	s := &shelf{have: map[spool.ID]spool.Number{}}
	run(t, dir, gatherer{s}, func(record.Sink) {})
	sp, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	l := NewLoader(sp, dir, slog.New(slog.DiscardHandler), gatherer{s})
	for end := time.Now().Add(10 * time.Second); !sp.Counts().Oldest.IsZero() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if c := sp.Counts(); !c.Oldest.IsZero() || !c.Placed {
		t.Errorf("records are said to wait: %+v", c)
	}
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

// A panic behind the answer ends neither the daemon nor, by the same record, the next one.
func TestAPanicOfTheLoaderEndsNothing(t *testing.T) {
	dir := t.TempDir()
	s := &shelf{have: map[spool.ID]spool.Number{}, panics: 1 << 30}
	run(t, dir, s, func(sink record.Sink) { sink.Take(message("first"))(true) })
	s.panics = 1
	run(t, dir, s, func(sink record.Sink) { sink.Take(message("second"))(true) })
	if want := []string{"first written", "second written"}; !slices.Equal(s.kept, want) {
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

func TestAStoreThatFailsKeepsNoOtherWaiting(t *testing.T) {
	dir := t.TempDir()
	sp, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var said syncBuffer
	first := &shelf{have: map[spool.ID]spool.Number{}}
	second := &shelf{have: map[spool.ID]spool.Number{}, fails: 2}
	l := NewLoader(sp, dir, slog.New(slog.NewTextHandler(&said, nil)), first, second)
	sink, want := NewSink(sp), 0
	await := func(what string, done func() bool) {
		t.Helper()
		for start := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatalf("%s: %+v, said %s", what, l.Status(), said.String())
			}
		}
	}
	send := func() {
		for range 600 {
			sink.Take(message(fmt.Sprint(want)))(true)
			want++
		}
	}
	send()
	await("the first store goes on", func() bool { return first.count() == want })
	if st := l.Status(); st.Err == nil || st.Since.IsZero() {
		t.Errorf("status %+v", st)
	}
	send()
	await("both have all", func() bool { return first.count() == want && second.count() == want })
	await("it says so", func() bool { return l.Status().Err == nil && l.Status().Since.IsZero() })
	if err := sp.Close(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if n := strings.Count(said.String(), "counts nothing"); n != 1 || strings.Count(said.String(), "store=counts") != 1 ||
		strings.Count(said.String(), "the journal counts again") != 1 || strings.Contains(said.String(), "takes") {
		t.Errorf("said %s", said.String())
	}
	if st := l.Status(); st.Loaded != uint64(want) {
		t.Errorf("loaded %d, want %d", st.Loaded, want)
	}
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept)
}

// A store without room is tried again less and less often, and told of once: that it takes
// what it has already is no recovery.
func TestAStoreThatIsFullIsToldOfOnce(t *testing.T) {
	dir := t.TempDir()
	sp, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var said syncBuffer
	s := &shelf{have: map[spool.ID]spool.Number{}}
	l := NewLoader(sp, dir, slog.New(slog.NewTextHandler(&said, nil)), s)
	sink, want := NewSink(sp), 0
	send := func() {
		for range 600 { // more than a batch
			sink.Take(message(fmt.Sprint(want)))(true)
			want++
		}
	}
	await := func(what string, done func() bool) {
		t.Helper()
		for start := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > time.Minute {
				t.Fatalf("%s: %+v, said %s", what, l.Status(), said.String())
			}
		}
	}
	fill := func(full bool) { s.mu.Lock(); defer s.mu.Unlock(); s.full = full }
	failed := func() int { s.mu.Lock(); defer s.mu.Unlock(); return s.failed }
	send()
	await("it has all", func() bool { return s.count() == want })
	fill(true)
	send()
	await("it is tried again", func() bool { return failed() == 3 })
	if l.Status().Err == nil {
		t.Error("it fails, and nothing tells of it")
	}
	fill(false)
	await("it has the rest", func() bool { return s.count() == want && l.Status().Err == nil })
	if err := sp.Close(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if strings.Count(said.String(), "takes no records") != 1 || strings.Count(said.String(), "takes records again") != 1 {
		t.Errorf("said %s", said.String())
	}
}

// What is wrong with the spool is told once, however often it is read again.
func TestFaultsOfTheSpoolAreToldOnce(t *testing.T) {
	dir := t.TempDir()
	s := &shelf{have: map[spool.ID]spool.Number{}, fails: 1 << 30}
	run(t, dir, s, func(sink record.Sink) {
		for i := range 10 {
			sink.Take(message(fmt.Sprint(i)))(true)
		}
	})
	list, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	b, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(list[0], b, 0o640); err != nil {
		t.Fatal(err)
	}
	s.fails = 2
	sp, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var said syncBuffer
	l := NewLoader(sp, dir, slog.New(slog.NewTextHandler(&said, nil)), s)
	for start := time.Now(); s.count() < 9 && time.Since(start) < 20*time.Second; {
		time.Sleep(10 * time.Millisecond)
	}
	if err := sp.Close(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	st := l.Status()
	if s.count() != 9 || st.Damaged != 1 || st.Missing != 1 || strings.Count(said.String(), "spool is damaged") != 1 {
		t.Errorf("%d records, %+v, said %s", s.count(), st, said.String())
	}
}

// syncBuffer is a log.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// fallible is a shelf that can fall back, as a database does where a standby takes over.
type fallible struct {
	shelf
	fell bool
}

func (s *fallible) Tidy(context.Context, time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fell {
		return nil
	}
	s.fell = false
	return ErrAnew
}

// fallBack leaves a store the first n records that it kept.
func (s *fallible) fallBack(from spool.ID, first spool.Number, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.have[from], s.fell = s.kept[:n], first+spool.Number(n)-1, true
}

// What a store lost that had taken it is taken again: segments that are taken stay for
// spool.keep.
func TestAStoreThatFallsBackIsFilledAgain(t *testing.T) {
	dir := t.TempDir()
	sp, err := spool.Open(spool.Options{Dir: dir, SegmentSize: 2000})
	if err != nil {
		t.Fatal(err)
	}
	s := &fallible{shelf: shelf{have: map[spool.ID]spool.Number{}}}
	l := NewLoader(sp, dir, slog.New(slog.DiscardHandler), s)
	sink := NewSink(sp)
	const all = 200
	write := func(from, n int) {
		for i := range n {
			sink.Take(message(fmt.Sprint("m", from+i)))(true)
		}
	}
	kept := func() []string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(s.kept)
	}
	await := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); len(kept()) < n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d were kept", len(kept()), n)
			}
		}
	}
	first := func() spool.Number { // its records are numbered in order
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.have[sp.ID()] - all + 1
	}
	write(0, all)
	await(all)
	if n := sp.Counts().Segments; n < 4 {
		t.Errorf("%d segments", n)
	}
	s.fallBack(sp.ID(), first(), 50)
	await(all)
	write(all, 10)
	if err := sp.Close(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	got := kept()
	for i, line := range got {
		if line != fmt.Sprintf("m%d written", i) {
			t.Fatalf("record %d is %s", i, line)
		}
	}
	if len(got) != all+10 {
		t.Errorf("%d records", len(got))
	}
}

// Another spool that lies in the place of this one for a while, as under a mount, is taken
// into the store, too, but what it has says nothing of this one, which is read again after it.
func TestAnotherSpoolForAWhile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	other := filepath.Join(t.TempDir(), "other")
	for i := range 3 { // runs, so that its numbers are higher
		sp, err := spool.Open(spool.Options{Dir: other})
		if err != nil {
			t.Fatal(err)
		}
		NewSink(sp).Take(message(fmt.Sprint("other", i)))(true)
		sp.Close()
	}
	sp, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{have: map[spool.ID]spool.Number{}}
	l := NewLoader(sp, dir, slog.New(slog.DiscardHandler), s)
	until := func(what string, ok func() bool) {
		t.Helper()
		for start := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatalf("%s: %+v", what, l.Status())
			}
		}
	}
	sink := NewSink(sp)
	sink.Take(message("before"))(true)
	until("the first record", func() bool { return s.count() == 1 })
	away := dir + ".away"
	if err := errors.Join(os.Rename(dir, away), os.Rename(other, dir)); err != nil {
		t.Fatal(err)
	}
	until("those of the other spool", func() bool { return s.count() == 4 })
	if err := errors.Join(os.Rename(dir, other), os.Rename(away, dir)); err != nil {
		t.Fatal(err)
	}
	sink.Take(message("after"))(true)
	until("the record after it", func() bool { return s.count() == 5 })
	sink.Take(message("last"))(true)
	if c := sp.Counts(); c.Oldest.IsZero() {
		t.Error("a record is said to be taken that no store has yet")
	}
	if err := sp.Close(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if s.count() != 6 {
		t.Errorf("kept %q", s.kept)
	}
}
