package policy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// condition is a kind of condition of an exception.
type condition uint8

const (
	onAuthor condition = iota
	onClient
	onDKIM
	onSPF
	onPTR
	onMailFrom
	onRecipient
	onList
	onSealer
	conditions
)

// exception is an Exception made ready for matching. Each condition is nil
// when it is not asked for.
type exception struct {
	*Exception
	kind    Kind
	sets    [conditions]set // all but onClient
	clients []netip.Prefix
}

// exceptions is the ordered list of one kind of entries. Each entry is filed
// under one of its conditions, the one whose values the fewest entries share,
// so a message looks at the few entries that can match it.
type exceptions struct {
	kind     Kind
	list     []exception
	byKey    [conditions]map[pattern][]int32
	byClient prefixTable
}

// maxReason is how long text of an entry may be that gets into a verdict.
const maxReason = 400

func (c *compiler) exceptions(spec *Spec) {
	c.rules.entries = slices.Clone(spec.Exceptions)
	seen := make(map[string]bool, len(spec.Exceptions))
	for i := range c.rules.entries {
		x := &c.rules.entries[i]
		e := entryRef{"exception", x.ID, x.Source}
		if x.ID == "" {
			c.fault(e, "id: is missing; the log names entries by it")
		} else if seen[x.ID] {
			c.fault(e, "id: is used twice")
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
		c.fault(e, "action: is missing; one of %v", anyAction)
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
		c.fault(e, "a block entry with the action accept does nothing")
	}
	if kind == Allow && x.Action == Reject {
		c.fault(e, "an allow entry with the action reject does nothing")
	}
	if x.Expires.IsZero() == !x.NeverExpires {
		c.fault(e, "expires: set a date, or never_expires: true, and not both")
	}
	if len(x.Reason) > maxReason {
		c.fault(e, "reason: is longer than %d octets", maxReason)
	}
	y := exception{Exception: x, kind: kind, clients: x.Proof.Clients}
	s := &y.sets
	s[onAuthor] = c.domainSet(e, "scope.author_domains", x.Scope.AuthorDomains, parseDomain)
	s[onMailFrom] = c.domainSet(e, "scope.mail_from", x.Scope.MailFrom, parseAddress)
	s[onRecipient] = c.domainSet(e, "scope.recipients", x.Scope.Recipients, parseAddress)
	s[onList] = c.domainSet(e, "scope.list_ids", x.Scope.ListIDs, parseList)
	s[onPTR] = c.domainSet(e, "proof.ptr", x.Proof.PTR, parseProof)
	s[onDKIM] = c.domainSet(e, "proof.dkim", x.Proof.DKIM, parseProof)
	s[onSPF] = c.domainSet(e, "proof.spf", x.Proof.SPF, parseProof)
	s[onSealer] = c.sealerSet(e, x.Proof.Sealers)
	c.proof(e, kind, x)
	if len(x.Proof.PTR) > 0 {
		c.rules.needs.IPRev = true
	}
	if kind == Allow {
		c.needsOrg(s[onAuthor])
	}
	to := &c.rules.allow
	if kind == Block {
		to = &c.rules.block
		for p := range hostPatterns(maps.Clone(s[onRecipient])) {
			s[onRecipient][p] = struct{}{}
		}
	}
	to.list = append(to.list, y)
}

// proof refuses an entry that anybody could use, and one that names nothing.
func (c *compiler) proof(e entryRef, kind Kind, x *Exception) {
	p := &x.Proof
	for _, net := range p.Clients {
		switch {
		case !net.IsValid():
			c.fault(e, "proof.clients: a network is not valid")
		case isUniversal(net):
			c.fault(e, "proof.clients: %s holds for anybody, so it proves nothing", net)
		}
	}
	proven := len(p.Clients)+len(p.PTR)+len(p.DKIM)+len(p.SPF)+len(p.Sealers) > 0
	var scope []string
	for _, k := range []struct {
		name string
		list []string
	}{
		{"author_domains", x.Scope.AuthorDomains}, {"mail_from", x.Scope.MailFrom},
		{"recipients", x.Scope.Recipients}, {"list_ids", x.Scope.ListIDs},
	} {
		if len(k.list) > 0 {
			scope = append(scope, k.name)
		}
	}
	switch {
	case proven || kind == Block && scope != nil:
	case scope == nil:
		c.fault(e, "has neither scope nor proof, so it would hold for all mail")
	default:
		c.fault(e, "allows by %s only, which any sender can write; add a proof: clients, ptr, dkim, spf or sealers",
			strings.Join(scope, " and "))
	}
}

func (c *compiler) sealerSet(e entryRef, ids []string) set {
	if len(ids) == 0 {
		return nil
	}
	s := make(set, len(ids))
	for _, id := range ids {
		if !slices.ContainsFunc(c.rules.sealers, func(s sealer) bool { return s.ID == id }) {
			c.fault(e, "proof.sealers: no trusted sealer has the id %q", id)
		}
		s[pattern{exactDomain, id}] = struct{}{}
	}
	return s
}

// file builds the index, once the list is complete.
func (x *exceptions) file() {
	var users [conditions]map[pattern]int
	networks := map[netip.Prefix]int{}
	for i := range x.list {
		for k, s := range x.list[i].sets {
			for p := range s {
				if users[k] == nil {
					users[k] = map[pattern]int{}
				}
				users[k][p]++
			}
		}
		for _, n := range x.list[i].clients {
			networks[unmapPrefix(n).Masked()]++
		}
	}
	for i := range x.list {
		x.fileEntry(int32(i), &users, networks)
	}
}

// fileEntry files one entry under its rarest condition.
func (x *exceptions) fileEntry(i int32, users *[conditions]map[pattern]int, networks map[netip.Prefix]int) {
	e := &x.list[i]
	best, fewest := conditions, 0
	consider := func(k condition, n int) {
		if best == conditions || n < fewest {
			best, fewest = k, n
		}
	}
	if len(e.clients) > 0 {
		n := 0
		for _, p := range e.clients {
			n = max(n, networks[unmapPrefix(p).Masked()])
		}
		consider(onClient, n)
	}
	for k, s := range e.sets {
		if s != nil {
			n := 0
			for p := range s {
				n = max(n, users[k][p])
			}
			consider(condition(k), n)
		}
	}
	switch best {
	case conditions: // no condition: a fault that was reported
	case onClient:
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

// filed reports whether an entry is filed under k.
func (x *exceptions) filed(k condition) bool {
	if k == onClient {
		return x.byClient.values != nil
	}
	return x.byKey[k] != nil
}
