package access

import (
	"net"
	"net/netip"
	"testing"
)

// from is a listener of connections from an address.
type from struct {
	net.Listener
	addr net.Addr
}

type fromConn struct {
	net.Conn
	addr net.Addr
}

func (f *from) Accept() (net.Conn, error) {
	ours, _ := net.Pipe()
	return fromConn{ours, f.addr}, nil
}
func (c fromConn) RemoteAddr() net.Addr { return c.addr }

// One network takes its part of the connections and no more; the ends of them count once.
func TestANetworkTakesNotAllConnections(t *testing.T) {
	for _, row := range []struct {
		name, first, next string
		more              bool // next may connect when first has taken all it can
	}{
		{name: "one address", first: "192.0.2.1", next: "192.0.2.1"},
		{name: "its neighbour", first: "192.0.2.1", next: "192.0.2.2", more: true},
		{name: "IPv4 in IPv6", first: "192.0.2.1", next: "::ffff:192.0.2.1"},
		{name: "a /64", first: "2001:db8::1", next: "2001:db8::2"},
		{name: "another /64", first: "2001:db8::1", next: "2001:db8:0:1::1", more: true},
		{name: "this host", first: "127.0.0.1", next: "127.0.0.1", more: true},
		{name: "the proxy", first: "198.51.100.7", next: "198.51.100.7", more: true},
	} {
		c := &Control{opt: Options{Proxy: Proxy{Header: "X-User", Networks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}}}
		l := &listener{free: c.isMany, open: map[string]int{}, all: &c.conns}
		at := func(ip string) net.Addr {
			return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 1))
		}
		l.Listener = &from{addr: at(row.first)}
		var list []net.Conn
		for range maxOfNetwork {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, c)
		}
		if got := row.more; l.take(l.of(at(row.next))) != got {
			t.Errorf("%s: another connection: %v, want %v", row.name, !got, got)
		}
		if row.more {
			l.give(l.of(at(row.next)))
		}
		for range 2 { // net/http may close twice
			for _, c := range list {
				c.Close()
			}
		}
		if c.conns.Load() != 0 || len(l.open) != 0 {
			t.Errorf("%s: %d open, %v", row.name, c.conns.Load(), l.open)
		}
	}
}
