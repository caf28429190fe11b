package resolver

import (
	"context"
)

// Knower is a Lookuper that can say at once whether it knows an answer. A
// *Resolver knows what its cache holds, a *Zone all that it has, and a *Budget
// what the message has asked and what the Lookuper behind it knows.
type Knower interface {
	Lookuper
	// Known returns the answer that Lookup would give at once. It is false
	// where Lookup would have to ask, or has an error to tell.
	Known(name string, qtype uint16) (*Answer, bool)
}

// Ready is a Lookuper for a first try at a check: it answers what is known and
// never waits. A check that was not Complete has to be made again with the
// Lookuper itself.
//
// Where all names of a message are cached, every check completes in the goroutine
// that reads the message. Goroutines of their own, whose stacks grow as they verify,
// would make it a tenth dearer.
//
// Not safe for concurrent use.
type Ready struct {
	knower Knower // nil: nothing is known
	missed bool
}

// NewReady returns what is known to lk; nothing if it is no Knower.
func NewReady(lk Lookuper) *Ready {
	knower, _ := lk.(Knower)
	return &Ready{knower: knower}
}

// Lookup implements Lookuper. What is not known is a temporary failure.
func (r *Ready) Lookup(_ context.Context, name string, qtype uint16) (*Answer, error) {
	if r.knower != nil {
		if a, ok := r.knower.Known(name, qtype); ok {
			return a, nil
		}
	}
	r.missed = true
	return nil, errNotKnown
}

// Complete reports whether every question so far was answered.
func (r *Ready) Complete() bool { return !r.missed }

var errNotKnown = &Error{Err: ErrTemporary, Why: "not known yet"}
