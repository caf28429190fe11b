package pgtest

import (
	"fmt"
	"os"
	"slices"
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
	out, err := s.command("pg_basebackup", "-D", s.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync",
		"-h", c.dir, "-p", c.port, "-U", "postgres").CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("pg_basebackup: %w: %s", err, out))
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// Promote makes a standby one that can be written.
func (c *Cluster) Promote() error { return c.Exec("postgres", "SELECT pg_promote(true, 60)") }
