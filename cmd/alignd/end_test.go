package main

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAHungDatabaseDoesNotHoldTheEnd: systemd kills what has not ended within
// TimeoutStopSec (40 s), of which drain has its part (20 s).
func TestAHungDatabaseDoesNotHoldTheEnd(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // it takes connections and says nothing
	s := startServe(t, fmt.Sprintf("journal: {store: postgres, url: \"postgres://alignd@%s/alignd?sslmode=disable\", path: %s}\ndns: {servers: [\"127.0.0.1:1\"]}\n", silent.Addr(), t.TempDir()))
	s.deliver(t, 2)
	began := time.Now()
	s.signal(t, syscall.SIGTERM)
	if !s.within(2 * time.Minute) {
		t.Fatal("it does not end")
	}
	if took := time.Since(began); took > endWithin+3*time.Second || !s.cmd.ProcessState.Success() {
		t.Errorf("it took %v, %v", took, s.cmd.ProcessState)
	}
	// What was written for the journal is there at the next start.
	if log := s.stderr.String(); !strings.Contains(log, "does not wait longer for the journal") {
		t.Error("it does not say so")
	}
}
