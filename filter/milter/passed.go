package milter

import (
	"net"
	"os"
	"strings"
	"syscall"
)

// Covers reports whether ln, a socket that another process opened, is the one that
// spec names (see Listen), or takes what would come to it: a TCP socket at all
// addresses does for one of them. A spec that Listen refuses is not covered.
func Covers(ln net.Listener, spec string) bool {
	kind, address, _ := strings.Cut(spec, ":")
	switch have := ln.Addr().(type) {
	case *net.UnixAddr:
		switch strings.ToLower(kind) {
		case "unix", "local":
			return sameFile(have.Name, address)
		}
	case *net.TCPAddr:
		network, hostPort, err := tcpAddress(strings.ToLower(kind), address)
		if err != nil || kind == "unix" || kind == "local" {
			return false
		}
		want, err := net.ResolveTCPAddr(network, hostPort)
		return err == nil && want.Port == have.Port && takesAddress(ln, have.IP, want.IP, network)
	}
	return false
}

// sameFile goes by the file where there is one: /var/run is a link to /run.
func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// takesAddress reports whether a socket at the address have takes connections to
// want, of which nil is all addresses of the network.
func takesAddress(ln net.Listener, have, want net.IP, network string) bool {
	if want == nil {
		want = net.IPv4zero
		if network == "tcp6" {
			want = net.IPv6unspecified
		}
	}
	switch {
	case have.Equal(want):
		return true
	case !have.IsUnspecified():
		return false
	case have.To4() != nil:
		return want.To4() != nil
	}
	return want.To4() == nil || !onlyIPv6(ln)
}

// onlyIPv6 reports whether a socket at [::] leaves IPv4 to others (RFC 3493 section
// 5.3).
func onlyIPv6(ln net.Listener) bool {
	only := 1
	if c, ok := ln.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				if v, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY); err == nil {
					only = v
				}
			})
		}
	}
	return only != 0
}
