package postgres

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/storetest"
)

// TestAPasswordIsReadFromItsFile: at each connect, and nothing tells what is in it.
func TestAPasswordIsReadFromItsFile(t *testing.T) {
	c := pgtest.Shared(t)
	execute(t, c.URL("postgres"), "CREATE ROLE keeper LOGIN PASSWORD 'right'", "CREATE DATABASE kept OWNER keeper")
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := Open(Options{Access: Access{URL: c.TCP("keeper", "kept"), PasswordFile: file}})
	defer s.Close()
	take := func() error { return s.Take(t.Context(), spool.ID{1}, storetest.Batch(1, 3, storetest.Noon)) }
	if err := take(); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("without the file: %v", err)
	}
	write("wrongsecret\n")
	if err := take(); err == nil || !strings.Contains(err.Error(), "password authentication failed") || strings.Contains(err.Error(), "wrongsecret") {
		t.Errorf("with another password: %v", err)
	}
	write("right\r\n")
	if err := take(); err != nil {
		t.Error(err)
	}
	t.Setenv("PGPASSWORD", "right")
	r := NewReader(Access{URL: c.TCP("keeper", "kept")})
	defer r.Close()
	n := 0
	if err := r.Search(t.Context(), journal.Query{}, func(*journal.Entry) error { n++; return nil }); err != nil || n != 3 {
		t.Errorf("by PGPASSWORD: %d records, %v", n, err)
	}
	if err := os.WriteFile(file, []byte("*:*:*:keeper:right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSWORD", "")
	t.Setenv("PGPASSFILE", file)
	other := NewReader(Access{URL: c.TCP("keeper", "kept")})
	defer other.Close()
	if err := other.Search(t.Context(), journal.Query{Limit: 1}, func(*journal.Entry) error { return nil }); err != nil {
		t.Errorf("by PGPASSFILE: %v", err)
	}
}

