package mta

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// Delivery is one message as the MTA handed it on.
type Delivery struct {
	QueueID string   // from the topmost Received field
	From    string   // reverse-path without angle brackets
	To      []string // forward-paths without angle brackets
	Data    []byte   // header and body with CRLF, dots unstuffed, else untouched
}

// Sink is an LMTP and SMTP server (RFC 2033, 5321) that takes everything and
// keeps it until it is asked for. Its methods are safe for concurrent use.
type Sink struct {
	ln net.Listener

	mu      sync.Mutex
	kept    []*Delivery
	arrived chan struct{} // closed and replaced at each arrival
}

// NewSink listens on a free loopback port.
func NewSink() (*Sink, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{ln: ln, arrived: make(chan struct{})}
	go s.accept()
	return s, nil
}

// Addr is where the sink listens, host:port.
func (s *Sink) Addr() string { return s.ln.Addr().String() }

// Wait returns the delivery with this queue ID, waiting for it until ctx ends.
// The sink forgets it then.
func (s *Sink) Wait(ctx context.Context, queueID string) (*Delivery, error) {
	for {
		s.mu.Lock()
		for i, d := range s.kept {
			if d.QueueID == queueID {
				s.kept = append(s.kept[:i], s.kept[i+1:]...)
				s.mu.Unlock()
				return d, nil
			}
		}
		arrived := s.arrived
		s.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the delivery of %s: %w", queueID, ctx.Err())
		}
	}
}

// Close stops listening.
func (s *Sink) Close() error { return s.ln.Close() }

func (s *Sink) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			s.serve(conn)
		}()
	}
}

// serve speaks LMTP until the client leaves. Postfix is the only client, so
// nothing here guards against a hostile one.
func (s *Sink) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	say := func(text string) { io.WriteString(conn, text+"\r\n") }
	say("220 sink here")
	var d Delivery
	lmtp := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "LHLO", "EHLO", "HELO":
			lmtp = strings.EqualFold(verb, "LHLO")
			say("250-sink here\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")
		case "MAIL":
			d = Delivery{From: path(line)}
			say("250 2.1.0 ok")
		case "RCPT":
			d.To = append(d.To, path(line))
			say("250 2.1.5 ok")
		case "DATA":
			say("354 go on")
			if d.Data, err = readData(r); err != nil {
				return
			}
			s.keep(d)
			say("250 2.0.0 kept")
			for i := 1; lmtp && i < len(d.To); i++ { // RFC 2033 section 4.2: one reply for each recipient
				say("250 2.0.0 kept")
			}
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default: // RSET, NOOP
			say("250 2.0.0 ok")
		}
	}
}

func (s *Sink) keep(d Delivery) {
	d.QueueID = queueID(d.Data)
	s.mu.Lock()
	s.kept = append(s.kept, &d)
	close(s.arrived)
	s.arrived = make(chan struct{})
	s.mu.Unlock()
}

// readData reads up to the final dot line and removes dot stuffing
// (RFC 5321 section 4.5.2).
func readData(r *bufio.Reader) ([]byte, error) {
	var data []byte
	start := true
	for {
		part, err := r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
		if start {
			if string(part) == ".\r\n" {
				return data, nil
			}
			part = bytes.TrimPrefix(part, []byte("."))
		}
		data = append(data, part...)
		start = err == nil
	}
}

// path returns what stands between the first pair of angle brackets.
func path(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	inside, _, _ := strings.Cut(rest, ">")
	return inside
}

// queueID finds the ID in the topmost Received field, which the MTA itself
// wrote: "by mx.here.test (Postfix) with ESMTP id 4F2A...".
func queueID(data []byte) string {
	_, rest, ok := bytes.Cut(append([]byte("\r\n"), data...), []byte("\r\nReceived:"))
	if !ok {
		return ""
	}
	_, rest, ok = bytes.Cut(rest, []byte(" id "))
	if !ok {
		return ""
	}
	end := bytes.IndexAny(rest, "; \r\n")
	if end < 0 {
		return ""
	}
	return string(rest[:end])
}

// Take returns all deliveries that nobody has waited for, and forgets them.
func (s *Sink) Take() []*Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.kept
	s.kept = nil
	return all
}
