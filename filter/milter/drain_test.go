package milter

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// shutdown starts Shutdown and returns where its result comes.
func shutdown(s *Server, limit time.Duration) <-chan error {
	result := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		result <- s.Shutdown(ctx)
	}()
	return result
}

func await(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatal("Shutdown does not return")
		return nil
	}
}

func TestShutdownWithoutSessionsReturnsAtOnce(t *testing.T) {
	s, _ := serve(t, Options{Handler: (&recorder{}).handler, Settle: time.Hour})
	// A path of the test's own: a port that was let go may be another test's by now.
	path := filepath.Join(t.TempDir(), "socket")
	own, err := Listen("unix:"+path, SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(own) }()
	eventually(t, "the socket is served", func() bool {
		nc, err := net.Dial("unix", path)
		if err == nil {
			nc.Close()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return err == nil && len(s.listeners) == 2 && len(s.conns) == 0
	})
	if err := await(t, shutdown(s, time.Hour)); err != nil {
		t.Error(err)
	}
	if err := await(t, served); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve: got %v", err)
	}
	if nc, err := net.Dial("unix", path); err == nil {
		nc.Close()
		t.Error("connections are still taken")
	}
	ln, err := Listen("inet:127.0.0.1:0", SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ln); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve after Shutdown: got %v", err)
	}
}

func TestShutdownLetsMessagesFinishAndThenClosesIdleSessions(t *testing.T) {
	s, addr := serve(t, Options{Handler: (&recorder{}).handler, Settle: time.Millisecond})
	busy, idle := greet(t, addr, 0), greet(t, addr, 0)
	idle.begin()
	idle.verdict()
	busy.begin()
	busy.event('A', "")
	busy.begin()
	eventually(t, "message", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.messages == 1 })
	result := shutdown(s, time.Hour)
	eventually(t, "drain", s.stopping)
	time.Sleep(20 * time.Millisecond)
	// An idle session may still have a message as long as another one does.
	idle.begin()
	if _, reply := idle.verdict(); reply != "a" {
		t.Errorf("a message of an idle session during the drain: got %q", reply)
	}
	select {
	case err := <-result:
		t.Fatalf("Shutdown returned %v with a message in progress", err)
	case <-time.After(20 * time.Millisecond):
	}
	if _, reply := busy.verdict(); reply != "a" {
		t.Errorf("the message in progress: got %q", reply)
	}
	idle.closed()
	busy.closed()
	if err := await(t, result); err != nil {
		t.Error(err)
	}
}

func TestShutdownWaitsALittleForQuitAndForTheNextMessage(t *testing.T) {
	s, addr := serve(t, Options{Handler: (&recorder{}).handler, Settle: patience / 2})
	m := greet(t, addr, 0)
	m.begin()
	m.event('B', theBody)
	eventually(t, "message", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.messages == 1 })
	result := shutdown(s, time.Hour)
	for range 5 {
		if _, reply := m.verdict(); reply != "a" {
			t.Fatalf("got %q", reply)
		}
		time.Sleep(20 * time.Millisecond)
		m.begin()
	}
	m.verdict()
	m.send('Q', "")
	if err := await(t, result); err != nil {
		t.Error(err)
	}
}

func TestShutdownClosesIdleSessionsBeforeTheTimeIsUp(t *testing.T) {
	s, addr := serve(t, Options{Handler: (&recorder{}).handler})
	busy, idle := greet(t, addr, 0), greet(t, addr, 0)
	busy.begin()
	idle.begin()
	idle.verdict()
	eventually(t, "message", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.messages == 1 })
	result := shutdown(s, 6*time.Second)
	idle.closed() // in the last quarter
	if _, reply := busy.verdict(); reply != "a" {
		t.Errorf("the message in progress: got %q", reply)
	}
	busy.closed()
	if err := await(t, result); err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsOffWhatIsLeft(t *testing.T) {
	cancelled := make(chan struct{})
	r := &recorder{judge: func(ctx context.Context) Response {
		<-ctx.Done()
		close(cancelled)
		return Response{Reply: Accept}
	}}
	s, addr := serve(t, Options{Handler: r.handler})
	envelope, judging := greet(t, addr, 0), greet(t, addr, 0)
	envelope.event('M', theMail)
	judging.begin()
	judging.send('E', "")
	eventually(t, "messages", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.messages == 2 })
	if err := await(t, shutdown(s, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
	<-cancelled
	envelope.closed()
	judging.closed()
}

func TestShutdownDoesNotWaitForeverForASession(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	r := &recorder{judge: func(context.Context) Response { <-stuck; return Response{} }}
	s, addr := serve(t, Options{Handler: r.handler})
	m := greet(t, addr, 0)
	m.begin()
	m.send('E', "")
	eventually(t, "message", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.messages == 1 })
	start := time.Now()
	if err := await(t, shutdown(s, 10*time.Millisecond)); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}
