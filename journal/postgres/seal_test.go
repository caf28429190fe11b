package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/storetest"
)

const lastDay = 9

// tenDays has twenty records of each of ten days, t1 and its like of the first; the last
// but one is over for half a day.
func tenDays(t *testing.T, url string) *Store {
	t.Helper()
	s := Open(Options{Access: Access{URL: url}, Hurry: true, Keep: 1000 * 24 * time.Hour})
	t.Cleanup(func() { s.Close() })
	for d := range lastDay + 1 {
		storetest.Take(t, s, spool.ID{1}, storetest.Batch(1+20*d, 20, storetest.Noon.AddDate(0, 0, d-lastDay)))
	}
	return s
}

func seal(t *testing.T, s *Store) {
	t.Helper()
	clear(s.sealTried)
	for again := true; again; again = s.Health().Sealing {
		if err := s.Tidy(t.Context(), storetest.Noon); err != nil {
			t.Fatal(err)
		}
	}
}

// asked are the days that a reader would open tables of, as the last digits of their dates.
func asked(t *testing.T, url string, q journal.Query) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	parts, filters, err := partsOf(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	var w wanted
	if filters {
		w = wantedOf(&q)
	}
	days, err := candidates(t.Context(), conn, parts, w)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, d := range days {
		list = append(list, d.String()[6:])
	}
	return strings.Join(list, " ")
}

