package milter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Server. A zero value of a field means its default, except
// where the field says otherwise.
type Options struct {
	// Handler makes the Session of a new SMTP session, in the goroutine that
	// will call it. Required.
	Handler func(*Conn) Session
	// Logger gets lifecycle, refused messages and failures; nil is the default
	// logger.
	Logger *slog.Logger

	// MaxConns is how many connections are served at once, 2000. Further ones
	// wait in the listeners' backlogs.
	MaxConns int
	// MaxPacket is the longest frame in octets. A longer one is a header over the
	// limit or ends the connection. As long as one header field or envelope
	// command within the limits below, at least 1 MiB.
	MaxPacket int

	// Limits of one message. A message over one of them is answered with OnLimit
	// at its end; the rest of it is read and dropped.
	MaxHeaders       int   // fields, 5000
	MaxHeaderBytes   int   // names and values together in octets, 2 MiB
	MaxRecipients    int   // 10000
	MaxEnvelopeBytes int   // MAIL and RCPT together in octets, 100 a recipient and at least 1 MiB
	MaxBody          int64 // octets; 0 is no limit, as the MTA has its own

	Timeouts Timeouts
	// ProgressInterval is how often the MTA is told that a verdict is under
	// way, 3 s. Sendmail waits 10 s between two signs of life.
	ProgressInterval time.Duration
	// Settle is how long no message must have been in progress before Shutdown
	// closes the sessions that are idle, 300 ms: the MTA's QUIT and the next
	// message of a busy client come within.
	Settle time.Duration

	// Replies are what messages get that no Session judges.
	Replies

	// Answered is told, of each message, how long it took from the verdict until edits
	// and reply were written. It is called from many goroutines and returns soon.
	Answered func(time.Duration)
}

// Replies answer messages that no Session judges. Server.SetReplies replaces them.
type Replies struct {
	// OnPanic answers a message whose Session failed, 451 4.3.0. Accept lets it
	// pass unjudged, if the site wants that.
	OnPanic Reply
	// OnLimit answers a message over a limit, 550 5.7.1. It cannot let it pass.
	OnLimit Reply
}

// Timeouts end a connection when the MTA lets it wait longer.
type Timeouts struct {
	// Negotiate is the time from the connection to the end of the offer, 30 s.
	Negotiate time.Duration
	// Idle is the longest wait for a frame between messages and within the
	// envelope, where the SMTP client sets the pace, 7210 s as in libmilter:
	// ending such a connection costs the client a 451.
	Idle time.Duration
	// Content is the time from the first header field to the end of the
	// message, where the MTA sets the pace, 10 min.
	Content time.Duration
	// Write is the longest time for one write, 30 s.
	Write time.Duration
}

// fill puts the defaults in place of zero values.
func (o *Options) fill() {
	setDefault(&o.Logger, slog.Default())
	setDefault(&o.MaxConns, 2000)
	setDefault(&o.MaxHeaders, 5000)
	setDefault(&o.MaxHeaderBytes, 2<<20)
	setDefault(&o.MaxRecipients, 10000)
	setDefault(&o.MaxEnvelopeBytes, max(1<<20, 100*o.MaxRecipients))
	setDefault(&o.MaxPacket, max(1<<20, 1+o.MaxHeaderBytes, 1+o.MaxEnvelopeBytes)) // 1: the command letter
	setDefault(&o.Timeouts.Negotiate, 30*time.Second)
	setDefault(&o.Timeouts.Idle, 7210*time.Second)
	setDefault(&o.Timeouts.Content, 10*time.Minute)
	setDefault(&o.Timeouts.Write, 30*time.Second)
	setDefault(&o.ProgressInterval, 3*time.Second)
	setDefault(&o.Settle, 300*time.Millisecond)
}

// later is the reply that does no harm to mail.
var later = Text(451, "4.3.0", "Temporary failure, please try again later")

func (r *Replies) fill() {
	setDefault(&r.OnPanic, later)
	setDefault(&r.OnLimit, Text(550, "5.7.1", "Message exceeds the limits of this server"))
}

