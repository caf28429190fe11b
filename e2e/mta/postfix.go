package mta

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"alignd/e2e/port"
)

// Domain is the only domain that the private Postfix takes mail for.
const Domain = "here.test"

// Hostname is the MTA's own name: macro {j}, and so alignd's authserv-id.
const Hostname = "mx.here.test"

// startTimeout is how long Postfix may take until it answers. Unit: time.
// The first start sets up the queue, which takes 2-3 s on a quiet machine.
const startTimeout = 60 * time.Second

// Line is one smtpd service of the instance.
type Line struct {
	Name   string // how Addr finds it
	Milter string // as in smtpd_milters: "inet:127.0.0.1:8890" or "unix:/path"; empty for none
	// Options are further parameters, "name=value" without white space, e.g.
	// "milter_protocol=2" or "milter_default_action=accept".
	Options []string
}

// Postfix is a running instance. Its methods are safe for concurrent use.
type Postfix struct {
	dir   string
	lines []Line
	ports map[string]int // by line name
	sink  *Sink
}

// Missing says what this machine lacks to run a private Postfix: nil when
// Start can work.
func Missing() error {
	var lacks []error
	if os.Geteuid() != 0 {
		lacks = append(lacks, errors.New("root (Postfix's master must be started by it)"))
	}
	for _, name := range []string{"postfix", "postqueue"} {
		if _, err := program(name); err != nil {
			lacks = append(lacks, fmt.Errorf("the program %s (Debian package postfix)", name))
		}
	}
	if _, err := user.Lookup("postfix"); err != nil {
		lacks = append(lacks, errors.New(`the user "postfix"`))
	}
	if _, err := user.LookupGroup("postdrop"); err != nil {
		lacks = append(lacks, errors.New(`the group "postdrop"`))
	}
	return errors.Join(lacks...)
}

// Start sets up an instance below a new temporary directory and returns once
// every line answers. The caller must call Stop.
func Start(lines []Line) (*Postfix, error) {
	if err := Missing(); err != nil {
		return nil, fmt.Errorf("a private Postfix needs: %w", err)
	}
	dir, err := os.MkdirTemp("", "alignd-mta-")
	if err != nil {
		return nil, err
	}
	sink, err := NewSink()
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	p := &Postfix{dir: dir, lines: lines, ports: make(map[string]int), sink: sink}
	if err := p.start(); err != nil {
		err = fmt.Errorf("starting a private Postfix: %w\n%s", err, p.Log())
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Postfix) start() error {
	if err := p.assignPorts(); err != nil {
		return err
	}
	if err := p.layout(); err != nil {
		return err
	}
	if out, err := p.run("postfix", "start"); err != nil {
		return fmt.Errorf("postfix start: %w: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for _, l := range p.lines {
		if err := waitFor(ctx, p.Addr(l.Name)); err != nil {
			return fmt.Errorf("line %q: %w", l.Name, err)
		}
	}
	return nil
}

// assignPorts picks a free port for each line.
func (p *Postfix) assignPorts() error {
	for _, l := range p.lines {
		addr, err := port.Free()
		if err != nil {
			return err
		}
		p.ports[l.Name] = int(netip.MustParseAddrPort(addr).Port())
	}
	return nil
}

// layout writes the directories and files that Postfix wants to find.
func (p *Postfix) layout() error {
	// MkdirTemp gives 0700; daemons that dropped root must be able to walk in.
	if err := os.Chmod(p.dir, 0o755); err != nil {
		return err
	}
	owner, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	for _, name := range []string{"etc", "spool", "data"} {
		if err := os.Mkdir(filepath.Join(p.dir, name), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chown(filepath.Join(p.dir, "data"), uid, -1); err != nil {
		return err
	}
	files := map[string]string{
		"etc/main.cf":   mainCf(p.dir, p.sink.Addr()),
		"etc/master.cf": masterCf(p.lines, p.ports),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Addr is the SMTP address of the line with this name.
func (p *Postfix) Addr(line string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.ports[line]))
}

// SocketName is the milter address "unix:"+SocketName as Postfix reads it: a
// relative name is below the queue directory, as for a chrooted smtpd.
const SocketName = "milter.sock"

// SocketPath is where a milter must listen to be found at SocketName. Postfix
// drops root before it connects, so the socket needs a mode that lets it in.
func (p *Postfix) SocketPath() string { return filepath.Join(p.dir, "spool", SocketName) }

// Sink is where all accepted mail ends.
func (p *Postfix) Sink() *Sink { return p.sink }

// Queue is the output of postqueue -p: a held message has "!" after its id.
func (p *Postfix) Queue() (string, error) {
	out, err := p.run("postqueue", "-p")
	return string(out), err
}

// Held reports whether the message with this queue ID is on hold, as a
// milter's quarantine leaves it.
func (p *Postfix) Held(queueID string) (bool, error) {
	queue, err := p.Queue()
	return strings.Contains(queue, queueID+"!"), err
}

// Release lets a message go that is on hold.
func (p *Postfix) Release(queueID string) error {
	out, err := p.run("postsuper", "-H", queueID)
	if err == nil {
		out, err = p.run("postqueue", "-i", queueID)
	}
	if err != nil {
		return fmt.Errorf("releasing %s: %w: %s", queueID, err, out)
	}
	return nil
}

// Log is the mail log so far; empty when there is none.
func (p *Postfix) Log() string {
	text, err := os.ReadFile(filepath.Join(p.dir, "mail.log"))
	if err != nil {
		return ""
	}
	return string(text)
}

// Stop ends the instance and removes its directory. It may be called after a
// failed start, too.
func (p *Postfix) Stop() error {
	out, err := p.run("postfix", "stop")
	if err != nil {
		err = fmt.Errorf("postfix stop: %w: %s", err, out)
	}
	p.sink.Close()
	return errors.Join(err, os.RemoveAll(p.dir))
}

func (p *Postfix) run(name string, args ...string) ([]byte, error) {
	path, err := program(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, append([]string{"-c", filepath.Join(p.dir, "etc")}, args...)...)
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+filepath.Join(p.dir, "etc"))
	return cmd.CombinedOutput()
}

// program finds an executable also where PATH of a plain user does not look.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name))
}

// waitFor polls until a TCP server answers on addr.
func waitFor(ctx context.Context, addr string) error {
	for {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer on %s: %w", addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
