package e2e

import (
	"fmt"
	"testing"
	"time"

	"alignd/internal/pgtest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFaultDatabase has the database of the journal fail in each way while mail comes in:
// killed, restarted, stopped for a while, hanging. Mail goes on.
func TestFaultDatabase(t *testing.T) {
	t.Parallel()
	needsFaults(t)
	needsDatabase(t)
	const rounds = 5
	c := pgtest.Start(t)
	f := newFleet(t, 1, c.Database(t))
	s := f.flow()
	for range rounds {
		time.Sleep(time.Second)
		must(t, c.Kill())
		must(t, c.Start())
		time.Sleep(time.Second)
		must(t, c.Restart())
		time.Sleep(time.Second)
		must(t, c.Stop())
		time.Sleep(2 * time.Second)
		must(t, c.Start())
		time.Sleep(time.Second)
		must(t, c.Hang())
		time.Sleep(2 * time.Second)
		must(t, c.Resume())
	}
	time.Sleep(time.Second)
	s.stop()
	o := f.settle(t, s)
	s.unhurt(t)
	row(t, fmt.Sprintf("PostgreSQL with the journal: %d times each `kill -9`, restart, 2 s stopped, 2 s hanging, under load", rounds),
		fmt.Sprintf("%d messages over the milter protocol answered, at most %s for an answer", o.answered, s.slowest.Round(time.Millisecond)), o.String())
}

// TestFaultFleet has three hosts on one database, of which one is killed again and again,
// and the database is restarted.
func TestFaultFleet(t *testing.T) {
	t.Parallel()
	needsDatabase(t)
	rounds := many(1, 10)
	c := pgtest.Start(t)
	f := newFleet(t, 3, c.Database(t))
	s := f.flow()
	for i := range rounds {
		time.Sleep(time.Second)
		must(t, f.hosts[i%3].Kill())
		time.Sleep(time.Second)
		must(t, f.hosts[i%3].Start())
		if i%2 == 0 {
			must(t, c.Restart())
		}
	}
	time.Sleep(2 * time.Second)
	s.stop()
	o := f.settle(t, s)
	s.unhurt(t)
	row(t, fmt.Sprintf("three hosts on one PostgreSQL: %d times one is killed (`kill -9`), %d times the database is restarted, under load", rounds, (rounds+1)/2),
		fmt.Sprintf("%d messages over the milter protocol answered", o.answered), o.String())
}

// TestFaultFailover has a standby take over that lacks what the primary committed last, as it
// is asynchronous.
func TestFaultFailover(t *testing.T) {
	t.Parallel()
	needsFaults(t)
	needsDatabase(t)
	const failovers = 3
	primary := pgtest.Start(t)
	standby := primary.Standby(t)
	database := primary.Database(t)
	behind := 0
	f := newFleet(t, 2, pgtest.Either(database, primary, standby))
	s := f.flow()
	for i := range failovers {
		time.Sleep(3 * time.Second)
		must(t, standby.Hang()) // what comes now it does not get
		time.Sleep(2 * time.Second)
		had := f.count(t)
		must(t, primary.Kill())
		must(t, standby.Resume())
		must(t, standby.Promote())
		has := f.count(t)
		behind += had - has
		if had <= has {
			t.Errorf("the standby has %d records of %d: it lacks none", has, had)
		}
		if i+1 == failovers {
			break
		}
		time.Sleep(time.Second)
		// The old primary is gone for good; a new standby takes its place.
		primary, standby = standby, standby.StandbyAt(t, primary)
	}
	time.Sleep(3 * time.Second)
	s.stop()
	o := f.settle(t, s)
	s.unhurt(t)
	row(t, fmt.Sprintf("two hosts on one PostgreSQL: %d times the primary is killed and an asynchronous standby takes over, under load", failovers),
		fmt.Sprintf("%d messages over the milter protocol answered", o.answered),
		fmt.Sprintf("the standbys lacked %d committed records, which were taken again from the spools; %s", behind, o))
}
