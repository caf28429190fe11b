package replay

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// Dimension is what changes are counted by.
type Dimension string

// The dimensions.
const (
	ByDomain Dimension = "domain" // Author Domain
	ByClient Dimension = "client" // its /24 or /48
	ByRule   Dimension = "rule"   // the rule that decided, and the one that would
)

// Counters count messages. The names of Named are those of bounds and JSON.
type Counters struct {
	Total            uint64 `json:"total"` // those with a verdict
	Unchanged        uint64 `json:"unchanged"`
	Changed          uint64 `json:"changed"`
	WouldRefuse      uint64 `json:"would_refuse"`
	RefusePassing    uint64 `json:"would_refuse_passing"`
	WouldDefer       uint64 `json:"would_defer"`
	WouldLetIn       uint64 `json:"would_let_in"`
	LetInFailing     uint64 `json:"would_let_in_failing"`
	WouldMark        uint64 `json:"would_mark"`
	MarkPassing      uint64 `json:"would_mark_passing"`
	WouldUnmark      uint64 `json:"would_unmark"`
	CannotTell       uint64 `json:"cannot_tell"`
	DependsOnState   uint64 `json:"depends_on_state"`
	DependsOnSample  uint64 `json:"depends_on_sample"`
	DecidedOtherwise uint64 `json:"decided_otherwise"` // same outcome, another rule or reply
	OverLimit        uint64 `json:"over_limit"`
	NotCounted       uint64 `json:"not_counted"`
	Unreadable       uint64 `json:"unreadable"`
}

// counterNames are the names of Counters in their order.
var counterNames = []string{"total", "unchanged", "changed", "would_refuse", "would_refuse_passing", "would_defer", "would_let_in",
	"would_let_in_failing", "would_mark", "would_mark_passing", "would_unmark", "cannot_tell", "depends_on_state", "depends_on_sample",
	"decided_otherwise", "over_limit", "not_counted", "unreadable"}

// all are the counters in the order of counterNames.
func (c *Counters) all() []*uint64 {
	return []*uint64{&c.Total, &c.Unchanged, &c.Changed, &c.WouldRefuse, &c.RefusePassing, &c.WouldDefer, &c.WouldLetIn,
		&c.LetInFailing, &c.WouldMark, &c.MarkPassing, &c.WouldUnmark, &c.CannotTell, &c.DependsOnState, &c.DependsOnSample,
		&c.DecidedOtherwise, &c.OverLimit, &c.NotCounted, &c.Unreadable}
}

// Named is a counter by its name.
func (c *Counters) Named(name string) (n uint64, ok bool) {
	i := slices.Index(counterNames, name)
	if i < 0 {
		return 0, false
	}
	return *c.all()[i], true
}

func (c *Counters) add(other *Counters) {
	to, from := c.all(), other.all()
	for i := range to {
		*to[i] += *from[i]
	}
}

// count adds a judgement.
func (c *Counters) count(j *Judgement) {
	if j.Kind == NotCounted {
		c.NotCounted++
		return
	}
	c.Total++
	passing, failing := j.Result == evidence.Pass, j.Result == evidence.Fail
	switch j.Kind {
	case Unchanged:
		c.Unchanged++
		c.DecidedOtherwise += one(j.Verdict.Rule != j.Was.Rule || j.Verdict.Step != j.Was.Step || j.Verdict.Reply != j.Was.Reply)
	case WouldRefuse:
		c.WouldRefuse++
		c.RefusePassing += one(passing)
	case WouldDefer:
		c.WouldDefer++
	case WouldLetIn:
		c.WouldLetIn++
		c.LetInFailing += one(failing)
	case WouldMark:
		c.WouldMark++
		c.MarkPassing += one(passing)
	case WouldUnmark:
		c.WouldUnmark++
	case CannotTell:
		c.CannotTell++
	}
	c.Changed += one(j.Changed())
	c.DependsOnState += one(j.ByState)
	c.DependsOnSample += one(j.BySample)
	c.OverLimit += one(j.OverLimit)
}

func one(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}

