// Package replay judges records again under other rules, and counts what would change.
//
// It is pure: records come as a stream (Run) or one by one (Options.Judge), and the
// decision is policy.Decide, the one that the daemon takes. It asks no DNS. Where the
// new rules need what was not looked up then, or other options of verification would
// have shaped the evidence, the answer is CannotTell with its causes, never a guess.
//
// What Decide gives is compared with the verdict that the record has, which is what
// the rules of that time came to.
package replay

import (
	"slices"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// Options say under what records are judged again. They are read only.
type Options struct {
	Rules *policy.Rules
	// Shape is what the new configuration would verify with. The zero Shape is the one
	// that each record has.
	Shape record.Options
	// Relays are the trusted relays of the new configuration; nil leaves the client
	// that each record has.
	Relays Relays
	// Now is the time at which expiries and rollout dates are looked at; zero is each
	// message's own.
	Now time.Time
	// Prepare gives a record the form that Rules can judge, and leaves the one that it is
	// given unchanged; nil leaves all records as they are. It is called from many
	// goroutines.
	Prepare func(*record.Record) *record.Record
	// Enforced compares what would be done without monitor mode and rollout.
	Enforced bool
	// Against is what it is compared with: what would be done under these, in place of what
	// the MTA was told. nil is the latter.
	Against *Options
}

// Relays finds the client of a message by its Received chain. A *relay.Options is one.
type Relays interface {
	Find(client evidence.Client, hops []evidence.Hop) evidence.Client
}

// Kind says what would become of a message.
type Kind uint8

// The kinds. Each record has one.
const (
	Unchanged Kind = iota
	WouldRefuse
	WouldDefer
	WouldLetIn // it was refused or put off, and would be delivered, marked or not
	WouldMark  // it was delivered, and would be marked or held, or otherwise than it was
	WouldUnmark
	CannotTell
	// NotCounted: there is no verdict to compare with, as the MTA gave the message up.
	NotCounted
)

// Judgement is what a record comes to under other rules.
type Judgement struct {
	Kind     Kind
	From, To policy.Delivery
	// Was is the verdict that the new one is compared with.
	Was *policy.Verdict
	// Verdict is the new one. Where Kind is CannotTell it is the one without what is
	// not known.
	Verdict policy.Verdict
	// Causes say why it cannot be told; in order, each once.
	Causes []Cause
	// Result is that of DMARC; empty where there is none, or it is not known.
	Result evidence.Result
	// ByState: the outcome depends on what was kept of earlier tries (temperror_for), or on
	// a stage that was stopped then (stop_if).
	// BySample: it depends on the message's place in the sample, so on sampling_secret.
	ByState, BySample bool
	// OverLimit: the message was refused for a limit, before any rule. It stays so.
	OverLimit bool
}

// Changed reports whether another outcome is certain.
func (j *Judgement) Changed() bool { return j.Kind != Unchanged && j.Kind < CannotTell }

// Judge judges a record again. It is safe for concurrent use, and does not change r.
func (o *Options) Judge(r *record.Record) Judgement {
	whole := r
	if o.Prepare != nil {
		r = o.Prepare(r)
	}
	was := &r.Verdict
	j := Judgement{From: o.delivery(was), Was: was, OverLimit: was.Step == policy.StepLimit}
	switch {
	case r.Outcome.End == record.EndAborted || !was.Reached():
		j.Kind = NotCounted
		return j
	case j.OverLimit:
		j.Verdict, j.To = *was, j.From
		return j
	}
	if o.Against != nil {
		before := o.Against.Judge(whole)
		if before.Kind == CannotTell {
			return before
		}
		j.From, j.Was = before.To, &before.Verdict
	}
	ev := r.Evidence
	if was.Step == policy.StepInternal {
		j.Verdict = o.Rules.Failed(&ev)
		j.To = o.delivery(&j.Verdict)
		j.Kind = kindOf(j.From, j.To)
		return j
	}
	o.decide(&j, &ev, r)
	return j
}

// decide fills in what Decide says of ev, the evidence of r.
func (o *Options) decide(j *Judgement, ev *evidence.Message, r *record.Record) {
	doubts := o.doubts(ev, r) // at the message's own time
	o.shift(ev)
	j.Verdict = policy.Decide(ev, o.Rules)
	j.To = o.delivery(&j.Verdict)
	j.Result = policy.ResultOf(ev, &j.Verdict)
	j.Causes = missing(&j.Verdict, r)
	if len(doubts) > 0 && len(j.Causes) == 0 && o.differs(ev, doubts, j.To, r) {
		j.Causes = causesOf(doubts)
	}
	if len(j.Causes) > 0 {
		j.Kind = CannotTell
		return
	}
	j.Kind = kindOf(j.From, j.To)
	stopped := len(ev.Stopped) > 0 && (j.Verdict.Stage != "" || j.Was.Stage != "")
	j.ByState = j.Kind != Unchanged && (stopped || byState(&j.Verdict) || byState(j.Was))
	j.BySample = o.bySample(ev, j)
}

// shift moves a message to Options.Now, with what was kept of earlier tries.
func (o *Options) shift(ev *evidence.Message) {
	if o.Now.IsZero() {
		return
	}
	if !ev.FirstSeen.IsZero() {
		ev.FirstSeen = ev.FirstSeen.Add(o.Now.Sub(ev.Time))
	}
	ev.Time = o.Now
}

// delivery is the outcome that is compared.
func (o *Options) delivery(v *policy.Verdict) policy.Delivery {
	if o.Enforced && v.Monitor.Delivery != "" {
		return v.Monitor.Delivery
	}
	return v.Delivery
}

func kindOf(from, to policy.Delivery) Kind {
	kept := from == policy.Refuse || from == policy.DeliverDefer
	switch {
	case from == to:
		return Unchanged
	case to == policy.Refuse:
		return WouldRefuse
	case to == policy.DeliverDefer:
		return WouldDefer
	case kept:
		return WouldLetIn
	case to == policy.Deliver:
		return WouldUnmark
	}
	return WouldMark
}

// byState reports whether a verdict rests on earlier tries: it puts the message off, or
// lets it in for having waited.
func byState(v *policy.Verdict) bool { return v.Waited || v.Delivery == policy.DeliverDefer }

// bySample reports whether another place in the sample could bring another outcome: the
// decision then misses it.
func (o *Options) bySample(ev *evidence.Message, j *Judgement) bool {
	if ev.Sample < 0 || j.Verdict.NotJudged ||
		!slices.ContainsFunc(ev.DMARC, func(d evidence.DMARC) bool { return d.Result != evidence.Pass }) {
		return false
	}
	without := *ev
	without.Sample = -1
	v := policy.Decide(&without, o.Rules)
	return slices.Contains(v.Undecidable, policy.FactSample)
}
