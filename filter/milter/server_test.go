package milter

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	protocol "github.com/emersion/go-milter"
)

func TestNegotiation(t *testing.T) {
	const all = allOptions
	tests := []struct {
		name                      string
		version, actions, options uint32
		wantVersion, wantActions  uint32
		wantOptions               uint32
		wantMacros                bool
	}{
		{"everything offered", 6, 0x1ff, all, 6, 0x131, uint32(wantedOptions), true},
		{"more than we know is offered", 7, 0xffffffff, 0xffffffff, 6, 0x131, uint32(wantedOptions), true},
		{"version 2 of the protocol", 2, 0x3f, 0x7f, 2, 0x31, 0, false},
		{"no leading space", 6, 0x1ff, all &^ 0x100000, 6, 0x131, uint32(wantedOptions) &^ 0x100000, true},
		{"no quarantine and no macro lists", 6, 0x1f, all, 6, 0x11, uint32(wantedOptions), false},
		{"nothing offered", 6, 0, 0, 6, 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{}
			_, addr := serve(t, Options{Handler: r.handler})
			m := dial(t, addr)
			m.send('O', offer(tt.version, tt.actions, tt.options))
			cmd, text := m.receive()
			data := []byte(text)
			if cmd != 'O' || len(data) < 12 {
				t.Fatalf("got %q %x", cmd, data)
			}
			if got, want := string(data[:12]), offer(tt.wantVersion, tt.wantActions, tt.wantOptions); got != want {
				t.Errorf("got %x, want %x", got, want)
			}
			macros := "\x00\x00\x00\x00j {daemon_name} {client_addr} {client_name} {client_ptr}\x00"
			if got := strings.HasPrefix(text[12:], macros); got != tt.wantMacros || !tt.wantMacros && len(text) > 12 {
				t.Errorf("macro lists: got %q, want some: %v", text[12:], tt.wantMacros)
			}
		})
	}
}

func TestConnIsWhatWasNegotiated(t *testing.T) {
	r := &recorder{}
	_, addr := serve(t, Options{Handler: r.handler})
	m := dial(t, addr)
	m.send('O', offer(3, uint32(protocol.OptAddHeader), uint32(protocol.OptHeaderLeadingSpace)))
	m.receive()
	m.event('C', theConnect)
	r.mu.Lock()
	c := r.conn
	r.mu.Unlock()
	if c.Version() != 3 || !c.LeadingSpace() || !c.Grants(OpInsert) || c.Grants(OpDelete) || c.Grants(OpQuarantine) || c.Grants(0) || c.ID() == "" {
		t.Errorf("got %+v", c)
	}
}

// Ill-formed input ends the connection, with a line in the log, and nothing else.
func TestMalformedInputEndsTheConnection(t *testing.T) {
	frame := func(cmd byte, data string) string { return string(appendFrame(nil, cmd, data)) }
	hello := frame('O', offer(6, 0x1ff, allOptions))
	mail := hello + frame('C', theConnect) + frame('H', theHelo) + frame('M', theMail)
	tests := []struct {
		name, stream, log string
	}{
		{"a zero-length frame first", "\x00\x00\x00\x00", "frame of length zero"},
		{"a frame over the limit first", "\x7f\xff\xff\xffO", "frame over the limit"},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", "frame over the limit"},
		{"no negotiation", frame('C', theConnect), "no option negotiation"},
		{"a short negotiation", frame('O', "\x00\x00\x00\x06"), "has 4 octets"},
		{"protocol version 1", frame('O', offer(1, 0x1ff, allOptions)), "protocol version 1"},
		{"a second negotiation", hello + hello, "second option negotiation"},
		{"a zero-length frame later", hello + "\x00\x00\x00\x00", "frame of length zero"},
		{"a frame over the limit in a message", mail + "\x00\x10\x00\x01B", "frame over the limit"},
		{"CONNECT without NUL", hello + frame('C', "host"), "malformed frame: connect"},
		{"CONNECT without content", hello + frame('C', ""), "malformed frame: connect"},
		{"HELO without NUL", hello + frame('H', "host"), "malformed frame: helo"},
		{"MAIL without NUL", hello + frame('M', "<>"), "malformed frame: mail"},
		{"MAIL without content", hello + frame('M', ""), "malformed frame: mail"},
		{"RCPT without NUL", mail + frame('R', "<a>"), "malformed frame: rcpt"},
		{"a header without value", mail + frame('L', "A\x00"), "malformed frame: header"},
		{"a header with NUL in its value", mail + frame('L', "A\x00b\x00c\x00"), "malformed frame: header"},
		{"RCPT before MAIL", hello + frame('R', theRcpt), "out of order: rcpt"},
		{"a header before MAIL", hello + frame('L', theHeader), "out of order: header"},
		{"end of header before MAIL", hello + frame('N', ""), "out of order: end of header"},
		{"a body before MAIL", hello + frame('B', theBody), "out of order: body"},
		{"end of message before MAIL", hello + frame('E', ""), "out of order: end of message"},
		{"end of message twice", mail + frame('E', "") + frame('E', ""), "out of order: end of message"},
		{"RCPT after a header", mail + frame('L', theHeader) + frame('R', theRcpt), "out of order: rcpt"},
		{"a header after end of header", mail + frame('N', "") + frame('L', theHeader), "out of order: header"},
		{"end of header twice", mail + frame('N', "") + frame('N', ""), "out of order: end of header"},
		{"a header after the body", mail + frame('B', theBody) + frame('L', theHeader), "out of order: header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			r := &recorder{}
			_, addr := serve(t, Options{Handler: r.handler, Logger: log.logger()})
			m := dial(t, addr)
			m.raw(tt.stream)
			for { // what was answered before
				if _, _, err := m.tryReceive(); isTimeout(err) {
					t.Fatal("the connection is still open")
				} else if err != nil {
					break
				}
			}
			eventually(t, "log "+tt.log, func() bool {
				return strings.Contains(log.String(), "level=WARN") && strings.Contains(log.String(), tt.log)
			})
			eventually(t, "a Session that heard of a message hears of its end", func() bool {
				got := r.text()
				return got == "" || strings.HasSuffix(got, "close") &&
					strings.Count(got, "mail ") == strings.Count(got, "abort")+strings.Count(got, "end of message")
			})
		})
	}
}

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
			_, addr := serve(t, Options{Handler: handler, OnPanic: Text(550, "5.3.0", "No")})
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
		{"edits have no meaning beside a discard", Response{[]Edit{InsertHeader(0, "A", "1")}, Discard}, "d"},
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

