package milter

import (
	"context"
	"fmt"
	"time"
)

// phase is how far the server's end has come.
type phase int

const (
	serving  phase = iota
	draining       // no new connections; a session may still begin messages
	closing        // a session is closed as soon as it is in no message
	severed        // everything is closed
)

// Time that Shutdown keeps for itself.
const (
	// closingShare of the time until the deadline: then sessions that are between
	// two messages are closed though others are still in one.
	closingShare = 4
	// severedWait is how long Shutdown waits for sessions whose connection was
	// cut off.
	severedWait = time.Second
)

// Shutdown ends the server. It closes the listeners, lets messages in progress
// finish, then closes the sessions that are idle between messages: an MTA whose
// idle session is closed early answers 451 to its client's next message. IdleClosed
// counts them. In the
// last quarter of the time that ctx leaves, idle sessions are closed at once. When
// ctx ends, what is still open is cut off, and Shutdown returns its error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.enter(draining)
	defer context.AfterFunc(ctx, func() { s.enter(severed) })()
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		defer time.AfterFunc(left-left/closingShare, func() { s.enter(closing) }).Stop()
	}
	s.settle()
	s.enter(closing)
	s.wait(func() bool { return len(s.conns) == 0 || s.phase == severed })
	s.mu.Lock()
	lost := s.lost
	s.mu.Unlock()
	if lost == 0 {
		s.cut()
		return nil
	}
	until := time.Now().Add(severedWait)
	defer time.AfterFunc(severedWait, s.wakeAll).Stop()
	s.wait(func() bool { return len(s.conns) == 0 || !time.Now().Before(until) })
	return fmt.Errorf("shutting down the milter server, %d connections cut off: %w", lost, ctx.Err())
}

// settle returns when no message was begun or ended for a while and none is in
// progress, when no session is left, or when the time is up.
func (s *Server) settle() {
	for {
		s.wait(func() bool { return s.messages == 0 || s.phase >= closing })
		s.mu.Lock()
		rest := s.opt.Settle - time.Since(s.moved)
		done := s.phase >= closing || len(s.conns) == 0 || s.messages == 0 && rest <= 0
		s.mu.Unlock()
		if done {
			return
		}
		timer := time.AfterFunc(rest, s.wakeAll)
		until := time.Now().Add(rest)
		s.wait(func() bool {
			return s.messages > 0 || len(s.conns) == 0 || s.phase >= closing || !time.Now().Before(until)
		})
		timer.Stop()
	}
}

// enter goes to a later phase and does what it asks for.
func (s *Server) enter(p phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p <= s.phase {
		return
	}
	s.phase = p
	for ln := range s.listeners {
		ln.Close()
	}
	if p == draining {
		s.moved = time.Now()
	}
	for d, inMessage := range s.conns {
		if p == closing && !inMessage {
			s.idleClosed++
		}
		if p == severed || p == closing && !inMessage {
			d.nc.Close()
		}
	}
	if p == severed { // after the closing: nothing that is judged in haste gets out
		s.lost = len(s.conns)
		s.cut()
	}
	s.changed.Broadcast()
}

// wait returns when done, which is called with the lock held, reports true.
func (s *Server) wait(done func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !done() {
		s.changed.Wait()
	}
}

func (s *Server) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// IdleClosed is how many sessions Shutdown closed between two messages: that many
// clients may be told 451 for a message that they had yet to send.
func (s *Server) IdleClosed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idleClosed
}

// add registers a new connection; it reports false when none is taken any more. One
// that was accepted as the drain began is served: to close it would cost its client
// a 451.
func (s *Server) add(d *dialogue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase >= closing {
		return false
	}
	s.conns[d] = false
	return true
}

func (s *Server) remove(d *dialogue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[d] {
		s.messages--
	}
	delete(s.conns, d)
	s.changed.Broadcast()
}

// begin notes that d is in a message. It reports false when d is to end instead.
func (s *Server) begin(d *dialogue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase >= closing {
		return false
	}
	s.conns[d] = true
	s.messages++
	return true
}

// end notes that d is in no message any more. It reports false when d is to end.
func (s *Server) end(d *dialogue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[d] = false
	s.messages--
	if s.phase != serving {
		s.moved = time.Now()
		s.changed.Broadcast()
	}
	if s.phase == closing {
		s.idleClosed++
	}
	return s.phase < closing
}
