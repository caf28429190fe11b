package sqlite

import (
	"context"

	"alignd/internal/owned"
)

// ahead is a file that is opened while the one before it is read. Opening is half of what a
// question to many days costs.
type ahead struct {
	name    name
	file    *opened
	err     error
	opening owned.Group
}

func (r *Reader) openAhead(ctx context.Context, n name) *ahead {
	a := &ahead{name: n}
	a.opening.Go(func() { a.file, a.err = r.open(ctx, n) })
	return a
}

// take is what opening n gave, or gives where this is another file. Who takes it gives it
// back to the Reader.
func (a *ahead) take(ctx context.Context, r *Reader, n name) (*opened, error) {
	if a.name != n {
		return r.open(ctx, n)
	}
	a.opening.Wait()
	return a.file, a.err
}

// drop gives back a file that nobody took.
func (a *ahead) drop(r *Reader) {
	if a.opening.Wait(); a.err == nil {
		r.done(a.file, nil)
	}
}
