package spool

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// soon appends until a record is kept, which it is at once or after a look.
func soon(t *testing.T, s *Spool, payload string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		n, err := s.Append([]byte(payload))
		s.Answered(n)
		if err == nil && time.Since(start) > lookEvery {
			return
		}
		if time.Since(start) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

// Somebody removes the folder of the spool, or what is in it, while it is written: it is
// made again, no number is given twice, and no other process may write.
func TestAFolderThatIsRemovedIsMadeAgain(t *testing.T) {
	for _, row := range []struct {
		name   string
		remove func(dir string) error
		told   bool
	}{
		{name: "all", remove: os.RemoveAll, told: true},
		{name: "the folder above", remove: func(dir string) error { return os.RemoveAll(filepath.Dir(dir)) }, told: true},
		{name: "what is in it", told: true, remove: func(dir string) error {
			list, err := filepath.Glob(filepath.Join(dir, "*"))
			for _, path := range list {
				err = errors.Join(err, os.Remove(path))
			}
			return err
		}},
		{name: "the lock", told: true, remove: func(dir string) error { return os.Remove(filepath.Join(dir, lockFile)) }},
		{name: "the id", told: true, remove: func(dir string) error { return os.Remove(filepath.Join(dir, idFile)) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "journal", "spool")
			var said bytes.Buffer
			s := open(t, Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&said, nil))})
			r, err := NewReader(dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var seen []Number
			read := func() {
				for {
					f, err := r.Next()
					if err != nil {
						return
					}
					seen = append(seen, f.Number)
				}
			}
			for range 2 {
				soon(t, s, "before")
				read()
				if err := row.remove(dir); err != nil {
					t.Fatal(err)
				}
			}
			soon(t, s, "after")
			s.Answered(add(t, s, "last"))
			if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrLocked) {
				t.Errorf("another process: %v", err)
			}
			id, last := s.ID(), s.last
			s.Close()
			read()
			if !slices.IsSorted(seen) || len(slices.Compact(seen)) != len(seen) || len(seen) == 0 || seen[len(seen)-1] < last {
				t.Errorf("a reader that was there saw %v, want up to %d", seen, last)
			}
			again := open(t, Options{Dir: dir})
			if again.ID() != id || again.last <= last {
				t.Errorf("the next run has id %s and begins with %d, want %s and above %d", again.ID(), again.last, id, last)
			}
			again.Close()
			got, damages, _ := story(t, dir, 0)
			if len(damages) > 0 || !strings.Contains(strings.Join(got, ","), "R last") {
				t.Errorf("got %q, damage %v", got, damages)
			}
			if strings.Count(said.String(), "is made again") != 2 || strings.Count(said.String(), "level=ERROR") > 4 {
				t.Errorf("said %s", said.String())
			}
		})
	}
}

// Where another spool was put in its place nothing is written to it.
func TestAnotherSpoolInItsPlaceIsLeftAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, Options{Dir: dir})
	s.Answered(add(t, s, "ours"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	other := open(t, Options{Dir: dir})
	other.Answered(add(t, other, "theirs"))
	refused := func() {
		t.Helper()
		for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			n, err := s.Append([]byte("ours"))
			s.Answered(n)
			if errors.Is(err, ErrDropped) {
				return
			}
			if time.Since(start) > 10*time.Second {
				t.Fatal(err)
			}
		}
	}
	refused()
	other.Close()
	refused()
	s.Close()
	if got, damages, _ := story(t, dir, 0); len(got) != 3 || len(damages) > 0 {
		t.Errorf("got %q, damage %v", got, damages)
	}
}

// A disk so full that not even the id of a new spool can be made costs the records of that
// time, not the journal until the next start.
func TestADiskWithoutRoomForTheID(t *testing.T) {
	dir := t.TempDir()
	d := &sickDisk{free: 1 << 40, all: 1 << 40, noFiles: true}
	var said bytes.Buffer
	s := open(t, Options{Dir: dir, disk: d, Log: slog.New(slog.NewTextHandler(&said, nil))})
	n, err := s.Append([]byte("lost"))
	s.Answered(n)
	if c := s.Counts(); !errors.Is(err, ErrDropped) || c.Dropped != 1 || c.Err == nil {
		t.Errorf("got %v, counted %+v", err, c)
	}
	d.set(func() { d.noFiles = false })
	s.Answered(add(t, s, "kept"))
	if id, err := ReadID(dir); err != nil || id != s.ID() {
		t.Errorf("the id is %s, %v, want %s", id, err, s.ID())
	}
	s.Close()
	got, damages, _ := story(t, dir, 0)
	want := []string{"1.1 S <1", "1.3 R kept <3", "1.4 M <4"}
	if !slices.Equal(got, want) || len(damages) > 0 {
		t.Errorf("got %q, damage %v, want %q", got, damages, want)
	}
	if strings.Count(said.String(), "records are dropped") != 1 || strings.Count(said.String(), "written again\" dropped=1") != 1 || strings.Contains(said.String(), "removed") {
		t.Errorf("said %s", said.String())
	}
}

// Where the folder was replaced by a file, records are dropped and not written to where
// nobody reads them, and the file stays what it is, until it is out of the way.
func TestAFileInThePlaceOfTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, Options{Dir: dir})
	s.Answered(add(t, s, "before"))
	if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, []byte("theirs"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		n, err := s.Append([]byte("lost"))
		s.Answered(n)
		if errors.Is(err, ErrDropped) {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatalf("a record is kept nowhere: %v", err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file is %v now, %v", info, err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	soon(t, s, "after")
	s.Close()
	if got, _, _ := story(t, dir, 0); !strings.Contains(strings.Join(got, ","), "R after") {
		t.Errorf("got %q", got)
	}
}
