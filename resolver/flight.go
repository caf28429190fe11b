package resolver

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// join returns the flight for k, which it starts if there is none.
func (r *Resolver) join(k key) (*flight, error) {
	if !supported(k.qtype) {
		return nil, temporary(k, "record type is not supported")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[k]; f != nil {
		f.waiting++
		return f, nil
	}
	if r.closed {
		return nil, temporary(k, errClosed.Error())
	}
	f := &flight{done: make(chan struct{}), waiting: 1}
	var ctx context.Context
	ctx, f.cancel = context.WithTimeoutCause(r.ctx, r.opts.Deadline, errDeadline)
	r.flights[k] = f
	r.wg.Go(func() {
		r.fly(ctx, k, f)
	})
	return f, nil
}

// leave is for a caller who gives up. The last one ends the flight; who asks
// later begins another one.
func (r *Resolver) leave(k key, f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		r.land(k, f)
		f.cancel()
	}
}

// land takes f out of the questions under way. r.mu is held.
func (r *Resolver) land(k key, f *flight) {
	if r.flights[k] == f {
		delete(r.flights, k)
	}
}

// fly asks k, keeps the outcome, and tells all who wait, whatever happens.
func (r *Resolver) fly(ctx context.Context, k key, f *flight) {
	defer f.cancel()
	defer r.shielded("panic while a dns answer is handed out")
	defer r.arrive(k, f)
	defer r.shielded("panic while keeping a dns answer")
	begun := time.Now()
	f.answer, f.err = r.ask(ctx, k)
	r.observe(f.answer, f.err, time.Since(begun))
	r.mu.Lock()
	abandoned := f.waiting == 0
	r.mu.Unlock()
	if f.err != nil {
		r.failures.Add(1)
		r.opts.Logger.Debug("dns question failed", "err", withoutName(f.err))
	}
	// A failure that we made ourselves is no news about the name.
	if f.err == nil || !abandoned && !isInternal(f.err) {
		r.keep(k, f)
	}
}

// internalError is why a question failed that met a panic. The next one who asks tries
// again.
const internalError = "internal error"

// shielded is deferred: a panic there costs one question and not the process.
func (r *Resolver) shielded(what string) {
	if p := recover(); p != nil {
		r.opts.Logger.Error(what, "panic", p, "stack", string(debug.Stack()))
	}
}

func isInternal(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Why == internalError
}

// arrive ends f for all who wait. An outcome that was reached counts, also when
// it could not be kept.
func (r *Resolver) arrive(k key, f *flight) {
	if f.answer == nil && f.err == nil {
		f.err = temporary(k, internalError)
	}
	defer close(f.done)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.land(k, f)
}
