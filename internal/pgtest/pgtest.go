// Package pgtest runs private PostgreSQL clusters for tests: each in a folder of its own,
// on a free port of loopback, and ended with the test.
//
//	url := pgtest.Database(t)              // an empty database, of a cluster that the tests of a package share
//	c := pgtest.Start(t)                   // a cluster of its own, to be stopped, killed, hung
//	c.Kill(); c.Start(); c.Hang(); c.Resume()
//	standby := c.Standby(t)                // a streaming replica, to be promoted
//
// A package that calls Database has
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// Debian's PostgreSQL is found where it is installed; the system's own clusters are left
// alone. It does not run as root: a test that does runs it as the user postgres. Without
// PostgreSQL tests are skipped, and say so; with ALIGND_E2E they fail.
//
// The role postgres needs no password at the unix socket; at TCP every role does.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"alignd/e2e/port"
)

// patience is how long a server may take to start or to stop.
const patience = 60 * time.Second

// settings are those of each cluster. What is written is not forced to disk: a cluster
// that is killed finds it in the system's cache, and no test cuts the power.
var settings = []string{
	"fsync=off", "listen_addresses=127.0.0.1", "max_connections=60", "shared_buffers=64MB",
	"logging_collector=off", "log_line_prefix=%m %p ", "wal_level=replica", "max_wal_size=2GB",
}

// Cluster is a PostgreSQL server with its folder. Its methods are called by one goroutine.
type Cluster struct {
	dir      string   // of data, socket and log
	port     string   // at loopback, and the name of the socket
	settings []string // NAME=VALUE
	bin      string   // folder of the programs

	process *exec.Cmd
	ended   chan error
	reaper  io.Closer // ends the server when the test is killed
}

// Start makes a cluster and starts it. Each setting is NAME=VALUE, and goes before those
// of this package: "fsync=on" for what a power cut leaves.
func Start(t testing.TB, set ...string) *Cluster {
	t.Helper()
	return StartIn(t, "", set...)
}

// StartIn makes it in a folder below another one, which the server's user has to reach;
// empty for the usual one.
func StartIn(t testing.TB, dir string, set ...string) *Cluster {
	t.Helper()
	c, err := create(programs(t), dir, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.remove)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// programs is the folder of initdb and its like, of the newest version.
func programs(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return versionOf(a) - versionOf(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	if os.Getenv("ALIGND_E2E") != "" {
		t.Fatal("no PostgreSQL here: e2e/install all installs it")
	}
	t.Skip("left out: what needs PostgreSQL (make test installs it)")
	return ""
}

func versionOf(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

func create(bin, in string, set []string) (*Cluster, error) {
	dir, err := os.MkdirTemp(in, "pg") // short: the address of a socket has 107 octets
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, bin: bin, settings: append(slices.Clone(settings), set...)}
	if err := c.prepare(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	out, err := c.command("initdb", "-D", c.data(), "-U", "postgres", "-A", "scram-sha-256", "--auth-local=trust",
		"--no-sync", "--no-locale", "-E", "UTF8", "--no-instructions").CombinedOutput()
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return c, nil
}

// prepare gives the folder to whom the server runs as, and finds a port.
func (c *Cluster) prepare() error {
	addr, err := port.Free()
	if err != nil {
		return err
	}
	if _, c.port, err = net.SplitHostPort(addr); err != nil {
		return err
	}
	if err := os.Chmod(c.dir, 0o755); err != nil {
		return err
	}
	if cred := credential(); cred != nil {
		return os.Chown(c.dir, int(cred.Uid), int(cred.Gid))
	}
	return nil
}

// credential is that of the user postgres, where the test runs as root.
func credential() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil // initdb will say that it does not run as root
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(), Setpgid: true}
	return cmd
}

// Run runs one of PostgreSQL's programs (psql, pg_dump) as the role postgres at the
// cluster's socket and returns what it wrote.
func (c *Cluster) Run(name string, args ...string) (string, error) {
	cmd := c.command(name, args...)
	cmd.Env = append(cmd.Env, "PGHOST="+c.dir, "PGPORT="+c.port, "PGUSER=postgres")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return string(out), nil
}

// Start starts a cluster that is stopped or was killed, and returns when it answers. Of one
// that was killed a child may live on for a moment, and no server starts beside it.
func (c *Cluster) Start() error {
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := c.start()
		if err == nil || !strings.Contains(err.Error(), "is still in use") || time.Now().After(deadline) {
			return err
		}
	}
}

