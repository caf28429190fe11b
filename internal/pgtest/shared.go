package pgtest

import (
	"os"
	"sync"
	"testing"
)

// shared is the cluster of all tests of a package.
var shared struct {
	sync.Mutex
	cluster *Cluster
}

// Shared is a cluster that all tests of a package share, and none stops or hangs.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	bin := programs(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		return shared.cluster
	}
	c, err := create(bin, "", nil)
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	shared.cluster = c
	return c
}

// Database makes an empty database in the shared cluster and returns its URL.
func Database(t testing.TB) string {
	t.Helper()
	return Shared(t).Database(t)
}

// Main runs the tests of a package and ends the shared cluster.
func Main(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		shared.cluster.remove()
	}
	os.Exit(code)
}