func (r *Replies) check() error {
	if err := CheckReply(r.OnPanic); err != nil {
		return fmt.Errorf("reply to a failed message: %w", err)
	}
	if err := CheckReply(r.OnLimit); err != nil {
		return fmt.Errorf("reply to a message over a limit: %w", err)
	}
	if r.OnLimit.Delivers() {
		return errors.New("reply to a message over a limit would let it pass unjudged")
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("milter server is shut down")

// Server accepts connections of MTAs. Its methods are safe for concurrent use.
type Server struct {
	opt    Options
	log    *slog.Logger
	lastID atomic.Uint64
	// accepted and sessions count what MTAs began; see Stats.
	accepted, sessions atomic.Uint64
	ctx                context.Context // of all connections; ended when they are cut off
	cut                context.CancelFunc

	replies atomic.Pointer[Replies] // in place of those in opt

	mu        sync.Mutex
	changed   *sync.Cond // something below has changed
	phase     phase
	listeners map[net.Listener]*accepting
	conns     map[*dialogue]bool // true while in a message
	messages  int                // how many of conns are true
	moved     time.Time          // when a message last ended, or the drain began
	lost      int                // connections that were cut off
	// idleClosed counts sessions that were closed between messages.
	idleClosed int
	told       time.Time // when the log last said that MaxConns is reached

	spaceTold sync.Once // that an MTA does not grant the leading space
}

// tellAgain is how often the log says that MaxConns is reached.
const tellAgain = 30 * time.Second

// New returns a Server, or an error for options that cannot work.
func New(opt Options) (*Server, error) {
	if opt.Handler == nil {
		return nil, errors.New("milter server without a handler")
	}
	opt.fill()
	s := &Server{
		opt:       opt,
		log:       opt.Logger,
		listeners: make(map[net.Listener]*accepting),
		conns:     make(map[*dialogue]bool),
	}
	s.changed = sync.NewCond(&s.mu)
	if err := s.SetReplies(opt.Replies); err != nil {
		return nil, err
	}
	s.ctx, s.cut = context.WithCancel(context.Background())
	return s, nil
}

// SetReplies replaces the Replies for messages that end from now on; a zero
// field means its default. On an error the old ones stay.
func (s *Server) SetReplies(r Replies) error {
	r.fill()
	if err := r.check(); err != nil {
		return err
	}
	s.replies.Store(&r)
	return nil
}

// Serve accepts connections from ln until Shutdown, which makes it return
// ErrServerClosed, or until ln fails. It closes ln. Several calls may run at
// once; each but one may go over MaxConns by one connection.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	state := &accepting{}
	if !s.listen(ln, state) {
		return ErrServerClosed
	}
	defer s.unlisten(ln)
	for {
		if err := s.acceptFrom(ln, state); err != nil {
			return err
		}
	}
}

// acceptFrom serves one connection more, or waits a while where none is to be had. Its
// error ends Serve. A panic costs that connection.
func (s *Server) acceptFrom(ln net.Listener, state *accepting) error {
	var nc net.Conn
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic while a connection is accepted", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if nc != nil {
				nc.Close()
			}
		}
	}()
	if !s.waitForRoom() {
		return ErrServerClosed
	}
	nc, err := ln.Accept()
	var temporary interface{ Temporary() bool }
	switch {
	case err == nil:
		state.pause = 0
		state.taken.Add(1)
		s.accepted.Add(1)
		s.start(nc)
	case s.stopping():
		return ErrServerClosed
	case errors.As(err, &temporary) && temporary.Temporary(): // out of descriptors, mostly
		state.pause = min(max(2*state.pause, 5*time.Millisecond), time.Second)
		s.log.Error("cannot accept a connection", "err", err, "pause_ms", state.pause.Milliseconds())
		time.Sleep(state.pause)
	default:
		return fmt.Errorf("accepting connections on %s: %w", ln.Addr(), err)
	}
	return nil
}

func (s *Server) listen(ln net.Listener, state *accepting) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != serving {
		return false
	}
	s.listeners[ln] = state
	return true
}

func (s *Server) unlisten(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase != serving
}

// waitForRoom returns when one more connection may be served, or false when the
// server is shutting down.
func (s *Server) waitForRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == serving && len(s.conns) >= s.opt.MaxConns && time.Since(s.told) >= tellAgain {
		s.told = time.Now()
		s.log.Warn("connection limit reached, further MTA connections wait", "limit", s.opt.MaxConns)
	}
	for s.phase == serving && len(s.conns) >= s.opt.MaxConns {
		s.changed.Wait()
	}
	return s.phase == serving
}

// start serves nc in a goroutine of its own, for which Shutdown waits.
func (s *Server) start(nc net.Conn) {
	d := &dialogue{srv: s, nc: nc, ack: newQuickAck(nc)}
	d.conn.id = strconv.FormatUint(s.lastID.Add(1), 10)
	d.conn.ctx, d.cancel = context.WithCancel(s.ctx)
	d.in = frameReader{src: (*paced)(d), max: s.opt.MaxPacket}
	if !s.add(d) {
		d.cancel()
		nc.Close()
		return
	}
	go d.serve()
}
