//go:build !linux

package milter

import "net"

const canSeePending = false

// pending reports whether a connection waits to be accepted. It is for the watchdog
// of systemd, which other systems do not have.
func pending(net.Listener) bool { return false }
