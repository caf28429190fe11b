package dmarc

import (
	"context"
	"slices"
	"time"

	"alignd/internal/owned"
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
	var aside owned.Group
	begun := make(chan struct{})
	timer := time.AfterFunc(patience, func() {
		aside.Go(func() { t.askAll(ctx, start) })
		close(begun)
	})
	return func() {
		cancel()
		if !timer.Stop() {
			<-begun
			aside.Wait()
		}
	}
}

func (t *treeWalk) askAll(ctx context.Context, start string) {
	var names []string
	for name := start; name != ""; name = next(start, name) {
		names = append(names, name)
	}
	var aside owned.Group
	for _, name := range slices.Backward(names) {
		aside.Go(func() { t.ask(ctx, name) })
	}
	aside.Wait()
}
