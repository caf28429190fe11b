package sqlite

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"alignd/journal"
)

// Newest finds for each query what Search finds first for it alone, in sealed files and in
// those in use, whether they stay open or not.
func TestNewestIsWhatSearchFindsFirst(t *testing.T) {
	dir := t.TempDir()
	threeDays(t, dir, 1)
	list := []journal.Query{{Domain: "nobody.example"}, {ID: "Q7"}, {Domain: "d3.example", Client: netip.MustParsePrefix("192.0.2.0/24"), Until: noon.Add(13 * time.Hour)}}
	for i := range 10 {
		domain := fmt.Sprintf("d%d.example", i)
		list = append(list, journal.Query{Domain: domain}, journal.Query{Domain: domain, Client: netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/28", 16*i))},
			journal.Query{Domain: domain, Client: netip.MustParsePrefix("198.51.100.0/24")}, journal.Query{Client: netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/32", i)), Since: noon.AddDate(0, 0, 1)})
	}
	k := NewKept(dir)
	defer k.Close()
	for _, r := range []*Reader{NewReader(dir), k.Reader(), k.Reader()} {
		r.Skipped = func(err error) { t.Errorf("skipped: %v", err) }
		got := map[int]string{}
		err := r.Newest(t.Context(), list, func(i int, e *journal.Entry) {
			if got[i] != "" {
				t.Errorf("%+v: two entries", list[i])
			}
			got[i] = e.Record.Evidence.Token
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range list {
			q.Limit = 1
			want := ""
			if all := tokens(t, dir, q); len(all) > 0 {
				want = all[0]
			}
			if got[i] != want {
				t.Errorf("%+v: %q, want %q", q, got[i], want)
			}
		}
		if len(got) < 15 || len(got) == len(list) {
			t.Errorf("%d of %d were found", len(got), len(list))
		}
	}
}

// What cannot be read is told, and the other files are asked.
func TestNewestTellsWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	threeDays(t, dir, 1)
	if err := os.WriteFile(filepath.Join(dir, "2026-11-28.1.sealed.db"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, told, n := NewReader(dir), 0, 0
	r.Skipped = func(error) { told++ }
	list := []journal.Query{{QueueID: "Q7", Until: noon.Add(time.Hour)}, {Domain: "nobody.example"}}
	if err := r.Newest(t.Context(), list, func(i int, _ *journal.Entry) { n += 10 - i }); err != nil || told != 1 || n != 10 {
		t.Errorf("%v, told %d times, found %d", err, told, n)
	}
}
