package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/internal/owned"
	"alignd/journal"
	"alignd/journal/rights"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// message is the record of message i.
func message(i int, at time.Time) *record.Record {
	return &record.Record{
		Evidence: evidence.Message{
			Time: at, QueueID: fmt.Sprintf("Q%d", i%50), Token: fmt.Sprintf("t%d", i), MessageID: fmt.Sprintf("<m%d@example.com>", i),
			MailFrom: "bounce@list.example", MailFromDomain: "list.example",
			Client: evidence.Client{Peer: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})},
			From:   evidence.From{Fields: 1, Domains: []string{fmt.Sprintf("d%d.example", i%10)}},
			DMARC:  []evidence.DMARC{{AuthorDomain: fmt.Sprintf("d%d.example", i%10), Result: evidence.Pass}},
		},
		Verdict: policy.Verdict{Disposition: []policy.Disposition{policy.DispositionAccept, policy.DispositionReject}[i%2], Rule: fmt.Sprintf("rule%d", i%3)},
		Outcome: record.Outcome{End: record.EndAnswered},
	}
}

func raw(number, i int, at time.Time) journal.Raw {
	r := message(i, at)
	return journal.Raw{Entry: journal.Entry{Number: spool.Number(number), Record: r}, Encoded: record.Append(nil, r)}
}

func batch(from, n int, at time.Time) (list []journal.Raw) {
	for i := range n {
		list = append(list, raw(from+i, from+i, at.Add(time.Duration(i)*time.Second)))
	}
	return list
}

func openStore(t *testing.T, dir string, maxRows int64) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, MaxRows: maxRows})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func take(t *testing.T, s *Store, from spool.ID, list []journal.Raw) {
	t.Helper()
	if err := s.Take(t.Context(), from, list); err != nil {
		t.Fatal(err)
	}
}

func tokens(t *testing.T, dir string, q journal.Query) (list []string) {
	t.Helper()
	r := NewReader(dir)
	r.Skipped = func(err error) { t.Errorf("skipped: %v", err) }
	err := r.Search(t.Context(), q, func(e *journal.Entry) error {
		list = append(list, e.Record.Evidence.Token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// seal seals all that is due at a time.
func seal(t *testing.T, s *Store, now time.Time) {
	t.Helper()
	for {
		if err := s.Tidy(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if s.sealed == nil {
			return
		}
		s.sealing.Wait()
	}
}

func TestSearch(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprintf("sealed=%t", sealed), func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir, 0)
			id := spool.ID{1}
			take(t, s, id, batch(1, 40, noon))
			take(t, s, id, batch(41, 60, noon.Add(time.Hour)))
			take(t, s, id, batch(101, 5, noon.AddDate(0, 0, 1)))
			if sealed {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openStore(t, dir, 0)
				seal(t, s, noon.AddDate(0, 0, 3))
			}
			for _, c := range []struct {
				name string
				q    journal.Query
				want []string
			}{
				{name: "the newest", q: journal.Query{Limit: 3}, want: []string{"t105", "t104", "t103"}},
				{name: "a token", q: journal.Query{Token: "t7"}, want: []string{"t7"}},
				{name: "a queue id, used twice", q: journal.Query{QueueID: "Q3"}, want: []string{"t103", "t53", "t3"}},
				{name: "a Message-ID without brackets", q: journal.Query{MessageID: "m42@example.com"}, want: []string{"t42"}},
				{name: "a domain", q: journal.Query{Domain: "d4.example", Limit: 2}, want: []string{"t104", "t94"}},
				{name: "a domain that wrote nothing", q: journal.Query{Domain: "d4.example.com"}},
				{name: "a client", q: journal.Query{Client: netip.MustParsePrefix("192.0.2.9/32")}, want: []string{"t9"}},
				{name: "a network", q: journal.Query{Client: netip.MustParsePrefix("192.0.0.0/16"), Limit: 1}, want: []string{"t105"}},
				{name: "a rule and a disposition", q: journal.Query{Rule: "rule1", Disposition: policy.DispositionReject, Limit: 2}, want: []string{"t103", "t97"}},
				{name: "a time", q: journal.Query{Since: noon.Add(time.Hour + 10*time.Second), Until: noon.Add(time.Hour + 12*time.Second)}, want: []string{"t52", "t51"}},
			} {
				t.Run(c.name, func(t *testing.T) {
					if got := tokens(t, dir, c.q); !slices.Equal(got, c.want) {
						t.Errorf("got %v, want %v", got, c.want)
					}
				})
			}
		})
	}
}

// A batch comes again where the loader could not know that it was taken.
func TestEachRecordIsKeptOnce(t *testing.T) {
	dir := t.TempDir()
	id, other := spool.ID{1}, spool.ID{2}
	all := append(batch(1, 30, noon), batch(31, 30, noon.AddDate(0, 0, 1))...)
	s := openStore(t, dir, 10) // many files a day
	for _, end := range []int{5, 20, 33, 60} {
		take(t, s, id, all[:end])
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, dir, 10)
		seal(t, s, noon)
	}
	take(t, s, other, batch(1, 1, noon)) // a rebuilt host starts anew
	if got := tokens(t, dir, journal.Query{}); len(got) != 61 || got[0] != "t60" {
		t.Errorf("%d entries, newest %v", len(got), got[:1])
	}
}

