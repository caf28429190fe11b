package arc

import (
	"context"
	"iter"

	"alignd/evidence"
	"alignd/header"
	"alignd/resolver"
	"alignd/verify/dkim"
)

// AARParser reads the value of an ARC-Authentication-Results field, "i=N;"
// included.
type AARParser func(value []byte) (instance int, results evidence.AuthResults, err error)

// Options is how a chain is judged. The zero value is usable.
type Options struct {
	DKIM     dkim.Options // clock and skew count; the limit on signatures does not
	ParseAAR AARParser    // nil: evidence has no AAR
}

// Validation is the work on one message's chain.
type Validation struct {
	opt     dkim.Options
	chain   *chain
	result  evidence.ARC
	started bool
}

// Start reads the chain, registers what its signatures need of the body and
// begins to ask for keys. fields must stay as they are until Finish or Close
// returns, and one of the two must be called.
func Start(ctx context.Context, fields *header.Fields, body *dkim.Body, lk resolver.Lookuper, opt Options) *Validation {
	v := &Validation{opt: opt.DKIM.WithDefaults()}
	if v.chain = collect(fields, v.opt); v.chain == nil {
		v.result.Result = evidence.None
		return v
	}
	v.result = evidence.ARC{
		Result:    evidence.Fail,
		Reason:    v.chain.broken,
		Instances: len(v.chain.sets),
		Sets:      v.chain.evidence(opt.ParseAAR),
	}
	if v.chain.broken != "" {
		return v
	}
	v.started = true
	h := dkim.NewHeaderHash()
	defer h.Release()
	for _, s := range v.chain.sets {
		// The input of a seal is all earlier sets whole, then its own with b=
		// empty (RFC 8617 section 5.1.1).
		h.Field(s.aar, true)
		h.Field(s.ams.Params.Field, true)
		s.seal.StartSeal(ctx, h.SumWith(s.seal.Params), lk)
		h.Field(s.seal.Params.Field, true)
		s.ams.Start(ctx, fields, body, lk)
		if s.relaxed != nil {
			s.relaxed.Start(ctx, fields, body, lk)
		}
	}
	return v
}

// Close ends what Start began, for a message that is not going to be finished.
func (v *Validation) Close() {
	if !v.started {
		return
	}
	for c := range v.checks() {
		c.Close()
	}
}

// checks are all that Start started.
func (v *Validation) checks() iter.Seq[*dkim.Check] {
	return func(yield func(*dkim.Check) bool) {
		for _, s := range v.chain.sets {
			if !yield(s.seal) || !yield(s.ams) || s.relaxed != nil && !yield(s.relaxed) {
				return
			}
		}
	}
}

// Finish is called after the last Write to the Body. It waits for the keys, at
// most until ctx ends, and returns the outcome (RFC 8617 section 5.2).
func (v *Validation) Finish(ctx context.Context) evidence.ARC {
	if !v.started {
		return v.result
	}
	for c := range v.checks() {
		c.Wait(ctx)
	}
	j := judge{opt: v.opt, arc: &v.result}
	newest := len(v.chain.sets)
	j.newestMessage(v.chain.sets[newest-1]) // step 4
	if j.arc.Sets[newest-1].MessageResult == evidence.Pass {
		j.oldestPass(v.chain.sets) // step 5
	}
	for i := newest; i >= 1; i-- { // step 6
		j.seal(i, v.chain.sets[i-1])
	}
	v.result.Temporary = j.temporary && v.result.Reason == ""
	switch {
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

// message is the verdict on an ARC-Message-Signature.
func (s set) message(opt dkim.Options) (dkim.Problem, dkim.BodyResult) {
	verdict, body := s.ams.Result(opt)
	if s.relaxed != nil && verdict.Result != evidence.Pass {
		if again, body := s.relaxed.Result(opt); again.Result == evidence.Pass || again.Result == evidence.TempError && body.Verified {
			return again, body
		}
	}
	return verdict, body
}

// judge collects what the signatures say. arc.Reason is the first permanent
// failure.
type judge struct {
	opt       dkim.Options
	arc       *evidence.ARC
	temporary bool
}

// need notes the result of a signature without which the chain fails.
func (j *judge) need(verdict dkim.Problem, what string) {
	switch {
	case verdict.Result == evidence.Pass:
	case verdict.Result == evidence.TempError:
		j.temporary = true
	case j.arc.Reason == "":
		j.arc.Reason = what + verdict.Reason
	}
}

func (j *judge) newestMessage(s set) {
	verdict, body := s.message(j.opt)
	j.arc.Sets[len(j.arc.Sets)-1].MessageResult = verdict.Result
	if verdict.Result == evidence.TempError && !body.Verified {
		verdict = dkim.Problem{Result: evidence.Fail, Reason: "body hash did not verify"}
	}
	j.need(verdict, newestMessage)
}

func (j *judge) seal(i int, s set) {
	verdict, _ := s.seal.Result(j.opt)
	j.arc.Sets[i-1].SealResult = verdict.Result
	j.need(verdict, "ARC-Seal: ")
}

// oldestPass verifies the older ARC-Message-Signatures downwards; the number
// is that of the oldest one in the unbroken row that verifies, 0 when all do.
func (j *judge) oldestPass(sets []set) {
	j.arc.OldestPass = 0
	for i := len(sets) - 1; i >= 1; i-- {
		verdict, _ := sets[i-1].message(j.opt)
		j.arc.Sets[i-1].MessageResult = verdict.Result
		if verdict.Result != evidence.Pass {
			j.arc.OldestPass = i + 1
			return
		}
	}
}
