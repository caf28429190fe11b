package milter

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	protocol "github.com/emersion/go-milter"
)

func TestPanicFailsOneMessageOnly(t *testing.T) {
	events := []string{"connect", "helo", "mail", "rcpt", "header", "end of header", "body", "end of message"}
	for _, without := range []protocol.OptProtocol{0, noReply} {
		for _, event := range events {
			t.Run(event, func(t *testing.T) {
				var log logBuffer
				var once sync.Once
				r := &recorder{}
				r.panicAt = func(got string) (now bool) {
					if strings.HasPrefix(got, event) {
						once.Do(func() { now = true })
					}
					return now
				}
				_, addr := serve(t, Options{Handler: r.handler, Logger: log.logger()})
				m := greet(t, addr, without)
				m.event('C', theConnect)
				m.event('H', theHelo)
				m.send('D', "Mi\x00Q77\x00")
				m.begin()
				// A panic before the message harms none: its Session is a fresh one.
				want := "y451 4.3.0 Temporary failure, please try again later\x00"
				if event == "connect" || event == "helo" {
					want = "a"
				}
				if edits, reply := m.verdict(); reply != want || edits != nil {
					t.Errorf("the message with the panic: got %q %q, want %q", edits, reply, want)
				}
				m.begin()
				if _, reply := m.verdict(); reply != "a" {
					t.Errorf("the next message: got %q, want it accepted", reply)
				}
				got := log.String()
				if !strings.Contains(got, "panic in a session") || !strings.Contains(got, "stack=") ||
					want != "a" && !strings.Contains(got, "queue_id=Q77") {
					t.Errorf("log: %s", got)
				}
				heard := r.text()
				last := heard[strings.LastIndex(heard, "connect "):]
				if !strings.HasPrefix(last, "connect client.example 4 25 192.0.2.1\nhelo client.example\nmail a@example.com") {
					t.Errorf("the fresh Session heard\n%s", last)
				}
			})
		}
	}
}

func TestPanicEveryTimeNeverAccepts(t *testing.T) {
	handlers := map[string]func(*Conn) Session{
		"the handler panics":       func(*Conn) Session { panic("no") },
		"the handler returns none": func(*Conn) Session { return nil },
		"each call panics":         func(*Conn) Session { return &recorder{panicAt: func(string) bool { return true }} },
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, Options{Handler: handler, Replies: Replies{OnPanic: Text(550, "5.3.0", "No")}})
			m := greet(t, addr, noReply)
			m.event('C', theConnect)
			m.event('H', theHelo)
			for range 3 {
				m.begin()
				if _, reply := m.verdict(); reply != "y550 5.3.0 No\x00" {
					t.Errorf("got %q, want the configured reply", reply)
				}
				m.begin()
				m.event('A', "")
			}
		})
	}
}

// faulty is a connection of which one call panics.
type faulty struct {
	scripted
	mu       sync.Mutex
	at       string // the call: its method, and for Write the content's first letter
	panicked bool
}

func (c *faulty) call(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if what == c.at && !c.panicked {
		c.panicked = true
		panic("boom")
	}
}

func (c *faulty) Read(p []byte) (int, error) { c.call("Read"); return c.scripted.Read(p) }
func (c *faulty) Write(p []byte) (int, error) {
	c.call("Write " + string(p[frameHeader:frameHeader+1]))
	return c.scripted.Write(p)
}
func (c *faulty) Close() error { c.call("Close"); return c.scripted.Close() }