// A panic leaves nothing of its batch, and the next try takes all of it.
func TestAPanicKeepsNothingTwice(t *testing.T) {
	dir := t.TempDir()
	s, id, all := openStore(t, dir, 0), spool.ID{1}, batch(1, 100, noon)
	take(t, s, id, all[:10])
	w := s.open[noon.Format(dayForm)]
	w.tail.filter = w.tail.filter[:0] // which has no room, in the midst of a transaction
	if err := s.Take(t.Context(), id, all); !errors.Is(err, owned.ErrPanic) {
		t.Fatalf("got %v, want a panic", err)
	}
	if got := tokens(t, dir, journal.Query{}); len(got) != 10 {
		t.Errorf("%d entries after the panic, want 10", len(got))
	}
	take(t, s, id, all)
	if got := tokens(t, dir, journal.Query{}); len(got) != 100 {
		t.Errorf("%d entries, want 100", len(got))
	}
}

// Whatever a kill leaves of sealing, each record is found once.
func TestSealingIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0)
	take(t, s, spool.ID{1}, batch(1, 20, noon))
	s.Close()
	live := filepath.Join(dir, "2026-11-27.1.db")
	before := map[string][]byte{}
	for _, end := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(live + end)
		if err != nil {
			t.Fatal(err)
		}
		before[end] = b
	}
	if err := os.WriteFile(live[:len(live)-3]+".sealed.db.new", []byte("half"), rights.FileMode); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, 0)
	seal(t, s, noon.AddDate(0, 0, 1))
	s.Close()
	for end, b := range before { // killed before the file in use was removed
		if err := os.WriteFile(live+end, b, rights.FileMode); err != nil {
			t.Fatal(err)
		}
	}
	if got := tokens(t, dir, journal.Query{}); len(got) != 20 {
		t.Errorf("before the next start: %d entries", len(got))
	}
	openStore(t, dir, 0)
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(names) != 1 || len(tokens(t, dir, journal.Query{})) != 20 {
		t.Errorf("left: %v", names)
	}
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "2026-11-27.1.db")
	db, conn, err := open(t.Context(), path, "rwc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(context.Background(), "CREATE TABLE theirs (a)"); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	db.Close()
	s := openStore(t, dir, 0)
	if err := s.Take(t.Context(), spool.ID{1}, batch(1, 1, noon)); err == nil {
		t.Error("a file of another product was written")
	}
	if err := os.WriteFile(path, []byte("no database at all, but long enough to have a header of one"), rights.FileMode); err != nil {
		t.Fatal(err)
	}
	if err := s.Take(t.Context(), spool.ID{1}, batch(1, 1, noon)); err == nil {
		t.Error("a file that is no database was written")
	}
}

func BenchmarkTake(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	next := 1
	list := batch(next, 512, noon)
	b.ReportAllocs()
	for b.Loop() {
		for i := range list {
			list[i].Number = spool.Number(next)
			next++
		}
		if err := s.Take(context.Background(), spool.ID{1}, list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(next), "µs/record")
}

// A file that is sealed between the listing and its turn is read in its sealed form.
func TestAFileThatIsSealedMeanwhileIsRead(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0)
	take(t, s, spool.ID{1}, batch(1, 10, noon))
	was, err := files(dir)
	if err != nil || len(was) != 1 {
		t.Fatal(was, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, 0)
	take(t, s, spool.ID{1}, batch(11, 1, noon.AddDate(0, 0, 1)))
	seal(t, s, noon.AddDate(0, 0, 1))
	var read []string
	r := NewReader(dir)
	n := 0
	err = r.inEither(was[0], func(f name) (bool, error) {
		read = append(read, f.String())
		err := r.searchFile(t.Context(), r.openAhead(t.Context(), f), f, &journal.Query{}, func(*journal.Entry) error { n++; return nil })
		return n > 0, err
	})
	if err != nil || n != 10 || len(read) != 2 {
		t.Errorf("%d entries of %q, %v", n, read, err)
	}
}
