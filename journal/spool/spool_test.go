package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"alignd/journal/rights"
)

// open opens a spool that the test closes.
func open(t *testing.T, opt Options) *Spool {
	t.Helper()
	if opt.Patience == 0 {
		opt.Patience = time.Minute // of a slow machine
	}
	if opt.now == nil {
		opt.now = func() time.Time { return runsSince } // so that runs are counted from 1
	}
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// No number is given twice, though a folder is put back as it was before, and whatever the
// clock says.
func TestNumbersAreGivenOnce(t *testing.T) {
	dir := t.TempDir()
	at := func(now time.Time) Number {
		t.Helper()
		s := open(t, Options{Dir: dir, now: func() time.Time { return now }})
		defer s.Close()
		n := add(t, s, "record")
		s.Answered(n)
		return n
	}
	now := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	first := at(now)
	second := at(now.Add(time.Second))
	if err := os.Remove(filepath.Join(dir, segmentName(second-1))); err != nil { // as an earlier copy has none
		t.Fatal(err)
	}
	third := at(now.Add(2 * time.Minute))
	last := third
	for _, clock := range []time.Time{now, {}, time.Unix(0, 0), now.AddDate(9000, 0, 0)} {
		n := at(clock)
		if n <= last || n.Run() > last.Run()+1 {
			t.Errorf("clock %v: number %x behind %x", clock, n, last)
		}
		last = n
	}
	if first >= second || second >= third || int64(last) < 0 {
		t.Errorf("numbers %x, %x, %x, %x", first, second, third, last)
	}
}

func add(t *testing.T, s *Spool, payload string) Number {
	t.Helper()
	n, err := s.Append([]byte(payload))
	if err != nil {
		t.Fatalf("Append(%.40q): %v", payload, err)
	}
	return n
}

// story is what a reader finds, in words.
func story(t *testing.T, dir string, from Number) (frames []string, damages []Damage, gaps []Gap) {
	t.Helper()
	r, err := NewReader(dir, from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Damaged = func(d Damage) { damages = append(damages, d) }
	r.Missing = func(g Gap) { gaps = append(gaps, g) }
	for {
		f, err := r.Next()
		if err == io.EOF {
			return frames, damages, gaps
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, tell(f))
	}
}

func tell(f Frame) string {
	text := fmt.Sprintf("%d.%d %c", f.Number.Run(), f.Number.Place(), f.Kind)
	switch f.Kind {
	case KindRecord:
		text += " " + string(f.Payload)
	case KindLost:
		text += fmt.Sprintf(" %d", f.Lost().Place())
	}
	return text + fmt.Sprintf(" <%d", f.Answered.Place())
}

func wantStory(t *testing.T, dir string, from Number, want ...string) {
	t.Helper()
	got, damages, gaps := story(t, dir, from)
	if !slices.Equal(got, want) || len(damages) > 0 || len(gaps) > 0 {
		t.Errorf("got\n%s\ndamage %v, gaps %v, want\n%s", strings.Join(got, "\n"), damages, gaps, strings.Join(want, "\n"))
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	one, two := add(t, s, "one"), add(t, s, "two")
	s.Answered(one)
	three := add(t, s, "three")
	s.Lost(two)
	s.Answered(three)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// two is not answered before the frame that says that it was lost.
	wantStory(t, dir, 0, "1.1 S <1", "1.2 R one <2", "1.3 R two <2", "1.4 R three <3", "1.5 L 3 <3", "1.6 M <6")

	s = open(t, Options{Dir: dir})
	add(t, s, "four")
	s.Close() // it was not answered
	wantStory(t, dir, three, "1.4 R three <3", "1.5 L 3 <3", "1.6 M <6", "2.1 S <1", "2.2 R four <2")
}

func TestAReaderFollows(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, SegmentSize: 400})
	r, err := NewReader(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f, err := r.Next(); err != nil || f.Kind != KindStart {
		t.Fatalf("got %v, %v", f, err)
	}
	for i := range 200 {
		if f, err := r.Next(); err != io.EOF {
			t.Fatalf("before record %d: got %v, %v", i, f, err)
		}
		want := fmt.Sprint("record ", i)
		s.Answered(add(t, s, want))
		f, err := r.Next()
		if err != nil || string(f.Payload) != want {
			t.Fatalf("got %q, %v; want %q", f.Payload, err, want)
		}
	}
	if n := s.Counts().Segments; n < 10 {
		t.Errorf("%d segments, the test wants to see the reader pass from one to the next", n)
	}
}

func TestOneProcessWrites(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer: got %v, want %v", err, ErrLocked)
	}
	s.Close()
	open(t, Options{Dir: dir})
}

// A kill leaves any part of the last write. All before it is read, the part is named,
// and the next run goes on.
func TestTheTailIsCutAtEveryOffset(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	for i := range 3 {
		s.Answered(add(t, s, fmt.Sprint("record ", i)))
	}
	s.Close()
	list, err := segments(dir)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	whole, err := os.ReadFile(list[0].path)
	if err != nil {
		t.Fatal(err)
	}
	all, _, _ := story(t, dir, 0)
	for size := range len(whole) {
		dir := t.TempDir()
		copyFile(t, dir, idFile, []byte(s.ID().String()))
		copyFile(t, dir, filepath.Base(list[0].path), whole[:size])
		fits := 0
		for at := segmentHeader; at < size; {
			_, n, err := s.id.cutFrame(whole[at:size])
			if err != nil {
				break
			}
			at += n
			fits++
		}
		next := open(t, Options{Dir: dir})
		next.Answered(add(t, next, "after"))
		next.Close()
		got, damages, gaps := story(t, dir, 0)
		want := append(slices.Clone(all[:fits]), "2.1 S <1", "2.2 R after <2", "2.3 M <3")
		if !slices.Equal(got, want) || len(gaps) > 0 {
			t.Fatalf("cut at %d: got %q, gaps %v, want %q", size, got, gaps, want)
		}
		torn := size > 0 && size != segmentHeader && !endsFrame(s, whole, size)
		if torn != (len(damages) == 1) || torn && (!damages[0].Torn || damages[0].Path == "" || damages[0].Octets <= 0) {
			t.Fatalf("cut at %d: torn %t, told %v", size, torn, damages)
		}
	}
}

func endsFrame(s *Spool, whole []byte, size int) bool {
	at := segmentHeader
	for at < size {
		_, n, err := s.id.cutFrame(whole[at:])
		if err != nil {
			return false
		}
		at += n
	}
	return at == size
}

// Each octet of a segment is damaged in turn: no frame is made up, those that are not
// hit are read, and the damage is named.
func TestDamageCostsTheFrameThatItHits(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	s.Answered(add(t, s, "one"))
	// What a message may bring: octets that would be a frame of a spool without id.
	forged := (&ID{}).appendFrame(nil, &Frame{Kind: KindRecord, Number: 9, Payload: []byte("forged")})
	s.Answered(add(t, s, string(forged)))
	s.Answered(add(t, s, "three"))
	s.Close()
	open(t, Options{Dir: dir}).Close() // a later segment, so that the first is over
	list, _ := segments(dir)
	whole, err := os.ReadFile(list[0].path)
	if err != nil {
		t.Fatal(err)
	}
	all, _, _ := story(t, dir, 0)
	for at := range len(whole) {
		hurt := bytes.Clone(whole)
		hurt[at] ^= 0x55
		if err := os.WriteFile(list[0].path, hurt, rights.FileMode); err != nil {
			t.Fatal(err)
		}
		got, damages, _ := story(t, dir, 0)
		want := len(all) - 1
		if at < segmentHeader {
			want = len(all)
		}
		if len(got) != want || len(damages) != 1 {
			t.Fatalf("octet %d: got %q, damage %v", at, got, damages)
		}
		for _, f := range got {
			if !slices.Contains(all, f) {
				t.Fatalf("octet %d: %q was never written", at, f)
			}
		}
	}
}

func TestASegmentOfAnotherSpoolIsNotRead(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	open(t, Options{Dir: dir}).Close()
	s := open(t, Options{Dir: other})
	add(t, s, "theirs")
	s.Close()
	list, _ := segments(other)
	mine, _ := segments(dir)
	b, _ := os.ReadFile(list[0].path)
	if err := os.WriteFile(mine[0].path, b, rights.FileMode); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "of another spool") {
		t.Errorf("got %v", err)
	}
}

