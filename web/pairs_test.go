package web

import (
	"context"
	"testing"
	"time"

	"alignd/journal/state"
	"alignd/web/access"
)

// away is a backend whose store of counts does not answer.
type away struct {
	*backend
	asked chan struct{}
}

func (b *away) State(ctx context.Context) (*state.State, error) {
	select {
	case b.asked <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// Who ends the pages does not wait for a store that hangs, and nothing begins after that.
func TestAStoreThatHangsKeepsNobodyFromEnding(t *testing.T) {
	b := &away{plant(t, usual(3)...), make(chan struct{}, 1)}
	s, err := New(Options{Backend: b, Access: access.Options{Open: true, Hosts: []string{"127.0.0.1"}, Parallel: 1}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s.HTTP() // reads pairs ahead
	<-b.asked
	ended := make(chan struct{})
	go func() { s.Close(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(bookTime / 2):
		t.Fatal("it waits for the store")
	}
	if _, err := s.book(t.Context()); err == nil {
		t.Error("something begins after the end")
	}
}
