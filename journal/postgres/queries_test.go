package postgres

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"alignd/internal/pgtest"
	"alignd/journal/spool"
	"alignd/journal/storetest"
)

var documentedQuery = regexp.MustCompile("(?s)\n```sql\n(.*?)```\n\n```text\n(.*?)```\n")

// The queries of docs/journal.md give in psql what stands there; a time looks another way.
func TestTheDocumentedQueriesInPsql(t *testing.T) {
	c := pgtest.Shared(t)
	url := c.Database(t)
	var day = storetest.Documented()[:2000]
	storetest.Take(t, database(url).Open(t, 0, 0), spool.ID{1}, day)
	text, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	queries := documentedQuery.FindAllStringSubmatch(string(text), -1)
	if len(queries) != 10 {
		t.Errorf("%d queries", len(queries))
	}
	for _, m := range queries {
		out, err := c.Run("psql", "-d", url, "-X", "-At", "-F", " ", "-c", m[1])
		if err != nil {
			t.Errorf("%s%v", m[1], err)
			continue
		}
		got, want := plain(out), plain(strings.Join(strings.SplitAfter(m[2], "\n")[2:], ""))
		if got != want {
			t.Errorf("%sgives\n%snot\n%s", m[1], got, want)
		}
	}
}

var (
	manyBlanks = regexp.MustCompile(` +`)
	timestamps = regexp.MustCompile(`(\d{4}-\d\d-\d\d)[T ](\d\d)(:\d\d:\d\d)?(\.\d+)?(Z|\+00)?`)
)

// plain has one blank between fields, and of a time its day and hour.
func plain(text string) string {
	return timestamps.ReplaceAllString(manyBlanks.ReplaceAllString(text, " "), "$1T$2")
}
