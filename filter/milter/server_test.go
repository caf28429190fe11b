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
		{"a zero-length frame first", "\x00\x00\x00\x00", "frame of length zero"},
		{"a frame over the limit first", "\x7f\xff\xff\xffO", "frame over the limit"},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", "frame over the limit"},
		{"no negotiation", frame('C', theConnect), "no option negotiation"},
		{"a short negotiation", frame('O', "\x00\x00\x00\x06"), "has 4 octets"},
		{"protocol version 1", frame('O', offer(1, 0x1ff, allOptions)), "protocol version 1"},
		{"a second negotiation", hello + hello, "second option negotiation"},
		{"a zero-length frame later", hello + "\x00\x00\x00\x00", "frame of length zero"},
		{"a frame over the limit in a message", mail + "\x00\x20\x00\x02B", "frame over the limit"},
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
