package e2e

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/loadgen"
	"alignd/e2e/port"
	"alignd/resolver/dnsserver"
)

const mib = 1 << 20

// measured starts an alignd without the race detector, with its defaults, and
// a maker of mail for it. dns answers for that mail.
func measured(t *testing.T, listen string) (d *daemon.Daemon, mail *loadgen.Mail, dns *dnsserver.Server) {
	t.Helper()
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: measuring the daemon, which wants a machine for itself (make test runs it; it sets ALIGND_E2E=1)")
	}
	mail, err := loadgen.NewMail(1)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := mail.Zone()
	if err != nil {
		t.Fatal(err)
	}
	dns = serveText(t, zone)
	config := writeFile(t, "alignd.yaml", daemon.NoJournal+"mode: monitor\nlog_level: warn\ndns:\n  servers: [\""+dns.Addr()+"\"]\n")
	d = &daemon.Daemon{Binary: binary(t), Config: config, Listen: listen}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d, mail, dns
}

func unixSocket(t *testing.T) string { return "unix:" + filepath.Join(t.TempDir(), "s") }

func usage(t *testing.T, d *daemon.Daemon) loadgen.Usage {
	t.Helper()
	u, err := loadgen.Process(d.PID())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func connect(t *testing.T, d *daemon.Daemon) *loadgen.Conn {
	t.Helper()
	c, err := loadgen.Dial(daemon.Split(d.Listen))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func message(t *testing.T, mail *loadgen.Mail, size int) *loadgen.Message {
	t.Helper()
	m, err := mail.Message("author1.example", size, "author1.example", "provider.example")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMixedMailAt16ConnectionsTakesLittleMemory(t *testing.T) {
	d, mail, _ := measured(t, unixSocket(t))
	mix, err := mail.Mix(200)
	if err != nil {
		t.Fatal(err)
	}
	l := loadgen.Load{Conns: 16, Messages: 3000}
	l.Network, l.Address = daemon.Split(d.Listen)
	res, err := loadgen.Run(l, mix)
	if err != nil || res.Refused > 0 {
		t.Fatalf("%d refused, %v", res.Refused, err)
	}
	u := usage(t, d)
	t.Logf("resident set at most %.1f MiB", float64(u.Peak)/mib)
	if u.Peak > 40*mib {
		t.Errorf("resident set %d, want at most 40 MiB", u.Peak)
	}
}

func TestIdleSessionsTakeLittleMemory(t *testing.T) {
	const sessions = 1000
	d, mail, _ := measured(t, unixSocket(t))
	m := message(t, mail, 100_000)
	play := func() {
		if reply, _, err := connect(t, d).Send(m); reply != 'a' || err != nil {
			t.Fatalf("got %q, %v", reply, err)
		}
	}
	// First the heap grows to what it grows to between two collections.
	warm := loadgen.Load{Conns: 4, Messages: 2000}
	warm.Network, warm.Address = daemon.Split(d.Listen)
	if _, err := loadgen.Run(warm, []*loadgen.Message{m}); err != nil {
		t.Fatal(err)
	}
	before := usage(t, d).RSS
	for range sessions {
		play()
	}
	after := usage(t, d)
	each := (after.RSS - before) / sessions
	t.Logf("%d octets a session, resident set %.1f MiB", each, float64(after.RSS)/mib)
	if each > 32<<10 {
		t.Errorf("an idle session takes %d octets, want at most 32 KiB", each)
	}
}

// All messages are under way at the same time: each gets a piece in turn.
func TestManyLargeMessagesAtOnceTakeLittleMemory(t *testing.T) {
	const messages, size = 1000, 10_000_000
	d, mail, _ := measured(t, unixSocket(t))
	m := message(t, mail, size)
	conns := make([]*loadgen.Conn, messages)
	for i := range conns {
		conns[i] = connect(t, d)
	}
	start := time.Now()
	side := func(do func(c *loadgen.Conn) error) {
		t.Helper()
		var wg sync.WaitGroup
		for part := range 8 {
			wg.Go(func() {
				for i := part; i < len(conns); i += 8 {
					if err := do(conns[i]); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		if wg.Wait(); t.Failed() {
			t.FailNow()
		}
	}
	side(func(c *loadgen.Conn) error { return c.Begin(m) })
	for rest := m.Body; len(rest) > 0; {
		n := min(len(rest), loadgen.MaxChunk)
		side(func(c *loadgen.Conn) error { return c.Body(rest[:n]) })
		rest = rest[n:]
	}
	side(func(c *loadgen.Conn) error { _, err := c.End(); return err })
	u := usage(t, d)
	t.Logf("%d messages of %d octets in %v, resident set at most %.1f MiB", messages, size, time.Since(start).Round(time.Second), float64(u.Peak)/mib)
	if u.Peak > 200*mib {
		t.Errorf("resident set %d, want at most 200 MiB", u.Peak)
	}
}

func TestOneHugeMessageTakesLittleMemory(t *testing.T) {
	d, mail, _ := measured(t, unixSocket(t))
	m := message(t, mail, 100_000_000)
	start := time.Now()
	if reply, _, err := connect(t, d).Send(m); reply != 'a' || err != nil {
		t.Fatalf("got %q, %v", reply, err)
	}
	u := usage(t, d)
	t.Logf("100 MB in %v, resident set at most %.1f MiB", time.Since(start).Round(time.Millisecond), float64(u.Peak)/mib)
	if u.Peak > maxRSS {
		t.Errorf("resident set %d, want at most %d", u.Peak, maxRSS)
	}
}

// Small writes that wait for the acknowledgement of the one before would show
// as 40 ms. The limits are far above what it takes, as machines are busy.
func TestSmallMessagesAreAnsweredAtOnceOverBothSockets(t *testing.T) {
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	for _, listen := range []string{unixSocket(t), "inet:" + addr} {
		d, mail, dns := measured(t, listen)
		l := loadgen.Load{Conns: 1, Messages: 300}
		l.Network, l.Address = daemon.Split(d.Listen)
		mix := []*loadgen.Message{message(t, mail, 5000)}
		if _, err := loadgen.Run(l, mix); err != nil {
			t.Fatal(err)
		}
		dns.ResetCounts()
		res, err := loadgen.Run(l, mix)
		if err != nil {
			t.Fatal(err)
		}
		p50 := loadgen.Quantile(res.EOM, 0.5)
		t.Logf("%s: end of message p50 %v, p99 %v", l.Network, p50, loadgen.Quantile(res.EOM, 0.99))
		if p50 > 5*time.Millisecond || dns.Queries() != 0 {
			t.Errorf("%s: p50 %v at the end of the message, want below 5 ms; %d DNS questions, want 0", l.Network, p50, dns.Queries())
		}
	}
}
