package dkim

import (
	"context"
	"crypto/sha256"

	"alignd/evidence"
	"alignd/header"
	"alignd/internal/owned"
	"alignd/resolver"
)

// Check is one signature field under verification.
type Check struct {
	Params  *Params
	Problem *Problem // found before any look-up; nothing is started then
	Stale   bool     // Problem is about t= or x= and the clock
	Outcome Outcome  // valid after Wait

	fields *header.Fields
	body   *Body
	digest func() *[sha256.Size]byte // of the header
	work   *Work

	asked  bool // and Wait has not been called
	keys   Keys // what the look-up brought
	aside  owned.Group
	cancel context.CancelFunc // ends a look-up aside; nil while there is none
}

// NewCheck parses a field and makes every check that needs no DNS. work bounds the
// arithmetic of all checks that share it.
func NewCheck(kind Kind, f header.Field, opt Options, work *Work) *Check {
	p, bad := parse(kind, f)
	if bad != nil {
		return &Check{Params: p, Problem: bad}
	}
	bad = p.checkTimes(opt.Now, opt.Skew)
	return &Check{Params: p, Problem: bad, Stale: bad != nil, work: work}
}

// Relaxed returns a second Check of the same field, read as relaxed/relaxed,
// when the field leaves c= out; else nil.
func (c *Check) Relaxed() *Check {
	if !c.Params.DefaultCanon {
		return nil
	}
	p := *c.Params
	p.HeaderRelaxed, p.BodyRelaxed = true, true
	return &Check{Params: &p, Problem: c.Problem, Stale: c.Stale, work: c.work}
}

// Start registers the body and verifies the header if the key is known, or
// begins to fetch the key, unless there is a Problem. Wait or Close must be
// called.
func (c *Check) Start(ctx context.Context, fields *header.Fields, body *Body, lk resolver.Lookuper) {
	if c.Register(fields, body); c.Problem != nil {
		return
	}
	if c.Ask(ctx, lk); c.cancel == nil {
		c.Wait(ctx)
	}
}

// Register is the part of Start that has to come before the body: for a Check
// whose key may not be needed. Ask has to follow for an Outcome.
func (c *Check) Register(fields *header.Fields, body *Body) {
	if c.Problem != nil {
		return
	}
	c.fields, c.body = fields, body
	body.Register(c.Params)
	c.digest = func() *[sha256.Size]byte { return headerDigest(fields, c.Params) }
}

// Ask begins to fetch the key. Wait or Close must be called.
func (c *Check) Ask(ctx context.Context, lk resolver.Lookuper) {
	if c.Problem != nil {
		return
	}
	ready := resolver.NewReady(lk)
	c.asked = true
	if c.keys = fetchKeys(ctx, ready, c.Params); !ready.Complete() {
		c.fetch(ctx, lk)
	}
}

// AskSeal is Ask for a Seal, whose hash is over ARC fields only.
func (c *Check) AskSeal(ctx context.Context, digest *[sha256.Size]byte, lk resolver.Lookuper) {
	c.digest = func() *[sha256.Size]byte { return digest }
	c.Ask(ctx, lk)
}

// fetch gets the key on the side. The arithmetic is left to Wait: its goroutine
// has the stack for it already.
func (c *Check) fetch(ctx context.Context, lk resolver.Lookuper) {
	ctx, c.cancel = context.WithCancel(ctx)
	c.aside.Go(func() { c.keys = fetchKeys(ctx, lk, c.Params) })
}

// Wait waits until Outcome is there. When ctx ends, the look-up is cut short. A
// panic in the look-up comes out here, where the message's own guard stands.
func (c *Check) Wait(ctx context.Context) {
	if !c.asked {
		return
	}
	c.asked = false
	if c.cancel != nil {
		defer context.AfterFunc(ctx, c.cancel)()
		c.aside.Wait()
		c.Close()
	}
	c.Outcome = c.keys.Verify(c.Params, c.digest, c.work)
}

// Close ends the look-up, if one is under way, for a Check of no more interest.
// After Wait, or called again, it does nothing.
func (c *Check) Close() {
	if c.cancel == nil {
		return
	}
	c.cancel()
	c.aside.Wait()
	c.cancel = nil
}

// Result says why the signature does not verify, header and body together; nil where it
// does. It is for after Wait and after the last Write to the Body.
func (c *Check) Result(opt Options) (*Problem, BodyResult) {
	if c.Problem != nil {
		return c.Problem, BodyResult{}
	}
	if c.Params.Kind == Seal {
		return c.sealResult(), BodyResult{}
	}
	b := c.body.Result(c.Params)
	late := c.Outcome.Problem != nil && c.Outcome.Problem.Result == evidence.TempError
	switch {
	case late && b.Short: // no key could make it right
		return &Problem{evidence.Fail, "body is shorter than l=", evidence.FailedBody}, b
	case late && !b.Verified:
		return &Problem{evidence.Fail, "body hash did not verify", evidence.FailedBody}, b
	case c.Outcome.Problem != nil:
		return c.Outcome.Problem, b
	case b.Short:
		return &Problem{evidence.Fail, "body is shorter than l=", evidence.FailedBody}, b
	case !b.Verified && !c.Outcome.Verified:
		return &Problem{evidence.Fail, "neither header nor body verified", evidence.FailedBody}, b
	case !b.Verified:
		return &Problem{evidence.Fail, "body hash did not verify", evidence.FailedBody}, b
	case !c.Outcome.Verified && opt.LeadingSpaceLost && !c.Params.HeaderRelaxed:
		return lostSpace, b
	case !c.Outcome.Verified:
		return &Problem{evidence.Fail, "signature did not verify", evidence.FailedHeader}, b
	case c.Outcome.weak(c.Params):
		return &Problem{evidence.Policy, "RSA key below 1024 bits", evidence.FailedKey}, b
	case b.Unsigned > 0 && !opt.enough(c.Params, b.Size):
		return &Problem{evidence.Policy, "octets beyond l= are not signed", evidence.FailedCoverage}, b
	}
	if !opt.AcceptPartlySigned {
		if name := partlySigned(c.fields, c.Params.Names); name != "" {
			return &Problem{evidence.Policy, "not all " + name + " fields are signed", evidence.FailedCoverage}, b
		}
	}
	return nil, b
}

func (c *Check) sealResult() *Problem {
	switch {
	case c.Outcome.Problem != nil:
		return c.Outcome.Problem
	case !c.Outcome.Verified:
		return &Problem{evidence.Fail, "signature did not verify", evidence.FailedHeader}
	case c.Outcome.weak(c.Params):
		return &Problem{evidence.Policy, "RSA key below 1024 bits", evidence.FailedKey}
	}
	return nil
}

// enough reports whether l= covers what AcceptLength asks for. That is about
// DKIM-Signature only: what a chain says of its sealers' checks would be about
// another body.
func (o Options) enough(p *Params, size int64) bool {
	return o.AcceptLength && p.Kind == Signature && float64(p.Length)*100 >= float64(size)*float64(o.MinLengthPercent)
}
