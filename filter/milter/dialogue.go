package milter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	protocol "github.com/emersion/go-milter"
)

// dialogue is one connection of the MTA: one SMTP session, or several one after
// the other (QUIT_NC). It belongs to one goroutine, but for nc and progress.
type dialogue struct {
	srv    *Server
	nc     net.Conn
	ack    quickAck // of nc
	in     frameReader
	out    []byte // reused for responses
	conn   Conn
	cancel context.CancelFunc // of conn.ctx

	negotiated bool
	session    Session // nil before CONNECT and after a panic
	client     Connect // told again to the Session that follows a panic
	connected  bool
	helo       string
	greeted    bool

	msg      message
	current  protocol.Code // the event at work; a panic is then the Session's
	deadline bool          // the read deadline of the present phase is set
	readBy   limit
	writeBy  limit
	ignored  bool // an unknown command was logged
	progress progress
}

// message is what the server itself keeps about the message in progress.
type message struct {
	part        part
	headers     int
	headerBytes int
	recipients  int
	envelope    int // octets
	body        int64
	refusal     string // the limit that it went over; nothing of it is passed on
	failed      bool   // its Session panicked; nothing of it is passed on
	panicked    string // in words, where
	judged      bool   // its Session gave the verdict
	// owner is the Session that is yet to hear of the message's end.
	owner Session
}

// before tells what had become of a message that the MTA then gave up.
func (m *message) before() string {
	switch {
	case m.panicked != "":
		return ", after a " + m.panicked
	case m.refusal != "":
		return ", after it was over a limit: " + m.refusal
	}
	return ""
}

// part is how far a message has come.
type part int

const (
	partNone part = iota
	partEnvelope
	partHeader
	partBody // after end of header
)

// Reasons for which a dialogue ends that are no failure.
var (
	errQuit    = errors.New("MTA says QUIT")
	errDrained = errors.New("server is shutting down")
)

// serve leads the dialogue to its end. A panic of our own, before the first event
// or while a panic of the Session is answered, ends this connection alone.
func (d *dialogue) serve() {
	defer func() {
		if p := recover(); p != nil {
			d.logPanic("connection", p)
		}
	}()
	defer d.srv.remove(d)
	defer d.nc.Close()
	defer d.finish()
	if err := d.negotiate(); err != nil {
		d.logEnd(err)
		return
	}
	d.deadline = false
	for d.converse() {
	}
}

// converse handles events until the dialogue ends. After a panic in the Session
// it returns true: the dialogue can go on.
func (d *dialogue) converse() (again bool) {
	defer func() {
		if p := recover(); p != nil {
			again = d.afterPanic(p)
		}
	}()
	for {
		d.current = 0
		cmd, data, err := d.in.next()
		switch {
		case err == nil:
			d.current = protocol.Code(cmd)
			err = d.event(d.current, data)
		case errors.Is(err, errLongFrame):
			err = d.longFrame(err)
		}
		if err != nil {
			d.logEnd(err)
			return false
		}
	}
}

// longFrame passes over a header field that is longer than any frame may be: its
// message is refused like any other over a limit, as the MTA may let it pass when
// the connection ends. Another frame of that length ends the connection.
func (d *dialogue) longFrame(err error) error {
	if d.msg.part != partEnvelope && d.msg.part != partHeader {
		return err
	}
	d.content(partHeader)
	skipped, failed := d.in.skip(byte(protocol.CodeHeader))
	switch {
	case failed != nil:
		return failed
	case !skipped:
		return err
	}
	d.refuse("header octets", int64(d.srv.opt.MaxHeaderBytes))
	return d.answer(protocol.CodeHeader)
}

// finish tells the Session of its end.
func (d *dialogue) finish() {
	d.endProgress()
	d.cancel()
	d.abort()
	d.tell(Outcome{End: Aborted, Problem: "the connection to the MTA ended"})(true)
	d.closeSession()
	d.in.close()
}

// closeSession ends the Session; the next one starts with CONNECT or, after a
// panic, with MAIL. One that has a message waits for its end.
func (d *dialogue) closeSession() {
	session := d.session
	d.session = nil
	if session != nil && session != d.msg.owner {
		d.shielded("close", session.Close)
	}
}

// shielded calls a method of the Session that answers no event. It reports false
// after a panic.
func (d *dialogue) shielded(what string, call func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			d.logPanic(what, p)
		}
	}()
	call()
	return true
}

// afterPanic answers the event that panicked and reports whether the dialogue
// can go on.
func (d *dialogue) afterPanic(p any) bool {
	lost := d.stopProgress()
	d.logPanic(eventName(d.current), p)
	if d.current == 0 {
		return false // not the Session's
	}
	event := d.current
	if d.msg.failed = d.msg.part != partNone; d.msg.failed {
		d.msg.panicked = "panic in " + eventName(event)
	}
	d.closeSession()
	if lost != nil {
		return false // the connection cannot be trusted
	}
	var err error
	if event == protocol.CodeEOB && d.msg.failed {
		err = d.concludePanic()
	} else {
		err = d.answer(event)
	}
	if err != nil {
		d.logEnd(err)
		return false
	}
	return true
}

func (d *dialogue) logPanic(what string, p any) {
	d.srv.log.Error("panic in a session", "conn_id", d.conn.id, "queue_id", d.conn.QueueID(),
		"event", what, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// logEnd tells why the dialogue ended, as loud as it matters.
func (d *dialogue) logEnd(err error) {
	lost := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
	log := d.srv.log
	switch {
	case d.msg.part != partNone:
		log.Warn("connection ended within a message", "conn_id", d.conn.id, "err", err, "queue_id", d.conn.QueueID())
	case errors.Is(err, errQuit), errors.Is(err, errDrained), lost:
		log.Debug("connection ended", "conn_id", d.conn.id, "err", err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		log.Info("connection timed out", "conn_id", d.conn.id, "err", err)
	default:
		log.Warn("connection ended by an error", "conn_id", d.conn.id, "err", err)
	}
}

// write sends octets in one write.
func (d *dialogue) write(data []byte) error {
	if err := d.writeBy.within(d.srv.opt.Timeouts.Write, d.nc.SetWriteDeadline); err != nil {
		return err
	}
	_, err := d.nc.Write(data)
	return err
}

// limit is the deadline that a connection has for reading, or for writing.
type limit struct{ set time.Time }

// within moves the deadline to wait from now. One that is almost there stays: it
// leaves fifteen sixteenths of wait at least, and most frames come soon after each
// other.
func (l *limit) within(wait time.Duration, set func(time.Time) error) error {
	by := time.Now().Add(wait)
	if missing := by.Sub(l.set); missing >= 0 && missing < wait/16 {
		return nil
	}
	l.set = by
	return set(by)
}

// paced is the dialogue's connection as the frame reader sees it: each read
// acknowledges what came before it and has the deadline of its phase. A deadline
// is set only where bytes are awaited, and once for a frame, or for the whole
// content of a message.
type paced dialogue

func (p *paced) Read(b []byte) (int, error) {
	d := (*dialogue)(p)
	wait := d.srv.opt.Timeouts.Idle
	switch {
	case !d.negotiated:
		wait = d.srv.opt.Timeouts.Negotiate
	case d.msg.part >= partHeader:
		wait = d.srv.opt.Timeouts.Content
	case d.in.buffered() == 0:
		d.deadline = false
	}
	if !d.deadline {
		if err := d.readBy.within(wait, d.nc.SetReadDeadline); err != nil {
			return 0, err
		}
		d.deadline = true
	}
	d.ack.now()
	return d.nc.Read(b)
}
