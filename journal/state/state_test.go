package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/internal/owned"
	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/postgres"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

var noon = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

// mail is a record for tests.
type mail struct {
	at     time.Time
	author string
	client string
	names  []string
	result evidence.Result
	rule   string
	told   policy.Delivery
	would  policy.Delivery
	dkim   evidence.Result
	spf    bool // passes, aligned
	config [32]byte
}

func (m mail) raw(n int) journal.Raw {
	r := &record.Record{}
	ev := &r.Evidence
	ev.Time, ev.Sample = m.at, -1
	ev.From.Domains = []string{m.author}
	ev.DMARC = []evidence.DMARC{{AuthorDomain: m.author, Result: m.result, SPFAligned: m.spf}}
	if m.client != "" {
		ev.Client.Peer = netip.MustParseAddr(m.client)
	}
	ev.IPRev.Names = m.names
	if m.dkim != "" {
		ev.DKIM = []evidence.Signature{{Domain: "other.example", Result: m.dkim}}
	}
	r.Verdict = policy.Verdict{Delivery: m.told, Rule: m.rule, Evaluation: 1, Monitor: policy.Outcome{Delivery: m.would}}
	r.Basis.Config = m.config
	return journal.Raw{Entry: journal.Entry{Number: spool.Number(n), Record: r}}
}

func fileAt(t testing.TB, path string) *State {
	t.Helper()
	s, err := OpenFile(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestMain(m *testing.M) { pgtest.Main(m) }

// postgresAt opens the state in a database of PostgreSQL.
func postgresAt(t testing.TB, url string) *State {
	t.Helper()
	db, err := postgres.Access{URL: url}.DB()
	if err != nil {
		t.Fatal(err)
	}
	s := OpenPostgres(db, Options{})
	t.Cleanup(func() { s.Close() })
	return s
}

// stores runs a test on each database.
func stores(t *testing.T, f func(t *testing.T, open func() *State)) {
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.Database(t)
		f(t, func() *State { return postgresAt(t, url) })
	})
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.db")
		f(t, func() *State { return fileAt(t, path) })
	})
}

func scanInto(to any) func(*sql.Rows) error {
	return func(r *sql.Rows) error { return r.Scan(to) }
}

func take(t testing.TB, s *State, from spool.ID, batch ...journal.Raw) {
	t.Helper()
	if err := s.Take(context.Background(), from, batch); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, s *State, d Dimension) *Table {
	t.Helper()
	table, err := s.Count(context.Background(), Question{By: d, Since: noon.AddDate(-1, 0, 0), Until: noon.AddDate(0, 0, 2)})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func messages(t testing.TB, s *State) uint64 {
	t.Helper()
	table := count(t, s, Total)
	n := table.Other.Messages
	for _, r := range table.Rows {
		n += r.Messages
	}
	return n
}

func TestEachRecordIsCountedOnceWhateverIsTakenAgain(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		s := open()
		var batch []journal.Raw
		for n := range 10 {
			batch = append(batch, mail{at: noon, author: "a.example", result: evidence.Pass}.raw(n+1))
		}
		a, b := spool.ID{1}, spool.ID{2}
		take(t, s, a, batch[:6]...)
		take(t, s, a, batch[:6]...)
		if err := s.flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := messages(t, s); got != 6 {
			t.Errorf("%d messages, want 6", got)
		}
		take(t, s, a, batch...)
		// Killed here: what was gathered is lost and taken again.
		s.begun, s.taken = false, 0
		take(t, s, a, batch...)
		take(t, s, b, batch[:3]...) // another spool
		take(t, s, a, batch...)
		s.Close()
		if got := messages(t, open()); got != 13 {
			t.Errorf("%d messages, want 13", got)
		}
	})
}

func TestTheSpoolKeepsWhatIsNotOnDisk(t *testing.T) {
	s := fileAt(t, filepath.Join(t.TempDir(), "state.db"))
	s.flushed = time.Now()
	take(t, s, spool.ID{1}, mail{at: noon}.raw(7))
	if got := s.Kept(9); got != 0 {
		t.Errorf("kept %d, want 0", got)
	}
	if err := s.flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := s.Kept(9); got != 9 {
		t.Errorf("kept %d, want 9", got)
	}
	take(t, s, spool.ID{1}, mail{at: noon}.raw(10))
	if got := s.Kept(12); got != 7 {
		t.Errorf("kept %d, want 7", got)
	}
}

