package pgtest

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// Standby makes and starts a streaming replica. It is asynchronous: what the cluster has
// committed may be missing in it.
func (c *Cluster) Standby(t testing.TB) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	s := &Cluster{dir: dir, bin: c.bin, settings: slices.Clone(c.settings)}
	t.Cleanup(s.remove)
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	s.follow(t, c)
	return s
}

// StandbyAt is Standby in the place of a cluster that was killed: its socket and port.
func (c *Cluster) StandbyAt(t testing.TB, gone *Cluster) *Cluster {
	t.Helper()
	if err := os.RemoveAll(gone.data()); err != nil {
		t.Fatal(err)
	}
	gone.follow(t, c)
	return gone
}

// follow copies a cluster and starts as its standby.
func (c *Cluster) follow(t testing.TB, primary *Cluster) {
	t.Helper()
	out, err := c.command("pg_basebackup", "-D", c.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync",
		"-h", primary.dir, "-p", primary.port, "-U", "postgres").CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("pg_basebackup: %w: %s", err, out))
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
}

// Either is the URL of a database of a, for whichever of the two can be written.
func Either(database string, a, b *Cluster) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(database, "postgres://postgres@/"), "?")
	return "postgres://postgres@/" + name + "?" + url.Values{
		"host": {a.dir + "," + b.dir}, "port": {a.port + "," + b.port}, "target_session_attrs": {"read-write"},
	}.Encode()
}

// Promote makes a standby one that can be written.
func (c *Cluster) Promote() error { return c.Exec("postgres", "SELECT pg_promote(true, 60)") }
