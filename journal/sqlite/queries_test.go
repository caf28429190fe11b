package sqlite

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"alignd/journal/spool"
	"alignd/journal/storetest"
)

const queriesFile = "../../docs/journal.md"

// documentedQuery is a query of docs/journal.md with the output that stands below it.
var documentedQuery = regexp.MustCompile("(?s)\n```sql\n(.*?)```\n\n```text\n(.*?)```\n")

// The queries of the documentation give the output that stands there, of a made journal.
// With -update it is written there.
func TestTheDocumentedQueries(t *testing.T) {
	dir := t.TempDir()
	documentedJournal(t, dir)
	t.Run("here", func(t *testing.T) { askedHere(t, dir) })
	t.Run("in sqlite3", func(t *testing.T) { askedInSqlite3(t, dir) })
}

func askedHere(t *testing.T, dir string) {
	db, conn, _, err := openReading(t.Context(), dir, name{day: "2026-11-27", part: 1, sealed: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	defer conn.Close()
	text, err := os.ReadFile(queriesFile)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	updated := documentedQuery.ReplaceAllFunc(text, func(match []byte) []byte {
		n++
		m := documentedQuery.FindSubmatch(match)
		got := columns(t, conn, string(m[1]))
		if want := string(m[2]); got != want && !*update {
			t.Errorf("%sgives\n%snot\n%s", m[1], got, want)
		}
		if strings.Count(got, "\n") < 3 {
			t.Errorf("%sfinds nothing", m[1])
		}
		return fmt.Appendf(nil, "\n```sql\n%s```\n\n```text\n%s```\n", m[1], got)
	})
	if n != 10 {
		t.Errorf("%d queries, want 10", n)
	}
	if *update && !bytes.Equal(text, updated) {
		if err := os.WriteFile(queriesFile, updated, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// They give the same in sqlite3 itself, and so does one over the files of several days.
func askedInSqlite3(t *testing.T, dir string) {
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		if os.Getenv("ALIGND_E2E") != "" {
			t.Fatal("sqlite3 is missing: e2e/install installs it")
		}
		t.Skip("left out: the queries of the docs (needs sqlite3; make test installs it)")
	}
	text, err := os.ReadFile(queriesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range documentedQuery.FindAllSubmatch(text, -1) {
		out, err := exec.Command(program, "-readonly", "-header", "-column", filepath.Join(dir, "2026-11-27.1.sealed.db"), string(m[1])).CombinedOutput()
		if got := trimEnds(string(out)); err != nil || got != string(m[2]) {
			t.Errorf("%sgives in sqlite3, %v,\n%snot\n%s", m[1], err, got, m[2])
		}
	}
	script := regexp.MustCompile("(?s)\n```sh\n(cd /var/lib/alignd/journal\n.*?)```\n").FindSubmatch(text)
	if script == nil {
		t.Fatal("no script over several days in " + queriesFile)
	}
	cmd := exec.Command("sh", "-c", strings.Replace(string(script[1]), "/var/lib/alignd/journal", dir, 1))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "2026-11-27") || !strings.Contains(string(out), "2026-11-28") {
		t.Errorf("the script over several days: %v\n%s", err, out)
	}
}

// documentedJournal is that of storetest.Documented, its day sealed and the next in use.
func documentedJournal(t *testing.T, dir string) {
	t.Helper()
	s := openStore(t, dir, 0)
	take(t, s, spool.ID{1}, storetest.Documented())
	s.Close()
	s = openStore(t, dir, 0)
	seal(t, s, time.Date(2026, 11, 28, 1, 0, 0, 0, time.UTC))
	s.Close()
}

// columns is what `sqlite3 -header -column` prints, without spaces at the ends of lines.
func columns(t *testing.T, conn *sql.Conn, query string) string {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	head, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	lines := [][]string{head, make([]string, len(head))}
	for rows.Next() {
		values, into := make([]sql.NullString, len(head)), make([]any, len(head))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var line []string
		for _, v := range values {
			line = append(line, v.String)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	width := make([]int, len(head))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], len(cell))
		}
	}
	var b strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			if n == 1 {
				cell = strings.Repeat("-", width[i])
			}
			fmt.Fprintf(&b, "%-*s  ", width[i], cell)
		}
		b.WriteByte('\n')
	}
	return trimEnds(b.String())
}

var ends = regexp.MustCompile(` +\n`)

func trimEnds(s string) string { return ends.ReplaceAllString(s, "\n") }
