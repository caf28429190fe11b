package sqlite

import (
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/storetest"
)

// folder is a place of SQLite files. With maxRows, sealed files lie beside the one in use.
type folder struct {
	dir     string
	maxRows int64
	kept    *Kept // nil: no file stays open
}

func (f folder) Open(t *testing.T, keep time.Duration, maxSize int64) journal.Store {
	t.Helper()
	s, err := Open(Options{Dir: f.dir, Keep: keep, MaxSize: maxSize, MaxRows: f.maxRows})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (f folder) Reader(t *testing.T) journal.Reader {
	r := NewReader(f.dir)
	if f.kept != nil {
		r = f.kept.Reader()
	}
	r.Skipped = func(err error) { t.Errorf("skipped: %v", err) }
	return r
}

func TestItDoesWhatAStoreDoes(t *testing.T) {
	t.Run("one_file_a_day", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Place { return folder{dir: t.TempDir()} })
	})
	t.Run("many_files_a_day", func(t *testing.T) {
		if underRace {
			t.Skip("left out: many files a day with the race detector (make test runs it without)")
		}
		storetest.Run(t, func(t *testing.T) storetest.Place { return folder{dir: t.TempDir(), maxRows: 7} })
	})
	t.Run("files_that_stay_open", func(t *testing.T) {
		if underRace {
			t.Skip("left out: files that stay open with the race detector (make test runs it without)")
		}
		storetest.Run(t, func(t *testing.T) storetest.Place {
			dir := t.TempDir()
			k := NewKept(dir)
			t.Cleanup(func() { k.Close() })
			return folder{dir: dir, maxRows: 40, kept: k}
		})
	})
}
