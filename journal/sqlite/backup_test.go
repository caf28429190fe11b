package sqlite

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/spool"
)

// A backup that is made while records come and files are sealed has the records up to
// some moment, and a store that goes on from it takes the rest and none twice.
func TestABackupUnderLoadIsRestored(t *testing.T) {
	dir := t.TempDir()
	live, copied := filepath.Join(dir, "journal"), filepath.Join(dir, "backup")
	s, err := Open(Options{Dir: live, MaxRows: 500})
	if err != nil {
		t.Fatal(err)
	}
	const all, batches = 4000, 80
	from := spool.ID{7}
	var list []journal.Raw
	for i := range all {
		list = append(list, raw(i+1, i+1, noon.Add(time.Duration(i)*time.Second)))
	}
	var loading sync.WaitGroup
	begun := make(chan struct{})
	loading.Go(func() {
		for i := range batches {
			n := all / batches
			if err := s.Take(t.Context(), from, list[i*n:(i+1)*n]); err != nil {
				t.Error(err)
			}
			if err := s.Tidy(t.Context(), noon.Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if i == batches/4 {
				close(begun)
			}
		}
	})
	<-begun
	done, err := Backup(t.Context(), live, copied)
	loading.Wait()
	if err != nil || done.Files == 0 || done.Octets == 0 || len(done.Problems) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	had := len(tokens(t, copied, journal.Query{}))
	restored, err := Open(Options{Dir: copied, MaxRows: 500})
	if err != nil {
		t.Fatal(err)
	}
	take(t, restored, from, list)
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	got := tokens(t, copied, journal.Query{})
	slices.Sort(got)
	if len(got) != all || len(slices.Compact(got)) != all || had < all/4 {
		t.Errorf("the backup had %d, and with the rest there are %d of %d", had, len(got), all)
	}
	if live := len(tokens(t, live, journal.Query{})); live != all {
		t.Errorf("the journal itself has %d of %d", live, all)
	}
	t.Logf("backup of %d records, %+v", had, done)
}

func TestABackupLeavesOutWhatIsDamagedAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, "journal")
	filled(t, Options{Dir: live}, 2, 1, 0).Close()
	if err := os.WriteFile(filepath.Join(live, "2026-11-26.1.db"), []byte("this is no database, but a text that is long enough to be taken for one"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(filepath.Join(live, "2026-11-26.1.db"+end)); err != nil {
			t.Fatal(err)
		}
	}
	done, err := Backup(t.Context(), live, filepath.Join(dir, "backup"))
	if err != nil || done.Files != 2 || len(done.Problems) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if got := len(tokens(t, filepath.Join(dir, "backup"), journal.Query{})); got != 20 {
		t.Errorf("%d records", got)
	}
}
