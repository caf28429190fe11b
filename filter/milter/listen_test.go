package milter

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// socketDir is a directory with a short name: a socket's path has 108 octets at
// most, and test names are long.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "milter")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestListenUnixSetsModeAndGroup(t *testing.T) {
	tests := []struct {
		name  string
		umask int
		opt   SocketOptions
		want  fs.FileMode
	}{
		{name: "the default lets the group in", umask: 0o022, opt: SocketOptions{}, want: 0o660},
		{name: "a narrow umask plays no part", umask: 0o077, opt: SocketOptions{Mode: 0o666}, want: 0o666},
		{name: "a wide umask plays no part", umask: 0o000, opt: SocketOptions{Mode: 0o600}, want: 0o600},
		{name: "a group by number", umask: 0o022, opt: SocketOptions{Group: strconv.Itoa(os.Getgid())}, want: 0o660},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(socketDir(t), "s")
			old := syscall.Umask(tt.umask)
			ln, err := Listen("unix:"+path, tt.opt)
			syscall.Umask(old)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode(); got.Perm() != tt.want || got.Type() != fs.ModeSocket {
				t.Errorf("got %v, want a socket with %v", got, tt.want)
			}
			if gid := info.Sys().(*syscall.Stat_t).Gid; int(gid) != os.Getgid() {
				t.Errorf("got group %d, want %d", gid, os.Getgid())
			}
			ln.Close()
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after Close the file is still there: %v", err)
			}
		})
	}
}

func TestAGroupThatMayNotBeGivenIsExplained(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{name: "the user is not in the group", err: &fs.PathError{Op: "chown", Path: "/proc/self/fd/14", Err: syscall.EPERM},
			want: "group of /run/s: operation not permitted; the user of this process has to be in that group (SupplementaryGroups= in a unit)"},
		{name: "the file system has no groups", err: &fs.PathError{Op: "lchown", Path: "/run/s", Err: syscall.ENOSYS}, want: "group of /run/s: function not implemented"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := groupFault("/run/s", c.err).Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestListenUnixAndWhatIsThereAlready(t *testing.T) {
	t.Run("a stale socket is replaced", func(t *testing.T) {
		path := filepath.Join(socketDir(t), "s")
		old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		old.SetUnlinkOnClose(false)
		old.Close()
		ln, err := Listen("unix:"+path, SocketOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
	})
	t.Run("a live socket is an error and stays", func(t *testing.T) {
		path := filepath.Join(socketDir(t), "s")
		first, err := Listen("unix:"+path, SocketOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		if _, err := Listen("unix:"+path, SocketOptions{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("a file that is no socket is an error and stays", func(t *testing.T) {
		path := filepath.Join(socketDir(t), "s")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen("unix:"+path, SocketOptions{}); err == nil || !strings.Contains(err.Error(), "not a socket") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("an unknown group leaves no file behind", func(t *testing.T) {
		path := filepath.Join(socketDir(t), "s")
		if _, err := Listen("unix:"+path, SocketOptions{Group: "no such group"}); err == nil {
			t.Error("no error")
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTCPAddress(t *testing.T) {
	tests := []struct {
		kind, address, network, hostPort string
		bad                              bool
	}{
		{kind: "inet", address: "127.0.0.1:8890", network: "tcp4", hostPort: "127.0.0.1:8890"},
		{kind: "inet", address: "localhost:0", network: "tcp4", hostPort: "localhost:0"},
		{kind: "inet", address: ":8890", network: "tcp4", hostPort: ":8890"},
		{kind: "inet", address: "8890@127.0.0.1", network: "tcp4", hostPort: "127.0.0.1:8890"},
		{kind: "inet", address: "[::1]:8890", network: "tcp6", hostPort: "[::1]:8890"},
		{kind: "inet6", address: "[::1]:8890", network: "tcp6", hostPort: "[::1]:8890"},
		{kind: "inet6", address: "8890@[::1]", network: "tcp6", hostPort: "[::1]:8890"},
		{kind: "inet6", address: "8890@::1", network: "tcp6", hostPort: "[::1]:8890"},
		{kind: "inet", address: "127.0.0.1", bad: true},
		{kind: "inet", address: "127.0.0.1:smtp", bad: true},
		{kind: "inet", address: "127.0.0.1:65536", bad: true},
		{kind: "inet", address: "127.0.0.1:-1", bad: true},
		{kind: "inet6", address: "::1:8890", bad: true},
	}
	for _, tt := range tests {
		network, hostPort, err := tcpAddress(tt.kind, tt.address)
		if (err != nil) != tt.bad || network != tt.network || hostPort != tt.hostPort {
			t.Errorf("%s:%s: got %s %s %v, want %s %s", tt.kind, tt.address, network, hostPort, err, tt.network, tt.hostPort)
		}
	}
}

func TestListenRefusesWhatIsNoSocket(t *testing.T) {
	for _, spec := range []string{"", "unix", "unix:", "inet:", "8890", "tcp:127.0.0.1:8890", "/run/alignd.sock"} {
		if ln, err := Listen(spec, SocketOptions{}); err == nil {
			ln.Close()
			t.Errorf("%q: no error", spec)
		}
	}
}
