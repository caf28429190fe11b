package dmarc

import (
	"context"
	"slices"
	"time"
)

// patience is how long the walk of an Author Domain waits for answers before it
// asks for the rest of its names at once; ours. A sender who names an author below
// names that never answer must not use up the time in which the policy above them
// is to be found.
const patience = time.Second

// hurry has all names of the walk from start asked once patience is over, the
// shortest first: a sender can make up the others. stop ends it.
func (t *treeWalk) hurry(ctx context.Context, start string) (stop func()) {
	if t.first != nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	begun := make(chan *task, 1)
	timer := time.AfterFunc(patience, func() {
		begun <- spawn(func() { t.askAll(ctx, start) })
	})
	return func() {
		cancel()
		if !timer.Stop() {
			(<-begun).wait()
		}
	}
}

func (t *treeWalk) askAll(ctx context.Context, start string) {
	var names []string
	for name := start; name != ""; name = next(start, name) {
		names = append(names, name)
	}
	var asked []*task
	for _, name := range slices.Backward(names) {
		asked = append(asked, spawn(func() { t.ask(ctx, name) }))
	}
	for _, a := range asked {
		a.wait()
	}
}
