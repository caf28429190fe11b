package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"alignd/e2e/daemon"
)

// activated starts an alignd behind a line of Postfix, by the stand-in of systemd that
// holds its socket.
func activated(t *testing.T, bin, zone, settings string) *daemon.Daemon {
	t.Helper()
	systemd, err := daemon.NewSystemd()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(systemd.Close)
	if _, err := systemd.Listen("milter", "tcp", listenAt[""]); err != nil {
		t.Fatal(err)
	}
	d := &daemon.Daemon{Binary: bin, Systemd: systemd,
		Config: writeFile(t, "alignd.yaml", settings+"\n"+daemon.NoJournal+"dns:\n  servers: [\""+serveText(t, zone).Addr()+"\"]\n")}
	startDaemon(t, d)
	return d
}

// startDaemon starts it for the length of the test.
func startDaemon(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			log := d.Log()
			t.Logf("alignd's log ends:\n%s", log[max(0, len(log)-4_000):])
		}
	})
}

// sum adds up the values of a key of the log.
func sum(log, key string) (n int) {
	for line := range strings.Lines(log) {
		if _, rest, ok := strings.Cut(line, " "+key+"="); ok {
			value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			v, _ := strconv.Atoi(value)
			n += v
		}
	}
	return n
}

// install puts a binary in place of the one that may be running, as an update does.
func install(t *testing.T, name string) {
	t.Helper()
	copyFile(t, binary(t), name+".new")
	if err := os.Chmod(name+".new", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// TestFaultRestarts restarts alignd again and again while mail comes in. systemd
// holds its socket: new sessions wait there, messages in progress finish, and nothing
// is put off but the next message of a session that was closed between two. Every second
// time there is another binary.
func TestFaultRestarts(t *testing.T) {
	p := realMTA(t)
	restarts := many(10, 50)
	installed := filepath.Join(t.TempDir(), "alignd")
	install(t, installed)
	d := activated(t, installed, spoofZone, "")
	f := newFlood(t, p, "")
	f.Idle, f.Slow = 2, 2
	f.begin()
	var longest time.Duration
	for i := range restarts {
		f.await(20)
		if i%2 == 1 {
			install(t, installed)
		}
		begun := time.Now()
		if err := d.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(begun))
	}
	f.await(20)
	f.end()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	sums := f.settle()
	told, missing := f.lines(d)
	idle := sum(d.Log(), "idle_sessions_closed")
	t.Logf("%d restarts: %s; %d sessions were closed between messages; the longest restart took %s; %d of %d accepted have their line in the log",
		restarts, sums, idle, longest.Round(time.Millisecond), told, told+missing)
	if sums.putOff > idle {
		t.Errorf("%d messages were put off (%v), and only %d sessions closed between messages", sums.putOff, f.later, idle)
	}
	// A message in progress that was cut off would be warned of.
	if missing > 0 || strings.Contains(d.Log(), "level=WARN") || strings.Contains(d.Log(), "level=ERROR") {
		t.Errorf("%d accepted messages have no line, or there is a warning", missing)
	}
	row(t, fmt.Sprintf("%d restarts (SIGTERM) under load, every second one an update, socket held by systemd", restarts),
		fmt.Sprintf("%s; %d sessions closed between messages", sums.saw(), idle), sums.got())
}

// TestFaultRestartsWithoutSystemd is the same where alignd opens its socket by itself: new
// sessions find nobody meanwhile, and Postfix puts their mail off.
func TestFaultRestartsWithoutSystemd(t *testing.T) {
	p := realMTA(t)
	restarts := many(3, 50)
	d := serve(t, binary(t), behind(""), spoofZone, "")
	f := newFlood(t, p, "")
	f.begin()
	for range restarts {
		f.await(20)
		if err := d.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
	}
	f.await(20)
	f.end()
	sums := f.settle()
	_, missing := f.lines(d)
	t.Logf("%d restarts: %s", restarts, sums)
	if missing > 0 || strings.Contains(d.Log(), "level=WARN") {
		t.Errorf("%d accepted messages have no line, or there is a warning", missing)
	}
	row(t, fmt.Sprintf("%d restarts (SIGTERM) under load, without `alignd.socket`", restarts), sums.saw(), sums.got())
}

// TestFaultKills ends alignd as kill -9 does, in the middle of messages.
func TestFaultKills(t *testing.T) {
	p := realMTA(t)
	kills := many(5, 50)
	d := activated(t, binary(t), spoofZone, "")
	f := newFlood(t, p, "")
	f.Idle, f.Slow = 2, 2
	f.begin()
	for i := range kills {
		f.await(20)
		time.Sleep(time.Duration(i%20) * time.Millisecond) // at another place of the messages
		if err := d.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
	}
	f.await(20)
	f.end()
	sums := f.settle()
	told, missing := f.lines(d)
	t.Logf("%d kills: %s; %d of %d accepted have their line in the log", kills, sums, told, told+missing)
	if sums.putOff == 0 {
		t.Error("no kill hit a message or a session")
	}
	// What was told to the MTA within 5 ms before the kill may not be in the log.
	if missing > 4*kills {
		t.Errorf("%d accepted messages have no line", missing)
	}
	row(t, fmt.Sprintf("%d times `kill -9` under load", kills), sums.saw(),
		fmt.Sprintf("%s; %d lines of the log are missing", sums.got(), missing))
}

// startAgain starts a daemon that startDaemon stops at the end.
func startAgain(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
}
