package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	process "alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
	"alignd/e2e/port"
)

// supervised is an alignd, of the test binary, that systemd's stand-in starts.
func supervised(t *testing.T, settings string) (*process.Daemon, *process.Systemd) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	systemd, err := process.NewSystemd()
	if err != nil {
		t.Fatal(err)
	}
	d := &process.Daemon{Binary: exe, Systemd: systemd, Env: []string{asAlignd + "=1"},
		Config: write(t, "alignd.yaml", settings+"\n"+noJournal+"\ndns: {servers: [\"127.0.0.1:1\"]}\n")}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
		systemd.Close()
		if t.Failed() {
			t.Logf("log:\n%s", d.Log())
		}
	})
	return d, systemd
}

// passing has systemd hold a socket.
func passing(t *testing.T, s *process.Systemd, name, network, address string) fakemta.Options {
	t.Helper()
	addr, err := s.Listen(name, network, address)
	if err != nil {
		t.Fatal(err)
	}
	return fakemta.Options{Network: addr.Network(), Address: addr.String()}
}

func start(t *testing.T, d *process.Daemon) {
	t.Helper()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
}

// accepts sends a message of a client that is not judged.
func accepts(t *testing.T, where string, opt fakemta.Options) {
	t.Helper()
	client := fakemta.Dial(opt, mta.Peer{Addr: netip.MustParseAddr("127.0.0.1")})
	defer client.Close()
	for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<bob@here.test>"} {
		if r := client.Command(line); r.Code != 250 {
			t.Fatalf("%s: %s: %s", where, line, r)
		}
	}
	if r := client.Data([]byte("From: a@example.com\n\nhello\n")); r.Reply.Code != 250 {
		t.Fatalf("%s: end of message: %s", where, r.Reply)
	}
}

func refuses(t *testing.T, where, network, address string) {
	t.Helper()
	if conn, err := net.Dial(network, address); err == nil {
		conn.Close()
		t.Errorf("%s: %s answers", where, address)
	}
}

// logOf is the whole log of a daemon, which it ends: lines are written a little late.
func logOf(t *testing.T, d *process.Daemon) string {
	t.Helper()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	return d.Log()
}

// TestPassedSocketsAndListen: what systemd passes is served. Of listen, what the admin
// wrote is opened besides, unless it is just that.
func TestPassedSocketsAndListen(t *testing.T) {
	free := func() string {
		addr, err := port.Free()
		if err != nil {
			t.Fatal(err)
		}
		return addr
	}
	t.Run("the default of listen is not opened besides", func(t *testing.T) {
		d, systemd := supervised(t, "")
		first := passing(t, systemd, "milter", "tcp", "127.0.0.1:0")
		second := passing(t, systemd, "alignd.socket", "unix", filepath.Join(t.TempDir(), "s"))
		start(t, d)
		accepts(t, "TCP", first)
		accepts(t, "unix", second)
		if log := logOf(t, d); !strings.Contains(log, "listen=[]") || !strings.Contains(log, "passed=\"[inet:"+first.Address+" unix:"+second.Address+"]\"") || strings.Contains(log, "level=WARN msg=\"systemd") {
			t.Error("the log does not say where it listens")
		}
	})
	t.Run("what is written in listen and passed is taken over", func(t *testing.T) {
		addr := free()
		d, systemd := supervised(t, "listen: inet:"+addr)
		opt := passing(t, systemd, "milter", "tcp", addr)
		start(t, d)
		accepts(t, "TCP", opt)
		if strings.Contains(logOf(t, d), "level=WARN") {
			t.Error("warned")
		}
	})
	t.Run("what is written in listen and not passed is opened besides, with a warning", func(t *testing.T) {
		addr := free()
		d, systemd := supervised(t, "listen: inet:"+addr)
		opt := passing(t, systemd, "milter", "unix", filepath.Join(t.TempDir(), "s"))
		start(t, d)
		accepts(t, "passed", opt)
		accepts(t, "written", fakemta.Options{Network: "tcp", Address: addr})
		if !strings.Contains(logOf(t, d), "systemd passes a socket that listen does not name, it is served too\" passed=[unix:") {
			t.Error("not warned")
		}
	})
	t.Run("--listen goes before listen", func(t *testing.T) {
		written, named := free(), free()
		d, systemd := supervised(t, "listen: inet:"+written)
		d.Listen = "inet:" + named
		opt := passing(t, systemd, "milter", "tcp", named)
		start(t, d)
		accepts(t, "named", opt)
		refuses(t, "written", "tcp", written)
	})
	t.Run("without a passed socket listen is opened", func(t *testing.T) {
		addr := free()
		d, _ := supervised(t, "listen: inet:"+addr)
		start(t, d)
		accepts(t, "written", fakemta.Options{Network: "tcp", Address: addr})
	})
	t.Run("sockets for another process are not ours", func(t *testing.T) {
		d, systemd := supervised(t, "")
		d.Listen = "inet:" + free()
		opt := passing(t, systemd, "milter", "tcp", "127.0.0.1:0")
		d.Env = append(d.Env, "LISTEN_FDS=1")
		d.Before = []string{"/usr/bin/env", "LISTEN_PID=1"}
		start(t, d)
		accepts(t, "named", fakemta.Options{Network: "tcp", Address: strings.TrimPrefix(d.Listen, "inet:")})
		if strings.Contains(logOf(t, d), opt.Address) {
			t.Error("it took the socket")
		}
	})
}

