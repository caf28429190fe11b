package state

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/judge"
)

// Several hosts count into one database at the same time, each over a backlog of hours
// that it settles meanwhile. Nothing is lost, doubled or stuck.
func TestHostsCountTogether(t *testing.T) {
	const hosts, hours, each = 3, 30, 40
	url := pgtest.Database(t)
	ctx := context.Background()
	var work sync.WaitGroup
	for h := range hosts {
		work.Go(func() {
			s := postgresAt(t, url)
			n := 0
			for hour := range hours {
				var batch []journal.Raw
				for i := range each {
					n++
					at := noon.Add(time.Duration(hour-hours) * time.Hour)
					batch = append(batch, mail{at: at, author: fmt.Sprintf("d%d.example", i%7), client: fmt.Sprintf("192.0.%d.1", h), result: evidence.Fail}.raw(n))
				}
				if err := s.Take(ctx, spool.ID{byte(h + 1)}, batch); err != nil {
					t.Error(err)
				}
				s.tidied = time.Time{}
				if err := s.Tidy(ctx, noon); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	s := postgresAt(t, url)
	if got := messages(t, s); got != hosts*hours*each {
		t.Errorf("%d messages, want %d", got, hosts*hours*each)
	}
	for _, r := range count(t, s, ByClient).Rows {
		if r.Messages != hours*each || r.Missed != 0 {
			t.Errorf("%s: %+v", r.Text, r)
		}
	}
}

// After a failover the database may be as it was some time ago. The host finds out, and
// counts again what it has to.
func TestADatabaseThatFellBackIsFound(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s, other := open(), open()
		from := spool.ID{1}
		batch := []journal.Raw{mail{at: noon, author: "a.example"}.raw(1), mail{at: noon, author: "a.example"}.raw(2), mail{at: noon, author: "a.example"}.raw(3)}
		take(t, s, from, batch[:2]...)
		if err := s.flush(ctx); err != nil {
			t.Fatal(err)
		}
		// Nothing of it arrived.
		for _, table := range []string{"state_live", "state_loaded"} {
			if _, err := other.exec(ctx, other.db, "DELETE FROM "+table); err != nil {
				t.Fatal(err)
			}
		}
		s.tidied = time.Time{}
		if err := s.Tidy(ctx, noon); err == nil {
			t.Error("the fall was not noticed")
		}
		take(t, s, from, batch...)
		if err := s.flush(ctx); err != nil {
			t.Fatal(err)
		}
		if got := messages(t, other); got != 3 {
			t.Errorf("%d messages, want 3", got)
		}
	})
}

func TestWhatHostsPutOffIsKnownToAll(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		if t.Name() == "TestWhatHostsPutOffIsKnownToAll/sqlite" {
			t.Log("one host only, the statements are the same")
		}
		a, b := open().Waits(), open().Waits()
		defer a.Close()
		defer b.Close()
		bob, ann := judge.SharedKey{1}, judge.SharedKey{2}
		at := func(d time.Duration) time.Time { return noon.Add(d) }
		look := func(name string, w *Waits, now time.Time, keys []judge.SharedKey, want ...judge.SharedWait) {
			t.Helper()
			got := w.Deferred(keys, now)
			if len(got) != len(want) {
				t.Fatalf("%s: %+v", name, got)
			}
			for i := range want {
				if !got[i].First.Equal(want[i].First) || got[i].Times != want[i].Times || !got[i].Served.Equal(want[i].Served) {
					t.Errorf("%s: got %+v, want %+v", name, got[i], want[i])
				}
			}
		}
		none := judge.SharedWait{}
		look("new", a, at(0), []judge.SharedKey{bob}, none)
		look("at the other, for two", b, at(time.Hour), []judge.SharedKey{ann, bob}, none, judge.SharedWait{First: noon, Times: 1})
		look("named twice", a, at(2*time.Hour), []judge.SharedKey{bob, bob},
			judge.SharedWait{First: noon, Times: 2}, judge.SharedWait{First: noon, Times: 2})
		a.Served([]judge.SharedKey{bob}, at(3*time.Hour))
		for range 100 { // it is noted soon
			time.Sleep(20 * time.Millisecond)
			if got := b.Deferred([]judge.SharedKey{bob}, at(3*time.Hour)); got[0].Served.Equal(at(3 * time.Hour)) {
				break
			}
		}
		if got := b.Deferred([]judge.SharedKey{bob}, at(3*time.Hour)); !got[0].Served.Equal(at(3 * time.Hour)) {
			t.Errorf("served: %+v", got)
		}
		_ = b.Deferred([]judge.SharedKey{bob}, at(5*time.Hour)) // over: it begins anew
		look("new again", a, at(6*time.Hour), []judge.SharedKey{bob}, judge.SharedWait{First: at(5 * time.Hour), Times: 1})
		_ = b.Deferred([]judge.SharedKey{ann}, at(200*time.Hour)) // too old
		look("old", a, at(201*time.Hour), []judge.SharedKey{ann}, judge.SharedWait{First: at(200 * time.Hour), Times: 1})
		s := open()
		if err := s.forgetWaits(context.Background(), at(202*time.Hour)); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := s.rows(context.Background(), s.db, scanInto(&left), "SELECT count(*) FROM state_waits"); err != nil || left != 1 {
			t.Errorf("%d are left, want 1, %v", left, err)
		}
	})
}

// A server that hangs costs half a second once, and not for each message.
func TestAServerThatHangsCostsHalfASecondOnce(t *testing.T) {
	c := pgtest.Start(t)
	s := postgresAt(t, c.Database(t))
	w := s.Waits()
	defer w.Close()
	key := []judge.SharedKey{{1}}
	brokenAt := func(at time.Time) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.broken.IsZero() {
			w.broken = at
		}
	}
	answer := func() (got []judge.SharedWait) { // a busy machine may take longer than is waited for
		for tries := 0; got == nil && tries < 60; tries++ {
			brokenAt(time.Now().Add(-askAgain)) // half a minute later
			got = w.Deferred(key, noon)
		}
		return got
	}
	if answer() == nil {
		t.Fatal("no answer")
	}
	if err := c.Hang(); err != nil {
		t.Fatal(err)
	}
	defer c.Resume()
	begun := time.Now()
	if got := w.Deferred(key, noon); got != nil {
		t.Errorf("got %+v", got)
	}
	if took := time.Since(begun); took < askMost || took > 20*askMost { // without a limit it took for ever
		t.Errorf("the first one took %s", took)
	}
	brokenAt(time.Now().Add(time.Hour)) // the pause is not over however slow this is
	begun = time.Now()
	const others = 100
	for range others {
		if got := w.Deferred(key, noon); got != nil {
			t.Errorf("got %+v", got)
		}
	}
	if took := time.Since(begun); took > others*askMost/5 { // had each asked, it took others*askMost
		t.Errorf("%d others took %s", others, took)
	}
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	if got := answer(); len(got) != 1 || got[0].Times < 1 {
		t.Errorf("after the pause: %+v", got)
	}
}
