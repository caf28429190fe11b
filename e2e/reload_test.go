package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
)

// The two configurations between which TestReloadUnderLoad goes to and fro.
// Each would mark and word its refusals in its own way, and does one of both.
const (
	marking = `
honor: {reject: tag}
tag: {name: X-Mark, value: first}
replies: {dmarc: {text: "first {domain}"}}
`
	refusing = `
honor: {reject: reject}
tag: {name: X-Mark, value: second}
replies: {dmarc: {text: "second {domain}"}}
`
	faulty = "honor: {reject: maybe}\n"
)

// TestReloadUnderLoad reloads 200 times while messages come in. Each message
// is judged by one configuration, none is lost, and a faulty file changes
// nothing.
func TestReloadUnderLoad(t *testing.T) {
	addr, err := daemon.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	d := serve(t, raceBinary(t), "inet:"+addr, spoofZone, marking)
	dns := configTail(t, d.Config)

	var marked, refused atomic.Int64
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() { sendUntil(t, stop, addr, &marked, &refused) })
	}
	const reloads = 200
	for i := range reloads {
		text := []string{refusing, faulty, marking}[i%3]
		// In one step: a file that is read while it is written is another file.
		if err := os.Rename(writeFile(t, "new.yaml", text+dns), d.Config); err != nil {
			t.Fatal(err)
		}
		if err := d.Reload(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	close(stop)
	senders.Wait()
	t.Logf("%d reloads: %d messages marked, %d refused", reloads, marked.Load(), refused.Load())
	if marked.Load() == 0 || refused.Load() == 0 {
		t.Error("the two configurations did not take turns")
	}
	sent := marked.Load() + refused.Load()
	// The log line follows the reply, so the last one may be on its way.
	for range 100 {
		if int64(len(d.Judged())) == sent {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d messages judged, %d sent", len(d.Judged()), sent)
}

// sendUntil sends spoofed messages on one connection, and fails for any
// outcome that is not wholly of one configuration.
func sendUntil(t *testing.T, stop chan struct{}, addr string, marked, refused *atomic.Int64) {
	s := fakemta.Dial(fakemta.Options{Network: "tcp", Address: addr}, mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
	defer s.Close()
	for {
		select {
		case <-stop:
			return
		default:
		}
		for _, cmd := range []string{"EHLO x.example", "MAIL FROM:<x@attacker.example>", "RCPT TO:<bob@here.test>"} {
			if reply := s.Command(cmd); reply.Code != 250 {
				t.Errorf("%s: %s", cmd, reply)
				return
			}
		}
		r := s.Data([]byte(spoof))
		switch {
		case r.Reply.Code == 250 && strings.Contains(string(r.Delivered), "X-Mark: first\r\n"):
			marked.Add(1)
		case r.Reply.String() == "550 5.7.26 second example.com":
			refused.Add(1)
		default:
			t.Errorf("a mixture: %s\n%s", r.Reply, r.Delivered)
			return
		}
	}
}

// configTail is the part of a test's configuration that names the DNS server.
func configTail(t *testing.T, file string) string {
	t.Helper()
	_, tail, ok := strings.Cut(string(readFile(t, file)), "\ndns:\n")
	if !ok {
		t.Fatal(fmt.Errorf("%s names no DNS server", file))
	}
	return "\ndns:\n" + tail
}
