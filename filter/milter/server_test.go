package milter

import (
	"context"
	"fmt"
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
		{name: "everything offered", version: 6, actions: 0x1ff, options: all, wantVersion: 6, wantActions: 0x131,
			wantOptions: uint32(wantedOptions), wantMacros: true},
		{name: "more than we know is offered", version: 7, actions: 0xffffffff, options: 0xffffffff, wantVersion: 6, wantActions: 0x131,
			wantOptions: uint32(wantedOptions), wantMacros: true},
		{name: "version 2 of the protocol", version: 2, actions: 0x3f, options: 0x7f, wantVersion: 2, wantActions: 0x31},
		{name: "no leading space", version: 6, actions: 0x1ff, options: all &^ 0x100000, wantVersion: 6, wantActions: 0x131,
			wantOptions: uint32(wantedOptions) &^ 0x100000, wantMacros: true},
		{name: "no quarantine and no macro lists", version: 6, actions: 0x1f, options: all, wantVersion: 6, wantActions: 0x11,
			wantOptions: uint32(wantedOptions)},
		{name: "nothing offered", version: 6, wantVersion: 6},
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
	if c.version != 3 || !c.LeadingSpace() || c.actions != protocol.OptAddHeader || c.id == "" {
		t.Errorf("got %+v", c)
	}
}

// An MTA that does not grant the leading space is told of once, with what helps.
func TestTheLogTellsOnceOfAnMTAWithoutLeadingSpace(t *testing.T) {
	log := new(logBuffer)
	r := &recorder{}
	_, addr := serve(t, Options{Handler: r.handler, Logger: log.logger()})
	greet(t, addr, 0)
	if text := log.String(); strings.Contains(text, "milter_protocol") {
		t.Errorf("told of an MTA that grants it:\n%s", text)
	}
	for range 3 {
		m := dial(t, addr)
		m.send('O', offer(2, 0x1ff, 0))
		m.receive()
	}
	if text := log.String(); strings.Count(text, "milter_protocol = 6") != 1 || !strings.Contains(text, "level=WARN") || !strings.Contains(text, "offered_version=2") {
		t.Errorf("want one warning:\n%s", text)
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
		{name: "a zero-length frame first", stream: "\x00\x00\x00\x00", log: "frame of length zero"},
		{name: "a frame over the limit first", stream: "\x7f\xff\xff\xffO", log: "frame over the limit"},
		{name: "HTTP", stream: "GET / HTTP/1.1\r\n\r\n", log: "frame over the limit"},
		{name: "no negotiation", stream: frame('C', theConnect), log: "no option negotiation"},
		{name: "a short negotiation", stream: frame('O', "\x00\x00\x00\x06"), log: "has 4 octets"},
		{name: "protocol version 1", stream: frame('O', offer(1, 0x1ff, allOptions)), log: "protocol version 1"},
		{name: "a second negotiation", stream: hello + hello, log: "second option negotiation"},
		{name: "a zero-length frame later", stream: hello + "\x00\x00\x00\x00", log: "frame of length zero"},
		{name: "a frame over the limit in a message", stream: mail + "\x00\x20\x00\x02B", log: "frame over the limit"},
		{name: "CONNECT without NUL", stream: hello + frame('C', "host"), log: "malformed frame: connect"},
		{name: "CONNECT without content", stream: hello + frame('C', ""), log: "malformed frame: connect"},
		{name: "HELO without NUL", stream: hello + frame('H', "host"), log: "malformed frame: helo"},
		{name: "MAIL without NUL", stream: hello + frame('M', "<>"), log: "malformed frame: mail"},
		{name: "MAIL without content", stream: hello + frame('M', ""), log: "malformed frame: mail"},
		{name: "RCPT without NUL", stream: mail + frame('R', "<a>"), log: "malformed frame: rcpt"},
		{name: "a header without value", stream: mail + frame('L', "A\x00"), log: "malformed frame: header"},
		{name: "a header with NUL in its value", stream: mail + frame('L', "A\x00b\x00c\x00"), log: "malformed frame: header"},
		{name: "RCPT before MAIL", stream: hello + frame('R', theRcpt), log: "out of order: rcpt"},
		{name: "a header before MAIL", stream: hello + frame('L', theHeader), log: "out of order: header"},
		{name: "end of header before MAIL", stream: hello + frame('N', ""), log: "out of order: end of header"},
		{name: "a body before MAIL", stream: hello + frame('B', theBody), log: "out of order: body"},
		{name: "end of message before MAIL", stream: hello + frame('E', ""), log: "out of order: end of message"},
		{name: "end of message twice", stream: mail + frame('E', "") + frame('E', ""), log: "out of order: end of message"},
		{name: "RCPT after a header", stream: mail + frame('L', theHeader) + frame('R', theRcpt), log: "out of order: rcpt"},
		{name: "a header after end of header", stream: mail + frame('N', "") + frame('L', theHeader), log: "out of order: header"},
		{name: "end of header twice", stream: mail + frame('N', "") + frame('N', ""), log: "out of order: end of header"},
		{name: "a header after the body", stream: mail + frame('B', theBody) + frame('L', theHeader), log: "out of order: header"},
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

func TestSilentPeersAreTimedOut(t *testing.T) {
	tests := []struct {
		name     string
		timeouts Timeouts
		talk     func(*mta)
		log      string
	}{
		{name: "before the negotiation", timeouts: Timeouts{Negotiate: 20 * time.Millisecond}, talk: func(m *mta) {}, log: "timed out"},
		{name: "dribbling the negotiation", timeouts: Timeouts{Negotiate: 50 * time.Millisecond}, talk: func(m *mta) {
			for _, c := range string(appendFrame(nil, 'O', offer(6, 0, 0))) {
				time.Sleep(10 * time.Millisecond)
				if _, err := m.nc.Write([]byte{byte(c)}); err != nil {
					return
				}
			}
		}, log: "timed out"},
		{name: "between messages", timeouts: Timeouts{Idle: 20 * time.Millisecond}, talk: func(m *mta) {
			m.send('O', offer(6, 0x1ff, allOptions))
			m.receive()
			m.send('C', theConnect)
		}, log: "timed out"},
		{name: "within a message", timeouts: Timeouts{Content: 20 * time.Millisecond}, talk: func(m *mta) {
			m.send('O', offer(6, 0x1ff, allOptions))
			m.receive()
			m.send('M', theMail)
			m.send('L', theHeader)
		}, log: "within a message"},
		{name: "dribbling the content", timeouts: Timeouts{Content: 50 * time.Millisecond}, talk: func(m *mta) {
			m.send('O', offer(6, 0x1ff, allOptions))
			m.receive()
			m.send('M', theMail)
			for range 100 {
				time.Sleep(10 * time.Millisecond)
				if _, err := m.nc.Write(appendFrame(nil, 'L', theHeader)); err != nil {
					return
				}
			}
		}, log: "within a message"},
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
	for _, opt := range []Options{{}, {Handler: handler, Replies: Replies{OnPanic: Text(250, "", "")}}, {Handler: handler, Replies: Replies{OnLimit: Text(550, "4.0.0", "")}}, {Handler: handler, Replies: Replies{OnLimit: Accept}}} {
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
