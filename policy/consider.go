package policy

import "alignd/evidence"

// RuleKind is a kind of rule that an admin writes.
type RuleKind string

// The kinds, in the order of the steps that ask them.
const (
	KindNetwork   RuleKind = "network that is not judged"
	KindException RuleKind = "exception"
	KindSealer    RuleKind = "trusted sealer"
	KindDomain    RuleKind = "domain rule"
	KindProfile   RuleKind = "profile"
	KindStage     RuleKind = "rollout stage"
	KindSignal    RuleKind = "corroborating signal"
	KindOwn       RuleKind = "own domain"
)

// Fate is what became of a rule for one message.
type Fate string

// The fates.
const (
	Decided   Fate = "decided"        // the verdict is by it
	Held      Fate = "holds"          // it matches, and another decided, or nothing was to be changed
	Unmatched Fate = "does not match" // Considered.Why says why
	Unknown   Fate = "not known"      // what it needs was not looked up, or not answered
	Unasked   Fate = "not asked"      // the order of the steps leaves it out
)

// Considered is a rule that was looked at for a message, or several of one kind with
// one fate for one reason.
type Considered struct {
	Kind RuleKind
	ID   string // empty where it stands for several
	At   Source
	// Author is the Author Domain for which it was asked; empty where that does not matter.
	Author string
	Fate   Fate
	// Why says in words what did not hold first, or what it does. It may quote outside text.
	Why string
	// Unmet are the conditions that did not hold, or are not known; of exceptions only.
	Unmet []Unmet
	// Count is how many it stands for, where it names none; else 0.
	Count int
}

// Unmet is a condition of an exception that did not hold.
type Unmet struct {
	Key    string   // as it is written: proof.dkim
	Wanted []string // what the entry lists, at most maxShown
	Had    []string // what the message has for it, at most maxShown
	None   string   // in words why it has nothing
	Facts  []Fact   // that are missing; then it is not known whether it holds
}

// maxShown bounds how many values are told of a condition; ours.
const maxShown = 5

// NearMisses is how many rules of a kind that do not match Consider names; ours. The
// others are counted.
const NearMisses = 10

// Consider tells of each rule that step of Decide ask for the message whether it matched
// and why not, by the same conditions, in the order of the steps. Of the rules of a kind
// that do not match it names the nearest, at most NearMisses. It is pure.
func Consider(ev *evidence.Message, rules *Rules) []Considered {
	c := considering{decision: decision{ev: ev, rules: rules}, verdict: Decide(ev, rules)}
	to := c.audiences(nil)
	if c.client() {
		return c.list
	}
	if len(ev.DMARC) == 0 {
		c.author(nil, to)
	}
	for i := range ev.DMARC {
		c.author(&ev.DMARC[i], to)
	}
	return c.list
}

// considering gathers what Consider tells.
type considering struct {
	decision
	verdict Verdict
	list    []Considered
}

func (c *considering) add(x Considered) { c.list = append(c.list, x) }

// fate is Decided where the verdict is by this rule, for this Author Domain.
func (c *considering) fate(step Step, id string, dm *evidence.DMARC) Fate {
	v := &c.verdict
	if v.Step == step && v.Rule == id && (dm == nil || v.Evaluation == 0 || &c.ev.DMARC[v.Evaluation-1] == dm) {
		return Decided
	}
	return Held
}

// client is about step 1. It is true where that lets the message through.
func (c *considering) client() bool {
	p := c.notJudged()
	if p.outcome != open {
		c.add(Considered{Kind: KindNetwork, ID: p.rule, At: p.at, Fate: Decided, Why: "nothing else is asked for what this client sends"})
		return true
	}
	n := len(c.rules.notJudged.Networks)
	if n == 0 {
		return false
	}
	x := Considered{Kind: KindNetwork, Fate: Unmatched, Count: n, Why: "the client is not in them"}
	if p.missing != noFacts {
		x.Fate, x.Why = Unknown, "needs the "+string(p.missing.list()[0])
	}
	c.add(x)
	return false
}

// author is about steps 3 to 7 for one Author Domain.
func (c *considering) author(dm *evidence.DMARC, to []audience) {
	var s standing
	asked := c.unexcepted(dm, to, &s)
	why := ""
	if !asked {
		why = dm.AuthorDomain + " stands in front of an address of the same Organizational Domain"
	}
	c.exceptions(&c.rules.block, dm, why)
	if asked {
		switch x, _ := c.rules.block.find(c.decision, dm); {
		case x != nil:
			why = "the exception " + x.ID + " blocks, which prevails"
		case s.needsNoAllowing() && dm != nil && dm.Result == evidence.Pass:
			why = "the message passes DMARC"
		case s.needsNoAllowing():
			why = "nothing is done with the message that they could undo"
		}
	}
	c.exceptions(&c.rules.allow, dm, why)
	if dm == nil || dm.Result == evidence.Pass || !asked {
		return
	}
	c.sealers(dm)
	c.handling(dm, to)
	c.own(dm)
}

func authorOf(dm *evidence.DMARC) string {
	if dm == nil {
		return ""
	}
	return dm.AuthorDomain
}
