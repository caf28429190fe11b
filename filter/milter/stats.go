package milter

import "net"

// Stats counts since New, and tells the present state. Metrics show it. Sessions of our
// own (Alive) are not counted.
type Stats struct {
	Connections uint64 // accepted
	Sessions    uint64 // SMTP sessions that MTAs told of; a connection may have several
	Open        int    // connections
	Messages    int    // in progress
	Limit       int    // of Open
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Connections: s.accepted.Load(), Sessions: s.sessions.Load(),
		Open: len(s.conns), Messages: s.messages, Limit: s.opt.MaxConns,
	}
}

// Listening is where connections are accepted; nothing from Shutdown on.
func (s *Server) Listening() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != serving {
		return nil
	}
	list := make([]net.Addr, 0, len(s.listeners))
	for ln := range s.listeners {
		list = append(list, ln.Addr())
	}
	return list
}
