package state

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"alignd/journal/spool"
)

// ofVersion opens the state as a program does that knows the first steps only.
func ofVersion(t *testing.T, open func() *State, version int) *State {
	t.Helper()
	s := open()
	s.steps = steps[:version]
	s.isReady.Store(false)
	return s
}

// A state of each earlier version is brought up to date with what it has, and the
// earlier program goes on working beside the later one.
func TestEachEarlierVersionIsBroughtUpToDate(t *testing.T) {
	for version := 1; version < len(steps); version++ {
		stores(t, func(t *testing.T, open func() *State) {
			ctx := context.Background()
			old := opened(t, open, version)
			take(t, old, spool.ID{1}, mail{at: noon, author: "a.example"}.raw(1))
			if err := old.flush(ctx); err != nil {
				t.Fatal(err)
			}
			if err := old.KeepConfig(ctx, [32]byte{1}, []byte("x"), noon); err != nil {
				t.Fatal(err)
			}
			now := open()
			if err := now.ready(ctx); err != nil {
				t.Fatal(err)
			}
			if text, err := now.Config(ctx, [32]byte{1}); err != nil || string(text) != "x" || messages(t, now) != 1 {
				t.Errorf("version %d: %q, %v, %d messages", version, text, err, messages(t, now))
			}
			take(t, now, spool.ID{2}, mail{at: noon, author: "a.example"}.raw(1))
			if err := now.flush(ctx); err != nil {
				t.Fatal(err)
			}
			if steps[len(steps)-1].works > version {
				return
			}
			beside := ofVersion(t, open, version)
			take(t, beside, spool.ID{3}, mail{at: noon, author: "a.example"}.raw(1))
			if err := beside.flush(ctx); err != nil {
				t.Errorf("version %d beside version %d: %v", version, len(steps), err)
			}
			if got := messages(t, beside); got != 3 {
				t.Errorf("version %d: %d messages, want 3", version, got)
			}
		})
	}
}

// opened makes the state as an earlier program would.
func opened(t *testing.T, open func() *State, version int) *State {
	t.Helper()
	all := steps
	steps = steps[:version]
	defer func() { steps = all }()
	s := open()
	if err := s.ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// A step that fails leaves the version before.
func TestAStepIsTakenWholeOrNotAtAll(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		if err := open().ready(ctx); err != nil {
			t.Fatal(err)
		}
		later := open()
		later.isReady.Store(false)
		later.steps = append(slices.Clone(steps), step{works: 1, statements: []string{"CREATE TABLE state_new (a bigint)", "no statement"}})
		if err := later.ready(ctx); err == nil {
			t.Error("the step was taken")
		}
		if err := open().ready(ctx); err != nil {
			t.Error(err)
		}
		var version int
		s := open()
		if err := s.rows(ctx, s.db, scanInto(&version), "SELECT version FROM state_meta"); err != nil || version != len(steps) {
			t.Errorf("version %d, %v", version, err)
		}
	})
}

func TestTablesThatAreNotOursAreRefused(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		if err := s.ready(ctx); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name, change string
			want         error
			says         string
		}{
			{name: "a later version that this one works on", change: "UPDATE state_meta SET version = 1000", want: nil, says: ""},
			{name: "a later version", change: "UPDATE state_meta SET works = 1000", want: ErrForeign, says: "version 1000"},
			{name: "another product", change: "UPDATE state_meta SET product = 'other'", want: ErrForeign, says: "another product"},
			{name: "no meta", change: "DROP TABLE state_meta", want: ErrForeign, says: "another product"},
		} {
			if _, err := s.exec(ctx, s.db, c.change); err != nil {
				t.Fatal(err)
			}
			again := open
			if s.dialect.name == "SQLite" {
				again = func() *State {
					x := *s.dialect
					return newState(s.db, x, Options{})
				}
			}
			err := again().ready(ctx)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: got %v, want %v with %q", c.name, err, c.want, c.says)
			}
		}
	})
}

func TestFilesThatAreNoStateAreLeftAlone(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE orders (id INTEGER)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 1000)), 0o640); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{foreign: "tables of another product", text: "not a database"} {
		before, _ := os.ReadFile(path)
		for _, open := range []func() (*State, error){
			func() (*State, error) { return OpenFile(ctx, path, Options{}) },
			func() (*State, error) { return ReadFile(ctx, path) },
		} {
			if _, err := open(); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", path, err)
			}
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s was changed", path)
		}
	}
	if _, err := ReadFile(ctx, filepath.Join(dir, "absent.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(ctx, empty); !errors.Is(err, errEmpty) {
		t.Errorf("empty: %v", err)
	}
}

// The group reads, whatever the umask; the companions stay, so that it can do so without
// the daemon, too.
func TestTheGroupReads(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	path := filepath.Join(t.TempDir(), "made", "state.db")
	s := fileAt(t, path)
	take(t, s, spool.ID{1}, mail{at: noon}.raw(1))
	for _, running := range []bool{true, false} {
		for name, want := range map[string]fs.FileMode{filepath.Dir(path): 0o750 | fs.ModeDir, path: 0o640, path + "-wal": 0o640, path + "-shm": 0o640} {
			info, err := os.Stat(name)
			if err != nil || info.Mode() != want {
				t.Errorf("running: %v: %s: %v, %v, want %v", running, name, info, err, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
