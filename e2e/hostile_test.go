package e2e

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
)

// hostileClient is the client of these tests.
var hostileClient = mta.Peer{Addr: netip.MustParseAddr("198.51.100.66"), Name: "host.attacker.example"}

// standIn runs an alignd and returns how the MTA stand-in reaches it.
func standIn(t *testing.T, zone, settings string) (*daemon.Daemon, fakemta.Options) {
	t.Helper()
	addr, err := daemon.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	d := serve(t, raceBinary(t), "inet:"+addr, zone, settings)
	return d, fakemta.Options{Network: "tcp", Address: addr}
}

// greet greets and sends MAIL and RCPT.
func greet(t *testing.T, s *fakemta.Session, helo, from string) {
	t.Helper()
	for _, cmd := range []string{"EHLO " + helo, "MAIL FROM:<" + from + ">", "RCPT TO:<bob@here.test>"} {
		if reply := s.Command(cmd); reply.Code != 250 {
			t.Fatalf("%s: %s", cmd, reply)
		}
	}
}

// TestSlowNamesDoNotHideAPolicy has one client begin and drop messages whose
// senders have names that DNS is slow to answer. The next message is judged
// all the same, and at once.
func TestSlowNamesDoNotHideAPolicy(t *testing.T) {
	_, opt := standIn(t, spoofZone+"*.slow.example TIMEOUT\n", "")
	s := fakemta.Dial(opt, hostileClient)
	defer s.Close()
	for i := range 600 {
		greet(t, s, fmt.Sprintf("h%d.slow.example", i), fmt.Sprintf("x@m%d.slow.example", i))
		time.Sleep(2 * time.Millisecond) // a round trip of SMTP
		s.Command("RSET")
	}
	other := fakemta.Dial(opt, hostileClient)
	defer other.Close()
	greet(t, other, "host.attacker.example", "x@attacker.example")
	start := time.Now()
	if r := other.Data([]byte(spoof)); r.Reply.Code != 550 {
		t.Errorf("got %s", r.Reply)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}
