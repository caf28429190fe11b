package access

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/net/netutil"
)

// Bounds of connections; ours.
const (
	// maxConns is how many browsers are connected at once; further ones wait. Most of them
	// are told 503, which takes little.
	maxConns = 2000
	// crowded is from how many on an answer ends its connection, so that nobody waits for
	// those who ask nothing.
	crowded = 1500
	// maxOfNetwork is how many are from one network, so that no client takes all. A browser
	// has six, and an office is behind one address.
	maxOfNetwork = 100
)

// Listen bounds how many are connected by ln, of all and of each network. This host and
// the proxy's networks, from where many come by one address, may have all.
func (c *Control) Listen(ln net.Listener) net.Listener {
	return netutil.LimitListener(&listener{Listener: ln, free: c.isMany, open: map[string]int{}, all: &c.conns}, maxConns)
}

func (c *Control) isMany(ip netip.Addr) bool {
	return ip.IsLoopback() || c.opt.Proxy.Header != "" && c.ofProxy(ip)
}

// listener ends connections of networks that have too many.
type listener struct {
	net.Listener
	free func(netip.Addr) bool
	mu   sync.Mutex
	open map[string]int
	all  *atomic.Int64
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		of := l.of(c.RemoteAddr())
		if !l.take(of) {
			c.Close()
			continue
		}
		l.all.Add(1)
		return &counted{Conn: c, end: sync.OnceFunc(func() { l.all.Add(-1); l.give(of) })}, nil
	}
}

// of is the network that an address counts for; empty for none.
func (l *listener) of(addr net.Addr) string {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || l.free(at.Addr().Unmap()) {
		return ""
	}
	return networkOf(addr.String())
}

func (l *listener) take(of string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of != "" && l.open[of] >= maxOfNetwork {
		return false
	}
	if of != "" {
		l.open[of]++
	}
	return true
}

func (l *listener) give(of string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[of]--; l.open[of] <= 0 {
		delete(l.open, of)
	}
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	end func()
}

func (c *counted) Close() error {
	defer c.end()
	return c.Conn.Close()
}
