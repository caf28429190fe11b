package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
)

// liveLog is a log that is read while it is written.
type liveLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *liveLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *liveLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *liveLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// serving is an alignd serve of its own process.
type serving struct {
	cmd    *exec.Cmd
	stderr liveLog
	env    []string // in addition
	ended  chan struct{}
	mta    fakemta.Options
}

// noJournal is for daemons that are to leave nothing in the default folder of journals.
const noJournal = "journal: {store: none}\n"

// startServe returns when the daemon answers.
func startServe(t *testing.T, settings string) *serving {
	t.Helper()
	s := new(serving)
	s.start(t, settings, &s.stderr)
	return s
}

func (s *serving) start(t *testing.T, settings string, log io.Writer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "alignd") // short, as a socket's path must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if !strings.Contains(settings, "journal:") {
		settings += "\n" + noJournal
	}
	socket := filepath.Join(dir, "s")
	s.ended, s.mta = make(chan struct{}), fakemta.Options{Network: "unix", Address: socket}
	s.cmd = exec.CommandContext(t.Context(), exe, "serve", "--listen", "unix:"+socket, "--config", write(t, "alignd.yaml", settings))
	s.cmd.Env = append(os.Environ(), asAlignd+"=1", "JOURNAL_STREAM=", "NOTIFY_SOCKET=", "GORACE=atexit_sleep_ms=0")
	s.cmd.Env = append(s.cmd.Env, s.env...)
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.ended
		if t.Failed() {
			t.Logf("log:\n%s", s.stderr.String())
		}
	})
	for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return
		}
	}
	t.Fatal("alignd does not answer")
}

func (s *serving) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// within reports whether the process ends in that time.
func (s *serving) within(d time.Duration) bool {
	select {
	case <-s.ended:
		return true
	case <-time.After(d):
		return false
	}
}

func TestASecondSignalEndsTheDrainAtOnce(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(second.String(), func(t *testing.T) {
			t.Parallel()
			s := startServe(t, "drain: 2m\ndns: {servers: [\"127.0.0.1:1\"]}\n")
			client := fakemta.Dial(s.mta, mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
			defer client.Close()
			for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@example.com>"} {
				if r := client.Command(line); r.Code != 250 {
					t.Fatalf("%s: %s", line, r)
				}
			}
			s.signal(t, syscall.SIGTERM)
			s.signal(t, syscall.SIGHUP)
			if s.within(500 * time.Millisecond) {
				t.Fatal("the first signal cut a message off")
			}
			s.signal(t, second)
			if !s.within(20 * time.Second) {
				t.Fatal("still there after a second signal")
			}
			if status := s.cmd.ProcessState.ExitCode(); status != 0 {
				t.Errorf("exit status %d", status)
			}
			log := s.stderr.String()
			for _, want := range []string{"alignd stops at once", "sessions were cut off"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log does not say %q", want)
				}
			}
		})
	}
}

// TestMailGoesOnWithoutAReaderOfTheLog: who reads a pipe may end before alignd
// does, which gets SIGPIPE at its next line.
func TestMailGoesOnWithoutAReaderOfTheLog(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := new(serving)
	s.start(t, "dns: {servers: [\"127.0.0.1:1\"]}\n", writer)
	writer.Close()
	reader.Close()
	s.deliver(t, 2)
	s.terminate(t)
}

// TestMailGoesOnWhileNobodyReadsTheLog: a full pipe blocks whoever writes to it.
func TestMailGoesOnWhileNobodyReadsTheLog(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	if err := shrinkPipe(writer.Fd()); err != nil {
		t.Fatal(err)
	}
	s := new(serving)
	s.start(t, "dns: {servers: [\"127.0.0.1:1\"]}\n", writer)
	start := time.Now()
	s.deliver(t, 60)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("60 messages took %s", took)
	}
	s.terminate(t)
	writer.Close()
	if log, err := io.ReadAll(reader); err != nil || !strings.Contains(string(log), "message judged") {
		t.Errorf("the log says %q, %v", log, err)
	}
}

// deliver has n messages of a client that is not judged accepted.
func (s *serving) deliver(t *testing.T, n int) {
	t.Helper()
	client := fakemta.Dial(s.mta, mta.Peer{Addr: netip.MustParseAddr("127.0.0.1")})
	defer client.Close()
	for range n {
		for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<bob@here.test>"} {
			if r := client.Command(line); r.Code != 250 {
				t.Fatalf("%s: %s", line, r)
			}
		}
		if r := client.Data([]byte("From: a@example.com\n\nhello\n")); r.Reply.Code != 250 {
			t.Fatalf("end of message: %s", r.Reply)
		}
	}
}

// terminate ends the daemon, which must take it well.
func (s *serving) terminate(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGTERM)
	if !s.within(30 * time.Second) {
		t.Fatal("still there after SIGTERM")
	}
	if !s.cmd.ProcessState.Success() {
		t.Errorf("it ended with %s", s.cmd.ProcessState)
	}
}

// TestManyReloadsDoNotHideTheEnd: of a configuration that takes its time to read.
func TestManyReloadsDoNotHideTheEnd(t *testing.T) {
	var settings strings.Builder
	settings.WriteString("dns: {servers: [\"127.0.0.1:1\"]}\nexceptions:\n")
	for i := range 3000 {
		fmt.Fprintf(&settings, "  - {id: e%d, action: reject, scope: {author_domains: [d%d.example]}, reason: test, never_expires: true}\n", i, i)
	}
	s := startServe(t, settings.String())
	for range 30 {
		s.signal(t, syscall.SIGHUP)
		time.Sleep(5 * time.Millisecond)
	}
	s.terminate(t)
}

// TestAReloadThatHangsDoesNotHideTheEnd: of a file that is read for ever, as of a share of
// the network that is down.
func TestAReloadThatHangsDoesNotHideTheEnd(t *testing.T) {
	t.Parallel()
	s := startServe(t, "dns: {servers: [\"127.0.0.1:1\"]}\n")
	config := s.cmd.Args[len(s.cmd.Args)-1]
	if err := errors.Join(os.Remove(config), syscall.Mkfifo(config, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	time.Sleep(100 * time.Millisecond) // it is at it
	s.deliver(t, 1)
	s.terminate(t)
	if log := s.stderr.String(); !strings.Contains(log, "alignd stopped") {
		t.Errorf("log:\n%s", log)
	}
}