// TestAServerThatHangsIsLeft: one that takes connections and says nothing, and one that
// hangs in the middle of a session.
func TestAServerThatHangsIsLeft(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := Open(Options{Access: Access{URL: "postgres://a@" + ln.Addr().String() + "/b"}})
	defer s.Close()
	begun := time.Now()
	if err := s.Take(t.Context(), spool.ID{1}, storetest.Batch(1, 3, storetest.Noon)); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the server does not answer within 4s") {
		t.Errorf("got %v", err)
	}

	c := pgtest.Start(t)
	s = Open(Options{Access: Access{URL: c.Database(t)}})
	defer s.Close()
	storetest.Take(t, s, spool.ID{1}, storetest.Batch(1, 3, storetest.Noon))
	if err := c.Hang(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.Take(ctx, spool.ID{1}, storetest.Batch(1, 6, storetest.Noon)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if passed := time.Since(begun); passed > 20*time.Second {
		t.Errorf("it took %s", passed)
	}
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	storetest.Take(t, s, spool.ID{1}, storetest.Batch(1, 6, storetest.Noon))
	if got := storetest.Tokens(t, database(s.opt.URL), journal.Query{}); len(got) != 6 {
		t.Errorf("got %v", got)
	}
}

// TestTheDatabaseIsBelieved: it goes back to an older state, while the session lasts as
// behind a pooler, between two sessions, and where no mail comes.
func TestTheDatabaseIsBelieved(t *testing.T) {
	id := spool.ID{1}
	for _, c := range []struct {
		name string
		gone func(*Store) error // notices that the database fell back
	}{
		{name: "within a session", gone: func(s *Store) error {
			return s.Take(t.Context(), id, storetest.Batch(31, 10, storetest.Noon.Add(30*time.Second)))
		}},
		{name: "in the next session", gone: func(s *Store) error {
			s.leave()
			return s.Take(t.Context(), id, storetest.Batch(31, 10, storetest.Noon.Add(30*time.Second)))
		}},
		{name: "where no mail comes", gone: func(s *Store) error {
			s.checked = time.Time{}
			return s.Tidy(t.Context(), storetest.Noon)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := pgtest.Database(t)
			s := Open(Options{Access: Access{URL: url}})
			defer s.Close()
			storetest.Take(t, s, id, storetest.Batch(1, 10, storetest.Noon))
			storetest.Take(t, s, id, storetest.Batch(11, 20, storetest.Noon.Add(10*time.Second)))
			execute(t, url, "DELETE FROM records WHERE time >= "+ms(storetest.Noon.Add(10*time.Second)), "UPDATE loaded SET number = 10")
			if err := c.gone(s); !errors.Is(err, journal.ErrAnew) {
				t.Fatalf("got %v", err)
			}
			storetest.Take(t, s, id, storetest.Batch(1, 40, storetest.Noon)) // as the loader does then
			got := storetest.Tokens(t, database(url), journal.Query{})
			if len(got) != 40 || got[0] != "t40" || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 40 {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestSomebodyReadsForLong: a backup holds its locks for hours. What is due to be removed
// stays meanwhile, and nobody waits.
func TestSomebodyReadsForLong(t *testing.T) {
	url := pgtest.Database(t)
	place := database(url)
	s := place.Open(t, 48*time.Hour, 0)
	storetest.Take(t, s, spool.ID{1}, storetest.Batch(1, 10, storetest.Noon.AddDate(0, 0, -5)))
	storetest.Take(t, s, spool.ID{1}, storetest.Batch(11, 10, storetest.Noon))
	conn, err := (&Access{URL: url}).connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "BEGIN; SELECT FROM records LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	if err := place.Open(t, 48*time.Hour, 0).Tidy(t.Context(), storetest.Noon); err != nil {
		t.Error(err)
	}
	if got := storetest.Tokens(t, place, journal.Query{}); len(got) != 20 {
		t.Errorf("%d records", len(got))
	}
	if _, err := conn.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := place.Open(t, 48*time.Hour, 0).Tidy(t.Context(), storetest.Noon); err != nil {
		t.Error(err)
	}
	if got := storetest.Tokens(t, place, journal.Query{}); len(got) != 10 {
		t.Errorf("%d records afterwards", len(got))
	}
}

// TestAFrozenHostHoldsNobodyUp: one that stopped in the middle of its transaction.
func TestAFrozenHostHoldsNobodyUp(t *testing.T) {
	url := pgtest.Database(t)
	place := database(url)
	s := Open(Options{Access: Access{URL: url}})
	defer s.Close()
	storetest.Take(t, s, spool.ID{1}, storetest.Batch(1, 10, storetest.Noon))
	frozen, list := s.conn, storetest.Batch(11, 10, storetest.Noon)
	if err := s.prepare(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	tx, err := frozen.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if err := errors.Join(s.advance(t.Context(), tx, spool.ID{1}, 20), s.blocks.send(t.Context(), frozen, intoBlocks), s.rows.send(t.Context(), frozen, intoRecords)); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	other := place.Open(t, 0, 0)
	storetest.Take(t, other, spool.ID{2}, storetest.Batch(1, 100, storetest.Noon))
	storetest.Take(t, other, spool.ID{2}, storetest.Batch(101, 5, storetest.Noon.AddDate(0, 0, 1)))
	if passed := time.Since(begun); passed > 5*time.Second {
		t.Errorf("another host waited %s", passed)
	}
}

func ms(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

// TestSeveralHosts: the one that answers and can be written is used.
func TestSeveralHosts(t *testing.T) {
	c := pgtest.Shared(t)
	execute(t, c.URL("postgres"), "CREATE ROLE several LOGIN PASSWORD 'right'", "CREATE DATABASE several OWNER several")
	t.Setenv("PGPASSWORD", "right")
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	for _, u := range []string{
		"postgres://several@" + nobody.Addr().String() + ",127.0.0.1:" + c.Port() + "/several?sslmode=disable&target_session_attrs=read-write",
		"postgres://several@/several?host=127.0.0.1,127.0.0.1&port=" + c.Port() + "," + c.Port() + "&sslmode=disable&target_session_attrs=prefer-standby",
	} {
		s := Open(Options{Access: Access{URL: u}})
		if err := s.Take(t.Context(), spool.ID{1}, storetest.Batch(1, 3, storetest.Noon)); err != nil {
			t.Errorf("%s: %v", u, err)
		}
		s.Close()
	}
}
