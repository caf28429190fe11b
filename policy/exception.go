package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// exception is an Exception made ready for matching.
type exception struct {
	*Exception
	kind    Kind
	sets    []set // one for each of conditions, nil where it is not asked for; nil for networks
	scoped  bool  // it is about certain mail only
	clients []netip.Prefix
}

// exceptions is the ordered list of one kind of entries. Each entry is filed
// under one of its conditions, the one whose values the fewest entries share,
// so a message looks at the few entries that can match it.
type exceptions struct {
	kind     Kind
	list     []exception
	byKey    []map[pattern][]int32 // one for each of conditions
	byClient prefixTable
}

// maxReason is how long text of an entry may be that gets into a verdict.
const maxReason = 400

func (c *compiler) exceptions(spec *Spec) {
	c.rules.entries = slices.Clone(spec.Exceptions)
	seen := make(map[string]bool, len(spec.Exceptions))
	for i := range c.rules.entries {
		x := &c.rules.entries[i]
		e := entryRef{"exception", x.ID, x.Source, "exceptions", i + 1}
		if x.ID == "" {
			c.fault(e, "id", "is missing; the log names entries by it")
		} else if seen[x.ID] {
			c.fault(e, "id", "is used twice")
		}
		seen[x.ID] = true
		c.exception(e, x)
	}
	c.rules.block.kind, c.rules.allow.kind = Block, Allow
	c.rules.block.file()
	c.rules.allow.file()
}

// exception checks one entry and adds it to its list.
func (c *compiler) exception(e entryRef, x *Exception) {
	if x.Action == "" {
		c.fault(e, "action", "is missing; one of accept, tag, hold, quarantine, tempfail, reject")
		if x.Action = Reject; x.Kind == Allow { // what fits all else that it says
			x.Action = Accept
		}
	}
	oneOf(c, e, "action", &x.Action, Accept, anyAction...)
	kind := x.Kind
	def := Block
	if x.Action == Accept || x.Action == Tag {
		def = Allow
	}
	oneOf(c, e, "kind", &kind, def, Allow, Block)
	oneOf(c, e, "override", &x.Override, OverrideLocalPolicy,
		OverrideLocalPolicy, OverrideMailingList, OverrideTrustedForwarder, OverrideOther)
	if kind == Block && x.Action == Accept {
		c.fault(e, "action", "a block entry with the action accept does nothing")
	}
	if kind == Allow && x.Action == Reject {
		c.fault(e, "action", "an allow entry with the action reject does nothing")
	}
	if x.Expires.IsZero() == !x.NeverExpires {
		c.fault(e, "expires", "set a date, or never_expires: true, and not both")
	}
	if len(x.Reason) > maxReason {
		c.fault(e, "reason", "is longer than %d octets", maxReason)
	}
	y := exception{Exception: x, kind: kind, clients: x.Proof.Clients, sets: make([]set, len(conditions))}
	for k := range conditions {
		c.condition(e, &y, k)
	}
	c.proof(e, &y)
	to := &c.rules.allow
	if kind == Block {
		to = &c.rules.block
	}
	to.list = append(to.list, y)
}

// condition reads what an entry lists for one of conditions.
func (c *compiler) condition(e entryRef, y *exception, k int) {
	of := &conditions[k]
	if of.list == nil {
		return
	}
	s := c.domainSet(e, of.key, of.list(y.Exception), func(text string) (pattern, error) { return of.parse(c, text) })
	if s == nil {
		return
	}
	y.sets[k] = s
	y.scoped = y.scoped || !of.proof()
	c.rules.needs.IPRev = c.rules.needs.IPRev || of.needs.IPRev
	switch {
	case y.kind == Allow:
		c.needsOrg(s)
	case of.wider != nil:
		of.wider(s)
	}
}

// proof refuses an entry that anybody could use, and one that names nothing.
func (c *compiler) proof(e entryRef, y *exception) {
	for i, net := range y.clients {
		switch {
		case !net.IsValid():
			c.fault(e, item("proof.clients", i), "the network is not valid")
		case isUniversal(net):
			c.fault(e, item("proof.clients", i), "%s holds for anybody, so it proves nothing", net)
		}
	}
	proven := len(y.clients) > 0
	var scope, proofs []string
	for k := range conditions {
		switch of := &conditions[k]; {
		case of.proof():
			proofs = append(proofs, of.name())
			proven = proven || y.sets[k] != nil
		case y.sets[k] != nil:
			scope = append(scope, of.name())
		}
	}
	last := len(proofs) - 1
	switch {
	case proven || y.kind == Block && scope != nil:
	case scope == nil:
		c.fault(e, "proof", "there is none, and no scope, so it would hold for all mail")
	default:
		c.fault(e, "proof", "is missing: it allows by %s only, which any sender can write; add %s or %s",
			strings.Join(scope, " and "), strings.Join(proofs[:last], ", "), proofs[last])
	}
}

// file builds the index, once the list is complete.
func (x *exceptions) file() {
	users := make([]map[pattern]int, len(conditions))
	networks := map[netip.Prefix]int{}
	x.byKey = make([]map[pattern][]int32, len(conditions))
	for i := range x.list {
		for k, s := range x.list[i].sets {
			for p := range s {
				if users[k] == nil {
					users[k] = map[pattern]int{}
				}
				if p.kind != someLocal { // which no message has that is judged for the first time
					users[k][p]++
				}
			}
		}
		for _, n := range x.list[i].clients {
			networks[unmapPrefix(n).Masked()]++
		}
	}
	for i := range x.list {
		x.fileEntry(int32(i), users, networks)
	}
}

// fileEntry files one entry under its rarest condition.
func (x *exceptions) fileEntry(i int32, users []map[pattern]int, networks map[netip.Prefix]int) {
	e := &x.list[i]
	best, fewest := -1, 0
	consider := func(k, n int) {
		if best < 0 || n < fewest {
			best, fewest = k, n
		}
	}
	if len(e.clients) > 0 {
		n := 0
		for _, p := range e.clients {
			n = max(n, networks[unmapPrefix(p).Masked()])
		}
		consider(slices.IndexFunc(conditions, func(c condition) bool { return c.list == nil }), n)
	}
	for k, s := range e.sets {
		if s != nil {
			n := 0
			for p := range s {
				n = max(n, users[k][p])
			}
			consider(k, n)
		}
	}
	switch {
	case best < 0: // no condition: a fault that was reported
	case conditions[best].list == nil:
		for _, p := range e.clients {
			x.byClient.add(p, i)
		}
	default:
		if x.byKey[best] == nil {
			x.byKey[best] = map[pattern][]int32{}
		}
		for p := range e.sets[best] {
			x.byKey[best][p] = append(x.byKey[best][p], i)
		}
	}
}

// filed reports whether an entry is filed under one of conditions.
func (x *exceptions) filed(k int) bool {
	if conditions[k].list == nil {
		return x.byClient.values != nil
	}
	return x.byKey[k] != nil
}
