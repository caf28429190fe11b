package postgres

import (
	"testing"
	"time"

	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/storetest"
)

// Readers take each other's session, and a new one where the server ended it.
func TestSessionsAreKeptForTheNextQuestion(t *testing.T) {
	access := Access{URL: pgtest.Database(t)}
	p := NewSessions(access)
	defer p.Close()
	count := func() (n int) {
		t.Helper()
		r := p.Reader()
		defer r.Close()
		if err := r.Search(t.Context(), journal.Query{}, func(*journal.Entry) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 0 || len(p.idle) != 0 {
		t.Errorf("without a journal: %d records, %d sessions", n, len(p.idle))
	}
	s := Open(Options{Access: access})
	defer s.Close()
	if err := s.Take(t.Context(), spool.ID{1}, storetest.Batch(1, 3, storetest.Noon)); err != nil {
		t.Fatal(err)
	}
	pid := func() uint32 {
		t.Helper()
		if n := count(); n != 3 || len(p.idle) != 1 {
			t.Fatalf("%d records, %d sessions wait", n, len(p.idle))
		}
		return p.idle[0].conn.PgConn().PID()
	}
	first := pid()
	if again := pid(); again != first {
		t.Errorf("session %d, then %d", first, again)
	}
	execute(t, access.URL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	second := pid()
	if second == first {
		t.Error("the server ended the session, and it is asked again")
	}
	p.idle[0].begun = time.Now().Add(-sessionAge)
	if third := pid(); third == second {
		t.Error("an old session is asked again")
	}
	p.idle[0].put = time.Now().Add(-sessionIdle)
	p.forget()
	if len(p.idle) != 0 {
		t.Errorf("%d sessions wait after their time", len(p.idle))
	}
	p.Close()
	if n := count(); n != 3 || len(p.idle) != 0 {
		t.Errorf("closed: %d records, %d sessions wait", n, len(p.idle))
	}
}

// A database that is kept is asked by another session where the server ended one just now.
func TestKeptDBOutlivesItsSessions(t *testing.T) {
	access := Access{URL: pgtest.Database(t)}
	db := access.KeptDB()
	defer db.Close()
	pid := func() (pid int) {
		t.Helper()
		if err := db.QueryRow("SELECT pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		return pid
	}
	first := pid()
	if again := pid(); again != first {
		t.Errorf("session %d, then %d", first, again)
	}
	execute(t, access.URL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	if second := pid(); second == first {
		t.Error("the session that was ended is asked again")
	}
}