// What panics outside of the Session ends its own connection and nothing else.
func TestAPanicOfOurOwnEndsOneConnectionOnly(t *testing.T) {
	stream := appendFrame(nil, 'O', offer(6, 0x1ff, allOptions))
	stream = appendFrame(appendFrame(stream, 'M', theMail), 'E', "")
	for _, tt := range []struct {
		name, at string
		session  bool // one was begun
	}{
		{"reading the offer", "Read", false},
		{"answering the offer", "Write O", false},
		{"telling of progress", "Write p", true},
		{"answering a message whose Session panicked", "Write y", true},
		{"closing the connection", "Close", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			r := &recorder{judge: func(ctx context.Context) Response {
				if tt.at == "Write p" {
					<-ctx.Done()
				}
				panic("no verdict")
			}}
			s, addr := serve(t, Options{Handler: r.handler, Logger: log.logger(), ProgressInterval: time.Millisecond})
			nc := &faulty{at: tt.at, scripted: scripted{Reader: bytes.NewReader(stream)}}
			s.start(nc)
			s.wait(func() bool { return len(s.conns) == 0 && s.messages == 0 })
			eventually(t, "log", func() bool { return strings.Contains(log.String(), "boom") })
			if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "stack=") || !nc.panicked {
				t.Errorf("log: %s", got)
			}
			if got := r.text(); strings.HasSuffix(got, "close") != tt.session {
				t.Errorf("the Session heard %q", got)
			}
			if c := r.conn; c != nil && c.Context().Err() == nil {
				t.Error("the connection's context goes on")
			}
			m := greet(t, addr, noReply)
			m.event('M', theMail)
			m.send('A', "")
			eventually(t, "another connection is served", func() bool { return strings.HasSuffix(r.text(), "abort") })
		})
	}
}

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
		{"header fields at the limit", Options{MaxHeaders: 10}, theMail, repeat('L', theHeader, 10), ""},
		{"header fields over the limit", Options{MaxHeaders: 10}, theMail, repeat('L', theHeader, 11), "header fields"},
		{"header octets", Options{MaxHeaderBytes: 1000}, theMail, repeat('L', "A\x00"+long+"\x00", 2), "header octets"},
		{"one field that is all of the header", Options{}, theMail, repeat('L', "A\x00"+strings.Repeat("x", 2<<20-3)+"\x00", 1), ""},
		{"one field that is longer", Options{MaxHeaderBytes: 1000}, theMail, repeat('L', "A\x00"+strings.Repeat("x", 1<<19)+"\x00", 1), "header octets"},
		{"one field that is longer than any frame", Options{MaxHeaderBytes: 1000, MaxPacket: 2000}, theMail, repeat('L', "A\x00"+strings.Repeat("x", 1<<17)+"\x00", 3), "header octets"},
		{"as many recipients of 80 octets as are allowed", Options{MaxRecipients: 20_000}, theMail, repeat('R', "<"+strings.Repeat("x", 77)+">\x00", 20_000), ""},
		{"recipients at the limit", Options{MaxRecipients: 3}, theMail, repeat('R', theRcpt, 3), ""},
		{"recipients over the limit", Options{MaxRecipients: 3}, theMail, repeat('R', theRcpt, 4), "recipients"},
		{"envelope octets", Options{MaxEnvelopeBytes: 1000}, theMail, repeat('R', "<"+long+">\x00", 2), "envelope octets"},
		{"envelope octets of MAIL", Options{MaxEnvelopeBytes: 100}, "<" + long + ">\x00", repeat('R', theRcpt, 1), "envelope octets"},
		{"ESMTP arguments", Options{}, "<>" + strings.Repeat("\x00A", maxArgs+1) + "\x00", repeat('R', theRcpt, 1), "ESMTP arguments"},
		{"body at the limit", Options{MaxBody: 1000}, theMail, repeat('B', long, 2), ""},
		{"body over the limit", Options{MaxBody: 999}, theMail, repeat('B', long, 200), "body octets"},
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
		{"no reply", Response{}, "y451 4.3.0"},
		{"an invalid reply", Response{Reply: Text(550, "4.7.1", "x")}, "y451 4.3.0"},
		{"an edit that was not granted after some that were",
			Response{[]Edit{InsertHeader(0, "A", "1"), Quarantine("x")}, Accept}, "y451 4.3.0"},
		{"edits have no meaning beside a refusal", Response{[]Edit{Quarantine("x")}, Text(550, "5.7.1", "x")}, "y550 5.7.1"},
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
