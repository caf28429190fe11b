package arc

import (
	"context"
	"crypto/sha256"

	"alignd/evidence"
	"alignd/header"
	"alignd/resolver"
	"alignd/verify/dkim"
)

// Validation is the work on one message's chain.
type Validation struct {
	opt     dkim.Options
	lookup  resolver.Lookuper
	chain   *chain
	result  evidence.ARC
	started bool
}

// Start reads the chain, registers what its signatures need of the body and
// begins to ask for keys. fields must stay as they are until Finish or Close
// returns, and one of the two must be called. Of opt
// clock and skew count; the limit on signatures does not.
func Start(ctx context.Context, fields *header.Fields, body *dkim.Body, lk resolver.Lookuper, opt dkim.Options) *Validation {
	v := &Validation{opt: opt.WithDefaults()}
	if v.chain = collect(fields, v.opt); v.chain == nil {
		v.result.Result = evidence.None
		return v
	}
	v.result = evidence.ARC{
		Result:    evidence.Fail,
		Reason:    v.chain.broken,
		Instances: len(v.chain.sets),
		Sets:      v.chain.evidence(),
	}
	if v.chain.broken != "" {
		return v
	}
	v.started = true
	v.lookup = lk
	newest := v.newest()
	newest.relaxed = newest.ams.Relaxed()
	older := v.chain.sets[:len(v.chain.sets)-1]
	for i := range older { // what they need of the body cannot wait for the newest set
		older[i].ams.Register(fields, body)
	}
	h := dkim.NewHeaderHash()
	defer h.Release()
	for i := range older {
		older[i].addTo(h, nil)
	}
	newest.addTo(h, func(digest *[sha256.Size]byte) { newest.seal.AskSeal(ctx, digest, lk) })
	newest.ams.Start(ctx, fields, body, lk)
	if newest.relaxed != nil {
		newest.relaxed.Start(ctx, fields, body, lk)
	}
	return v
}

func (v *Validation) newest() *set { return &v.chain.sets[len(v.chain.sets)-1] }

// addTo adds the set to a hash over all sets. Its seal is over all earlier sets
// whole, then its own with b= empty (RFC 8617 section 5.1.1); tell gets that hash,
// if it is not nil.
func (s *set) addTo(h *dkim.HeaderHash, tell func(digest *[sha256.Size]byte)) {
	h.Field(s.aar, true)
	h.Field(s.ams.Params.Field, true)
	if tell != nil {
		tell(h.SumWith(s.seal.Params))
	}
	h.Field(s.seal.Params.Field, true)
}

// askOlder begins to ask for the keys of all sets but the newest.
func (v *Validation) askOlder(ctx context.Context) {
	h := dkim.NewHeaderHash()
	defer h.Release()
	for i := range len(v.chain.sets) - 1 {
		s := &v.chain.sets[i]
		s.addTo(h, func(digest *[sha256.Size]byte) { s.seal.AskSeal(ctx, digest, v.lookup) })
		s.ams.Ask(ctx, v.lookup)
	}
}

// Close ends what Start began, for a message that is not going to be finished.
func (v *Validation) Close() {
	if !v.started {
		return
	}
	for _, s := range v.chain.sets {
		s.seal.Close()
		s.ams.Close()
		if s.relaxed != nil {
			s.relaxed.Close()
		}
	}
}

// Finish is called after the last Write to the Body. It waits for the keys, at
// most until ctx ends, and returns the outcome (RFC 8617 section 5.2).
func (v *Validation) Finish(ctx context.Context) evidence.ARC {
	if !v.started {
		return v.result
	}
	defer v.Close()
	j := judge{ctx: ctx, opt: v.opt, arc: &v.result}
	newest := len(v.chain.sets)
	j.newestMessage(v.newest()) // step 4
	j.seal(newest, v.newest())  // step 6, from its end
	older := !j.temporary && v.result.Reason == ""
	if older {
		v.askOlder(ctx)
	}
	for i := newest - 1; older && i >= 1 && v.result.Reason == ""; i-- {
		j.seal(i, &v.chain.sets[i-1])
	}
	if !j.temporary && v.result.Reason == "" {
		j.oldestPass(v.chain.sets) // step 5
	}
	v.result.Temporary = j.temporary && v.result.Reason == ""
	switch {
	case v.result.Temporary && j.lost:
		v.result.Reason = newestMessage + "the MTA does not hand on the space after the colon, which simple signs"
	case v.result.Temporary:
		v.result.Reason = "key look-up failed temporarily"
	case v.result.Reason == "":
		v.result.Result = evidence.Pass // step 7
	}
	if v.result.Result != evidence.Pass {
		v.result.OldestPass = 0
	}
	return v.result
}

// message says why an ARC-Message-Signature does not verify; nil where it does.
func (s *set) message(ctx context.Context, opt dkim.Options) *dkim.Problem {
	s.ams.Wait(ctx)
	problem, _ := s.ams.Result(opt)
	if s.relaxed == nil || problem == nil {
		return problem
	}
	s.relaxed.Wait(ctx)
	again, body := s.relaxed.Result(opt)
	if again == nil || again.Result == evidence.TempError && body.Verified {
		return again
	}
	return problem
}

// judge collects what the signatures say. arc.Reason is the first permanent
// failure.
type judge struct {
	ctx       context.Context
	opt       dkim.Options
	arc       *evidence.ARC
	temporary bool
	lost      bool // the MTA did not hand on what a simple signature covers
}

// need notes the problem of a signature without which the chain fails.
func (j *judge) need(problem *dkim.Problem, what string) {
	switch {
	case problem == nil:
	case problem.Result == evidence.TempError, problem.LostSpace():
		j.temporary = true
		j.lost = j.lost || problem.LostSpace()
	case j.arc.Reason == "":
		j.arc.Reason = what + problem.Reason
	}
}

func (j *judge) newestMessage(s *set) {
	problem := s.message(j.ctx, j.opt)
	j.arc.Sets[len(j.arc.Sets)-1].MessageResult = problem.Verdict()
	j.need(problem, newestMessage)
}

func (j *judge) seal(i int, s *set) {
	s.seal.Wait(j.ctx)
	problem, _ := s.seal.Result(j.opt)
	j.arc.Sets[i-1].SealResult = problem.Verdict()
	j.need(problem, "ARC-Seal: ")
}

// oldestPass verifies the older ARC-Message-Signatures downwards; the number
// is that of the oldest one in the unbroken row that verifies, 0 when all do.
func (j *judge) oldestPass(sets []set) {
	j.arc.OldestPass = 0
	for i := len(sets) - 1; i >= 1; i-- {
		problem := sets[i-1].message(j.ctx, j.opt)
		j.arc.Sets[i-1].MessageResult = problem.Verdict()
		if problem != nil {
			j.arc.OldestPass = i + 1
			return
		}
	}
}
