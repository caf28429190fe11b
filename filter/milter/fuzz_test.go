package milter

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	protocol "github.com/emersion/go-milter"
)

// scripted is a connection whose other end says everything at once and listens
// afterwards.
type scripted struct {
	io.Reader
	sent   bytes.Buffer
	closed bool
}

func (c *scripted) Write(p []byte) (int, error)      { return c.sent.Write(p) }
func (c *scripted) Close() error                     { c.closed = true; return nil }
func (c *scripted) LocalAddr() net.Addr              { return nil }
func (c *scripted) RemoteAddr() net.Addr             { return nil }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// orderly is a Session that fails the test when it is called out of order.
type orderly struct {
	t        *testing.T
	state    string
	conn     *Conn
	verdicts int
	panicAt  byte // header fields starting with it
}

func (o *orderly) step(to string, from ...string) {
	for _, state := range from {
		if o.state == state {
			o.state = to
			return
		}
	}
	o.t.Errorf("%q follows %q", to, o.state)
}

func (o *orderly) open(c *Conn) Session {
	o.conn = c
	o.step("new", "", "closed")
	return o
}
func (o *orderly) Connect(Connect) { o.step("idle", "new") }
func (o *orderly) Helo(string)     { o.step("idle", "idle") }
func (o *orderly) Mail(Mail)       { o.step("mail", "idle") }
func (o *orderly) Rcpt(Rcpt)       { o.step("mail", "mail") }
func (o *orderly) Header(_, value []byte) {
	o.step("header", "mail", "header")
	if len(value) > 0 && value[0] == o.panicAt {
		o.state = "panicked"
		panic("as told")
	}
}
func (o *orderly) EndOfHeader() { o.step("body", "mail", "header") }
func (o *orderly) Body([]byte)  { o.step("body", "body") }
func (o *orderly) EndOfMessage(context.Context) Response {
	o.step("judged", "body")
	o.verdicts++
	if o.conn.actions&protocol.OptAddHeader == 0 {
		return Response{Reply: Accept}
	}
	return Response{[]Edit{InsertHeader(0, "A", "1")}, Accept}
}
func (o *orderly) Abort() { o.step("aborted", "mail", "header", "body") }
func (o *orderly) Done(got Outcome) func(bool) {
	switch o.state {
	case "judged":
		if got.End != Answered && got.End != Aborted { // cut off before the answer
			o.t.Errorf("a verdict ended as %d", got.End)
		}
	case "aborted":
		if got.End != OverLimit && got.End != Aborted {
			o.t.Errorf("an aborted message ended as %d", got.End)
		}
	case "panicked":
		o.step("dead", "panicked")
		return nil
	}
	o.step("idle", "judged", "aborted")
	return nil
}
func (o *orderly) Close() { o.step("closed", "idle", "dead") }

// FuzzSession: whatever octets come, a Session hears its events in order and to
// the end, a message is accepted only by its verdict, and what is sent is frames.
func FuzzSession(f *testing.F) {
	frame := func(cmd byte, data string) string { return string(appendFrame(nil, cmd, data)) }
	hello := frame('O', offer(6, 0x1ff, allOptions)) + frame('C', theConnect) + frame('H', theHelo)
	message := frame('D', "Mi\x00Q\x00") + frame('M', theMail) + frame('R', theRcpt) + frame('L', theHeader) +
		frame('N', "") + frame('B', theBody) + frame('E', "")
	failing := strings.Replace(message, " hello", "!hello", 1)
	f.Add(hello+message+message+frame('Q', ""), 4096)
	f.Add(hello+message[:len(message)/2], 1)
	f.Add(hello+frame('M', theMail)+frame('A', "")+message+frame('K', "")+hello[17:]+message, 3)
	f.Add(frame('O', offer(2, 0, 0))+message+message[3:], 100)
	f.Add(hello+failing+message+failing, 100)
	f.Add(hello+frame('M', theMail)+strings.Repeat(frame('R', theRcpt), 6)+frame('E', "x")+message, 100)
	f.Add(hello+frame('M', theMail)+frame('L', "A\x00"+strings.Repeat("x", 1<<16)+"\x00")+frame('E', "")+message, 100)
	f.Add(hello+"\x00\x00\x00\x00", 2)
	f.Fuzz(func(t *testing.T, stream string, piece int) {
		session := &orderly{t: t, panicAt: '!'}
		s, err := New(Options{Handler: session.open, Logger: new(logBuffer).logger(),
			MaxHeaders: 5, MaxRecipients: 5, MaxBody: 50, MaxPacket: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		nc := &scripted{Reader: &pieces{[]byte(stream), min(max(piece, 1), 1<<20)}}
		s.start(nc)
		s.wait(func() bool { return len(s.conns) == 0 })
		if !nc.closed || s.messages != 0 || session.state != "" && session.state != "closed" {
			t.Errorf("left: closed %v, %d messages, Session in state %q", nc.closed, s.messages, session.state)
		}
		if accepted := countReplies(t, nc.sent.Bytes(), 'a'); accepted != session.verdicts {
			t.Errorf("%d messages accepted after %d verdicts", accepted, session.verdicts)
		}
	})
}

// countReplies reads sent as frames and counts those of one kind.
func countReplies(t *testing.T, sent []byte, kind byte) (n int) {
	r := frameReader{src: bytes.NewReader(sent), max: maxSentFrame}
	for {
		cmd, _, err := r.next()
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatalf("sent %q, which is not frames: %v", sent, err)
		}
		if cmd == kind {
			n++
		}
	}
}
