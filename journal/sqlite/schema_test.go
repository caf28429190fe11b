package sqlite

import (
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

var update = flag.Bool("update", false, "write the stored journal of this version of the schema, if there is none")

// storedWorld is the mail of the journals in testdata: one message in 90 minutes, so
// that the first eight are of 27 November, which is sealed, and four of the next day.
func storedWorld() []journal.Raw {
	w := made.World{Step: 90 * time.Minute, Domains: 10}
	var list []journal.Raw
	for i := range 12 {
		r := w.Record(i)
		if i == 3 {
			r.Verdict.Rule = "no-forgeries"
		}
		r.Verdict.Monitor.Delivery = journal.Deliveries[i%4]
		list = append(list, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1), Record: r, Answer: journal.Answer(i % 3)}, Encoded: record.Append(nil, r)})
	}
	return list
}

// store writes a journal as those in testdata are.
func store(t *testing.T, dir string) {
	t.Helper()
	s := openStore(t, dir, 0)
	take(t, s, spool.ID{1}, storedWorld()[:4])
	take(t, s, spool.ID{1}, storedWorld()[4:])
	s.Close()
	s = openStore(t, dir, 0)
	seal(t, s, noon.AddDate(0, 0, 1))
	s.Close()
	execSQL(t, filepath.Join(dir, "2026-11-28.1.db"), "PRAGMA wal_checkpoint(TRUNCATE)")
}

