package milter

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

const canSeePending = true

// pending reports whether a connection waits to be accepted.
func pending(ln net.Listener) (waits bool) {
	c, ok := ln.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false // closed meanwhile
	}
	_ = raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		waits = err == nil && n > 0
	})
	return waits
}
