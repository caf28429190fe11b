package milter

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	protocol "github.com/emersion/go-milter"
)

func alive(s *Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.Alive(ctx)
}

func TestAServerAtItsWorkIsAlive(t *testing.T) {
	for _, tt := range []struct {
		name string
		opt  Options
		busy func(t *testing.T, s *Server, addr string)
	}{
		{name: "with nothing to do", busy: func(*testing.T, *Server, string) {}},
		{name: "full, with connections that wait", opt: Options{MaxConns: 2}, busy: func(t *testing.T, s *Server, addr string) {
			for range 5 {
				dial(t, addr)
			}
			eventually(t, "full", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.conns) == 2 })
		}},
		{name: "draining, in a message", busy: func(t *testing.T, s *Server, addr string) {
			m := greet(t, addr, noReply)
			m.send('M', theMail)
			eventually(t, "message", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.messages == 1 })
			shutdown(s, patience)
			eventually(t, "drain", s.stopping)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			r := &recorder{}
			tt.opt.Handler, tt.opt.Logger = r.handler, log.logger()
			s, addr := serve(t, tt.opt)
			tt.busy(t, s, addr)
			for range 3 {
				if err := alive(s, patience); err != nil {
					t.Error(err)
				}
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, o := range r.outcomes {
				if o.HeaderEnded || o.End != Aborted {
					t.Errorf("a message of its own leaves %+v", o)
				}
			}
			if text := log.String(); strings.Contains(text, "level=WARN") && tt.opt.MaxConns == 0 || strings.Contains(text, "level=ERROR") {
				t.Errorf("log: %s", text)
			}
		})
	}
}

func TestAServerThatIsStuckIsNotAlive(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	wait := func() { <-hold }
	for _, tt := range []struct {
		name, want string
		handler    func(*Conn) Session
		stick      func(s *Server)
	}{
		{name: "making a session", want: "connect", handler: func(*Conn) Session { wait(); return &recorder{} }},
		{name: "in an event", want: "mail", handler: (&recorder{panicAt: func(event string) bool {
			if strings.HasPrefix(event, "mail") {
				wait()
			}
			return false
		}}).handler},
		{name: "with its lock held", want: "waiting for the lock", handler: (&recorder{}).handler, stick: func(s *Server) {
			s.mu.Lock()
			time.AfterFunc(time.Second, s.mu.Unlock)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := New(Options{Handler: tt.handler})
			if err != nil {
				t.Fatal(err)
			}
			if tt.stick != nil {
				tt.stick(s)
			}
			if err := alive(s, 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// deaf is a listener whose connections nobody takes.
type deaf struct {
	*net.TCPListener
	ended chan struct{}
}

func (d *deaf) Accept() (net.Conn, error) { <-d.ended; return nil, net.ErrClosed }
func (d *deaf) Close() error              { return d.TCPListener.Close() }

func TestConnectionsThatNobodyTakesAreTold(t *testing.T) {
	if !canSeePending {
		t.Skip("left out: connections that wait are seen on Linux only")
	}
	s, err := New(Options{Handler: (&recorder{}).handler})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &deaf{ln.(*net.TCPListener), make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(d) }()
	eventually(t, "listening", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.listeners) == 1 })
	for range 2 {
		if err := alive(s, patience); err != nil {
			t.Errorf("without a connection: %v", err)
		}
	}
	dial(t, ln.Addr().String())
	eventually(t, "it waits", func() bool { return pending(d) })
	if err := alive(s, patience); err != nil {
		t.Errorf("a connection that may have come this moment: %v", err)
	}
	if err := alive(s, patience); err == nil || !strings.Contains(err.Error(), "none is taken") {
		t.Errorf("still not taken: %v", err)
	}
	ln.Close()
	close(d.ended)
	<-served
}

// A connection that was accepted as the drain began is served to its end.
func TestAConnectionAcceptedAsTheDrainBeginsIsServed(t *testing.T) {
	s, addr := serve(t, Options{Handler: (&recorder{}).handler, Settle: patience})
	busy := greet(t, addr, 0)
	busy.begin()
	down := shutdown(s, patience)
	eventually(t, "drain", s.stopping)
	ours, theirs := net.Pipe()
	defer ours.Close()
	s.start(theirs)
	if err := ask(ours, protocol.CodeOptNeg, offer(6, 0x1ff, 0)); err != nil {
		t.Fatal(err)
	}
	if _, reply := busy.verdict(); reply != "a" {
		t.Errorf("the message in progress: %q", reply)
	}
	busy.send('Q', "")
	if _, err := ours.Write(appendFrame(nil, 'Q', "")); err != nil {
		t.Fatal(err)
	}
	if err := await(t, down); err != nil || s.IdleClosed() != 0 {
		t.Errorf("%v, %d sessions closed", err, s.IdleClosed())
	}
}

func TestIdleSessionsThatWereClosedAreCounted(t *testing.T) {
	s, addr := serve(t, Options{Handler: (&recorder{}).handler, Settle: time.Millisecond})
	for range 3 {
		m := greet(t, addr, 0)
		m.begin()
		m.verdict()
	}
	if err := await(t, shutdown(s, patience)); err != nil || s.IdleClosed() != 3 {
		t.Errorf("%v, %d sessions closed, want 3", err, s.IdleClosed())
	}
}