func execSQL(t *testing.T, path string, texts ...string) {
	t.Helper()
	db, conn, err := open(t.Context(), path, "rw")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	defer conn.Close()
	for _, text := range texts {
		if _, err := conn.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
}

// stored unpacks the journal of a version into a directory.
func stored(t *testing.T, v int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, n := range []string{"2026-11-27.1.sealed.db", "2026-11-28.1.db"} {
		in, err := os.Open(filepath.Join("testdata", fmt.Sprintf("v%d", v), n+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		z, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, n), b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Each version of the schema has its stored journal; it is written once.
func TestThisVersionIsStored(t *testing.T) {
	to := filepath.Join("testdata", fmt.Sprintf("v%d", version))
	if _, err := os.Stat(to); err == nil {
		return
	}
	if !*update {
		t.Fatalf("no %s: write it with -update", to)
	}
	dir := t.TempDir()
	store(t, dir)
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"2026-11-27.1.sealed.db", "2026-11-28.1.db"} {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		z, _ := gzip.NewWriterLevel(&text, gzip.BestCompression)
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, n+".gz"), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// storedQueries are asked of a stored journal of twelve messages, with what their blocks
// hold for an answer.
func storedQueries(t *testing.T, dir string) (list []storedQuery) {
	t.Helper()
	var all []*journal.Entry
	err := NewReader(dir).Scan(t.Context(), time.Time{}, time.Time{}, func(b journal.Block) error {
		items, err := b.Items()
		for _, i := range items {
			e, err := i.Entry()
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return err
	})
	if err != nil || len(all) != 12 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	ev := &all[5].Record.Evidence
	for _, q := range []journal.Query{
		{}, {Token: ev.Token}, {QueueID: ev.QueueID}, {MessageID: ev.MessageID}, {ID: ev.Token}, {ID: ev.QueueID}, {ID: journal.BareID(ev.MessageID)},
		{Domain: ev.From.Domains[0]}, {MailFrom: ev.MailFrom}, {MailFrom: strings.ToUpper(ev.MailFrom)}, {MailFrom: ev.MailFromDomain},
		{Client: network(ev, 32)}, {Client: network(ev, 24)}, {Client: network(ev, 8)}, {Rule: "no-forgeries"},
		{Disposition: all[5].Record.Verdict.Disposition}, {Would: policy.Deliver}, {Since: ev.Time, Until: all[9].Record.Evidence.Time},
	} {
		row := storedQuery{q: q}
		for _, e := range slices.Backward(all) {
			if q.Matches(e) {
				row.want = append(row.want, e.Record.Evidence.Token)
			}
		}
		list = append(list, row)
	}
	return list
}

type storedQuery struct {
	q    journal.Query
	want []string
}

func TestJournalsOfEachVersionAreRead(t *testing.T) {
	for v := 1; v <= version; v++ {
		t.Run(fmt.Sprintf("version %d", v), func(t *testing.T) {
			dir := stored(t, v)
			checkStored(t, dir, storedQueries(t, dir))
		})
	}
}

func checkStored(t *testing.T, dir string, list []storedQuery) {
	t.Helper()
	for _, row := range list {
		if len(row.want) == 0 && row.q.Would == "" {
			t.Errorf("nothing in the stored journal answers %+v", row.q)
		}
		if got := tokens(t, dir, row.q); !slices.Equal(got, row.want) {
			t.Errorf("%+v: got %v, want %v", row.q, got, row.want)
		}
	}
}

// The daemon begins a further file where the one in use is of an older version, and
// seals that one into the newer form. What both have taken counts.
func TestAFileInUseOfAnOlderVersion(t *testing.T) {
	for v := 1; v < version; v++ {
		dir := stored(t, v)
		before := storedQueries(t, dir)
		s := openStore(t, dir, 0)
		later := storedWorld() // which was taken, but for one more
		world := made.World{Begin: noon.Add(20 * time.Hour), Domains: 10}
		more := world.Record(100)
		later = append(later, journal.Raw{Entry: journal.Entry{Number: 13, Record: more}, Encoded: record.Append(nil, more)})
		take(t, s, spool.ID{1}, later)
		if got := tokens(t, dir, journal.Query{}); len(got) != 13 || got[0] != more.Evidence.Token {
			t.Errorf("version %d: %d records after one more", v, len(got))
		}
		seal(t, s, noon.AddDate(0, 0, 3))
		s.Close()
		s = openStore(t, dir, 0)
		seal(t, s, noon.AddDate(0, 0, 3))
		checkStored(t, dir, before[1:7])
		db, conn, is, err := openReading(t.Context(), dir, name{day: "2026-11-28", part: 1, sealed: true})
		if err != nil {
			t.Fatal(err)
		}
		if is != version {
			t.Errorf("the file of version %d was sealed as version %d", v, is)
		}
		var views int
		if err := conn.QueryRowContext(t.Context(), "SELECT count(*) FROM messages WHERE author_domain <> ''").Scan(&views); err != nil || views != 4 {
			t.Errorf("version %d, sealed: %d messages, %v", v, views, err)
		}
		conn.Close()
		db.Close()
	}
}

// A later version that only adds something is read and written on by this one.
func TestALaterVersionThatOnlyAdds(t *testing.T) {
	dir := t.TempDir()
	store(t, dir)
	for _, n := range []string{"2026-11-27.1.sealed.db", "2026-11-28.1.db"} {
		execSQL(t, filepath.Join(dir, n), "ALTER TABLE records ADD COLUMN later INTEGER NOT NULL DEFAULT 0", "ALTER TABLE blocks ADD COLUMN later",
			"CREATE TABLE later (a)", fmt.Sprintf("UPDATE meta SET value = %d WHERE key = 'version'", version+1))
	}
	checkStored(t, dir, storedQueries(t, dir))
	s := openStore(t, dir, 0)
	world := made.World{Begin: noon.Add(20 * time.Hour)}
	more := world.Record(100)
	take(t, s, spool.ID{1}, []journal.Raw{{Entry: journal.Entry{Number: 13, Record: more}, Encoded: record.Append(nil, more)}})
	if list, err := files(dir); err != nil || len(list) != 2 {
		t.Errorf("files: %v, %v", list, err)
	}
	if got := tokens(t, dir, journal.Query{}); len(got) != 13 {
		t.Errorf("%d records after one more", len(got))
	}
	seal(t, s, noon.AddDate(0, 0, 3))
}

// One that took something away is refused, and not touched.
func TestALaterVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	store(t, dir)
	path := filepath.Join(dir, "2026-11-28.1.db")
	execSQL(t, path, fmt.Sprintf("UPDATE meta SET value = %d WHERE key IN ('version', 'reads')", version+1), "PRAGMA wal_checkpoint(TRUNCATE)")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir, 0)
	err = s.Take(t.Context(), spool.ID{1}, batch(20, 1, noon.AddDate(0, 0, 1)))
	if want := fmt.Sprintf("a later alignd wrote it, with version %d of the schema; this one reads up to %d", version+1, version); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q in it", err, want)
	}
	if after, err := os.ReadFile(path); err != nil || !slices.Equal(before, after) {
		t.Errorf("the file was written, %v", err)
	}
	var told error
	r := NewReader(dir)
	r.Skipped = func(err error) { told = err }
	n := 0
	if err := r.Search(context.Background(), journal.Query{}, func(*journal.Entry) error { n++; return nil }); err != nil || n != 8 || !errors.Is(told, ErrForeign) {
		t.Errorf("%d records of the other file, %v, told %v", n, err, told)
	}
}

func TestTheViewSaysWhatTheRecordSays(t *testing.T) {
	dir := t.TempDir()
	store(t, dir)
	all := storedWorld()
	for _, n := range []name{{day: "2026-11-27", part: 1, sealed: true}, {day: "2026-11-28", part: 1}} {
		db, conn, _, err := openReading(t.Context(), dir, n)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range viewRows(t, conn) {
			if n.day == "2026-11-28" {
				i += 8
			}
			ev, v := &all[i].Record.Evidence, &all[i].Record.Verdict
			dkim := ""
			if len(ev.DKIM) > 0 {
				dkim = string(ev.DKIM[0].Result)
			}
			want := []string{ev.Time.Format("2006-01-02T15:04:05.000Z"), ev.From.Domains[0], ev.MailFromDomain, ev.Client.Peer.String(),
				network(ev, 24).String(), v.Rule, string(ev.SPF.MailFrom.Result), dkim, string(ev.ARC.Result), string(ev.DMARC[0].Result),
				string(v.Disposition), string(v.Delivery), string(v.Monitor.Delivery), all[i].Answer.String()}
			if !slices.Equal(got, want) {
				t.Errorf("message %d:\n got %q\nwant %q", i, got, want)
			}
		}
		conn.Close()
		db.Close()
	}
}

func viewRows(t *testing.T, conn *sql.Conn) (list [][]string) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), `SELECT time, author_domain, mail_from_domain, client, client_network, coalesce(rule, ''),
		spf, coalesce(dkim, ''), arc, dmarc, disposition, delivery, would, answer FROM messages ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		row := make([]string, 14)
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// network is the network of that many bits around a message's client.
func network(ev *evidence.Message, bits int) netip.Prefix {
	p, _ := ev.Client.Peer.Prefix(bits)
	return p
}
