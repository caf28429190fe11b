package resolver

import "context"

// Own is what of a budget one check has for itself.
type Own struct {
	Questions int // may be asked before it draws on what is for all
	Most      int // may be asked in all; 0: as many as there are
	Parallel  int // may be under way at a time; at least 1
	// Lends says that what it leaves of Questions is for others, who wait for
	// its end where nothing else is left. Done must be called. One lane of a
	// budget may lend.
	Lends bool
}

// Lane is a Budget as one of its checks sees it. A check that never asks more
// than its own gets its answers whatever the others ask: else a sender could fill
// his message with names of his own and leave no question for the key of somebody
// else's domain, or have it wait behind slow ones until the time of the message
// is up.
type Lane struct{ share }

// Lane returns the same budget with something of its own, as far as there is: out
// of what is for all, then out of what is held.
func (b *Budget) Lane(own Own) *Lane {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &Lane{share{b: b, most: own.Most, parallel: max(1, own.Parallel), lends: own.Lends}}
	l.own = carve(&b.general, own.Questions)
	l.own += carve(&b.held, own.Questions-l.own)
	if own.Lends {
		b.lent = make(chan struct{})
	}
	return l
}

// Done ends a lane that lends; called again, or for another one, it does nothing.
func (l *Lane) Done() {
	b := l.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if !l.lends || b.lent == nil {
		return
	}
	b.general += max(0, l.own-l.used)
	l.own = min(l.own, l.used)
	close(b.lent)
	b.lent = nil
}

// Reserve returns the same budget with a share of its own to draw on first: out of
// what is held, then out of what is for all, and what these lack on top. It is for
// the policy of one Author Domain, which must be found whatever the message made
// the other checks ask, and whatever the policies of its other Author Domains take.
func (b *Budget) Reserve() Lookuper {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := max(0, b.opts.Reserved)
	carve(&b.general, n-carve(&b.held, n))
	return &share{b: b, own: n, parallel: max(1, b.opts.Parallel/4)}
}

// Hold keeps n questions of what is for all, as far as there are, for lanes that
// come later.
func (b *Budget) Hold(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held += carve(&b.general, n)
}

// Unhold gives back to all what no lane has taken.
func (b *Budget) Unhold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.general += b.held
	b.held = 0
}

// carve takes up to n from what is left, and returns how many.
func carve(left *int, n int) int {
	n = max(0, min(n, *left))
	*left -= n
	return n
}

// share is a Budget as one of its checks sees it.
type share struct {
	b        *Budget
	own      int           // questions that are for this share alone
	used     int           // of own and beyond; like own guarded by b.mu
	most     int           // the limit of used; 0: none
	lends    bool          // see Own
	parallel int           // questions under way at a time
	slots    chan struct{} // one for each of them; made by the first, under b.mu
}

// Lookup implements Lookuper.
func (s *share) Lookup(ctx context.Context, name string, qtype uint16) (*Answer, error) {
	return s.b.ask(ctx, name, qtype, s)
}

// Known implements Knower.
func (s *share) Known(name string, qtype uint16) (*Answer, bool) {
	return s.b.known(name, qtype, s)
}

// free takes one of the share's slots if there is one. b.mu is held.
func (s *share) free() bool {
	if s.slots == nil {
		s.slots = make(chan struct{}, s.parallel)
	}
	select {
	case s.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// wait takes one of the share's slots. It is false when ctx ended before.
func (s *share) wait(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}
