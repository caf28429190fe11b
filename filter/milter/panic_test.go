package milter

import (
	"bytes"
	"context"
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
		{name: "reading the offer", at: "Read"},
		{name: "answering the offer", at: "Write O"},
		{name: "telling of progress", at: "Write p", session: true},
		{name: "answering a message whose Session panicked", at: "Write y", session: true},
		{name: "closing the connection", at: "Close", session: true},
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