func (c *Cluster) start() error {
	log, err := os.OpenFile(c.log(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-D", c.data(), "-p", c.port, "-k", c.dir}
	for _, s := range c.settings {
		args = append(args, "-c", s)
	}
	c.process = c.command("postgres", args...)
	c.process.Stdout, c.process.Stderr = log, log
	if err := c.process.Start(); err != nil {
		return err
	}
	ended, process := make(chan error, 1), c.process
	go func() { ended <- process.Wait() }()
	c.ended = ended
	if c.reaper, err = reap(process.Process.Pid, c.dir); err != nil {
		return err
	}
	return c.await()
}

// reap has a shell wait for the end of this process, whatever ends it, and end the
// server then.
func reap(pid int, dir string) (io.Closer, error) {
	cmd := exec.Command("sh", "-c", `read line; [ -n "$line" ] || { kill -QUIT "$1"; sleep 1; rm -rf "$2"; }`, "sh", fmt.Sprint(pid), dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return released{in, cmd}, nil
}

// released tells the shell that there is nothing to end.
type released struct {
	in  io.WriteCloser
	cmd *exec.Cmd
}

func (r released) Close() error {
	_, err := io.WriteString(r.in, "ended\n")
	return errors.Join(err, r.in.Close(), r.cmd.Wait())
}

// await returns once the server answers, as one that can be written or as a standby.
func (c *Cluster) await() error {
	deadline := time.Now().Add(patience)
	for {
		err := c.Exec("postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case fault := <-c.ended:
			c.process = nil
			return fmt.Errorf("the server ended: %w: %s", errors.Join(fault, c.reaper.Close()), c.Log())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not answer: %w: %s", err, c.Log())
		}
	}
}

func (c *Cluster) log() string { return filepath.Join(c.dir, "log") }

// Log is what the server said last.
func (c *Cluster) Log() string {
	text, _ := os.ReadFile(c.log())
	return string(text[max(0, len(text)-4000):])
}

// Stop ends it in order, at once for those who are connected.
func (c *Cluster) Stop() error {
	return c.end(func() error { return c.process.Process.Signal(os.Interrupt) })
}

// Kill ends all its processes as kill -9 does.
func (c *Cluster) Kill() error { return c.end(func() error { return c.signal(syscall.SIGKILL) }) }

// Ended waits until it ended by itself, as after a fault that it cannot go on from.
func (c *Cluster) Ended() error { return c.end(func() error { return nil }) }

// Restart stops and starts it.
func (c *Cluster) Restart() error { return errors.Join(c.Stop(), c.Start()) }

// Hang halts all its processes: connections are taken and nothing answers.
func (c *Cluster) Hang() error { return c.signal(syscall.SIGSTOP) }

// Resume ends a Hang.
func (c *Cluster) Resume() error { return c.signal(syscall.SIGCONT) }

func (c *Cluster) end(how func() error) error {
	if c.process == nil {
		return nil
	}
	if err := how(); err != nil {
		return err
	}
	select {
	case <-c.ended: // how it ended says nothing: it was told to
	case <-time.After(patience):
		return fmt.Errorf("the server does not end: %s", c.Log())
	}
	c.process = nil
	return c.reaper.Close()
}

// signal goes to the server and its children, which are in groups of their own.
func (c *Cluster) signal(sig syscall.Signal) error {
	parent := c.process.Process.Pid
	if sig == syscall.SIGKILL { // it makes no children meanwhile
		if err := syscall.Kill(parent, syscall.SIGSTOP); err != nil {
			return err
		}
	}
	children, err := childrenOf(parent)
	if err != nil {
		return err
	}
	for _, pid := range children {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return syscall.Kill(parent, sig)
}

func childrenOf(parent int) (list []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		_, rest, _ := bytes.Cut(text, []byte(") "))
		if f := bytes.Fields(rest); len(f) > 1 && string(f[1]) == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			list = append(list, pid)
		}
	}
	return list, err
}

// remove ends the server and removes its folder.
func (c *Cluster) remove() {
	if c.process != nil {
		_ = c.Kill()
	}
	os.RemoveAll(c.dir)
}

// URL names a database of the cluster, for the role postgres at its socket.
func (c *Cluster) URL(database string) string {
	return "postgres://postgres@/" + database + "?" + url.Values{"host": {c.dir}, "port": {c.port}}.Encode()
}

// TCP names a database of the cluster for a role at loopback. A role needs its password.
func (c *Cluster) TCP(role, database string) string {
	return (&url.URL{Scheme: "postgres", User: url.User(role), Host: "127.0.0.1:" + c.port, Path: database, RawQuery: "sslmode=prefer"}).String()
}

// Set adds settings, NAME=VALUE, and restarts the cluster with them.
func (c *Cluster) Set(settings ...string) error {
	c.settings = append(c.settings, settings...)
	return c.Restart()
}

// Own gives a file to whom the server runs as.
func (c *Cluster) Own(name string) error {
	if cred := credential(); cred != nil {
		return os.Chown(name, int(cred.Uid), int(cred.Gid))
	}
	return nil
}

// Dir is the folder of the cluster: of its socket, and of data in "data".
func (c *Cluster) Dir() string { return c.dir }

// Port is that of the server at loopback.
func (c *Cluster) Port() string { return c.port }

// Exec runs statements in a database as the role postgres.
func (c *Cluster) Exec(database string, statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}
