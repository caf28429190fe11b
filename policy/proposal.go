package policy

import (
	"cmp"

	"alignd/evidence"
)

// outcome is what is done with a message, mildest first. The zero outcome is none.
type outcome uint8

const (
	open      outcome = iota // nothing is wanted
	delivered                // as it is
	tagged                   // with the tag field
	held                     // in the MTA's quarantine
	putOff                   // with a temporary reply
	refused
)

// proposal is what a step wants done with a message, and why. It is a value: a step
// returns a new one and changes none. One with the outcome open changes nothing, and
// may still tell what was missing.
type proposal struct {
	bound   bound
	outcome outcome
	// monitor is what would be done without the rollout; open where it holds nothing back.
	monitor outcome
	ties    bool // of two equal outcomes this one decides

	uncorroborated bool // a rejection was asked for, and no other signal spoke for it
	relayed        bool // a trusted relay would have bounced it, so it was replaced
	expired        bool // TempErrors.Expired took the place of a deferral
	missing        facts

	step      Step
	rule      string // the entry or option that wants it
	at        Source // where that stands
	recipient string // whose Profile wants it
	// reason is one sentence for the admin; that of an open outcome is added to the
	// reason of what stands.
	reason string

	// requested is what the Domain Owner asked for, and stepped why that is less than
	// what is published. A proposal that leaves requested empty keeps both.
	requested Requested
	stepped   OverrideReason
	// evaluation is the number of the evaluation that it is about, from 1; 0 keeps the
	// one that stands. rank is how bad that is: of two equal outcomes the worse decides.
	evaluation, rank int
	// local is why an exception, a Sealer or a temporary error changed the outcome.
	local   OverrideReason
	signals []Signal // that corroborate it
	sealer  string   // d= of the ARC Sealer that vouches
	stage   StageName

	reply  replyKind
	domain string          // for {domain}
	why    string          // for {reason}: nothing internal
	dm     *evidence.DMARC // what cause is about, where why is not enough; may be nil
}

// bound says how a proposal changes an outcome.
type bound uint8

const (
	atLeast bound = iota // it raises a milder outcome: a policy, a block entry
	atMost               // it lowers a worse one: an allow entry, a trusted Sealer
	instead              // it replaces any: a deferral, an address in front of another
)

// standing is what the steps came to so far.
type standing struct {
	proposal
	// policy is the outcome that steps 5 to 7 came to. Lenient entries lower that.
	policy outcome
}

// weigh joins a proposal to what stands, once it is what can be done behind a trusted
// relay. Every proposal of a step goes through it.
func (d decision) weigh(s *standing, p proposal) {
	if to := d.behindRelay(p.outcome); to != p.outcome {
		p.outcome, p.relayed = to, true
		p.reason += " Behind the trusted relay " + d.ev.Client.Relay + " it is handled otherwise, as the relay would have to keep or bounce it."
	}
	s.join(&p)
}

// behindRelay replaces what a trusted relay would have to turn into a bounce.
func (d decision) behindRelay(o outcome) outcome {
	id := d.ev.Client.Relay
	if id == "" || o < putOff {
		return o
	}
	y, ok := d.rules.relays[id]
	if !ok {
		y = Relay{Reject: Quarantine, Tempfail: Tempfail}
	}
	as := d.rules.handling.QuarantineAs
	if as == Reject {
		as = Tag
	}
	if o == refused {
		return y.Reject.outcome(as)
	}
	return y.Tempfail.outcome(as)
}

// join is the one rule of severity. A restrictive proposal raises the outcome to at
// least its own, a lenient one lowers that of the policy to at most its own. Of two
// that lower it as far, the one that was asked last decides.
func (s *standing) join(p *proposal) {
	missing, expired := s.missing|p.missing, s.expired || p.expired
	if s.yields(p) {
		requested, stepped, evaluation := s.requested, s.stepped, s.evaluation
		s.proposal = *p
		if p.requested == "" {
			s.requested, s.stepped = requested, stepped
		}
		s.evaluation = cmp.Or(p.evaluation, evaluation)
	} else {
		s.keep(p)
	}
	s.missing, s.expired = missing, expired
}

// yields reports whether p takes the place of what stands.
func (s *standing) yields(p *proposal) bool {
	switch {
	case p.outcome == open:
		return false
	case p.bound == instead:
		return true
	case p.bound == atMost:
		return p.outcome < s.policy && p.outcome <= s.outcome
	}
	return p.outcome > s.outcome || p.outcome == s.outcome && (p.ties || p.rank > s.rank)
}

// keep notes what p tells beside an outcome that it does not change. A lenient
// proposal also ends what a rollout held back above it.
func (s *standing) keep(p *proposal) {
	switch {
	case p.outcome == open:
		s.reason += p.reason
	case p.bound == atMost:
		s.sealer = cmp.Or(p.sealer, s.sealer)
		if s.monitor > p.outcome {
			s.monitor = open
		}
	}
}

// acts reports whether something else than delivery is wanted, or held back.
func (p *proposal) acts() bool { return p.outcome != delivered || p.monitor != open }

// again is p for another outcome of the same evaluation, without what belongs to the
// outcome alone.
func (p *proposal) again(b bound, to outcome) proposal {
	next := *p
	next.bound, next.outcome, next.monitor, next.relayed = b, to, open, false
	next.recipient, next.signals, next.local = "", nil, OverrideReason{}
	return next
}

// by names the entry that wants it.
func (p *proposal) by(step Step, id string, at Source) { p.step, p.rule, p.at = step, id, at }

// byOption names the option that wants it.
func (p *proposal) byOption(step Step, name string, rules *Rules) {
	p.by(step, name, rules.options[name])
}

// outcome is how an action is carried out, quarantine as as. The empty action is
// Accept.
func (a Action) outcome(as Action) outcome {
	if a == Quarantine {
		a = as
	}
	switch a {
	case Tag:
		return tagged
	case Hold:
		return held
	case Tempfail:
		return putOff
	case Reject:
		return refused
	}
	return delivered
}

// told says of each outcome what became of the message, and how the MTA is told.
var told = [...]struct {
	Disposition
	Delivery
}{
	delivered: {DispositionAccept, Deliver},
	tagged:    {DispositionQuarantine, DeliverTag},
	held:      {DispositionQuarantine, DeliverHold},
	putOff:    {DispositionTempfail, DeliverDefer},
	refused:   {DispositionReject, Refuse},
}

func (o outcome) delivery() Delivery       { return told[o].Delivery }
func (o outcome) disposition() Disposition { return told[o].Disposition }
