// Package dnsserver is a DNS server over a zone file, for tests, the demo and
// the end-to-end cases. It answers on one address over UDP and TCP: SERVFAIL
// with that RCODE, TIMEOUT with silence, and a UDP answer that is longer than
// the client can take with the TC bit. It counts what it is asked.
package dnsserver

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
)

// Server is a running server. It is safe for concurrent use.
type Server struct {
	addr     string
	zone     atomic.Pointer[resolver.Zone]
	delay    atomic.Int64
	udp, tcp *dns.Server
	wg       sync.WaitGroup

	mu     sync.Mutex
	counts map[Question]int
}

// Question is a name, in lower case without trailing dot, and a type.
type Question struct {
	Name string
	Type uint16
}

// ServeZone starts a server for zone at addr, "127.0.0.1:0" for any free port.
// UDP and TCP share the port.
func ServeZone(zone *resolver.Zone, addr string) (*Server, error) {
	packet, stream, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("DNS server: %w", err)
	}
	s := &Server{addr: packet.LocalAddr().String(), counts: make(map[Question]int)}
	s.zone.Store(zone)
	s.udp = &dns.Server{PacketConn: packet, Handler: s}
	s.tcp = &dns.Server{Listener: stream, Handler: s}
	for _, server := range []*dns.Server{s.udp, s.tcp} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		s.wg.Go(func() { _ = server.ActivateAndServe() }) // ends with Close
		<-started
	}
	return s, nil
}

// listen opens both sockets. With port 0 the port that UDP got may be taken
// for TCP, so it tries a few times.
func listen(addr string) (packet net.PacketConn, stream net.Listener, err error) {
	for range 20 {
		packet, err = net.ListenPacket("udp", addr)
		if err != nil {
			return nil, nil, err
		}
		stream, err = net.Listen("tcp", packet.LocalAddr().String())
		if err == nil {
			return packet, stream, nil
		}
		packet.Close()
	}
	return nil, nil, err
}

// Addr is "address:port".
func (s *Server) Addr() string { return s.addr }

// Reload makes zone the one that is served.
func (s *Server) Reload(zone *resolver.Zone) { s.zone.Store(zone) }

// SetDelay has every answer wait for d.
func (s *Server) SetDelay(d time.Duration) { s.delay.Store(int64(d)) }

// Queries is the number of messages received.
func (s *Server) Queries() int {
	n := 0
	for _, c := range s.Counts() {
		n += c
	}
	return n
}

// Counts is how often each question was asked.
func (s *Server) Counts() map[Question]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// ResetCounts starts counting anew.
func (s *Server) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
}

// Close stops the server and waits until it has stopped.
func (s *Server) Close() error {
	err := errors.Join(s.udp.Shutdown(), s.tcp.Shutdown())
	s.wg.Wait()
	return err
}

// ServeDNS answers one message; it is called by the dns package.
func (s *Server) ServeDNS(w dns.ResponseWriter, req *dns.Msg) {
	if len(req.Question) == 1 {
		q := req.Question[0]
		s.mu.Lock()
		s.counts[Question{strings.ToLower(strings.TrimSuffix(q.Name, ".")), q.Qtype}]++
		s.mu.Unlock()
	}
	time.Sleep(time.Duration(s.delay.Load()))
	m := s.zone.Load().Reply(req)
	if m == nil {
		return
	}
	size := dns.MaxMsgSize
	opt := req.IsEdns0()
	if w.LocalAddr().Network() == "udp" {
		size = dns.MinMsgSize
		if opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
	}
	if opt != nil {
		m.SetEdns0(1232, false)
	}
	m.Truncate(size)
	_ = w.WriteMsg(m) // a client that has gone needs no answer
}