func TestSilentPeersAreTimedOut(t *testing.T) {
	tests := []struct {
		name     string
		timeouts Timeouts
		talk     func(*mta)
		log      string
	}{
		{"before the negotiation", Timeouts{Negotiate: 20 * time.Millisecond}, func(m *mta) {}, "timed out"},
		{"dribbling the negotiation", Timeouts{Negotiate: 50 * time.Millisecond}, func(m *mta) {
			for _, c := range string(appendFrame(nil, 'O', offer(6, 0, 0))) {
				time.Sleep(10 * time.Millisecond)
				if _, err := m.nc.Write([]byte{byte(c)}); err != nil {
					return
				}
			}
		}, "timed out"},
		{"between messages", Timeouts{Idle: 20 * time.Millisecond}, func(m *mta) {
			m.send('O', offer(6, 0x1ff, allOptions))
			m.receive()
			m.send('C', theConnect)
		}, "timed out"},
		{"within a message", Timeouts{Content: 20 * time.Millisecond}, func(m *mta) {
			m.send('O', offer(6, 0x1ff, allOptions))
			m.receive()
			m.send('M', theMail)
			m.send('L', theHeader)
		}, "within a message"},
		{"dribbling the content", Timeouts{Content: 50 * time.Millisecond}, func(m *mta) {
			m.send('O', offer(6, 0x1ff, allOptions))
			m.receive()
			m.send('M', theMail)
			for range 100 {
				time.Sleep(10 * time.Millisecond)
				if _, err := m.nc.Write(appendFrame(nil, 'L', theHeader)); err != nil {
					return
				}
			}
		}, "within a message"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log logBuffer
			r := &recorder{}
			_, addr := serve(t, Options{Handler: r.handler, Logger: log.logger(), Timeouts: tt.timeouts})
			m := dial(t, addr)
			tt.talk(m)
			m.closed()
			eventually(t, "log", func() bool { return strings.Contains(log.String(), tt.log) })
		})
	}
}

func TestPeerThatDoesNotReadIsTimedOut(t *testing.T) {
	var log logBuffer
	huge := Response{Reply: Accept}
	for range 200 {
		huge.Edits = append(huge.Edits, InsertHeader(0, "A", strings.Repeat("x", 60_000)))
	}
	r := &recorder{judge: func(context.Context) Response { return huge }}
	_, addr := serve(t, Options{Handler: r.handler, Logger: log.logger(), Timeouts: Timeouts{Write: 50 * time.Millisecond}})
	m := greet(t, addr, 0)
	m.begin()
	m.send('E', "")
	eventually(t, "log", func() bool { return strings.Contains(log.String(), "i/o timeout") })
	eventually(t, "close", func() bool { return strings.HasSuffix(r.text(), "end of message\nclose") })
}