func TestASocketThatIsNotForMilterIsRefused(t *testing.T) {
	for _, row := range []struct{ name, want string }{
		{name: "metrics", want: `"metrics" is not a name that alignd knows`},
		{name: "connection", want: "Accept=no"}, // systemd's name with Accept=yes
	} {
		d, systemd := supervised(t, "")
		passing(t, systemd, row.name, "tcp", "127.0.0.1:0")
		if err := d.Start(); err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "exit status 1") {
			t.Errorf("%s: got %v", row.name, err)
		}
		_ = d.Kill()
	}
}

// TestAPassedSocketOutlivesTheProcess: a connection that comes while alignd is away
// waits, and a unix socket's file stays.
func TestAPassedSocketOutlivesTheProcess(t *testing.T) {
	for _, end := range []string{"SIGTERM", "kill -9"} {
		for _, network := range []string{"unix", "tcp"} {
			t.Run(network+", "+end, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				d, systemd := supervised(t, "")
				opt := passing(t, systemd, "milter", network, address)
				start(t, d)
				accepts(t, "before", opt)
				if end == "SIGTERM" {
					if err := d.Stop(); err != nil {
						t.Fatal(err)
					}
				} else if err := d.Kill(); err != nil {
					t.Fatal(err)
				}
				waited := make(chan struct{})
				t.Cleanup(func() { <-waited })
				go func() {
					defer close(waited)
					accepts(t, "meanwhile", opt)
				}()
				time.Sleep(50 * time.Millisecond)
				start(t, d)
				<-waited
				accepts(t, "after", opt)
			})
		}
	}
}

func await(t *testing.T, s *process.Systemd, text string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Await(ctx, text, n); err != nil {
		t.Fatal(err)
	}
}

// TestWhatSystemdIsTold: the life of the daemon in the words of sd_notify(3).
func TestWhatSystemdIsTold(t *testing.T) {
	d, systemd := supervised(t, "")
	passing(t, systemd, "milter", "tcp", "127.0.0.1:0")
	start(t, d)
	if err := d.Reload(); err != nil {
		t.Fatal(err)
	}
	await(t, systemd, "READY=1", 2)
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	await(t, systemd, "STOPPING=1", 1)
	var all []string
	for _, said := range systemd.Said() {
		text, number, _ := strings.Cut(said.Text, "MONOTONIC_USEC=")
		if number != "" {
			var usec, sec int64
			if _, err := fmt.Sscan(number, &usec); err != nil || usec < 1e6 {
				t.Errorf("MONOTONIC_USEC=%s: %v", number, err)
			}
			uptime, err := os.ReadFile("/proc/uptime") // CLOCK_BOOTTIME: no less than CLOCK_MONOTONIC
			if _, scanned := fmt.Sscan(string(uptime), &sec); err == nil && scanned == nil && usec/1e6 > sec {
				t.Errorf("MONOTONIC_USEC=%s lies in the future (%d s)", number, sec)
			}
			text = "MONOTONIC_USEC"
		}
		if strings.HasPrefix(text, "STATUS=") {
			text = "STATUS"
		}
		all = append(all, text)
	}
	want := "READY=1 RELOADING=1 MONOTONIC_USEC STATUS READY=1 STOPPING=1"
	if got := strings.Join(all, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestWatchdogIsFedWhileTheDaemonWorks, in good time, also while it drains.
func TestWatchdogIsFedWhileTheDaemonWorks(t *testing.T) {
	d, systemd := supervised(t, "drain: 30s")
	systemd.Watchdog = 2 * time.Second // a quarter of it is how long a sign of life may take
	opt := passing(t, systemd, "milter", "tcp", "127.0.0.1:0")
	start(t, d)
	await(t, systemd, "WATCHDOG=1", 4)
	client := fakemta.Dial(opt, mta.Peer{Addr: netip.MustParseAddr("127.0.0.1")})
	defer client.Close()
	for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@example.com>"} {
		if r := client.Command(line); r.Code != 250 {
			t.Fatalf("%s: %s", line, r)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- d.Stop() }()
	await(t, systemd, "STOPPING=1", 1)
	fed := systemd.Count("WATCHDOG=1")
	await(t, systemd, "WATCHDOG=1", fed+3)
	client.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if log := d.Log(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "conn_id=1 ") {
		t.Error("its own sessions are in the log")
	}
}

func TestWatchdogIsLeftAloneWhereItIsNotAskedFor(t *testing.T) {
	for _, row := range []struct{ name, env string }{
		{name: "no watchdog"},
		{name: "for another process", env: "WATCHDOG_USEC=30000 WATCHDOG_PID=1"},
		{name: "no number", env: "WATCHDOG_USEC=soon"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, systemd := supervised(t, "")
			d.Env = append(d.Env, strings.Fields(row.env)...)
			opt := passing(t, systemd, "milter", "tcp", "127.0.0.1:0")
			start(t, d)
			accepts(t, "served", opt)
			time.Sleep(100 * time.Millisecond)
			if n := systemd.Count("WATCHDOG"); n > 0 {
				t.Errorf("%d signs of life", n)
			}
		})
	}
}

// TestWatchdogGoesHungryWhenNobodyIsServed: a process that hangs gives no sign.
func TestWatchdogGoesHungryWhenNobodyIsServed(t *testing.T) {
	d, systemd := supervised(t, "")
	systemd.Watchdog = 600 * time.Millisecond
	passing(t, systemd, "milter", "tcp", "127.0.0.1:0")
	start(t, d)
	await(t, systemd, "WATCHDOG=1", 1)
	if err := syscall.Kill(d.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	fed := systemd.Count("WATCHDOG=1")
	time.Sleep(time.Second)
	if n := systemd.Count("WATCHDOG=1"); n > fed {
		t.Errorf("%d signs of life of a process that was stopped", n-fed)
	}
	if err := syscall.Kill(d.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await(t, systemd, "WATCHDOG=1", fed+1)
}