// Flip is a way in which outcomes change.
type Flip struct {
	From    policy.Delivery `json:"from"`
	To      policy.Delivery `json:"to"`
	Count   uint64          `json:"count"`
	Passing uint64          `json:"passing"` // of these, by DMARC
	Failing uint64          `json:"failing"`
	Samples []Sample        `json:"samples"` // the newest, those that pass first
}

// Sample is one message of a Flip.
type Sample struct {
	Token    string          `json:"token"`
	QueueID  string          `json:"queue_id"`
	Time     time.Time       `json:"time"`
	Domain   string          `json:"domain"`
	Client   netip.Addr      `json:"client"`
	DMARC    evidence.Result `json:"dmarc"`
	OldRule  string          `json:"old_rule"`
	Rule     string          `json:"rule"`
	Reason   string          `json:"reason"`
	ByState  bool            `json:"depends_on_state"`
	BySample bool            `json:"depends_on_sample"`
}

// Unknown is how many messages it cannot be told of for one Cause.
type Unknown struct {
	Cause
	Count   uint64   `json:"count"`
	Samples []Sample `json:"samples"`
}

// Group is what changes for one value of a Dimension.
type Group struct {
	Value string `json:"value"`
	Counters
}

// Grouping is what changes for each value of a Dimension, those of most messages first.
type Grouping struct {
	By     Dimension `json:"by"`
	Groups []Group   `json:"groups"`
}

// tally is what was counted, of a batch or of all.
type tally struct {
	opt      *RunOptions
	counters Counters
	first    time.Time // of the oldest and newest message
	last     time.Time
	flips    []*flip
	unknown  []*unknown
	groups   []*groups // one of each of opt.By
	problem  error     // the first record that cannot be read
}

// groups are those of a Dimension.
type groups struct {
	by    Dimension
	of    map[string]*Counters
	order []string // as they came
}

type flip struct {
	Flip
	pass, rest ring
}

type unknown struct {
	Unknown
	ring ring
}

// ring keeps the newest samples.
type ring []Sample

func (s *ring) add(most int, list ...Sample) {
	*s = append(*s, list...)
	if over := len(*s) - most; over > 0 {
		*s = slices.Delete(*s, 0, over)
	}
}

func newTally(o *RunOptions) *tally {
	t := &tally{opt: o}
	for _, by := range o.By {
		t.groups = append(t.groups, &groups{by: by, of: map[string]*Counters{}})
	}
	return t
}

// add counts a judgement.
func (t *tally) add(j *Judgement, r *record.Record) {
	t.seen(r.Evidence.Time)
	t.counters.count(j)
	if j.Kind == Unchanged || j.Kind == NotCounted {
		return
	}
	for _, g := range t.groups {
		g.at(g.value(j, r)).count(j)
	}
	if j.Kind == CannotTell {
		for _, c := range j.Causes {
			u := t.unknownOf(c)
			u.Count++
			u.ring.add(t.opt.Samples, t.sample(j, r)...)
		}
		return
	}
	f := t.flipOf(j.From, j.To)
	f.Count++
	f.Passing += one(j.Result == evidence.Pass)
	f.Failing += one(j.Result == evidence.Fail)
	if j.Result == evidence.Pass {
		f.pass.add(t.opt.Samples, t.sample(j, r)...)
	} else {
		f.rest.add(t.opt.Samples, t.sample(j, r)...)
	}
}

func (t *tally) seen(at time.Time) {
	if t.first.IsZero() || at.Before(t.first) {
		t.first = at
	}
	if at.After(t.last) {
		t.last = at
	}
}

// sample is none where none are wanted. Its texts are its own, as the record's memory
// is used again.
func (t *tally) sample(j *Judgement, r *record.Record) []Sample {
	if t.opt.Samples == 0 {
		return nil
	}
	ev := &r.Evidence
	return []Sample{{
		Token: strings.Clone(ev.Token), QueueID: strings.Clone(ev.QueueID), Time: ev.Time.UTC(), Domain: strings.Clone(r.AuthorDomain()),
		Client: ev.Client.IP(), DMARC: evidence.Result(strings.Clone(string(j.Result))),
		OldRule: strings.Clone(ruleOf(j.Was)), Rule: strings.Clone(ruleOf(&j.Verdict)), Reason: strings.Clone(j.Verdict.Reason),
		ByState: j.ByState, BySample: j.BySample,
	}}
}

