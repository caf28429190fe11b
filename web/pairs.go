package web

import (
	"context"
	"sync"
	"time"

	"alignd/journal/state"
)

// pairCache has who sent as whom by day, which is read once and then only what is new of
// it. The zero value is ready.
type pairCache struct {
	mu      sync.Mutex
	book    *state.Book
	at      time.Time // when it was renewed
	reading *bookReading
	anew    bool // somebody reads all of it
}

// bookReading is under way, for all who wait for it.
type bookReading struct {
	done chan struct{}
	err  error
}

const (
	pairsAge = time.Minute
	// bookTime is how long may be read.
	bookTime = time.Minute
)

// book is who sent as whom, as of a minute ago at most.
func (s *Server) book(ctx context.Context) (*state.Book, error) {
	c, now := &s.pairs, s.opt.Now()
	c.mu.Lock()
	if c.book != nil && now.Sub(c.at).Abs() < pairsAge {
		defer c.mu.Unlock()
		return c.book, nil
	}
	r := c.reading
	if r == nil {
		r = &bookReading{done: make(chan struct{})}
		old := c.book
		if !s.background(func() { s.renew(r, old, now) }) {
			c.mu.Unlock()
			return nil, context.Canceled
		}
		c.reading = r
	}
	c.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.err != nil {
		return nil, r.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.book, nil
}

// renew reads what is new, and has all read beside where that is due.
func (s *Server) renew(r *bookReading, old *state.Book, now time.Time) {
	defer close(r.done)
	b, err := s.readBook(old, now)
	c := &s.pairs
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.err, c.reading = err, nil; err != nil {
		return
	}
	c.book, c.at = b, now
	if b.Aged(now) && !c.anew {
		c.anew = s.background(func() {
			b, err := s.readBook(nil, now)
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.anew = false; err == nil {
				c.book, c.at = b, now
			}
		})
	}
}

func (s *Server) readBook(old *state.Book, now time.Time) (*state.Book, error) {
	ctx, cancel := context.WithTimeout(s.work, bookTime)
	defer cancel()
	b, err := s.guarded(func() (any, error) {
		st, err := s.opt.Backend.State(ctx)
		if err != nil {
			return nil, err
		}
		defer st.Close()
		return st.RenewBook(ctx, old, now)
	})
	if err != nil {
		return nil, err
	}
	return b.(*state.Book), nil
}

// warm reads what many looks ask for before somebody does; whoever asks hears of a fault.
func (s *Server) warm() {
	s.background(func() {
		ctx, cancel := context.WithTimeout(s.work, bookTime)
		defer cancel()
		_, _ = s.book(ctx)
		_, _ = s.guarded(func() (any, error) {
			s.opt.Backend.Warm(ctx)
			st, err := s.opt.Backend.State(ctx)
			if err != nil {
				return nil, err
			}
			defer st.Close()
			return st.Elsewhere(ctx, usualOthers(s.opt.Now()).ElsewhereQuery)
		})
	})
}