func TestConnectionsOverTheLimitWait(t *testing.T) {
	r := &recorder{}
	_, addr := serve(t, Options{Handler: r.handler, MaxConns: 2})
	first, second := greet(t, addr, 0), greet(t, addr, 0)
	third := dial(t, addr)
	third.send('O', offer(6, 0x1ff, allOptions))
	third.nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, _, err := third.tryReceive(); !isTimeout(err) {
		t.Fatalf("over the limit: got %v, want no answer yet", err)
	}
	first.send('Q', "")
	first.closed()
	third.nc.SetReadDeadline(time.Now().Add(patience))
	if cmd, _ := third.receive(); cmd != 'O' {
		t.Errorf("after a QUIT: got %q", cmd)
	}
	second.begin()
	if _, reply := second.verdict(); reply != "a" {
		t.Errorf("got %q", reply)
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

func TestManyConnectionsAtOnce(t *testing.T) {
	_, addr := serve(t, Options{Handler: func(c *Conn) Session {
		r := &recorder{}
		r.judge = func(context.Context) Response {
			return Response{[]Edit{InsertHeader(0, "X-Queue-ID", c.QueueID())}, Accept}
		}
		return r
	}})
	var wg sync.WaitGroup
	for i := range 20 {
		m := greet(t, addr, protocol.OptProtocol(i%2)*noReply)
		wg.Go(func() {
			m.event('C', theConnect)
			for j := range 20 {
				id := fmt.Sprintf("Q%d-%d", i, j)
				m.send('D', "Mi\x00"+id+"\x00")
				m.begin()
				want := "i\x00\x00\x00\x00X-Queue-ID\x00 " + id + "\x00"
				if edits, reply := m.verdict(); reply != "a" || len(edits) != 1 || edits[0] != want {
					t.Errorf("got %q %q, want %q", edits, reply, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestNewRefusesOptionsThatCannotWork(t *testing.T) {
	handler := (&recorder{}).handler
	for _, opt := range []Options{{}, {Handler: handler, OnPanic: Text(250, "", "")}, {Handler: handler, OnLimit: Text(550, "4.0.0", "")}, {Handler: handler, OnLimit: Accept}} {
		if _, err := New(opt); err == nil {
			t.Errorf("%+v: no error", opt)
		}
	}
}

func TestServeReturnsTheErrorOfItsListener(t *testing.T) {
	s, err := New(Options{Handler: (&recorder{}).handler})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen("inet:127.0.0.1:0", SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := s.Serve(ln); err == nil || err == ErrServerClosed {
		t.Errorf("a closed listener: got %v", err)
	}
}

// A body of 100 MB costs no more memory than a small one.
func TestBigBodyTakesNoMemory(t *testing.T) {
	const chunks = 100_000_000 / 65535
	s, err := New(Options{Handler: func(*Conn) Session { return quiet{} }})
	if err != nil {
		t.Fatal(err)
	}
	hello := appendFrame(appendFrame(nil, 'O', offer(6, 0x1ff, allOptions)), 'M', theMail)
	chunk := appendFrame(nil, 'B', strings.Repeat("x", 65535))
	end := appendFrame(nil, 'E', "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	nc := &scripted{Reader: io.MultiReader(&pieces{hello, 4096}, &endless{chunk, chunks, 0}, &pieces{end, 4096})}
	s.start(nc)
	s.wait(func() bool { return len(s.conns) == 0 })
	runtime.ReadMemStats(&after)
	if got := nc.sent.Bytes(); got[len(got)-1] != 'a' {
		t.Fatalf("reply: got %q", got)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("took %d octets", got)
	}
}

// An idle session after a message with a big body keeps little memory: what the
// process needs for 300 of them, client side included.
func TestIdleSessionsAreSmall(t *testing.T) {
	const sessions, most = 300, 32 << 10
	_, addr := serve(t, Options{Handler: func(*Conn) Session { return quiet{} }})
	before := memoryInUse()
	conns := make([]*mta, sessions)
	body := strings.Repeat("x", 65535)
	for i := range conns {
		conns[i] = greet(t, addr, 0)
		m := conns[i]
		m.event('C', theConnect)
		m.begin()
		m.event('B', body)
		m.verdict()
	}
	if got := (memoryInUse() - before) / sessions; got > most {
		t.Errorf("an idle session keeps %d octets, want at most %d", got, most)
	} else {
		t.Logf("an idle session keeps %d octets", got)
	}
	runtime.KeepAlive(conns)
}

func memoryInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// quiet is a Session that does nothing.
type quiet struct{}

func (quiet) Connect(Connect)    {}
func (quiet) Helo(string)        {}
func (quiet) Mail(Mail)          {}
func (quiet) Rcpt(Rcpt)          {}
func (quiet) Header(_, _ []byte) {}
func (quiet) EndOfHeader()       {}
func (quiet) Body([]byte)        {}
func (quiet) Abort()             {}
func (quiet) Close()             {}
func (quiet) EndOfMessage(context.Context) Response {
	return Response{Reply: Accept}
}
