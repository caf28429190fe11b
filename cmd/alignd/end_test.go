package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
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

// TestASecondSignalWaitsForNoDatabase: it ends the wait whether it comes while mail is
// drained or behind it.
func TestASecondSignalWaitsForNoDatabase(t *testing.T) {
	for _, row := range []struct {
		name   string
		during bool // a message is in progress
	}{
		{name: "while a message is in progress", during: true},
		{name: "behind the mail"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			s := startServe(t, fmt.Sprintf("journal: {store: postgres, url: \"postgres://alignd@%s/alignd?sslmode=disable\", path: %s}\ndns: {servers: [\"127.0.0.1:1\"]}\n", silent.Addr(), t.TempDir()))
			if row.during {
				client := fakemta.Dial(s.mta, mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
				defer client.Close()
				for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@example.com>"} {
					if r := client.Command(line); r.Code != 250 {
						t.Fatalf("%s: %s", line, r)
					}
				}
			}
			s.signal(t, syscall.SIGTERM)
			said := map[bool]string{true: "alignd stops", false: "alignd stopped"}[row.during] // two signals at once are one
			for start := time.Now(); !strings.Contains(s.stderr.String(), said); time.Sleep(10 * time.Millisecond) {
				if time.Since(start) > 20*time.Second {
					t.Fatal("it does not stop")
				}
			}
			began := time.Now()
			s.signal(t, syscall.SIGTERM)
			if !s.within(endWithin - 5*time.Second) {
				t.Fatal("still there after a second signal")
			}
			if log := s.stderr.String(); !strings.Contains(log, "alignd stops at once") || !s.cmd.ProcessState.Success() {
				t.Errorf("after %v: %v", time.Since(began), s.cmd.ProcessState)
			}
		})
	}
}
