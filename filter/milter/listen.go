package milter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// SocketOptions are the access rights of a unix socket; a client needs the right
// to write. They have no meaning for TCP.
type SocketOptions struct {
	Mode  fs.FileMode // 0 is 0660
	Group string      // name or number; "" leaves the group that the directory gives
}

// probeTime is how long Listen waits for an answer from the other end of a
// socket file that exists already.
const probeTime = 2 * time.Second

// Listen opens the socket that spec names: "unix:PATH" (or "local:PATH"),
// "inet:HOST:PORT" or "inet6:[HOST]:PORT", and as Sendmail writes it
// "inet:PORT@HOST". An empty HOST is all addresses. A socket file that nobody
// listens on is removed; one that somebody does is an error, as is any other kind
// of file. Closing the listener removes the file.
func Listen(spec string, opt SocketOptions) (net.Listener, error) {
	kind, address, ok := strings.Cut(spec, ":")
	if !ok || address == "" {
		return nil, fmt.Errorf("%q is not a socket: use unix:PATH or inet:HOST:PORT", spec)
	}
	switch strings.ToLower(kind) {
	case "unix", "local":
		ln, err := listenUnix(address, opt)
		if err != nil {
			return nil, fmt.Errorf("listening on %s: %w", spec, err)
		}
		return ln, nil
	case "inet", "inet6":
		network, hostPort, err := tcpAddress(strings.ToLower(kind), address)
		if err != nil {
			return nil, fmt.Errorf("%q is not a socket: %w", spec, err)
		}
		return net.Listen(network, hostPort)
	}
	return nil, fmt.Errorf("%q is not a socket: %q is none of unix, inet, inet6", spec, kind)
}

func tcpAddress(kind, address string) (network, hostPort string, err error) {
	if port, host, ok := strings.Cut(address, "@"); ok {
		address = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && port != "0" {
		return "", "", fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	network = "tcp4"
	if kind == "inet6" || strings.Contains(host, ":") {
		network = "tcp6"
	}
	return network, net.JoinHostPort(host, port), nil
}

// listenUnix makes the file without any rights for others and then opens it up,
// so that the process's umask plays no part and nobody comes in too early.
func listenUnix(path string, opt SocketOptions) (net.Listener, error) {
	gid, err := groupID(opt.Group)
	if err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: private}
	ln, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	mode := opt.Mode.Perm()
	if mode == 0 {
		mode = 0o660
	}
	if err := giveRights(path, mode, gid); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// private gives the socket mode 0600 before it has a name; Linux makes the file
// with no more rights than that.
func private(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
	return errors.Join(err, failed)
}

// groupFault says why a socket did not get its group, and where that is for lack of
// rights, what gives them. It names the socket, not how it was reached.
func groupFault(path string, err error) error {
	if of := (*fs.PathError)(nil); errors.As(err, &of) {
		err = of.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("group of %s: %w; the user of this process has to be in that group (SupplementaryGroups= in a unit)", path, err)
	}
	return fmt.Errorf("group of %s: %w", path, err)
}

func groupID(group string) (int, error) {
	if group == "" {
		return -1, nil
	}
	if gid, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(gid), nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// removeStale removes a socket file that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	nc, err := net.DialTimeout("unix", path, probeTime)
	if err == nil {
		nc.Close()
		return fmt.Errorf("%s is in use by another process", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("finding out whether %s is in use: %w", path, err)
	}
	return os.Remove(path)
}
