package facts

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"alignd/doctor"
	"alignd/journal/spool"
)

func TestTheFolderOfTheJournalIsLookedAt(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "var/lib/alignd")
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for name, after := range map[string]time.Duration{
		"spool/lock": 9 * time.Hour, "spool/0000010000000001.seg": 0, "spool/0000020000000001.seg": time.Hour, "state.db": 9 * time.Hour,
		"journal/2026-11-26.1.sealed.db": -time.Hour, "journal/2026-11-27.1.db": 0, "journal/2026-11-27.1.db-wal": time.Minute,
		"journal/2026-11-27.1.db-shm": 9 * time.Hour, "journal/2026-11-25.1.db.damaged": 9 * time.Hour, "journal/2026-11-25.1.db.damaged-wal": 0,
	} {
		file := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, make([]byte, 2000), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(store string) doctor.Journal {
		g := &gatherer{Options: Options{Root: root}}
		g.facts.Alignd = doctor.Alignd{JournalStore: store, JournalPath: "/var/lib/alignd"}
		g.journal()
		return g.facts.Journal
	}
	j := look("sqlite")
	if !j.Spooled.Equal(at.Add(time.Hour)) || !j.Loaded.Equal(at.Add(time.Minute)) || j.Foreign != "" || j.Folder.Mode.Perm() != 0o750 ||
		!slices.Equal(j.Damaged, []string{"/var/lib/alignd/journal/2026-11-25.1.db.damaged"}) || j.All == 0 || j.Free == 0 {
		t.Errorf("found %+v", j)
	}
	begin := filepath.Join(path, "spool/0000030000000001.seg") // of a daemon that has had no message yet
	if err := os.WriteFile(begin, make([]byte, 94), 0o640); err != nil {
		t.Fatal(err)
	}
	if j := look("sqlite"); !j.Spooled.Equal(at.Add(time.Hour)) {
		t.Errorf("a segment without a record counts: %+v", j)
	}
	if j := look("none"); !j.Spooled.IsZero() || j.All != 0 {
		t.Errorf("without a journal: %+v", j)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(filepath.Join(path, "spool/lock"), 64131, 64131); err != nil {
			t.Fatal(err)
		}
		if j := look("sqlite"); j.Foreign != "/var/lib/alignd/spool/lock" {
			t.Errorf("found %+v", j)
		}
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if j := look("sqlite"); !j.Folder.Missing {
		t.Errorf("found %+v", j)
	}
}

// A spool that was opened, and opened again, has taken no record yet.
func TestASpoolWithoutRecordsIsNotLate(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "var/lib/alignd/spool")
	look := func() doctor.Journal {
		g := &gatherer{Options: Options{Root: root}}
		g.facts.Alignd = doctor.Alignd{JournalStore: "sqlite", JournalPath: "/var/lib/alignd"}
		g.journal()
		return g.facts.Journal
	}
	open := func() *spool.Spool {
		s, err := spool.Open(spool.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for range 2 {
		if err := open().Close(); err != nil {
			t.Fatal(err)
		}
		if j := look(); !j.Spooled.IsZero() {
			t.Errorf("no record, and yet: %+v", j)
		}
	}
	s := open()
	n, err := s.Append(make([]byte, 300))
	if err != nil {
		t.Fatal(err)
	}
	s.Answered(n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if j := look(); j.Spooled.IsZero() {
		t.Errorf("a record was not seen: %+v", j)
	}
}
