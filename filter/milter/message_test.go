package milter

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	protocol "github.com/emersion/go-milter"
)

func TestRepliesAreReplacedWhileConnectionsAreOpen(t *testing.T) {
	r := &recorder{panicAt: func(event string) bool { return event == "end of message" }}
	s, addr := serve(t, Options{Handler: r.handler, Replies: Replies{OnPanic: Accept}})
	m := greet(t, addr, noReply)
	m.event('C', theConnect)
	m.begin()
	if _, reply := m.verdict(); reply != "a" {
		t.Errorf("before: got %q", reply)
	}
	if err := s.SetReplies(Replies{OnPanic: Text(451, "4.3.0", "Later")}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetReplies(Replies{OnLimit: Accept}); err == nil {
		t.Error("a reply that lets a message over a limit pass was taken")
	}
	m.begin()
	if _, reply := m.verdict(); reply != "y451 4.3.0 Later\x00" {
		t.Errorf("after: got %q", reply)
	}
}

func TestAnAddressMacroHoldsForItsRecipientOnly(t *testing.T) {
	var seen []string
	r := &recorder{}
	r.panicAt = func(event string) bool {
		if strings.HasPrefix(event, "rcpt") {
			seen = append(seen, r.conn.Macro("{rcpt_addr}"))
		}
		return false
	}
	_, addr := serve(t, Options{Handler: r.handler})
	m := greet(t, addr, noReply)
	m.event('C', theConnect)
	m.event('M', theMail)
	m.event('D', "R{rcpt_addr}\x00first@example.net\x00")
	m.event('R', theRcpt)
	m.event('R', theRcpt)
	m.verdict()
	if want := []string{"first@example.net", ""}; !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
}

func TestMessagesOverALimitAreRefusedAtTheirEnd(t *testing.T) {
	repeat := func(cmd byte, data string, n int) func(*mta) {
		return func(m *mta) {
			for range n {
				m.event(cmd, data)
			}
		}
	}
	long := strings.Repeat("x", 500)
	tests := []struct {
		name string
		opt  Options
		mail string
		rest func(*mta)
		log  string // "" when the message is within the limits
	}{
		{name: "header fields at the limit", opt: Options{MaxHeaders: 10}, mail: theMail, rest: repeat('L', theHeader, 10)},
		{name: "header fields over the limit", opt: Options{MaxHeaders: 10}, mail: theMail, rest: repeat('L', theHeader, 11), log: "header fields"},
		{name: "header octets", opt: Options{MaxHeaderBytes: 1000}, mail: theMail, rest: repeat('L', "A\x00"+long+"\x00", 2), log: "header octets"},
		{name: "one field that is all of the header", opt: Options{}, mail: theMail,
			rest: repeat('L', "A\x00"+strings.Repeat("x", 2<<20-3)+"\x00", 1)},
		{name: "one field that is longer", opt: Options{MaxHeaderBytes: 1000}, mail: theMail,
			rest: repeat('L', "A\x00"+strings.Repeat("x", 1<<19)+"\x00", 1), log: "header octets"},
		{name: "one field that is longer than any frame", opt: Options{MaxHeaderBytes: 1000, MaxPacket: 2000}, mail: theMail,
			rest: repeat('L', "A\x00"+strings.Repeat("x", 1<<17)+"\x00", 3), log: "header octets"},
		{name: "as many recipients of 80 octets as are allowed", opt: Options{MaxRecipients: 20_000}, mail: theMail,
			rest: repeat('R', "<"+strings.Repeat("x", 77)+">\x00", 20_000)},
		{name: "recipients at the limit", opt: Options{MaxRecipients: 3}, mail: theMail, rest: repeat('R', theRcpt, 3)},
		{name: "recipients over the limit", opt: Options{MaxRecipients: 3}, mail: theMail, rest: repeat('R', theRcpt, 4), log: "recipients"},
		{name: "envelope octets", opt: Options{MaxEnvelopeBytes: 1000}, mail: theMail, rest: repeat('R', "<"+long+">\x00", 2), log: "envelope octets"},
		{name: "envelope octets of MAIL", opt: Options{MaxEnvelopeBytes: 100}, mail: "<" + long + ">\x00", rest: repeat('R', theRcpt, 1),
			log: "envelope octets"},
		{name: "ESMTP arguments", opt: Options{}, mail: "<>" + strings.Repeat("\x00A", maxArgs+1) + "\x00", rest: repeat('R', theRcpt, 1),
			log: "ESMTP arguments"},
		{name: "body at the limit", opt: Options{MaxBody: 1000}, mail: theMail, rest: repeat('B', long, 2)},
		{name: "body over the limit", opt: Options{MaxBody: 999}, mail: theMail, rest: repeat('B', long, 200), log: "body octets"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			r := &recorder{}
			tt.opt.Handler, tt.opt.Logger = r.handler, log.logger()
			_, addr := serve(t, tt.opt)
			m := greet(t, addr, noReply)
			m.event('C', theConnect)
			m.send('D', "Mi\x00Q1\x00")
			m.event('M', tt.mail)
			tt.rest(m)
			_, reply := m.verdict()
			heard := r.text()
			if tt.log == "" {
				if reply != "a" || log.String() != "" {
					t.Errorf("got %q, log %s", reply, log.String())
				}
				return
			}
			if want := "y550 5.7.1 Message exceeds the limits of this server\x00"; reply != want {
				t.Errorf("got %q, want %q", reply, want)
			}
			if !strings.Contains(log.String(), tt.log) || !strings.Contains(log.String(), "queue_id=Q1") {
				t.Errorf("log: %s", log.String())
			}
			if strings.Contains(heard, "end of message") || strings.Count(heard, "abort") != 1 {
				t.Errorf("the Session heard\n%s", heard)
			}
			m.begin()
			if _, reply := m.verdict(); reply != "a" {
				t.Errorf("the next message: got %q, want it accepted", reply)
			}
		})
	}
}