func copyFile(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, rights.FileMode); err != nil {
		t.Fatal(err)
	}
}

// Segments that are taken go after Keep, or earlier for want of room; those that are
// not taken never do: new records are dropped.
func TestBounds(t *testing.T) {
	payload := strings.Repeat("x", 1000)
	t.Run("what is not taken stays", func(t *testing.T) {
		dir := t.TempDir()
		var said bytes.Buffer
		s := open(t, Options{Dir: dir, Max: 20_000, SegmentSize: 2000, Log: slog.New(slog.NewTextHandler(&said, nil))})
		dropped := 0
		for range 40 {
			n, err := s.Append([]byte(payload))
			if errors.Is(err, ErrDropped) {
				dropped++
			} else if err != nil {
				t.Fatal(err)
			}
			s.Answered(n)
		}
		c := s.Counts()
		if dropped == 0 || c.Dropped != uint64(dropped) || c.Written+c.Dropped != 40 || c.Octets > 20_000 || c.Evicted != 0 || c.Err == nil {
			t.Errorf("%d dropped, counted %+v", dropped, c)
		}
		if strings.Contains(said.String(), "go before their time") {
			t.Errorf("said %s", said.String())
		}
		s.Taken(s.last)
		n := add(t, s, payload)
		s.Answered(n)
		// However young they are: Keep is an hour. That is told, as is what was dropped.
		if c := s.Counts(); c.Evicted == 0 || c.Err != nil || c.Dropped != uint64(dropped) {
			t.Errorf("counted %+v", c)
		}
		s.Close()
		for _, want := range []string{"records are dropped", "go before their time", "keep=1h0m0s", fmt.Sprint("dropped=", dropped)} {
			if !strings.Contains(said.String(), want) {
				t.Errorf("said %s, want %q", said.String(), want)
			}
		}
	})
	t.Run("what the store of records has goes before new ones are dropped", func(t *testing.T) {
		var said bytes.Buffer
		s := open(t, Options{Dir: t.TempDir(), Max: 20_000, SegmentSize: 2000, Log: slog.New(slog.NewTextHandler(&said, nil))})
		for range 40 {
			n := add(t, s, payload)
			s.Answered(n)
			s.TakenByFirst(n)
		}
		s.Close()
		if c := s.Counts(); c.Untaken == 0 || c.Dropped != 0 || c.Evicted != c.Untaken || strings.Count(said.String(), "is not on disk yet") != 1 {
			t.Errorf("counted %+v, said %s", c, said.String())
		}
	})
	t.Run("what is taken goes after its time", func(t *testing.T) {
		s := open(t, Options{Dir: t.TempDir(), Keep: time.Nanosecond, SegmentSize: 2000})
		for range 40 {
			n := add(t, s, payload)
			s.Answered(n)
			s.Taken(n)
		}
		if c := s.Counts(); c.Segments > 3 || c.Evicted != 0 {
			t.Errorf("counted %+v", c)
		}
	})
	t.Run("a share of the disk stays free", func(t *testing.T) {
		d := &sickDisk{free: 100_000, all: 1_000_000}
		s := open(t, Options{Dir: t.TempDir(), disk: d})
		add(t, s, payload)
		d.set(func() { d.free = 50_500 })
		if _, err := s.Append([]byte(payload)); !errors.Is(err, ErrDropped) {
			t.Errorf("got %v, want %v", err, ErrDropped)
		}
		d.set(func() { d.free = 60_000 })
		add(t, s, payload)
	})
}