func TestWhatIsCounted(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		s := open()
		take(t, s, spool.ID{1},
			mail{at: noon, author: "a.example", client: "192.0.2.7", result: evidence.Pass, told: policy.Deliver}.raw(1),
			mail{at: noon.Add(time.Hour), author: "a.example", client: "192.0.2.9", names: []string{"mx1.b.example", "z.test"}, result: evidence.Fail,
				told: policy.Refuse, rule: "block", dkim: evidence.Pass}.raw(2),
			mail{at: noon.Add(2 * time.Hour), author: "c.example", client: "2001:db8::1", result: evidence.Fail, told: policy.Deliver, would: policy.Refuse}.raw(3))
		s.Close()
		s = open()
		rows := count(t, s, ByDomain).Rows
		if len(rows) != 2 {
			t.Fatalf("%+v", rows)
		}
		want := Counts{Messages: 2, Pass: 1, Fail: 1, Refused: 1, FailDKIM: 1, First: noon, Last: noon.Add(time.Hour)}
		if rows[0].Text != "a.example" || rows[0].Counts != want {
			t.Errorf("got %+v\nwant %+v", rows[0], want)
		}
		if rows[1].WouldRefuse != 1 || rows[1].Refused != 0 {
			t.Errorf("%+v", rows[1])
		}
		got := ""
		for _, d := range []Dimension{ByClient, ByRule, ByResult} {
			for _, r := range count(t, s, d).Rows {
				got += fmt.Sprintf("%s %q %d\n", d, r.Text, r.Messages)
			}
		}
		if want := `client "192.0.2.0/24" 2
client "2001:db8::/48" 1
rule "" 2
rule "block" 1
result "delivery=deliver" 2
result "dmarc=fail" 2
result "delivery=refuse" 1
result "dkim=pass" 1
result "dmarc=pass" 1
`; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		pairs, err := s.Pairs(context.Background(), PairQuery{Author: "a.example", Since: noon.Add(-time.Hour), Until: noon.Add(3 * time.Hour)})
		if err != nil || len(pairs) != 2 {
			t.Fatalf("%+v, %v", pairs, err)
		}
		if p := pairs[0]; p.Infrastructure != "192.0.2.0/24" || p.Pass != 1 {
			t.Errorf("%+v", p)
		}
		if p := pairs[1]; p.Infrastructure != "b.example" || p.Fail != 1 || p.FailDKIM != 1 {
			t.Errorf("%+v", p)
		}
	})
}

func TestWhoPassesBySPF(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		s := open()
		take(t, s, spool.ID{1},
			mail{at: noon, author: "a.example", client: "192.0.2.1", result: evidence.Pass, spf: true}.raw(1),
			mail{at: noon, author: "a.example", client: "192.0.2.1", result: evidence.Pass, spf: true, told: policy.Refuse}.raw(2),
			mail{at: noon, author: "a.example", client: "192.0.2.1", result: evidence.Fail}.raw(3),
			mail{at: noon, author: "a.example", client: "203.0.113.5", result: evidence.Pass, told: policy.Refuse}.raw(4))
		if err := s.Tidy(context.Background(), noon.Add(3*time.Hour)); err != nil {
			t.Fatal(err)
		}
		pairs, err := s.Pairs(context.Background(), PairQuery{Since: noon, Until: noon.Add(time.Hour), BySPF: true})
		if err != nil || len(pairs) != 1 {
			t.Fatalf("%+v, %v", pairs, err)
		}
		if p := pairs[0]; p.Infrastructure != "192.0.2.0/24" || p.Messages != 3 || p.PassSPF != 2 || p.PassRefused != 1 || p.PassSPFRefused != 1 {
			t.Errorf("%+v", p)
		}
	})
}

