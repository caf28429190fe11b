package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/storetest"
)

// execute runs statements in a database.
func execute(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// ask returns the rows of a query, a line each.
func ask(t testing.TB, url, query string, args ...any) (lines []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintln(values...)))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return lines
}

// What is not ours, or later than we know, is not touched.
func TestForeignTables(t *testing.T) {
	for _, c := range []struct {
		name string
		make []string
		want string
	}{
		{name: "records of another product", make: []string{"CREATE TABLE records (song text)"}, want: "tables of another product"},
		{name: "a meta of another product", make: []string{"CREATE TABLE meta (key text, value text)", "INSERT INTO meta VALUES ('product', 'jukebox'), ('version', '2'), ('reads', '2')"}, want: "tables of another product"},
		{name: "a meta with other columns", make: []string{"CREATE TABLE meta (id int)"}, want: "tables of another product"},
		{name: "a meta with values that are no text", make: []string{"CREATE TABLE meta (key int, value int)"}, want: "tables of another product"},
		{name: "an empty meta", make: []string{"CREATE TABLE meta (key text, value text)"}, want: "tables of another product"},
		{name: "a view of our name", make: []string{"CREATE VIEW messages AS SELECT 1"}, want: "tables of another product"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := pgtest.Database(t)
			execute(t, url, c.make...)
			refused(t, url, c.want)
			const tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v')"
			if got := ask(t, url, tables); got[0] != "1" {
				t.Errorf("%s relations are there now", got[0])
			}
		})
	}
}

func refused(t *testing.T, url, want string) {
	t.Helper()
	s := Open(Options{Access: Access{URL: url}})
	defer s.Close()
	r := NewReader(Access{URL: url})
	defer r.Close()
	for what, err := range map[string]error{
		"Take":   s.Take(t.Context(), spool.ID{1}, storetest.Batch(1, 1, storetest.Noon)),
		"Tidy":   s.Tidy(t.Context(), storetest.Noon),
		"Search": r.Search(t.Context(), journal.Query{}, func(*journal.Entry) error { return nil }),
	} {
		if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// A later version that only adds something is read and written on; one that changes what
// there was is refused.
func TestLaterVersions(t *testing.T) {
	url := pgtest.Database(t)
	place := database(url)
	storetest.Take(t, place.Open(t, 0, 0), spool.ID{1}, storetest.Batch(1, 5, storetest.Noon))
	execute(t, url, "UPDATE meta SET value = '4' WHERE key = 'version'", "ALTER TABLE records ADD later integer NOT NULL DEFAULT 0",
		"ALTER TABLE blocks ADD later integer", "CREATE TABLE later (a int)")
	storetest.Take(t, place.Open(t, 0, 0), spool.ID{1}, storetest.Batch(1, 10, storetest.Noon))
	storetest.Take(t, place.Open(t, 0, 0), spool.ID{1}, storetest.Batch(11, 1, storetest.Noon.AddDate(0, 0, 1)))
	if got := storetest.Tokens(t, place, journal.Query{}); len(got) != 11 {
		t.Errorf("%d records", len(got))
	}
	execute(t, url, "UPDATE meta SET value = '4' WHERE key = 'reads'")
	refused(t, url, "a later alignd made it, with version 4 of the schema")
}

func TestTheViewHasWords(t *testing.T) {
	url := pgtest.Database(t)
	place := database(url)
	storetest.Take(t, place.Open(t, 0, 0), spool.ID{1}, storetest.Batch(1, 3, storetest.Noon))
	got := ask(t, url, `SELECT to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), author_domain, mail_from_domain, client, client_network, rule,
		coalesce(spf, '-'), coalesce(dmarc, '-'), disposition, coalesce(would, '-'), answer FROM messages ORDER BY id LIMIT 1`)
	if want := "2026-11-27 12:00:00 d1.example list.example 192.0.2.1 192.0.2.0/24 rule1 - - reject - written"; got[0] != want {
		t.Errorf("got  %s\nwant %s", got[0], want)
	}
}

// Hosts that begin at the same time make one set of tables, and none is turned away.
func TestHostsBeginTogether(t *testing.T) {
	url := pgtest.Database(t)
	const hosts, batches = 6, 5
	var wg sync.WaitGroup
	for h := range hosts {
		wg.Go(func() {
			s := Open(Options{Access: Access{URL: url}})
			defer s.Close()
			for b := range batches {
				// Each crosses midnight into further days.
				list := storetest.Batch(1+100*b, 100, storetest.Noon.AddDate(0, 0, b).Add(12*time.Hour-50*time.Second))
				if err := s.Take(t.Context(), spool.ID{byte(h + 1)}, list); err != nil {
					t.Error(err)
				}
				if err := s.Tidy(t.Context(), storetest.Noon); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	place := database(url)
	if got := storetest.Tokens(t, place, journal.Query{}); len(got) != hosts*batches*100 {
		t.Errorf("%d records", len(got))
	}
	if got := ask(t, url, "SELECT count(DISTINCT id), count(*) FROM records"); got[0] != "3000 3000" {
		t.Errorf("ids: %v", got)
	}
}