// sickDisk fails as it is told.
type sickDisk struct {
	realDisk
	mu        sync.Mutex
	free, all int64
	room      int  // octets that can be written if full
	full      bool // then ENOSPC
	noFiles   bool // ENOSPC where one is to be made
	broken    bool // writing and syncing panic
	slow      chan struct{}
	held      int // writes that slow held up
}

func (d *sickDisk) set(f func()) { d.mu.Lock(); defer d.mu.Unlock(); f() }

func (d *sickDisk) Free(string) (int64, int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.free, d.all, nil
}

func (d *sickDisk) Create(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.noFiles {
		return nil, syscall.ENOSPC
	}
	f, err := d.realDisk.Create(path)
	return &sickFile{file: f, d: d}, err
}

type sickFile struct {
	file
	d *sickDisk
}

func (f *sickFile) Write(p []byte) (int, error) {
	f.d.mu.Lock()
	room, full, slow, broken := f.d.room, f.d.full, f.d.slow, f.d.broken
	if slow != nil {
		f.d.held++
	}
	f.d.mu.Unlock()
	if slow != nil {
		<-slow
	}
	if broken {
		_, _ = f.file.Write(p[:len(p)/2])
		panic("no")
	}
	if full {
		n, err := f.file.Write(p[:min(room, len(p))])
		return n, errors.Join(err, syscall.ENOSPC)
	}
	return f.file.Write(p)
}

