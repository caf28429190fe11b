package milter

import (
	"net"
	"syscall"
)

// quickAck has the kernel acknowledge at once what the MTA wrote. With the
// no-reply bits nothing goes back to the MTA before the end of a message, so no
// answer carries the acknowledgement, and Linux holds it back for 40 ms. An MTA
// that leaves Nagle's algorithm on (Postfix, Sendmail) meanwhile holds back its
// next small write: RFC 9293 sections 3.7.4 and 3.8.6.3 warn of just that.
//
// The option does not last: each write of ours takes it back. So it is set before
// each read; what came in before is then acknowledged, and the end of a message,
// which is answered first, costs no packet of its own.
//
// The zero value, for a connection that is no TCP, does nothing.
type quickAck struct {
	raw syscall.RawConn
	set func(fd uintptr)
}

func newQuickAck(nc net.Conn) quickAck {
	if _, ok := nc.LocalAddr().(*net.TCPAddr); !ok || setQuickAck == nil {
		return quickAck{}
	}
	raw := rawConn(nc)
	if raw == nil {
		return quickAck{}
	}
	return quickAck{raw: raw, set: setQuickAck}
}

// rawConn finds the socket below connections that wrap another and tell which by
// NetConn, as crypto/tls.Conn does. It is nil where there is none.
func rawConn(nc net.Conn) syscall.RawConn {
	for nc != nil {
		switch c := nc.(type) {
		case syscall.Conn:
			raw, err := c.SyscallConn()
			if err != nil {
				return nil // closed meanwhile
			}
			return raw
		case interface{ NetConn() net.Conn }:
			nc = c.NetConn()
		default:
			return nil
		}
	}
	return nil
}

// now acknowledges what has come in, and what will until the next write. Its
// failure costs time only; a connection that is gone shows at the next read.
func (q *quickAck) now() {
	if q.raw != nil {
		_ = q.raw.Control(q.set)
	}
}
