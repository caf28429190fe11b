package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/rights"
	"alignd/journal/spool"
)

// keptTokens asks by files that stay open.
func keptTokens(t *testing.T, k *Kept, q journal.Query) (list []string, skipped error) {
	t.Helper()
	r := k.Reader()
	r.Skipped = func(err error) { skipped = errors.Join(skipped, err) }
	err := r.Search(t.Context(), q, func(e *journal.Entry) error {
		list = append(list, e.Record.Evidence.Token)
		return nil
	})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return list, skipped
}

// threeDays has a sealed file of each of two days and one in use, with 40 records each.
func threeDays(t *testing.T, dir string, first int) *Store {
	t.Helper()
	s := openStore(t, dir, 0)
	for day := range 3 {
		take(t, s, spool.ID{1}, batch(first+40*day, 40, noon.AddDate(0, 0, day)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, 0)
	seal(t, s, noon.AddDate(0, 0, 2).Add(time.Hour))
	return s
}

// What becomes of a file that stayed open is noticed by the next question, and it is closed.
func TestAFileThatStayedOpenIsTheOneOfItsName(t *testing.T) {
	first, second := name{day: "2026-11-27", part: 1, sealed: true}, name{day: "2026-11-28", part: 1, sealed: true}
	for _, c := range []struct {
		name  string
		do    func(t *testing.T, dir string) error
		want  int  // records that are found then, of 120
		fresh bool // those of the first day are others
		told  bool
		stays int // files that are open then
	}{
		{name: "nothing", do: func(*testing.T, string) error { return nil }, want: 120, stays: 2},
		{name: "removed, as retention does", want: 80, stays: 1, do: func(_ *testing.T, dir string) error { return remove(filepath.Join(dir, first.String())) }},
		{name: "put aside", want: 80, stays: 1, do: func(_ *testing.T, dir string) error {
			_, err := putAside(dir, first)
			return err
		}},
		{name: "put aside, and back", want: 120, stays: 2, do: func(_ *testing.T, dir string) error {
			to, err := putAside(dir, first)
			return errors.Join(err, os.Rename(to, filepath.Join(dir, first.String())))
		}},
		{name: "another one renamed in its place", want: 120, fresh: true, stays: 2, do: func(t *testing.T, dir string) error {
			other := t.TempDir()
			threeDays(t, other, 1001)
			return os.Rename(filepath.Join(other, first.String()), filepath.Join(dir, first.String()))
		}},
		{name: "another one written over it", want: 120, fresh: true, stays: 2, do: func(t *testing.T, dir string) error {
			other := t.TempDir()
			threeDays(t, other, 1001)
			b, err := os.ReadFile(filepath.Join(other, first.String()))
			return errors.Join(err, os.WriteFile(filepath.Join(dir, first.String()), b, rights.FileMode))
		}},
		{name: "the day after in its place", want: 120, stays: 2, do: func(_ *testing.T, dir string) error {
			b, err := os.ReadFile(filepath.Join(dir, second.String()))
			return errors.Join(err, os.WriteFile(filepath.Join(dir, first.String()), b, rights.FileMode))
		}},
		{name: "damaged", want: 80, told: true, stays: 1, do: func(_ *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, first.String()), []byte("no database"), rights.FileMode)
		}},
		{name: "all of them removed", want: 0, do: func(_ *testing.T, dir string) error {
			for _, n := range []name{first, second, {day: "2026-11-29", part: 1}} {
				if err := remove(filepath.Join(dir, n.String())); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := threeDays(t, dir, 1).Close(); err != nil {
				t.Fatal(err)
			}
			k := NewKept(dir)
			defer k.Close()
			if list, err := keptTokens(t, k, journal.Query{}); len(list) != 120 || err != nil || k.count != 2 {
				t.Fatalf("before: %d, %v, %d files stay open", len(list), err, k.count)
			}
			time.Sleep(10 * time.Millisecond) // a file that is written at once has another time, too
			if err := c.do(t, dir); err != nil {
				t.Fatal(err)
			}
			list, err := keptTokens(t, k, journal.Query{})
			if len(list) != c.want || (err != nil) != c.told || slices.Contains(list, "t1001") != c.fresh {
				t.Errorf("%d records, want %d; told: %v; %v", len(list), c.want, err, list)
			}
			k.forget()
			if k.count != c.stays || len(k.idle) != c.stays {
				t.Errorf("%d files stay open, want %d", k.count, c.stays)
			}
		})
	}
}

// Nobody asks, and yet a file that was removed is closed, and one that waited for long.
func TestFilesDoNotStayOpenForEver(t *testing.T) {
	dir := t.TempDir()
	threeDays(t, dir, 1)
	k := NewKept(dir)
	defer k.Close()
	k.Warm(t.Context())
	if k.count != 2 || k.prune == nil {
		t.Fatalf("%d files stay open", k.count)
	}
	if err := remove(filepath.Join(dir, "2026-11-27.1.sealed.db")); err != nil {
		t.Fatal(err)
	}
	if k.forget(); k.count != 1 || k.prune == nil {
		t.Errorf("%d files stay open, one of which was removed", k.count)
	}
	for _, list := range k.idle {
		list[0].put = list[0].put.Add(-keptIdle)
	}
	if k.forget(); k.count != 0 || k.prune != nil {
		t.Errorf("%d files stay open that nobody asked", k.count)
	}
	k.Warm(t.Context())
	for _, list := range k.idle {
		list[0].opened = list[0].opened.Add(-keptLongest)
	}
	if k.Warm(t.Context()); k.count != 0 {
		t.Errorf("%d files stay open though they were opened long ago", k.count)
	}
	k.Warm(t.Context())
	if err := k.Close(); err != nil || k.count != 0 {
		t.Errorf("closed: %d files stay open, %v", k.count, err)
	}
	if list, err := keptTokens(t, k, journal.Query{}); len(list) != 80 || err != nil || k.count != 0 {
		t.Errorf("asked once it is closed: %d records, %v, %d files stay open", len(list), err, k.count)
	}
}

// Many ask at once, while files are sealed and removed.
func TestManyReadFilesThatStayOpen(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 100)
	k := NewKept(dir)
	defer k.Close()
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := range 2 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				want, n := fmt.Sprintf("d%d.example", i), 0
				r := k.Reader()
				r.Skipped = func(err error) { t.Errorf("skipped: %v", err) }
				err := r.Search(t.Context(), journal.Query{Domain: want, Limit: 30}, func(e *journal.Entry) error {
					if n++; journal.AuthorOf(e.Record) != want {
						t.Errorf("%s was found for %s", journal.AuthorOf(e.Record), want)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 5 {
		take(t, s, spool.ID{1}, batch(1+100*i, 100, noon))
		seal(t, s, noon.Add(time.Hour))
		k.forget()
	}
	for i := range 2 {
		if err := remove(filepath.Join(dir, name{day: "2026-11-27", part: 1 + i, sealed: true}.String())); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	all.Wait()
	if list, err := keptTokens(t, k, journal.Query{}); len(list) != 300 || err != nil {
		t.Errorf("%d records at the end, %v", len(list), err)
	}
}