func (f *sickFile) Sync() error {
	f.d.mu.Lock()
	broken := f.d.broken
	f.d.mu.Unlock()
	if broken {
		panic("no")
	}
	return f.file.Sync()
}

// A panic where the spool is written or synced delays answers as a slow disk does, costs the
// records of that time, and is told once while it lasts.
func TestAPanicOfTheWriterEndsNothing(t *testing.T) {
	dir := t.TempDir()
	d := &sickDisk{free: 1 << 40, all: 1 << 40}
	var said syncedText
	s := open(t, Options{Dir: dir, disk: d, Patience: 100 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&said, nil))})
	s.Answered(add(t, s, "one"))
	d.set(func() { d.broken = true })
	for range 3 {
		began := time.Now()
		n, err := s.Append([]byte("lost"))
		if !errors.Is(err, ErrLate) || time.Since(began) > 10*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		s.Answered(n)
	}
	time.Sleep(2*syncEvery + syncEvery/2)
	if c := s.Counts(); c.Dropped != 3 || c.Written != 1 || c.Err == nil {
		t.Errorf("counted %+v", c)
	}
	d.set(func() { d.broken = false })
	s.Answered(add(t, s, "two"))
	s.Close()
	got, damages, _ := story(t, dir, 0)
	records := slices.DeleteFunc(got, func(f string) bool { return !strings.Contains(f, " R ") })
	if len(damages) > 0 || len(records) != 2 || !strings.Contains(records[1], "R two") {
		t.Errorf("got %q, damage %v", got, damages)
	}
	if n := strings.Count(said.String(), "stack="); n != 2 || !strings.Contains(said.String(), "written again") {
		t.Errorf("%d stacks, want one of writing and one of syncing: %s", n, said.String())
	}
}

// syncedText is a log that several write to.
type syncedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *syncedText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *syncedText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A disk that is full as the daemon starts costs the records of that time, not the journal
// until the next start.
func TestADiskThatIsFullAtTheStart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	s.Answered(add(t, s, "before"))
	s.Close()
	d := &sickDisk{free: 0, all: 1 << 40}
	var said bytes.Buffer
	for run := range 2 { // the first one ends without any room
		s = open(t, Options{Dir: dir, disk: d, Log: slog.New(slog.NewTextHandler(&said, nil))})
		n, err := s.Append([]byte("lost"))
		if !errors.Is(err, ErrDropped) {
			t.Fatalf("got %v", err)
		}
		s.Answered(n)
		if c := s.Counts(); c.Dropped != 1 || c.Err == nil {
			t.Errorf("counted %+v", c)
		}
		if run == 0 {
			s.Close()
		}
	}
	d.set(func() { d.free = 1 << 40 })
	s.Answered(add(t, s, "after"))
	s.Close()
	s = open(t, Options{Dir: dir})
	s.Close()
	got, damages, _ := story(t, dir, 0)
	want := []string{"1.1 S <1", "1.2 R before <2", "1.3 M <3", "2.1 S <1", "2.3 R after <3", "2.4 M <4", "3.1 S <1", "3.2 M <2"}
	if !slices.Equal(got, want) || len(damages) > 0 {
		t.Errorf("got %q, damage %v, want %q", got, damages, want)
	}
	if strings.Count(said.String(), "records are dropped") != 2 || strings.Count(said.String(), "written again\" dropped=1") != 1 {
		t.Errorf("said %s", said.String())
	}
}

func TestAFullDiskDropsAndRecovers(t *testing.T) {
	dir := t.TempDir()
	d := &sickDisk{free: 1 << 40, all: 1 << 40}
	s := open(t, Options{Dir: dir, disk: d})
	s.Answered(add(t, s, "one"))
	for room := range 40 {
		d.set(func() { d.full, d.room = true, room })
		n, err := s.Append([]byte("lost"))
		if !errors.Is(err, ErrDropped) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got %v", err)
		}
		s.Answered(n)
	}
	d.set(func() { d.full = false })
	s.Answered(add(t, s, "two"))
	s.Close()
	got, damages, gaps := story(t, dir, 0)
	want := []string{"1.1 S <1", "1.2 R one <2", "1.43 R two <43", "1.44 M <44"}
	if !slices.Equal(got, want) || len(damages) > 0 || len(gaps) != 1 {
		t.Errorf("got %q, damage %v, gaps %v, want %q and one gap", got, damages, gaps, want)
	}
	if c := s.Counts(); c.Dropped != 40 || c.Written != 2 {
		t.Errorf("counted %+v", c)
	}
}

