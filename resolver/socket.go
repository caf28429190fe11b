package resolver

import (
	"net"
	"sync"
	"time"
)

// What a socket is used for before another takes its place.
const (
	// socketQuestions is how many questions go through one socket, one after
	// the other. Who cannot see the traffic must guess the port next to the ID
	// (RFC 5452 section 9.2); who learned a port has little of it.
	socketQuestions = 32
	// socketAge is how old a socket may be when a question is sent.
	socketAge = 5 * time.Second
	// socketsIdle is how many sockets wait for further questions to a server.
	socketsIdle = 16
)

// socket is a UDP socket connected to a server, so that datagrams from elsewhere
// do not reach it; the kernel drew its port. One question is under way at a time.
type socket struct {
	*net.UDPConn
	asked  int // questions, this one included
	opened time.Time
}

// sockets are those to one server that wait for a question. Opening, polling and
// closing one for each question was more than a third of its cost
// (docs/decisions/resolver.md).
type sockets struct {
	to net.UDPAddr

	mu     sync.Mutex
	idle   []*socket // the one used last at the end
	closed bool
}

// take returns a socket for one question, to be given to put or closed.
func (p *sockets) take() (*socket, error) {
	now := time.Now()
	p.mu.Lock()
	for n := len(p.idle) - 1; n >= 0; n-- {
		s := p.idle[n]
		p.idle[n], p.idle = nil, p.idle[:n]
		if now.Sub(s.opened) < socketAge {
			p.mu.Unlock()
			s.asked++
			return s, nil
		}
		s.Close()
	}
	p.mu.Unlock()
	conn, err := net.DialUDP("udp", nil, &p.to)
	if err != nil {
		return nil, err
	}
	return &socket{UDPConn: conn, asked: 1, opened: now}, nil
}

// put takes back a socket whose question was answered and through which
// nothing else came.
func (p *sockets) put(s *socket) {
	p.mu.Lock()
	keep := !p.closed && s.asked < socketQuestions && len(p.idle) < socketsIdle
	if keep {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	if !keep {
		s.Close()
	}
}

// discard closes the sockets that wait: one of them failed, perhaps because the
// host's own address has changed.
func (p *sockets) discard() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, s := range idle {
		s.Close()
	}
}

// close is discard for good.
func (p *sockets) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.discard()
}
