package dkim

import (
	"context"
	"crypto/sha256"

	"alignd/evidence"
	"alignd/header"
	"alignd/resolver"
)

// Check is one signature field under verification.
type Check struct {
	Params  *Params
	Problem *Problem // found before any look-up; nothing is started then
	Stale   bool     // Problem is about t= or x= and the clock
	Outcome Outcome  // valid after Wait

	body *Body
	// Where the key had to be asked for:
	done   chan any // carries what the look-up panicked with, then closed
	cancel context.CancelFunc
}

// NewCheck parses a field and makes every check that needs no DNS.
func NewCheck(kind Kind, f header.Field, opt Options) *Check {
	p, bad := Parse(kind, f)
	if bad != nil {
		return &Check{Params: p, Problem: bad}
	}
	bad = p.checkTimes(opt.Now, opt.Skew)
	return &Check{Params: p, Problem: bad, Stale: bad != nil}
}

// Relaxed returns a second Check of the same field, read as relaxed/relaxed,
// when the field leaves c= out; else nil.
func (c *Check) Relaxed() *Check {
	if !c.Params.DefaultCanon {
		return nil
	}
	p := *c.Params
	p.HeaderRelaxed, p.BodyRelaxed = true, true
	return &Check{Params: &p, Problem: c.Problem, Stale: c.Stale}
}

// Start registers the body and begins to fetch the key and to verify the
// header, unless there is a Problem. Wait must be called.
func (c *Check) Start(ctx context.Context, fields *header.Fields, body *Body, lk resolver.Lookuper) {
	if c.Problem != nil {
		return
	}
	c.body = body
	body.Register(c.Params)
	c.run(ctx, lk, func() *[sha256.Size]byte { return headerDigest(fields, c.Params) })
}

// StartSeal is Start for a Seal, whose hash is over ARC fields only.
func (c *Check) StartSeal(ctx context.Context, digest *[sha256.Size]byte, lk resolver.Lookuper) {
	if c.Problem == nil {
		c.run(ctx, lk, func() *[sha256.Size]byte { return digest })
	}
}

// run verifies here and now if the key is known, else fetches it and verifies
// on the side. A panic there comes out of Wait, where the message's own guard
// stands.
func (c *Check) run(ctx context.Context, lk resolver.Lookuper, digest func() *[sha256.Size]byte) {
	ready := resolver.NewReady(lk)
	if keys := FetchKeys(ctx, ready, c.Params); ready.Complete() {
		c.Outcome = keys.Verify(c.Params, digest)
		return
	}
	c.done = make(chan any, 1)
	ctx, c.cancel = context.WithCancel(ctx)
	go func() {
		defer close(c.done)
		defer func() {
			if r := recover(); r != nil {
				c.done <- r
			}
		}()
		c.Outcome = FetchKeys(ctx, lk, c.Params).Verify(c.Params, digest)
	}()
}

// Wait waits until Outcome is there. When ctx ends, the look-up is cut short.
func (c *Check) Wait(ctx context.Context) {
	if c.done == nil {
		return
	}
	var r any
	var panicked bool
	select {
	case r, panicked = <-c.done:
	case <-ctx.Done():
		c.cancel()
		r, panicked = <-c.done
	}
	c.cancel()
	if panicked {
		panic(r)
	}
}

// Abandon cuts the look-up short. Wait must still be called.
func (c *Check) Abandon() {
	if c.cancel != nil {
		c.cancel()
	}
}

// Result is the verdict on header and body together, after Wait and after the
// last Write to the Body.
func (c *Check) Result(opt Options) (Problem, BodyResult) {
	if c.Problem != nil {
		return *c.Problem, BodyResult{}
	}
	if c.Params.Kind == Seal {
		return c.sealResult(), BodyResult{}
	}
	b := c.body.Result(c.Params)
	switch {
	case c.Outcome.Problem != nil:
		return *c.Outcome.Problem, b
	case b.Short:
		return Problem{evidence.Fail, "body is shorter than l="}, b
	case !b.Verified && !c.Outcome.Verified:
		return Problem{evidence.Fail, "neither header nor body verified"}, b
	case !b.Verified:
		return Problem{evidence.Fail, "body hash did not verify"}, b
	case !c.Outcome.Verified:
		return Problem{evidence.Fail, "signature did not verify"}, b
	case c.Outcome.weak(c.Params):
		return Problem{evidence.Policy, "RSA key below 1024 bits"}, b
	case b.Unsigned > 0 && !opt.enough(c.Params.Length, b.Size):
		return Problem{evidence.Policy, "octets beyond l= are not signed"}, b
	}
	return Problem{Result: evidence.Pass}, b
}

func (c *Check) sealResult() Problem {
	switch {
	case c.Outcome.Problem != nil:
		return *c.Outcome.Problem
	case !c.Outcome.Verified:
		return Problem{evidence.Fail, "signature did not verify"}
	case c.Outcome.weak(c.Params):
		return Problem{evidence.Policy, "RSA key below 1024 bits"}
	}
	return Problem{Result: evidence.Pass}
}

// enough reports whether l= covers what AcceptLength asks for.
func (o Options) enough(length, size int64) bool {
	return o.AcceptLength && float64(length)*100 >= float64(size)*float64(o.MinLengthPercent)
}
