// Package daemon runs a built alignd as its own process, the way a site does:
// through its command line, its signals and its log, and nothing else.
package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of patience. Unit: time.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 45 * time.Second // above the drain of 20 s and the unit's 40 s
)

// Daemon is one alignd serve. Start and Stop may alternate; the log goes on.
// Safe for concurrent use, except that Start and Stop must not overlap.
type Daemon struct {
	Binary string
	Config string // file; empty for none
	Listen string // as --listen wants it: "inet:HOST:PORT" or "unix:PATH"; empty for none
	// Systemd stands in for what starts it; nil for none.
	Systemd *Systemd
	Env     []string // in addition
	// Stderr is where its log goes; nil keeps it for Log.
	Stderr *os.File
	// Before are words in front of the command line, such as "prlimit --fsize=1".
	Before []string

	cmd  *exec.Cmd
	done chan error
	log  syncBuffer
}

// NoJournal is for configurations of tests, which are to leave nothing in the folder
// that a journal is kept in by default.
const NoJournal = "journal: {store: none}\n"

// Build compiles alignd into dir, unless the environment names a binary, and
// returns its path.
func Build(dir string) (string, error) {
	if path := os.Getenv("ALIGND_BINARY"); path != "" {
		return path, nil
	}
	path := filepath.Join(dir, "alignd")
	out, err := exec.Command("go", "build", "-o", path, "alignd/cmd/alignd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building alignd: %w: %s", err, out)
	}
	return path, nil
}

// Start runs alignd serve and returns when it answers on its socket.
func (d *Daemon) Start() error {
	ready := d.readiness() // of this start: before it
	cmd := d.command()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting alignd: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	d.cmd, d.done = cmd, done
	return d.waitUntil(ready)
}

func (d *Daemon) command() *exec.Cmd {
	args := append(slices.Clone(d.Before), d.Binary, "serve")
	if d.Listen != "" {
		args = append(args, "--listen", d.Listen)
	}
	if d.Config != "" {
		args = append(args, "--config", d.Config)
	}
	// Under systemd the caller's own variables would change the log's form.
	// A binary with the race detector sleeps a second before it exits.
	env := append(os.Environ(), "JOURNAL_STREAM=", "NOTIFY_SOCKET=", "GORACE=atexit_sleep_ms=0")
	var files []*os.File
	if d.Systemd != nil {
		var more []string
		args, more, files = d.Systemd.command(args)
		env = append(env, more...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.ExtraFiles = append(env, d.Env...), files
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	if d.Stderr != nil {
		cmd.Stderr = d.Stderr
	}
	return cmd
}

// readiness returns what tells that the next start is ready: its word, as a socket
// that is held for it answers before it does; else its socket.
func (d *Daemon) readiness() func() bool {
	if d.Systemd != nil {
		before := d.Systemd.Count("READY=1")
		return func() bool { return d.Systemd.Count("READY=1") > before }
	}
	network, address := Split(d.Listen)
	return func() bool {
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
}

func (d *Daemon) waitUntil(ready func() bool) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-d.done:
			d.done <- err
			return fmt.Errorf("alignd ended instead of serving: %v\n%s", err, d.Log())
		default:
		}
		if ready() {
			return nil
		}
	}
	d.Stop()
	return fmt.Errorf("alignd does not answer on %s\n%s", d.Listen, d.Log())
}

// Split turns a --listen value into what net.Dial wants.
func Split(listen string) (network, address string) {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		return "unix", path
	}
	return "tcp", strings.TrimPrefix(listen, "inet:")
}

// Stop sends SIGTERM and waits for the end. An exit status other than 0 is an
// error, and so is a daemon that must be killed.
func (d *Daemon) Stop() error {
	if d.cmd == nil {
		return nil
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	var err error
	select {
	case err = <-d.done:
	case <-time.After(stopTimeout):
		d.cmd.Process.Kill()
		err = errors.Join(errors.New("alignd did not end after SIGTERM"), <-d.done)
	}
	d.cmd = nil
	if err != nil {
		return fmt.Errorf("stopping alignd: %w\n%s", err, d.Log())
	}
	return nil
}

// Kill ends it as kill -9 does, and waits for the end.
func (d *Daemon) Kill() error {
	if d.cmd == nil {
		return nil
	}
	err := d.cmd.Process.Kill()
	<-d.done
	d.cmd = nil
	return err
}

// Abort ends it as a watchdog does: the stacks of its goroutines are in the log.
func (d *Daemon) Abort() {
	d.cmd.Process.Signal(syscall.SIGABRT)
	<-d.done
	d.cmd = nil
}

// Ended reports whether the process has ended by itself.
func (d *Daemon) Ended() bool {
	select {
	case err := <-d.done:
		d.done <- err
		return true
	default:
		return false
	}
}

// Reload sends SIGHUP.
func (d *Daemon) Reload() error { return d.cmd.Process.Signal(syscall.SIGHUP) }

// Log is everything that alignd has written so far.
func (d *Daemon) Log() string { return d.log.String() }

// PID is the process of a daemon that was started.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// PeakRSS is the largest resident set of the process so far. Unit: octets.
func (d *Daemon) PeakRSS() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmHWM in the process status")
}

// syncBuffer is a bytes.Buffer that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