func TestResponsesThatCannotBeSentDeferTheMessage(t *testing.T) {
	tests := []struct {
		name     string
		response Response
		want     string
	}{
		{name: "no reply", response: Response{}, want: "y451 4.3.0"},
		{name: "an invalid reply", response: Response{Reply: Text(550, "4.7.1", "x")}, want: "y451 4.3.0"},
		{name: "an edit that was not granted after some that were",
			response: Response{[]Edit{InsertHeader(0, "A", "1"), Quarantine("x")}, Accept}, want: "y451 4.3.0"},
		{name: "edits have no meaning beside a refusal", response: Response{[]Edit{Quarantine("x")}, Text(550, "5.7.1", "x")}, want: "y550 5.7.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			r := &recorder{judge: func(context.Context) Response { return tt.response }}
			_, addr := serve(t, Options{Handler: r.handler, Logger: log.logger()})
			m := dial(t, addr)
			m.send('O', offer(6, uint32(protocol.OptAddHeader), allOptions))
			m.receive()
			m.options = noReply
			m.begin()
			edits, reply := m.verdict()
			if edits != nil || !strings.HasPrefix(reply, tt.want) {
				t.Errorf("got %q %q, want %q", edits, reply, tt.want)
			}
			if failed := strings.Contains(log.String(), "level=ERROR"); failed != (tt.want == "y451 4.3.0") {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

func TestProgressIsToldWhileAVerdictTakesLong(t *testing.T) {
	release := make(chan struct{})
	r := &recorder{judge: func(context.Context) Response {
		<-release
		return Response{[]Edit{InsertHeader(0, "A", "1")}, Accept}
	}}
	_, addr := serve(t, Options{Handler: r.handler, ProgressInterval: time.Millisecond})
	m := greet(t, addr, 0)
	m.begin()
	m.send('E', "")
	for range 3 {
		if cmd, _ := m.receive(); cmd != 'p' {
			t.Fatalf("got %q, want progress", cmd)
		}
	}
	close(release)
	var got string
	for !strings.HasSuffix(got, "a") {
		cmd, _ := m.receive()
		got += string(cmd)
	}
	if got = strings.TrimLeft(got, "p"); got != "ia" {
		t.Errorf("after progress: got %q, want the edit and the reply", got)
	}
	m.begin()
	if _, reply := m.verdict(); reply != "a" {
		t.Errorf("the next message: got %q", reply)
	}
}

func TestVerdictIsCancelledWhenTheMTAIsGone(t *testing.T) {
	done := make(chan struct{})
	r := &recorder{judge: func(ctx context.Context) Response {
		<-ctx.Done()
		close(done)
		return Response{Reply: Accept}
	}}
	_, addr := serve(t, Options{Handler: r.handler, ProgressInterval: time.Millisecond})
	m := greet(t, addr, 0)
	m.begin()
	m.send('E', "")
	m.nc.Close()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the context did not end")
	}
}

// countingListener counts the writes of each connection.
type countingListener struct {
	net.Listener
	mu     sync.Mutex
	writes int
}

type countingConn struct {
	net.Conn
	l *countingListener
}

func (l *countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return &countingConn{nc, l}, err
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.l.mu.Lock()
	c.l.writes++
	c.l.mu.Unlock()
	return c.Conn.Write(p)
}

func TestEditsAndReplyLeaveInOneWrite(t *testing.T) {
	response := Response{Reply: Accept}
	for i := range 300 {
		response.Edits = append(response.Edits, DeleteHeader("A", i+1), InsertHeader(0, "A", strings.Repeat("x", 500)))
	}
	r := &recorder{judge: func(context.Context) Response { return response }}
	s, err := New(Options{Handler: r.handler})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := Listen("inet:127.0.0.1:0", SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ln := &countingListener{Listener: inner}
	go s.Serve(ln)
	defer s.Shutdown(context.Background())
	m := greet(t, ln.Addr().String(), 0)
	for n := 2; n < 5; n++ { // the first write is the negotiation
		m.begin()
		if edits, reply := m.verdict(); len(edits) != 600 || reply != "a" {
			t.Fatalf("got %d edits and %q", len(edits), reply)
		}
		ln.mu.Lock()
		if ln.writes != n {
			t.Errorf("message %d: %d writes so far, want %d", n-1, ln.writes, n)
		}
		ln.mu.Unlock()
	}
	m.send('Q', "")
}
