package postgres

import (
	"testing"
	"time"

	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/storetest"
)

// Full ranges get their filters, the one that grows does not; what has none yet is found, too.
func TestFiltersAreMadeOfFullRanges(t *testing.T) {
	url := pgtest.Database(t)
	place := database(url)
	s := Open(Options{Access: Access{URL: url}})
	defer s.Close()
	const rows = 8000 // some three ranges
	begin := storetest.Noon.Add(-6 * time.Hour)
	take := func(from, n int) {
		for i := from; i < from+n; i += 1000 {
			storetest.Take(t, s, spool.ID{1}, storetest.Batch(i, 1000, begin.Add(time.Duration(i)*time.Second)))
		}
	}
	take(1, rows)
	s.filtered = time.Time{}
	if err := s.makeFilters(t.Context()); err != nil {
		t.Fatal(err)
	}
	var full int64
	for _, full = range s.ranges {
		if full < 3*rangePages || full%rangePages != 0 {
			t.Errorf("filters up to page %d", full)
		}
	}
	// brin_summarize_range returns how many it had to make.
	const missing = "SELECT coalesce(sum(brin_summarize_range(indexrelid, page)), 0) FROM pg_index JOIN pg_class ON oid = indexrelid, generate_series(0, $1::bigint - 1, 32) AS page WHERE indrelid = 'records_20261127'::regclass AND relam = (SELECT oid FROM pg_am WHERE amname = 'brin')"
	if got := ask(t, url, missing, full); got[0] != "0" {
		t.Errorf("%s filters were missing", got[0])
	}
	take(rows+1, 1000)
	for _, q := range []journal.Query{{Token: "t5"}, {Token: "t8990"}, {MessageID: "m4000@example.com"}, {ID: "t7000"}} {
		if got := storetest.Tokens(t, place, q); len(got) != 1 {
			t.Errorf("%+v finds %v", q, got)
		}
	}
}
