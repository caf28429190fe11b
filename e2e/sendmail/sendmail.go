// Package sendmail runs a private, throw-away Sendmail for tests. Debian's
// packages of it conflict with Postfix, so they are only unpacked (e2e/install
// does that) and never installed; Sendmail then runs from there with its own
// configuration, queue and port, in host name and mount namespaces of its own,
// as it would wait a minute for a host name with a dot otherwise.
//
// Everything it accepts goes over SMTP into an mta.Sink. It knows no XCLIENT:
// clients are 127.0.0.1.
package sendmail

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"alignd/e2e/mta"
	"alignd/e2e/port"
)

// Hostname is the MTA's own name: macro {j}.
const Hostname = "sm.here.test"

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
)

// Sendmail is a running instance.
type Sendmail struct {
	root string // where the packages are unpacked
	dir  string
	addr string
	sink *mta.Sink
	cmd  *exec.Cmd
	done chan error
	out  *os.File
}

// Missing says what this machine lacks: nil when Start can work with root,
// the directory that the packages were unpacked into.
func Missing(root string) error {
	var lacks []error
	if os.Geteuid() != 0 {
		lacks = append(lacks, errors.New("root"))
	}
	for _, name := range []string{"m4", "unshare"} {
		if _, err := exec.LookPath(name); err != nil {
			lacks = append(lacks, err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, binary)); err != nil {
		lacks = append(lacks, errors.New("the packages of Sendmail, unpacked by e2e/install"))
	}
	// A container may forbid them, also to root.
	if len(lacks) == 0 && exec.Command("unshare", "-u", "-m", "true").Run() != nil {
		lacks = append(lacks, errors.New("mount and UTS namespaces (unshare -u -m)"))
	}
	return errors.Join(lacks...)
}

const binary = "usr/libexec/sendmail/sendmail"

// Start runs a Sendmail that asks the milter at "inet:HOST:PORT" or "unix:PATH",
// and defers mail while that is away; several are divided by commas. Without a milter
// where it is empty.
func Start(root, milter string) (*Sendmail, error) { return start(root, milter, "i") }

// StartQueueing is Start of one that only takes mail and never passes it on, so
// that the answer to a message waits for nothing behind it.
func StartQueueing(root, milter string) (*Sendmail, error) { return start(root, milter, "q") }

func start(root, milter, delivery string) (*Sendmail, error) {
	if err := Missing(root); err != nil {
		return nil, fmt.Errorf("a private Sendmail needs: %w", err)
	}
	dir, err := os.MkdirTemp("", "alignd-sendmail-")
	if err != nil {
		return nil, err
	}
	s := &Sendmail{root: root, dir: dir}
	if err := s.start(milter, delivery); err != nil {
		err = fmt.Errorf("starting a private Sendmail: %w\n%s", err, s.Log())
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Sendmail) start(milter, delivery string) error {
	var err error
	if s.sink, err = mta.NewSink(); err != nil {
		return err
	}
	if s.addr, err = port.Free(); err != nil {
		return err
	}
	if err := s.layout(milter, delivery); err != nil {
		return err
	}
	return s.launch()
}

// layout writes the configuration. Sendmail refuses files and directories that
// others may write to.
func (s *Sendmail) layout(milter, delivery string) error {
	if err := os.Mkdir(s.path("queue"), 0o700); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(s.addr)
	_, sinkPort, _ := net.SplitHostPort(s.sink.Addr())
	for name, text := range map[string]string{
		"hosts":   "127.0.0.1 " + Hostname + " localhost\n",
		"service": "hosts files\naliases files\n",
		"sm.mc":   macros(s.dir, port, milter, sinkPort, delivery),
	} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	text, err := Configuration(s.root, s.path("sm.mc"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path("sm.cf"), text, 0o644); err != nil {
		return err
	}
	// A copy without the setgid bit: with it the loader would not look into
	// LD_LIBRARY_PATH.
	program, err := os.ReadFile(filepath.Join(s.root, binary))
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("sendmail"), program, 0o755)
}

// Configuration is the sendmail.cf that m4 makes of an .mc file.
func Configuration(root, mc string) ([]byte, error) {
	cf := filepath.Join(root, "usr/share/sendmail/cf") + "/"
	text, err := exec.Command("m4", "-D_CF_DIR_="+cf, "-I", cf, filepath.Join(cf, "m4/cf.m4"), mc).Output()
	if err != nil {
		return nil, fmt.Errorf("m4: %w", err)
	}
	return text, nil
}

// launch runs Sendmail in the foreground, with a host name and a hosts file of
// its own.
func (s *Sendmail) launch() error {
	var err error
	if s.out, err = os.Create(s.path("log")); err != nil {
		return err
	}
	s.cmd = s.program("-bD")
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan error, 1)
	go func() { s.done <- s.cmd.Wait() }()
	return s.waitUntilReady()
}

// program is a call of Sendmail with this instance's configuration.
func (s *Sendmail) program(args ...string) *exec.Cmd {
	libs, _ := filepath.Glob(filepath.Join(s.root, "usr/lib/*-linux-gnu*"))
	cmd := exec.Command("unshare", append([]string{"-u", "-m", "sh", "-c",
		`hostname "$1" && mount --bind "$2/hosts" /etc/hosts && dir=$2 && shift 2 && exec "$dir/sendmail" -C "$dir/sm.cf" "$@"`,
		"sh", Hostname, s.dir}, args...)...)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libs, ":"))
	return cmd
}

// Run calls Sendmail beside the daemon, to look at the queue say, and returns what
// it prints.
func (s *Sendmail) Run(args ...string) (string, error) {
	out, err := s.program(args...).CombinedOutput()
	return string(out), err
}

func (s *Sendmail) waitUntilReady() error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-s.done:
			s.cmd = nil
			return fmt.Errorf("it ended: %v", err)
		default:
		}
		if conn, err := net.Dial("tcp", s.addr); err == nil {
			return conn.Close()
		}
	}
	return errors.New("no answer on " + s.addr)
}

// Addr is the SMTP address.
func (s *Sendmail) Addr() string { return s.addr }

// Sink is where all accepted mail ends.
func (s *Sendmail) Sink() *mta.Sink { return s.sink }

// Log is what Sendmail printed.
func (s *Sendmail) Log() string {
	text, _ := os.ReadFile(s.path("log"))
	return string(text)
}

// Stop ends Sendmail with its children and removes its directory.
func (s *Sendmail) Stop() error {
	if s.cmd != nil {
		group := -s.cmd.Process.Pid
		syscall.Kill(group, syscall.SIGTERM)
		select {
		case <-s.done: // its status tells nothing
		case <-time.After(stopTimeout):
			syscall.Kill(group, syscall.SIGKILL)
			<-s.done
		}
	}
	if s.sink != nil {
		s.sink.Close()
	}
	if s.out != nil {
		s.out.Close()
	}
	return os.RemoveAll(s.dir)
}

func (s *Sendmail) path(name string) string { return filepath.Join(s.dir, name) }
