//go:build !linux

package milter

// setQuickAck is nil where a socket cannot be told to acknowledge at once: use a
// unix socket there, or turn delayed acknowledgements off (on FreeBSD the sysctl
// net.inet.tcp.delayed_ack).
var setQuickAck func(fd uintptr)
