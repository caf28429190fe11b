package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"alignd/journal/spool"
	"alignd/record"
)

// A daemon that was killed while it was in doubt about a record gives it to the store at the
// next start, whether or not that has passed over it, and once.
func TestARecordInDoubtOutlivesAKill(t *testing.T) {
	for _, row := range []struct {
		name    string
		doubted int  // record
		upTo    int  // the store has the records below, but for the one in doubt
		torn    bool // its file was being written
		given   bool // the store has it, while its file was not removed yet
		other   bool // it came through another spool, which is not there any more
	}{
		{name: "the store has passed over it", doubted: 2, upTo: 4},
		{name: "it is the next one for the store", doubted: 2, upTo: 2},
		{name: "its file was being written", doubted: 2, upTo: 2, torn: true},
		{name: "the store has it by now", doubted: 2, upTo: 4, given: true},
		{name: "it is the last one", doubted: 5, upTo: 5},
		{name: "it came through another spool", doubted: 2, upTo: 4, other: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			written := &shelf{have: map[spool.ID]spool.Number{}}
			var all []Raw
			run(t, dir, listing{written, &all}, func(to record.Sink) {
				for i := range 6 {
					to.Take(message(fmt.Sprint("m", i)))(true)
				}
			})
			id, err := spool.ReadID(dir)
			if err != nil {
				t.Fatal(err)
			}
			s := &shelf{have: map[spool.ID]spool.Number{}}
			for i := range all[:row.upTo] {
				if i != row.doubted {
					_ = s.Take(t.Context(), id, all[i:i+1])
				}
			}
			r := all[row.doubted]
			if row.given {
				_ = s.Take(t.Context(), asideID(id), []Raw{r})
			}
			from := id
			if row.other {
				from = spool.ID{1}
			}
			if err := openAside(dir).write(asideName(feedRecords, from, r.Number), &r); err != nil {
				t.Fatal(err)
			}
			if row.torn {
				if err := os.Truncate(filepath.Join(dir, asideDir, asideName(feedRecords, from, r.Number)+suspect), 40); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 3 { // starts
				run(t, dir, s, func(to record.Sink) { to.Take(message(fmt.Sprint("n", n)))(true) })
			}
			slices.Sort(s.kept)
			left, _ := filepath.Glob(filepath.Join(dir, asideDir, "*"))
			want := []string{"m0 written", "m1 written", "m2 written", "m3 written", "m4 written", "m5 written", "n0 written", "n1 written", "n2 written"}
			if !slices.Equal(s.kept, want) || len(left) > 0 || SetAside(dir) != 0 {
				t.Errorf("kept %q, want %q; files left: %q", s.kept, want, left)
			}
		})
	}
}

// listing is a shelf that lists what it is given.
type listing struct {
	*shelf
	all *[]Raw
}

func (s listing) Take(_ context.Context, _ spool.ID, batch []Raw) error {
	for i := range batch {
		*s.all = append(*s.all, batch[i].clone())
	}
	return nil
}
