package postgres

import (
	"os"
	"regexp"
	"testing"

	"alignd/internal/pgtest"
	"alignd/journal/spool"
	"alignd/journal/storetest"
)

// The queries of docs/journal.md, whose output journal/sqlite checks, are the same in psql.
func TestTheDocumentedQueriesRun(t *testing.T) {
	text, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	url := pgtest.Database(t)
	storetest.Take(t, database(url).Open(t, 0, 0), spool.ID{1}, storetest.Batch(1, 3, storetest.Noon))
	n := 0
	for _, m := range regexp.MustCompile("(?s)\n```sql\n(.*?);\n```\n").FindAllSubmatch(text, -1) {
		n++
		ask(t, url, string(m[1]))
	}
	if n < 10 {
		t.Errorf("%d queries, want 10", n)
	}
}
