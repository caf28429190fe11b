package milter

import (
	"context"
	"testing"
	"time"
)

func TestStatsCountConnectionsAndSessions(t *testing.T) {
	r := &recorder{}
	answered := make(chan time.Duration, 10)
	s, addr := serve(t, Options{Handler: r.handler, MaxConns: 7, Answered: func(took time.Duration) { answered <- took }})
	expect := func(when string, want Stats) {
		t.Helper()
		want.Limit = 7
		for deadline := time.Now().Add(patience); s.Stats() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v, want %+v", when, s.Stats(), want)
			}
		}
	}
	expect("at first", Stats{})
	m := greet(t, addr, 0)
	expect("a connection", Stats{Connections: 1, Open: 1})
	m.event('C', theConnect)
	expect("one session", Stats{Connections: 1, Sessions: 1, Open: 1})
	other := dial(t, addr)
	expect("a connection without a session", Stats{Connections: 2, Sessions: 1, Open: 2})
	m.event('M', "<a@b>\x00")
	expect("a message", Stats{Connections: 2, Sessions: 1, Open: 2, Messages: 1})
	m.event('R', "<c@d>\x00")
	m.event('L', "From\x00 a@b\x00")
	m.event('N', "")
	m.send('E', "")
	m.receive()
	expect("it was answered", Stats{Connections: 2, Sessions: 1, Open: 2})
	select {
	case took := <-answered:
		if took <= 0 || took > patience {
			t.Errorf("answering took %v", took)
		}
	case <-time.After(patience):
		t.Error("nobody is told of the answer")
	}
	m.send('K', "") // QUIT_NC: another session on this connection
	m.event('C', theConnect)
	expect("another session", Stats{Connections: 2, Sessions: 2, Open: 2})
	if err := s.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	expect("a session of our own", Stats{Connections: 2, Sessions: 2, Open: 2})
	other.nc.Close()
	expect("one is closed", Stats{Connections: 2, Sessions: 2, Open: 1})
}

func TestListeningEndsWithShutdown(t *testing.T) {
	r := &recorder{}
	s, addr := serve(t, Options{Handler: r.handler})
	greet(t, addr, 0)
	if open := s.Listening(); len(open) != 1 || open[0].String() != addr {
		t.Errorf("got %v, want %s", open, addr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Shutdown(ctx)
	if open := s.Listening(); len(open) != 0 {
		t.Errorf("after Shutdown: %v", open)
	}
}
