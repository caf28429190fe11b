//go:build linux

// File systems are mounted as on Linux.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/internal/pgtest"
)

// TestFaultDatabaseDiskIsFull fills the disk of the database under load: first that of its
// tables, where PostgreSQL refuses what is new; then that of its log (WAL), where it ends
// itself and does not start before there is room. Mail goes on, and records wait.
func TestFaultDatabaseDiskIsFull(t *testing.T) {
	needsFaults(t)
	needsDatabase(t)
	place := disk(t, "200m")
	must(t, os.Chmod(place, 0o755))
	must(t, os.Chmod(filepath.Dir(place), 0o755)) // the server is another user
	c := pgtest.StartIn(t, place, "max_wal_size=32MB", "min_wal_size=32MB")
	tables := filepath.Join(disk(t, "24m"), "tables")
	must(t, os.Chmod(filepath.Dir(tables), 0o755))
	must(t, os.Mkdir(tables, 0o700))
	must(t, c.Own(tables))
	must(t, c.Exec("postgres", "CREATE TABLESPACE small LOCATION '"+tables+"'", "CREATE DATABASE mail TABLESPACE small"))
	f := newFleet(t, 1, c.URL("mail"))
	s := f.flow()
	told := func(times int) {
		t.Helper()
		awaitLog(t, f.hosts[0], times, "the journal takes no records, they stay in the spool")
	}
	const filled = 2
	for i := range filled {
		time.Sleep(time.Second)
		fill(t, filepath.Join(filepath.Dir(tables), "ballast"))
		told(i + 1)
		time.Sleep(time.Second)
		must(t, os.Remove(filepath.Join(filepath.Dir(tables), "ballast")))
		f.awaitLoaded(t, s.count())
	}

	fill(t, filepath.Join(place, "ballast"))
	err := c.Exec("mail", "SELECT pg_logical_emit_message(false, 'fault', repeat('x', 1000000)) FROM generate_series(1, 200)")
	if err == nil {
		t.Error("the log is not full")
	}
	must(t, c.Ended())
	told(filled + 1)
	time.Sleep(time.Second)
	must(t, os.Remove(filepath.Join(place, "ballast")))
	must(t, c.Start())
	f.awaitLoaded(t, s.count())
	s.stop()
	o := f.settle(t, s)
	s.unhurt(t)
	why := 0
	for line := range strings.Lines(f.hosts[0].Log()) {
		if strings.Contains(line, "takes no records") && strings.Contains(line, "the disk of the database is full") {
			why++
		}
	}
	if told := strings.Count(f.hosts[0].Log(), "takes no records"); why < filled || told != filled+1 {
		t.Errorf("the log says %d times that no records are taken, and %d times that a disk is full:\n%s", told, why, f.hosts[0].Log())
	}
	row(t, fmt.Sprintf("the disk of PostgreSQL is full under load: %d times that of its tables, once that of its log (WAL), where it ends itself and is started again", filled),
		fmt.Sprintf("%d messages over the milter protocol answered, at most %s for an answer", o.answered, s.slowest.Round(time.Millisecond)), o.String())
}

// count is how many messages were answered so far.
func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.answered)
}
