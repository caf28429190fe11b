package resolver

import "context"

// Reserve returns the same budget with a reserved share of its own to draw on
// first. It is for the policy of one Author Domain, which must be found
// whatever the message made the other checks ask, and whatever the policies of
// its other Author Domains take.
func (b *Budget) Reserve() Lookuper {
	return &share{b: b, reserved: b.opts.Reserved, parallel: max(1, b.opts.Parallel/4)}
}

// Own is what of a budget one check has for itself.
type Own struct {
	Questions int // may be asked before it draws on what is for all
	Parallel  int // may be under way at a time; at least 1
}

// Lane returns the same budget with something of its own. A check that never
// asks more than that gets its answers whatever the others ask: else a sender
// could fill his message with names of his own and leave no question for the key
// of somebody else's domain, or have it wait behind slow ones until the time of
// the message is up.
func (b *Budget) Lane(own Own) Lookuper {
	return &share{b: b, reserved: own.Questions, parallel: max(1, own.Parallel)}
}

// share is a Budget as one of its checks sees it.
type share struct {
	b        *Budget
	reserved int           // questions that are for this share alone
	used     int           // of reserved; guarded by b.mu
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