func TestASlowDiskDelaysNoAnswerForLong(t *testing.T) {
	dir := t.TempDir()
	d := &sickDisk{free: 1 << 40, all: 1 << 40}
	s := open(t, Options{Dir: dir, disk: d, Patience: 10 * time.Millisecond})
	slow := make(chan struct{})
	d.set(func() { d.slow = slow })
	for range 5 {
		n, err := s.Append([]byte("late"))
		if !errors.Is(err, ErrLate) {
			t.Fatalf("got %v, want %v", err, ErrLate)
		}
		s.Answered(n)
	}
	d.set(func() { d.slow = nil })
	close(slow)
	s.Answered(add(t, s, "in time"))
	s.Close()
	if c := s.Counts(); c.Late != 5 || c.Written != 6 || c.Dropped != 0 {
		t.Errorf("counted %+v", c)
	}
	if got, _, _ := story(t, dir, 0); len(got) != 8 {
		t.Errorf("got %q", got)
	}
}

// A disk that hangs for long delays each answer by the patience at most, and takes no
// more memory than the queue may have. Then records are dropped at once, and counted.
func TestAHangingDiskDelaysAndFillsNothing(t *testing.T) {
	const slack = 250 * time.Millisecond // of a busy machine
	d := &sickDisk{free: 1 << 40, all: 1 << 40}
	var said bytes.Buffer
	s := open(t, Options{Dir: t.TempDir(), disk: d, Patience: DefaultPatience, Log: slog.New(slog.NewTextHandler(&said, nil))})
	slow := make(chan struct{})
	d.set(func() { d.slow = slow })
	payload := bytes.Repeat([]byte("x"), MaxPayload)
	append1 := func() error {
		begun := time.Now()
		n, err := s.Append(payload)
		if took := time.Since(begun); took > DefaultPatience+slack {
			t.Errorf("Append took %s", took)
		}
		s.Answered(n)
		return err
	}
	first := append1() // is being written, and no longer queued
	var wg sync.WaitGroup
	var late, dropped atomic.Int64
	for range maxQueue/MaxPayload + 5 {
		wg.Go(func() {
			if err := append1(); errors.Is(err, ErrLate) {
				late.Add(1)
			} else if errors.Is(err, ErrDropped) {
				dropped.Add(1)
			}
		})
	}
	wg.Wait()
	c := s.Counts()
	if !errors.Is(first, ErrLate) || late.Load() != maxQueue/MaxPayload || dropped.Load() != 5 || c.Late != uint64(late.Load())+1 || c.Dropped != 5 {
		t.Errorf("%v, %d late, %d dropped, counted %+v", first, late.Load(), dropped.Load(), c)
	}
	d.set(func() { d.slow = nil })
	close(slow)
	for start := time.Now(); s.Counts().Written <= uint64(late.Load()) && time.Since(start) < 20*time.Second; {
		time.Sleep(time.Millisecond)
	}
	s.Answered(add(t, s, "in time"))
	s.Close()
	if c := s.Counts(); c.Written != uint64(late.Load())+2 {
		t.Errorf("counted %+v", c)
	}
	for _, once := range []string{"disk of the journal's spool is slow", "hangs, records are dropped", "written again\" dropped=5"} {
		if strings.Count(said.String(), once) != 1 {
			t.Errorf("said %s, want %q once", said.String(), once)
		}
	}
}

