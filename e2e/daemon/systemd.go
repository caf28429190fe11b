package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Systemd stands in for what systemd does for a service: it holds listening sockets
// and passes them to each start (sd_listen_fds(3)), and hears what the service says
// (sd_notify(3)). It neither starts nor kills anything by itself. Safe for concurrent
// use.
type Systemd struct {
	dir    string
	notify *net.UnixConn
	// Watchdog is WatchdogSec=; 0 for none.
	Watchdog time.Duration

	mu      sync.Mutex
	files   []*os.File
	names   []string
	said    []Said
	changed chan struct{} // closed and replaced when more is said
}

// Said is one assignment of sd_notify(3), such as "READY=1".
type Said struct {
	Text string
	At   time.Time
}

// NewSystemd makes one that holds no socket yet. Close ends it.
func NewSystemd() (*Systemd, error) {
	dir, err := os.MkdirTemp("", "sd") // short: the address of a socket has 107 octets
	if err != nil {
		return nil, err
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	s := &Systemd{dir: dir, notify: notify, changed: make(chan struct{})}
	go s.hear()
	return s, nil
}

// Listen opens a socket that each start gets, by this name.
func (s *Systemd) Listen(name, network, address string) (net.Addr, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	defer ln.Close() // the duplicate below stays open
	if unix, ok := ln.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files, s.names = append(s.files, f), append(s.names, name)
	return ln.Addr(), nil
}

// Close lets the sockets go.
func (s *Systemd) Close() {
	s.notify.Close()
	for _, f := range s.files {
		f.Close()
	}
	os.RemoveAll(s.dir)
}

func (s *Systemd) hear() {
	var b [4096]byte
	for {
		n, err := s.notify.Read(b[:])
		if err != nil {
			return
		}
		s.mu.Lock()
		for line := range strings.SplitSeq(strings.TrimSpace(string(b[:n])), "\n") {
			s.said = append(s.said, Said{Text: line, At: time.Now()})
		}
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
	}
}

// Said is all that was said so far.
func (s *Systemd) Said() []Said {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said)
}

// Count is how often something was said; text is its beginning.
func (s *Systemd) Count(text string) int {
	n := 0
	for _, said := range s.Said() {
		if strings.HasPrefix(said.Text, text) {
			n++
		}
	}
	return n
}

// Await returns when something was said for the nth time, or ctx ends.
func (s *Systemd) Await(ctx context.Context, text string, n int) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if s.Count(text) >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s number %d: %w", text, n, context.Cause(ctx))
		}
	}
}

// command is how a service is started so that it takes the sockets for its own: the
// shell has the process number that it will have.
func (s *Systemd) command(args []string) (wrapped, env []string, files []*os.File) {
	set := "LISTEN_PID=$$"
	if s.Watchdog > 0 {
		set += " WATCHDOG_PID=$$"
		env = append(env, fmt.Sprintf("WATCHDOG_USEC=%d", s.Watchdog.Microseconds()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	env = append(env, "NOTIFY_SOCKET="+filepath.Join(s.dir, "notify"),
		fmt.Sprintf("LISTEN_FDS=%d", len(s.files)), "LISTEN_FDNAMES="+strings.Join(s.names, ":"))
	return append([]string{"/bin/sh", "-c", set + ` exec "$@"`, "sh"}, args...), env, slices.Clone(s.files)
}
