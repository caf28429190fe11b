package milter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	protocol "github.com/emersion/go-milter"
)

// accepting is what is known of the loop that accepts from one listener.
type accepting struct {
	taken atomic.Int64  // connections
	pause time.Duration // before the next try, after one that failed

	// As Alive saw it last.
	seen    int64
	waiting bool // connections waited, and there was room for them
}

// Alive tells whether the server does its work, for a watchdog: its lock is to be
// had, connections that wait are taken where there is room for them, and a session
// with an envelope is led from the offer to QUIT. That session comes over no
// socket, asks no DNS, and is given up before its header, so it leaves no record.
// A server that is full or that drains is at its work.
//
// Two calls without a connection taken, while one waits all the time, are an error:
// calls should lie some seconds apart. When ctx ends first, what it waited for is
// left behind.
func (s *Server) Alive(ctx context.Context) error {
	said := make(chan error, 1)
	var at atomic.Value // how far it came
	at.Store("waiting for the lock")
	go func() { said <- s.shows(ctx, &at) }()
	select {
	case err := <-said:
		return err
	case <-ctx.Done():
		return fmt.Errorf("a session of our own, %s: %w", at.Load(), context.Cause(ctx))
	}
}

// shows is what Alive finds. A panic is no sign of life.
func (s *Server) shows(ctx context.Context, at *atomic.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic while it is looked whether the server works", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("a session of our own, %s: panic", at.Load())
		}
	}()
	return errors.Join(s.accepts(), s.round(ctx, at))
}

// accepts returns an error for a listener from which nothing is taken.
func (s *Server) accepts() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != serving {
		return nil
	}
	room := len(s.conns) < s.opt.MaxConns
	for ln, a := range s.listeners {
		taken := a.taken.Load()
		waiting := room && pending(ln)
		if waiting && a.waiting && taken == a.seen {
			return fmt.Errorf("connections wait at %s and none is taken", ln.Addr())
		}
		a.seen, a.waiting = taken, waiting
	}
	return nil
}

// round leads a session of our own, in which each event is answered.
func (s *Server) round(ctx context.Context, at *atomic.Value) error {
	if s.stopping() {
		return nil
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer context.AfterFunc(ctx, func() { ours.Close() })()
	s.start(theirs)
	offer := make([]byte, 0, 12)
	for _, n := range []uint32{maxVersion, uint32(wantedActions), uint32(protocol.OptHeaderLeadingSpace)} {
		offer = binary.BigEndian.AppendUint32(offer, n)
	}
	for _, event := range []struct {
		code protocol.Code
		data string
	}{
		{protocol.CodeOptNeg, string(offer)},
		{protocol.CodeConn, "watchdog\x00U"},
		{protocol.CodeHelo, "watchdog\x00"},
		{protocol.CodeMail, "<>\x00"},
	} {
		at.Store(eventName(event.code))
		if err := ask(ours, event.code, event.data); err != nil {
			if s.stopping() { // the drain has come between
				return nil
			}
			return fmt.Errorf("a session of our own, %s: %w", at.Load(), err)
		}
	}
	end := appendFrame(appendFrame(nil, byte(protocol.CodeAbort), ""), byte(protocol.CodeQuit), "")
	if _, err := ours.Write(end); err != nil && !s.stopping() {
		return fmt.Errorf("a session of our own, at its end: %w", err)
	}
	return nil
}

// ask sends one event and reads the frame that answers it.
func ask(rw io.ReadWriter, code protocol.Code, data string) error {
	if _, err := rw.Write(appendFrame(nil, byte(code), data)); err != nil {
		return err
	}
	var head [frameHeader + 1]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return err
	}
	want := byte(protocol.ActContinue)
	if code == protocol.CodeOptNeg {
		want = byte(code)
	}
	if head[frameHeader] != want {
		return fmt.Errorf("the answer is %q", head[frameHeader])
	}
	_, err := io.CopyN(io.Discard, rw, int64(binary.BigEndian.Uint32(head[:]))-1)
	return err
}