// Of a batch that goes to two segments, what the first one took is kept and not counted as
// dropped, though the second cannot be made.
func TestABatchIsWrittenInPart(t *testing.T) {
	dir := t.TempDir()
	d := &sickDisk{free: 1 << 40, all: 1 << 40}
	s := open(t, Options{Dir: dir, disk: d, SegmentSize: 3000, Patience: time.Hour})
	slow := make(chan struct{})
	d.set(func() { d.slow = slow })
	var wg sync.WaitGroup
	var kept, dropped atomic.Int64
	send := func() {
		n, err := s.Append(bytes.Repeat([]byte("x"), 1000))
		s.Answered(n)
		switch {
		case err == nil:
			kept.Add(1)
		case errors.Is(err, ErrDropped) && errors.Is(err, syscall.ENOSPC):
			dropped.Add(1)
		default:
			t.Error(err)
		}
	}
	held := func() int { d.mu.Lock(); defer d.mu.Unlock(); return d.held }
	queued := func() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.queue) }
	wg.Go(send)
	for held() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 6 {
		wg.Go(send)
	}
	for queued() < 6 {
		time.Sleep(time.Millisecond)
	}
	d.set(func() { d.slow, d.noFiles = nil, true })
	close(slow)
	wg.Wait()
	d.set(func() { d.noFiles = false })
	s.Answered(add(t, s, "afterwards"))
	s.Close()
	got, damages, _ := story(t, dir, 0)
	records := 0
	for _, line := range got {
		if strings.Contains(line, " R ") {
			records++
		}
	}
	c := s.Counts()
	if kept.Load() < 2 || dropped.Load() == 0 || records != int(kept.Load())+1 || c.Written != uint64(records) || c.Dropped != uint64(dropped.Load()) || len(damages) > 0 {
		t.Errorf("%d kept, %d dropped, counted %+v, %d records on disk, damage %v", kept.Load(), dropped.Load(), c, records, damages)
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, SegmentSize: 10_000})
	const each, all = 200, 8
	var wg sync.WaitGroup
	for g := range all {
		wg.Go(func() {
			for i := range each {
				n, err := s.Append(fmt.Appendf(nil, "%d/%d", g, i))
				if err != nil && !errors.Is(err, ErrLate) {
					t.Error(err)
				}
				if i%10 == 0 {
					s.Lost(n)
				} else {
					s.Answered(n)
				}
			}
		})
	}
	wg.Wait()
	s.Close()
	got, damages, gaps := story(t, dir, 0)
	counts := map[byte]int{}
	seen := map[string]bool{}
	for _, f := range got {
		_, rest, _ := strings.Cut(f, " ")
		counts[rest[0]]++
		if rest[0] == 'R' {
			seen[strings.Fields(rest)[1]] = true
		}
	}
	if counts['R'] != all*each || len(seen) != all*each || counts['L'] != all*each/10 || len(damages)+len(gaps) > 0 {
		t.Errorf("%v, %d different, damage %v, gaps %v", counts, len(seen), damages, gaps)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Max: 1 << 40})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			payload := bytes.Repeat([]byte("x"), 900)
			b.ReportAllocs()
			b.SetParallelism(max(1, writers/2))
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					n, err := s.Append(payload)
					if err != nil && !errors.Is(err, ErrLate) {
						b.Error(err)
						return
					}
					s.Answered(n)
				}
			})
		})
	}
}

func TestHowLongRecordsWait(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var p pending
	if !p.oldest().IsZero() {
		t.Error("none waits at first")
	}
	for i := range 10 {
		p.add(Number(2*i+1), at(i))
		p.add(Number(2*i+2), at(i).Add(time.Second/2))
	}
	for _, row := range []struct {
		taken Number
		want  int
	}{{taken: 0, want: 0}, {taken: 1, want: 0}, {taken: 2, want: 1}, {taken: 3, want: 1}, {taken: 17, want: 8}, {taken: 19, want: 9}} {
		if p.taken(row.taken); !p.oldest().Equal(at(row.want)) {
			t.Errorf("after %d: since %v, want %v", row.taken, p.oldest(), at(row.want))
		}
	}
	if p.taken(20); !p.oldest().IsZero() {
		t.Error("none waits at the end")
	}
	for i := range 100 * maxWaiting {
		p.add(Number(i+21), at(i))
	}
	if len(p.marks) > maxWaiting || !p.oldest().Equal(at(0)) {
		t.Errorf("%d marks, since %v", len(p.marks), p.oldest())
	}
}

func TestRecordsOfAnEarlierRunWait(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	add(t, s, "x")
	s.Close()
	s = open(t, Options{Dir: dir})
	if got := s.Counts().Oldest; time.Since(got) > time.Minute {
		t.Errorf("since %v", got)
	}
	s.Taken(s.last)
	if got := s.Counts().Oldest; !got.IsZero() {
		t.Errorf("since %v", got)
	}
}
