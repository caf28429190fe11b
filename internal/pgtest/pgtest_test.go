package pgtest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

// count is the number of rows of table a in the database postgres.
func count(t *testing.T, c *Cluster) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM a").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAClusterIsKilledHungAndFollowed(t *testing.T) {
	c := Start(t)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(c.Exec("postgres", "CREATE TABLE a (b int)", "INSERT INTO a VALUES (1)"))
	do(c.Kill())
	do(c.Start())
	do(c.Restart())
	if n := count(t, c); n != 1 {
		t.Errorf("after kill and restart: %d rows", n)
	}
	do(c.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := pgx.Connect(ctx, c.URL("postgres")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that hangs answers: %v", err)
	}
	do(c.Resume())

	s := c.Standby(t)
	do(c.Exec("postgres", "INSERT INTO a VALUES (2)"))
	for deadline := time.Now().Add(10 * time.Second); count(t, s) != 2; {
		if time.Now().After(deadline) {
			t.Fatal("the standby does not follow")
		}
		time.Sleep(10 * time.Millisecond)
	}
	do(c.Stop())
	do(s.Promote())
	do(s.Exec("postgres", "INSERT INTO a VALUES (3)"))
	for _, dir := range []string{c.dir, s.dir} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestDatabasesOfTheSharedClusterAreEmpty(t *testing.T) {
	a, b := Database(t), Database(t)
	if a == b {
		t.Error("two tests share a database")
	}
}
