package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestASocketThatWasRemovedIsOpenedAgain: mail goes on without a restart, also where the
// folder went with it and comes back later, and the last file is gone at the end.
func TestASocketThatWasRemovedIsOpenedAgain(t *testing.T) {
	t.Parallel()
	s := startServe(t, "dns: {servers: [\"127.0.0.1:1\"]}\nsocket_mode: \"0640\"\n")
	socket := s.mta.Address
	s.deliver(t, 1)
	back := func() {
		t.Helper()
		var mode os.FileMode // it is given behind the bind
		for start := time.Now(); mode != 0o640; time.Sleep(10 * time.Millisecond) {
			if conn, err := net.Dial("unix", socket); err == nil {
				conn.Close()
				if info, err := os.Stat(socket); err == nil {
					mode = info.Mode().Perm()
				}
			}
			if time.Since(start) > time.Minute {
				t.Fatalf("it is not opened again, or its mode is %v", mode)
			}
		}
		s.deliver(t, 1)
	}
	for range 2 {
		if err := os.Remove(socket); err != nil {
			t.Fatal(err)
		}
		back()
	}
	if err := os.RemoveAll(filepath.Dir(socket)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2*lookForSockets + time.Second)
	if err := os.Mkdir(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	back()
	s.terminate(t)
	if _, err := os.Lstat(socket); err == nil {
		t.Error("it is left behind")
	}
	log := s.stderr.String()
	for text, times := range map[string]int{"it is opened again": 3, "it cannot be opened again": 1, "level=ERROR": 4} {
		if strings.Count(log, text) != times {
			t.Errorf("want %q %d times", text, times)
		}
	}
}

// TestASocketThatWasReplacedIsOpenedAgain: a dead socket in its place keeps mail away as
// a missing one does. That of a living process stays, also at the end, and the log says so.
func TestASocketThatWasReplacedIsOpenedAgain(t *testing.T) {
	t.Parallel()
	s := startServe(t, "dns: {servers: [\"127.0.0.1:1\"]}\nsocket_mode: \"0640\"\n")
	socket := s.mta.Address
	s.deliver(t, 1)
	replace := func(dead bool) net.Listener {
		t.Helper()
		other, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket + ".new", Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		other.SetUnlinkOnClose(false)
		t.Cleanup(func() { other.Close() })
		if dead {
			other.Close()
		}
		if err := os.Rename(socket+".new", socket); err != nil {
			t.Fatal(err)
		}
		return other
	}
	await := func(text string, times int) {
		t.Helper()
		for start := time.Now(); strings.Count(s.stderr.String(), text) < times; time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > time.Minute {
				t.Fatalf("want %q %d times", text, times)
			}
		}
	}
	for i := range 2 {
		replace(true)
		await("the file of the socket was replaced, it is opened again", i+1)
		s.deliver(t, 1)
		if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("its rights are %v, %v", info.Mode(), err)
		}
	}
	other := replace(false)
	await("in use by another process", 1)
	time.Sleep(2*lookForSockets + time.Second) // it is told once
	other.Close()
	await("it is opened again", 3)
	s.deliver(t, 1)
	replace(false)
	await("in use by another process", 2)
	s.terminate(t)
	if _, err := os.Lstat(socket); err != nil {
		t.Errorf("that of another process is gone: %v", err)
	}
	if n := strings.Count(s.stderr.String(), "level=ERROR"); n != 5 {
		t.Errorf("%d errors in the log, want 5", n)
	}
}

// TestTheSocketsForHTTPAreOpenedAgain: metrics and pages are there again without a restart.
func TestTheSocketsForHTTPAreOpenedAgain(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		start func(t *testing.T, socket string) *serving
	}{
		{name: "metrics", start: func(t *testing.T, socket string) *serving {
			return startServe(t, fmt.Sprintf("metrics: {listen: \"unix:%s\"}\ndns: {servers: [\"127.0.0.1:1\"]}\nsocket_mode: \"0640\"\n", socket))
		}},
		{name: "pages", start: func(t *testing.T, socket string) *serving {
			s := &serving{ended: make(chan struct{})}
			file := write(t, "alignd.yaml", fmt.Sprintf("web: {listen: \"unix:%s\", users_file: \"\"}\njournal: {path: %s}\nsocket_mode: \"0640\"\n", socket, t.TempDir()))
			s.cmd = exec.CommandContext(t.Context(), exe, "web", "--config", file)
			s.cmd.Env, s.cmd.Stderr = append(os.Environ(), asAlignd+"=1", "JOURNAL_STREAM=", "NOTIFY_SOCKET="), &s.stderr
			if err := s.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			go func() { defer close(s.ended); _ = s.cmd.Wait() }()
			t.Cleanup(func() { _ = s.cmd.Process.Kill(); <-s.ended })
			return s
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "alignd")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			socket := filepath.Join(dir, "h")
			s := row.start(t, socket)
			for i := range 3 {
				answered(t, s, socket)
				if i == 1 { // a dead one in its place
					dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket + ".new", Net: "unix"})
					if err != nil {
						t.Fatal(err)
					}
					dead.SetUnlinkOnClose(false)
					dead.Close()
					err = os.Rename(socket+".new", socket)
					if err != nil {
						t.Fatal(err)
					}
				} else if err := os.Remove(socket); err != nil {
					t.Fatal(err)
				}
			}
			answered(t, s, socket)
			s.terminate(t)
			if _, err := os.Lstat(socket); err == nil {
				t.Error("it is left behind")
			}
			if n := strings.Count(s.stderr.String(), "it is opened again"); n != 3 || strings.Count(s.stderr.String(), "level=ERROR") != 3 {
				t.Errorf("%d times opened again, want 3: %s", n, s.stderr.String())
			}
		})
	}
}

// answered waits until HTTP is answered at a socket, with the rights that it is to have.
func answered(t *testing.T, s *serving, socket string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", socket)
	}}}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		res, err := client.Get("http://localhost/healthz")
		if err == nil {
			res.Body.Close()
			if info, err := os.Stat(socket); err == nil && info.Mode().Perm() == 0o640 {
				return
			}
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("%v: %s", err, s.stderr.String())
		}
	}
}
