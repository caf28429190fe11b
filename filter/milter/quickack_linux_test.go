package milter

import (
	"net"
	"slices"
	"testing"
	"time"

	protocol "github.com/emersion/go-milter"
)

// smallWrites is the median time of a message whose frames are written one by
// one, by an MTA that leaves Nagle's algorithm on or turns it off.
func smallWrites(t *testing.T, addr string, noDelay bool, without protocol.OptProtocol) time.Duration {
	t.Helper()
	m := greet(t, addr, without)
	if err := m.nc.(*net.TCPConn).SetNoDelay(noDelay); err != nil {
		t.Fatal(err)
	}
	m.event('C', theConnect)
	var took []time.Duration
	for range 15 {
		begun := time.Now()
		m.begin()
		m.verdict()
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// An MTA's small writes wait for the acknowledgement of the one before (Nagle),
// which Linux delays by 40 ms where nothing is written back.
func TestSmallWritesOfAnMTAWaitForNoDelayedAcknowledgement(t *testing.T) {
	wrapped := func(ln net.Listener) net.Listener { return wrappingListener{ln} }
	for _, test := range []struct {
		name    string
		wrap    func(net.Listener) net.Listener
		without protocol.OptProtocol // replies that the MTA does not let us leave out
	}{
		{name: "no reply before the end of a message"},
		{name: "a reply to RCPT only", without: protocol.OptNoRcptReply},
		{name: "a reply to each event", without: noReply},
		{name: "behind a connection that wraps the TCP one", wrap: wrapped},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr := serveWrapped(t, test.wrap)
			slow := time.Duration(0)
			for range 10 { // other work of the machine may hit some of them
				plain := smallWrites(t, addr, true, test.without)
				nagle := smallWrites(t, addr, false, test.without)
				if slow = nagle - plain; slow < 10*time.Millisecond {
					return
				}
			}
			t.Errorf("a message takes %v longer with Nagle's algorithm", slow)
		})
	}
}

// serveWrapped is serve with another listener around the TCP one.
func serveWrapped(t *testing.T, wrap func(net.Listener) net.Listener) string {
	t.Helper()
	s, addr := serve(t, Options{Handler: new(recorder).handler})
	if wrap == nil {
		return addr
	}
	ln, err := Listen("inet:127.0.0.1:0", SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(wrap(ln)) // until the other one is shut down
	return ln.Addr().String()
}

type wrappingListener struct{ net.Listener }

func (l wrappingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrappedConn{wrappedConn{nc}}, nil
}

type wrappedConn struct{ net.Conn }

func (c wrappedConn) NetConn() net.Conn { return c.Conn }

func TestQuickAckIsForTCPOnly(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	a, b := unixPair(t)
	defer a.Close()
	defer b.Close()
	for _, nc := range []net.Conn{ours, a, wrappedConn{a}} {
		if ack := newQuickAck(nc); ack.raw != nil {
			t.Errorf("%T: got an option of TCP", nc)
		} else {
			ack.now()
		}
	}
}

// unixPair is a connection over a unix socket.
func unixPair(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	ln, err := Listen("unix:"+t.TempDir()+"/s", SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}