func TestSettledHoursCountAsBefore(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		n := 0
		for h := range 24 * 20 {
			at := noon.Add(time.Duration(h-24*20) * time.Hour)
			n++
			take(t, s, spool.ID{1}, mail{at: at, author: fmt.Sprintf("d%d.example", h%3)}.raw(n))
		}
		if err := s.Tidy(ctx, noon.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if len(s.live) != 0 {
			t.Errorf("%d hours are not settled", len(s.live))
		}
		// A record that comes late.
		n++
		take(t, s, spool.ID{1}, mail{at: noon.Add(-30 * time.Hour), author: "d0.example"}.raw(n))
		s.Close()
		s = open()
		for range 2 {
			if got := messages(t, s); got != uint64(n) {
				t.Errorf("%d messages, want %d", got, n)
			}
			for _, c := range []struct{ since, until, want int }{{-1, 0, 1}, {-30, -29, 2}, {-30, -24, 7}, {-24 * 9, -5, 24*9 - 5 + 1}} {
				table, err := s.Count(ctx, Question{Since: noon.Add(time.Duration(c.since) * time.Hour), Until: noon.Add(time.Duration(c.until) * time.Hour)})
				if err != nil || len(table.Rows) != 1 || table.Rows[0].Messages != uint64(c.want) {
					t.Errorf("from %d to %d: %+v, %v, want %d", c.since, c.until, table, err, c.want)
				}
			}
			// Settled by another host, as this spool is no more.
			if err := s.Tidy(ctx, noon.Add(100*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestConfigurations(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		hash := [32]byte{1, 2}
		if _, err := s.Config(ctx, hash); !errors.Is(err, ErrUnknown) {
			t.Errorf("got %v, want ErrUnknown", err)
		}
		for range 2 {
			if err := s.KeepConfig(ctx, hash, []byte("mode: monitor\n"), noon); err != nil {
				t.Fatal(err)
			}
		}
		text, err := s.Config(ctx, hash)
		if err != nil || string(text) != "mode: monitor\n" {
			t.Errorf("%q, %v", text, err)
		}
		later := noon.AddDate(0, 0, 5)
		take(t, s, spool.ID{1}, mail{at: later, config: hash}.raw(1))
		s.flush(ctx)
		var last int64
		if err := s.rows(ctx, s.db, scanInto(&last), "SELECT last FROM state_configs"); err != nil || last != later.Unix() {
			t.Errorf("last judged at %d, want %d, %v", last, later.Unix(), err)
		}
	})
}

func TestStops(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		if err := s.SetStop(ctx, Stop{ID: "bank", At: noon, Reason: "too many", Fingerprint: []byte{1}}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = open()
		list, err := s.Stops(ctx)
		if err != nil || len(list) != 1 || list[0].ID != "bank" || !list[0].At.Equal(noon) || !list[0].Resumed.IsZero() {
			t.Fatalf("%+v, %v", list, err)
		}
		if err := s.Resume(ctx, "bank", noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.Resume(ctx, "bank", noon.Add(time.Hour)); !errors.Is(err, ErrUnknown) {
			t.Errorf("got %v, want ErrUnknown", err)
		}
		if list, _ := s.Stops(ctx); !list[0].Resumed.Equal(noon.Add(time.Hour)) {
			t.Errorf("%+v", list)
		}
	})
}

// A file that is damaged, or a disk that is full, while alignd runs: nothing is counted
// twice or left out once it works again.
func TestAFailedFlushIsMadeUpFor(t *testing.T) {
	ctx := context.Background()
	s := fileAt(t, filepath.Join(t.TempDir(), "state.db"))
	from := spool.ID{1}
	batch := []journal.Raw{mail{at: noon}.raw(1), mail{at: noon}.raw(2), mail{at: noon}.raw(3)}
	take(t, s, from, batch[:1]...)
	if _, err := s.exec(ctx, s.db, "CREATE TRIGGER full BEFORE UPDATE ON state_live BEGIN SELECT RAISE(FAIL, 'disk full'); END"); err != nil {
		t.Fatal(err)
	}
	take(t, s, from, batch[1:2]...) // gathered
	if err := s.flush(ctx); !errors.Is(err, journal.ErrAnew) {
		t.Fatalf("got %v, want ErrAnew", err)
	}
	if got := s.Kept(2); got > 1 {
		t.Errorf("kept %d, want 1 at most", got)
	}
	if err := s.Take(ctx, from, batch[:2]); err == nil {
		t.Error("the next Take does not show that it fails still")
	}
	if _, err := s.exec(ctx, s.db, "DROP TRIGGER full"); err != nil {
		t.Fatal(err)
	}
	take(t, s, from, batch...)
	if err := s.flush(ctx); err != nil {
		t.Fatal(err)
	}
	if got := messages(t, s); got != 3 {
		t.Errorf("%d messages, want 3", got)
	}
	s.Close()
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// What a panic leaves half counted is counted again, once.
func TestAPanicCountsNothingTwice(t *testing.T) {
	panics := 2
	s, err := OpenFile(t.Context(), filepath.Join(t.TempDir(), "state.db"), Options{Tally: func(e *journal.Entry) []Tally {
		if e.Number == 3 && panics > 0 {
			panics--
			panic("no")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	from, batch := spool.ID{1}, []journal.Raw{mail{at: noon}.raw(1), mail{at: noon}.raw(2), mail{at: noon}.raw(3)}
	take(t, s, from, batch[:1]...)
	for range 2 {
		if err := s.Take(t.Context(), from, batch); !errors.Is(err, journal.ErrAnew) || !errors.Is(err, owned.ErrPanic) {
			t.Fatalf("got %v, want ErrAnew for a panic", err)
		}
	}
	take(t, s, from, batch...)
	if err := s.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := messages(t, s); got != 3 {
		t.Errorf("%d messages, want 3", got)
	}
}
