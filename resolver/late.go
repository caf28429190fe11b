package resolver

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"

	"alignd/internal/owned"
)

// late reads on from the sockets of one question on which a try ended in silence,
// while later tries run and after them, as long as anybody waits: a recursive server
// that needs three seconds for a name that it has never heard answers the first try
// when the second is under way. Each socket goes on to take the answer to its own try
// only, by ID, port and question, so all of them together are as hard to guess as
// that many questions (RFC 5452 section 7).
//
// It is used by one goroutine, which calls close.
type late struct {
	r     *Resolver
	slots chan struct{}   // of the question
	whole context.Context // of the question, not of a try
	ctx   context.Context // ends with whole, or close
	end   context.CancelFunc
	heard chan heard
	kept  int // sockets so far
	open  int // of them, those that were not heard of
	aside owned.Group

	mu       sync.Mutex
	answered bool
	wake     context.CancelFunc // ends the try under way
}

// maxLate is how many sockets of one question are read on; ours.
const maxLate = 16

// heard is what came of one socket.
type heard struct {
	from      *server
	msg       *dns.Msg
	truncated bool
	err       error // where neither
}

func (r *Resolver) newLate(ctx context.Context, slots chan struct{}) *late {
	return &late{r: r, whole: ctx, slots: slots}
}

// keep reads on from conn, on which q was sent to s. It is false where there are
// too many; each takes one of the slots of questions, as it takes a socket, and at
// most half of them.
func (l *late) keep(conn *net.UDPConn, s *server, q *query) bool {
	if l == nil || l.kept == maxLate || 2*(len(l.slots)+1) > cap(l.slots) {
		return false
	}
	select {
	case l.slots <- struct{}{}:
	default:
		return false
	}
	if l.heard == nil {
		l.heard = make(chan heard, maxLate)
		l.ctx, l.end = context.WithCancel(l.whole)
	}
	l.kept++
	l.open++
	own := &query{wire: bytes.Clone(q.wire)} // the next try changes the ID
	own.question = own.wire[headerSize : headerSize+len(q.question)]
	l.aside.Go(func() { l.listen(conn, s, own) })
	return true
}

// listen waits for the answer to q.
func (l *late) listen(conn *net.UDPConn, s *server, q *query) {
	h := heard{from: s, err: errTimeout}
	defer func() {
		conn.Close()
		<-l.slots
		l.heard <- h
		if h.msg != nil {
			l.interrupt()
		}
	}()
	buf := udpBuffers.Get().(*[udpBuffer]byte)
	defer udpBuffers.Put(buf)
	_ = conn.SetDeadline(time.Time{})
	defer context.AfterFunc(l.ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	msg, strays, err := q.await(conn, buf[:])
	l.r.strays.Add(strays)
	switch {
	case err != nil:
	case truncated(msg) || len(msg) == udpBuffer:
		h.truncated, h.err = true, nil
	default:
		h.msg, h.err = parse(msg)
	}
}

// interrupt ends the try under way, as an answer is there.
func (l *late) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answered = true; l.wake != nil {
		l.wake()
	}
}

// try runs a try that ends early when an answer comes late to another one.
func (l *late) try(ctx context.Context, f func(context.Context) (*dns.Msg, error)) (*dns.Msg, error) {
	if l.open == 0 {
		return f(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	if l.wake = cancel; l.answered {
		cancel()
	}
	l.mu.Unlock()
	return f(ctx)
}

// close ends all reading.
func (l *late) close() {
	if l.heard != nil {
		l.end()
		l.aside.Wait()
	}
}
