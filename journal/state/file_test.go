package state

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/spool"
)

// Somebody removes the file while it is in use, or puts another one in its place: it is
// told once, what the spool has beyond it is counted in the one that is there, and nothing twice.
func TestAFileThatIsGoneIsMadeAgain(t *testing.T) {
	copyOf := func(from, to string) error {
		text, err := os.ReadFile(from)
		return errors.Join(err, os.WriteFile(to+".new", text, 0o640), os.Rename(to+".new", to))
	}
	for _, row := range []struct {
		name string
		gone func(path string) error
	}{
		{name: "removed", gone: os.Remove},
		{name: "removed with its log", gone: func(path string) error {
			return errors.Join(os.Remove(path), os.Remove(path+"-wal"), os.Remove(path+"-shm"))
		}},
		{name: "its folder is removed", gone: func(path string) error { return os.RemoveAll(filepath.Dir(path)) }},
		{name: "an earlier copy in its place", gone: func(path string) error { return copyOf(filepath.Dir(path)+".copy", path) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal", "state.db")
			var said bytes.Buffer
			s, err := OpenFile(t.Context(), path, Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			from, batch := spool.ID{1}, []journal.Raw{mail{at: noon}.raw(1), mail{at: noon}.raw(2), mail{at: noon}.raw(3), mail{at: noon}.raw(4)}
			flushed := func(n int) error {
				return errors.Join(s.Take(t.Context(), from, batch[:n]), s.Flush(t.Context()))
			}
			if err := flushed(2); err != nil {
				t.Fatal(err)
			}
			if _, err := s.db.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				t.Fatal(err)
			}
			if err := copyOf(path, filepath.Dir(path)+".copy"); err != nil {
				t.Fatal(err)
			}
			if err := flushed(3); err != nil {
				t.Fatal(err)
			}
			if err := row.gone(path); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lookEvery)
			if err := flushed(4); !errors.Is(err, journal.ErrAnew) {
				t.Errorf("got %v, want that it begins anew", err)
			}
			if err := flushed(4); err != nil { // as the loader does, from the spool's begin
				t.Fatal(err)
			}
			if got := messages(t, s); got != 4 {
				t.Errorf("%d messages are counted, want 4", got)
			}
			r, err := ReadFile(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got := messages(t, r); got != 4 {
				t.Errorf("who reads the file finds %d messages, want 4", got)
			}
			if strings.Count(said.String(), "removed or replaced") != 1 {
				t.Errorf("said %s", said.String())
			}
		})
	}
}

// What a daemon cannot open for now, as on a full disk, it opens once that is over; a command
// is told at once.
func TestAFileThatCannotBeOpenedYet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.Mkdir(path+"-wal", 0o750); err != nil { // the log cannot be made
		t.Fatal(err)
	}
	if s, err := OpenFile(t.Context(), path, Options{}); err == nil {
		s.Close()
		t.Error("it could be opened")
	}
	var said bytes.Buffer
	s, err := OpenFile(t.Context(), path, Options{Later: true, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	from, batch := spool.ID{1}, []journal.Raw{mail{at: noon}.raw(1)}
	if err := s.Take(t.Context(), from, batch); !errors.Is(err, journal.ErrAnew) {
		t.Errorf("got %v, want that it begins anew", err)
	}
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	take(t, s, from, batch...)
	if got := messages(t, s); got != 1 {
		t.Errorf("%d messages are counted, want 1", got)
	}
	if strings.Count(said.String(), "it is tried again") != 1 {
		t.Errorf("said %s", said.String())
	}
}