// notFound are those of every seventh of so many records that their ids do not lead to.
func notFound(t *testing.T, url string, records int) (list []string) {
	t.Helper()
	r := database(url).Reader(t)
	defer r.Close()
	for i := 1; i <= records; i += 7 {
		id, found := fmt.Sprintf("t%d", i), false
		if err := r.Search(t.Context(), journal.Query{ID: id}, func(e *journal.Entry) error {
			found = found || e.Record.Evidence.Token == id
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !found {
			list = append(list, id)
		}
	}
	return list
}

// Tables of the days are opened that may have what is wanted, and of today and tomorrow.
func TestSealedDaysAreLeftOut(t *testing.T) {
	url := pgtest.Database(t)
	seal(t, tenDays(t, url))
	for _, c := range []struct {
		name string
		q    journal.Query
		want string
	}{
		{name: "a token of the second day", q: journal.Query{Token: "t25"}, want: "28 27 19"},
		{name: "an id of any kind", q: journal.Query{ID: "t45"}, want: "28 27 20"},
		{name: "a Message-ID in brackets", q: journal.Query{MessageID: "<m65@example.com>"}, want: "28 27 21"},
		{name: "an id that nothing has", q: journal.Query{ID: "nothing"}, want: "28 27"},
		{name: "a domain that nothing has", q: journal.Query{Domain: "nobody.example"}, want: "28 27"},
		{name: "a token, and a domain that nothing has", q: journal.Query{Token: "t25", Domain: "nobody.example"}, want: "28 27"},
		{name: "a domain of MAIL FROM", q: journal.Query{MailFrom: "list.example"}, want: "28 27 26 25 24 23 22 21 20 19 18"},
		{name: "a result, which filters do not know", q: journal.Query{Disposition: "reject"}, want: "28 27 26 25 24 23 22 21 20 19 18"},
	} {
		if got := asked(t, url, c.q); got != c.want {
			t.Errorf("%s: days %q, want %q", c.name, got, c.want)
		}
	}
	if list := notFound(t, url, 20*(lastDay+1)); list != nil {
		t.Errorf("not found: %v", list)
	}
}

// What comes late into a sealed day is found at once, also where an older version brings it.
func TestWhatIsLateUnsealsItsDay(t *testing.T) {
	url := pgtest.Database(t)
	s := tenDays(t, url)
	seal(t, s)
	other := database(url).Open(t, 0, 0)
	storetest.Take(t, other, spool.ID{2}, storetest.Batch(201, 5, storetest.Noon.AddDate(0, 0, -3)))
	if got := asked(t, url, journal.Query{ID: "nothing"}); got != "28 27 24" {
		t.Errorf("days %q", got)
	}
	if got := storetest.Tokens(t, database(url), journal.Query{Token: "t203"}); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	seal(t, s)
	if got := asked(t, url, journal.Query{Token: "t203"}); got != "28 27 24" {
		t.Errorf("days %q", got)
	}
	if got := asked(t, url, journal.Query{ID: "nothing"}); got != "28 27" {
		t.Errorf("sealed again: days %q", got)
	}
	// As version 2 writes.
	execute(t, url, "INSERT INTO records SELECT id + 1000000, time, 1, 2, 3, author, mailfrom, client, rule, sender, results FROM records WHERE time < (SELECT min(time) + 3600000 FROM records)")
	if got := asked(t, url, journal.Query{ID: "nothing"}); got != "28 27 18" {
		t.Errorf("days %q", got)
	}
}

// A day that somebody writes to is not sealed before he ends, and what he writes while it is
// being sealed lets go of the filter.
func TestWhoWritesWhileADayIsSealed(t *testing.T) {
	url := pgtest.Database(t)
	s := tenDays(t, url)
	writer, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close(context.Background())
	write := func(tx pgx.Tx, back int) {
		t.Helper()
		_, err := tx.Exec(t.Context(), "INSERT INTO records VALUES (1, $1, $2, 2, 3, 4, 5, 6, 7, 8, 0)", storetest.Noon.AddDate(0, 0, -back).UnixMilli(), keyOf(journal.ColumnQueue, "LATE"))
		if err != nil {
			t.Fatal(err)
		}
	}
	tx, err := writer.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(tx, 4)
	seal(t, s)
	if got := asked(t, url, journal.Query{QueueID: "LATE"}); got != "28 27 23" {
		t.Errorf("days %q", got)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	clear(s.sealTried)
	s.due = nil
	if begun, err := s.nextToSeal(t.Context(), storetest.Noon); err != nil || !begun {
		t.Fatalf("begun: %v, %v", begun, err)
	}
	if got := s.making.day.String()[6:]; got != "23" {
		t.Errorf("day %s", got)
	}
	if tx, err = writer.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(tx, 4)
	for s.making.next < s.making.pages {
		if err := s.goOnSealing(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.goOnSealing(t.Context()); err != nil || s.making != nil {
		t.Errorf("the end: %v", err)
	}
	if got := asked(t, url, journal.Query{ID: "nothing"}); got != "28 27 23" {
		t.Errorf("days %q", got)
	}
}

// A day that is rewritten or dropped while it is sealed gets no filter, and the next one is
// sealed.
func TestADayThatIsNotTheSameAtTheEnd(t *testing.T) {
	for _, c := range []struct{ does, want string }{
		{does: "VACUUM FULL ", want: "28 27 18"},
		{does: "DROP TABLE ", want: "28 27"},
	} {
		t.Run(c.does, func(t *testing.T) {
			url := pgtest.Database(t)
			s := tenDays(t, url)
			if begun, err := s.nextToSeal(t.Context(), storetest.Noon); err != nil || !begun {
				t.Fatalf("begun: %v, %v", begun, err)
			}
			first := dayOf(storetest.Noon.AddDate(0, 0, -lastDay))
			for s.making.day != first {
				if err := s.goOnSealing(t.Context()); err != nil {
					t.Fatal(err)
				}
				if s.making == nil {
					if begun, err := s.nextToSeal(t.Context(), storetest.Noon); err != nil || !begun {
						t.Fatalf("begun: %v, %v", begun, err)
					}
				}
			}
			execute(t, url, c.does+first.partition("records"))
			for s.making != nil {
				if err := s.goOnSealing(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for again := true; again; again = s.Health().Sealing {
				if err := s.Tidy(t.Context(), storetest.Noon); err != nil {
					t.Fatal(err)
				}
			}
			if got := asked(t, url, journal.Query{ID: "nothing"}); got != c.want {
				t.Errorf("days %q, want %q", got, c.want)
			}
		})
	}
}

// A day that went and came again is not taken for the one that was sealed.
func TestADayThatCameAgain(t *testing.T) {
	url := pgtest.Database(t)
	s := tenDays(t, url)
	seal(t, s)
	d := dayOf(storetest.Noon.AddDate(0, 0, -lastDay))
	execute(t, url, "DROP TABLE "+d.partition("records")) // as version 2 does
	execute(t, url, "DROP TABLE "+d.partition("blocks"), "DROP TABLE "+d.partition("names"))
	storetest.Take(t, database(url).Open(t, 0, 0), spool.ID{2}, storetest.Batch(201, 5, storetest.Noon.AddDate(0, 0, -lastDay)))
	if got := storetest.Tokens(t, database(url), journal.Query{Token: "t203"}); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	s = Open(Options{Access: Access{URL: url}, Hurry: true, Keep: 1000 * 24 * time.Hour})
	defer s.Close()
	seal(t, s)
	if got := asked(t, url, journal.Query{Token: "t203"}); got != "28 27 18" {
		t.Errorf("days %q", got)
	}
	s.opt.Keep = 5 * 24 * time.Hour
	s.tidied = time.Time{}
	for range 5 {
		if err := s.Tidy(t.Context(), storetest.Noon); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(t, url, "SELECT min(day) - (date '2026-11-22' - date '1970-01-01') FROM records_sealed"); got[0] != "0" {
		t.Errorf("days that went have filters: the first is %s days off", got[0])
	}
}

// A day that goes between the question for days and that for records is passed over.
func TestADayGoesMeanwhile(t *testing.T) {
	url := pgtest.Database(t)
	tenDays(t, url)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	gone := dayOf(storetest.Noon.AddDate(0, 0, -lastDay)) - 1
	for _, q := range []journal.Query{{}, {ID: "t5"}, {Domain: "d1.example"}, {Client: netip.MustParsePrefix("192.0.2.0/24")}, {Disposition: "reject"}} {
		var tokens []string
		s := search{reader: &Reader{}, conn: conn, query: &q, found: func(e *journal.Entry) error {
			tokens = append(tokens, e.Record.Evidence.Token)
			return nil
		}}
		if err := s.days(t.Context(), []day{gone + 2, gone + 1, gone}); err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		if want := storetest.Tokens(t, database(url), q); len(tokens) == 0 || !slices.Equal(tokens, want[len(want)-len(tokens):]) {
			t.Errorf("%+v: got %v", q, tokens)
		}
	}
	s := search{reader: &Reader{}, conn: conn, query: &journal.Query{}}
	blocks, err := s.blocks(t.Context(), []int32{int32(gone + 1), int32(gone)}, []int64{1})
	if err != nil || len(blocks[1]) != 20 {
		t.Errorf("%d items, %v", len(blocks[1]), err)
	}
}

// Tables of version 2 get what is new, and a host of version 2 writes on. Who may only read
// needs no right but those he had.
func TestTablesOfVersion2(t *testing.T) {
	url := pgtest.Database(t)
	s := tenDays(t, url)
	seal(t, s)
	s.Close()
	execute(t, url, "DROP TABLE records_filters, records_sealed", "DROP FUNCTION records_unseal CASCADE", "UPDATE meta SET value = '2' WHERE key = 'version'")
	if got := asked(t, url, journal.Query{ID: "t25"}); got != "28 27 26 25 24 23 22 21 20 19 18" {
		t.Errorf("a reader of version 2's tables asks %q", got)
	}
	s = Open(Options{Access: Access{URL: url}, Hurry: true, Keep: 1000 * 24 * time.Hour})
	defer s.Close()
	seal(t, s)
	if got := ask(t, url, "SELECT string_agg(value, ' ' ORDER BY key) FROM meta WHERE key IN ('version', 'reads')"); got[0] != "2 3" {
		t.Errorf("reads and version: %v", got)
	}
	if got := asked(t, url, journal.Query{ID: "t25"}); got != "28 27 19" {
		t.Errorf("days %q", got)
	}
	if list := notFound(t, url, 20*(lastDay+1)); list != nil {
		t.Errorf("not found: %v", list)
	}
}

// A reader whose rights are older than the filters does without.
func TestAReaderWithoutRightsToFilters(t *testing.T) {
	c := pgtest.Shared(t)
	url := c.Database(t)
	seal(t, tenDays(t, url))
	role := fmt.Sprintf("reader_%d", time.Now().UnixNano())
	execute(t, url, "CREATE ROLE "+role+" LOGIN PASSWORD 'reads'", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+role, "REVOKE SELECT ON records_filters FROM "+role)
	theirs := strings.Replace(url, "postgres@", role+"@", 1)
	if got := asked(t, theirs, journal.Query{ID: "t25"}); got != "28 27 26 25 24 23 22 21 20 19 18" {
		t.Errorf("days %q", got)
	}
	execute(t, url, "GRANT SELECT ON records_filters TO "+role)
	if got := asked(t, theirs, journal.Query{ID: "t25"}); got != "28 27 19" {
		t.Errorf("days %q", got)
	}
}

// A backup that was restored has filters of its own tables, and late records unseal its days.
func TestABackupHasItsFilters(t *testing.T) {
	c := pgtest.Shared(t)
	url, other := c.Database(t), c.Database(t)
	seal(t, tenDays(t, url))
	dump := filepath.Join(c.Dir(), filepath.Base(t.Name()))
	for _, command := range [][]string{{"pg_dump", "-Fc", "-f", dump, url}, {"pg_restore", "--no-owner", "-d", other, dump}} {
		if _, err := c.Run(command[0], command[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	if got := asked(t, other, journal.Query{ID: "t25"}); got != "28 27 19" {
		t.Errorf("days %q", got)
	}
	storetest.Take(t, database(other).Open(t, 0, 0), spool.ID{2}, storetest.Batch(201, 5, storetest.Noon.AddDate(0, 0, -3)))
	if got := asked(t, other, journal.Query{ID: "nothing"}); got != "28 27 24" {
		t.Errorf("after what is late: days %q", got)
	}
	if list := notFound(t, other, 205); list != nil {
		t.Errorf("not found: %v", list)
	}
}
