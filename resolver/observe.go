package resolver

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/miekg/dns"
)

// Asked is one question that servers were asked, for all who waited for it.
type Asked struct {
	Outcome Outcome
	// Took is the time until it ended, that for a free slot and all tries included.
	Took time.Duration
}

// Outcome says how a question ended: the RCODE of the answer, or why there is none.
// It is one of Outcomes.
type Outcome string

// The outcomes that are no RCODE.
const (
	OutcomeOtherRCode  Outcome = "other RCODE"
	OutcomeTimeout     Outcome = "timeout"
	OutcomeUnreachable Outcome = "unreachable" // no server could be sent to, or it closed the connection
	OutcomeMalformed   Outcome = "malformed"
	OutcomeOverload    Outcome = "overload"  // too many other questions were under way
	OutcomeAbandoned   Outcome = "abandoned" // nobody waited any more, or Close
	OutcomeInternal    Outcome = "internal"  // a fault of ours
)

// rcodes are the RCODEs that have an outcome of their own (RFC 1035 section 4.1.1):
// a server may choose any of 4096.
var rcodes = []int{dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeServerFailure, dns.RcodeRefused,
	dns.RcodeFormatError, dns.RcodeNotImplemented}

// Outcomes are all outcomes there are.
func Outcomes() []Outcome {
	var list []Outcome
	for _, code := range rcodes {
		list = append(list, Outcome(dns.RcodeToString[code]))
	}
	return append(list, OutcomeOtherRCode, OutcomeTimeout, OutcomeUnreachable, OutcomeMalformed, OutcomeOverload,
		OutcomeAbandoned, OutcomeInternal)
}

func outcomeOfRCode(code int) Outcome {
	for _, known := range rcodes {
		if code == known {
			return Outcome(dns.RcodeToString[code])
		}
	}
	return OutcomeOtherRCode
}

// outcomeOf is that of a question that servers did not answer. What a server said
// counts more than that others were silent.
func outcomeOf(err error) Outcome {
	var code errRCode
	var bad malformed
	var op *net.OpError
	switch {
	case errors.As(err, &code):
		return outcomeOfRCode(int(code))
	case errors.As(err, &bad):
		return OutcomeMalformed
	case errors.Is(err, errTimeout), errors.Is(err, errDeadline):
		return OutcomeTimeout
	case isNetwork(err), errors.As(err, &op):
		return OutcomeUnreachable
	}
	return OutcomeInternal
}

// because notes the outcome of a question. A silence that nobody waited to the end
// for is none of the server's.
func (e *Error) because(ctx context.Context, o Outcome) *Error {
	cause := context.Cause(ctx)
	ended := errors.Is(cause, context.Canceled) || errors.Is(cause, errClosed)
	if ended && (o == OutcomeTimeout || o == OutcomeOverload || o == OutcomeInternal) {
		o = OutcomeAbandoned
	}
	e.outcome = o
	return e
}

// observe tells Options.Observe of a question that has ended.
func (r *Resolver) observe(a *Answer, err error, took time.Duration) {
	if r.opts.Observe == nil {
		return
	}
	q := Asked{Outcome: OutcomeInternal, Took: took}
	var failed *Error
	switch {
	case err == nil:
		q.Outcome = outcomeOfRCode(a.RCode)
	case errors.As(err, &failed) && failed.outcome != "":
		q.Outcome = failed.outcome
	}
	r.opts.Observe(q)
}

// Probe asks servers whatever the cache has, and keeps nothing. The error, an *Error,
// says why there is no answer; NXDOMAIN is one.
func (r *Resolver) Probe(ctx context.Context, name string, qtype uint16) error {
	name, why := canonical(name)
	if why != "" {
		return &Error{Name: name, Type: qtype, Err: ErrName, Why: why}
	}
	k := key{name, qtype}
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Deadline, errDeadline)
	defer cancel()
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return temporary(k, errClosed.Error())
	}
	ended := make(chan error, 1)
	r.wg.Go(func() {
		_, err := r.ask(ctx, k)
		ended <- err
	})
	r.mu.Unlock()
	defer context.AfterFunc(r.ctx, cancel)()
	return <-ended
}