// ruleOf names what decided: the rule, else the step.
func ruleOf(v *policy.Verdict) string { return cmp.Or(v.Rule, string(v.Step)) }

// value is what a message counts with.
func (g *groups) value(j *Judgement, r *record.Record) string {
	switch g.by {
	case ByDomain:
		return r.AuthorDomain()
	case ByClient:
		if n := evidence.NetworkOf(r.Evidence.Client.IP()); n.IsValid() {
			return n.String()
		}
		return ""
	}
	return ruleOf(j.Was) + " -> " + ruleOf(&j.Verdict)
}

// maxGroups is how many groups of a Dimension are told apart; ours. Those that come later are one,
// Others. A hundred thousand take about 30 MB.
const maxGroups = 100_000

// Others is the group of what came after maxGroups others.
const Others = "(others)"

func (g *groups) at(value string) *Counters {
	c := g.of[value]
	if c == nil && len(g.of) >= maxGroups && value != Others {
		return g.at(Others)
	}
	if c == nil {
		c = new(Counters)
		value = strings.Clone(value)
		g.of[value] = c
		g.order = append(g.order, value)
	}
	return c
}

// sorted are those of most messages first.
func (g *groups) sorted() Grouping {
	all := Grouping{By: g.by}
	for _, value := range g.order {
		all.Groups = append(all.Groups, Group{value, *g.of[value]})
	}
	slices.SortFunc(all.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Value, b.Value))
	})
	return all
}

func (t *tally) flipOf(from, to policy.Delivery) *flip {
	for _, f := range t.flips {
		if f.From == from && f.To == to {
			return f
		}
	}
	f := &flip{Flip: Flip{From: policy.Delivery(strings.Clone(string(from))), To: to}}
	t.flips = append(t.flips, f)
	return f
}

func (t *tally) unknownOf(c Cause) *unknown {
	for _, u := range t.unknown {
		if u.Cause == c {
			return u
		}
	}
	u := &unknown{Unknown: Unknown{Cause: c}}
	t.unknown = append(t.unknown, u)
	return u
}

// merge adds what a later batch counted.
func (t *tally) merge(b *tally) {
	t.counters.add(&b.counters)
	if !b.first.IsZero() {
		t.seen(b.first)
		t.seen(b.last)
	}
	for i, g := range b.groups {
		for _, value := range g.order {
			t.groups[i].at(value).add(g.of[value])
		}
	}
	for _, f := range b.flips {
		to := t.flipOf(f.From, f.To)
		to.Count, to.Passing, to.Failing = to.Count+f.Count, to.Passing+f.Passing, to.Failing+f.Failing
		to.pass.add(t.opt.Samples, f.pass...)
		to.rest.add(t.opt.Samples, f.rest...)
	}
	for _, u := range b.unknown {
		to := t.unknownOf(u.Cause)
		to.Count += u.Count
		to.ring.add(t.opt.Samples, u.ring...)
	}
	if t.problem == nil {
		t.problem = b.problem
	}
}

// result is what was counted, in an order that is the same each time: the most first.
func (t *tally) result() *Result {
	res := &Result{Counters: t.counters, First: t.first, Last: t.last, Problem: t.problem}
	for _, f := range t.flips {
		f.Samples = append(slices.Clone(f.pass), f.rest...)
		slices.Reverse(f.Samples[:len(f.pass)])
		slices.Reverse(f.Samples[len(f.pass):])
		f.Samples = f.Samples[:min(len(f.Samples), t.opt.Samples)]
		res.Flips = append(res.Flips, f.Flip)
	}
	slices.SortFunc(res.Flips, func(a, b Flip) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for _, u := range t.unknown {
		u.Samples = slices.Clone(u.ring)
		slices.Reverse(u.Samples)
		res.Unknown = append(res.Unknown, u.Unknown)
	}
	slices.SortFunc(res.Unknown, func(a, b Unknown) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.What, b.What))
	})
	for _, g := range t.groups {
		res.Groupings = append(res.Groupings, g.sorted())
	}
	return res
}
