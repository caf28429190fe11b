package policy

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"alignd/evidence"
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
		c.rules.iprev = true
	}
	to := &c.rules.allow
	if kind == Block {
		to = &c.rules.block
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
			c.fault(e, "proof.clients: %s %v", net, errPatternAny)
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

// find returns the first entry that matches the message for the Author Domain
// of dm (nil when there is none). fact names an observation that entries need
// and that was not made.
func (x *exceptions) find(d *decision, dm *evidence.DMARC) (found *exception, fact Fact) {
	if len(x.list) == 0 {
		return nil, NoFact
	}
	best := int32(len(x.list))
	try := func(list []int32) {
		for _, i := range list {
			if i >= best {
				return
			}
			ok, missing := d.matches(&x.list[i], dm)
			if ok {
				best = i
				return
			}
			if missing != NoFact {
				fact = missing
			}
		}
	}
	for k := range conditions {
		if !x.filed(k) {
			continue
		}
		if missing := d.unknown(k); missing != NoFact {
			fact = missing
			continue
		}
		if k == onClient {
			x.byClient.each(d.ev.Client.IP(), try)
			continue
		}
		for keys := range d.keys(k, dm) {
			for p := range keys {
				try(x.byKey[k][p])
			}
		}
	}
	if best == int32(len(x.list)) {
		return nil, fact
	}
	return &x.list[best], fact
}

// matches reports whether all conditions of x hold. fact is set when only an
// observation that was not made stands in the way.
func (d *decision) matches(x *exception, dm *evidence.DMARC) (ok bool, fact Fact) {
	if x.expired(d.ev.Time) {
		return false, NoFact
	}
	if len(x.clients) > 0 {
		if missing := d.unknown(onClient); missing != NoFact {
			fact = missing
		} else if !holds(x.clients, d.ev.Client.IP()) {
			return false, NoFact
		}
	}
	for k, s := range x.sets {
		if s == nil {
			continue
		}
		if missing := d.unknown(condition(k)); missing != NoFact {
			fact = missing
			continue
		}
		if !d.meets(condition(k), s, x.kind, dm) {
			return false, NoFact
		}
	}
	return fact == NoFact, fact
}

// meets reports whether the message meets one condition. An allow entry wants
// every recipient in its scope, everything else one value.
func (d *decision) meets(k condition, s set, kind Kind, dm *evidence.DMARC) bool {
	every := k == onRecipient && kind == Allow
	n := 0
	for keys := range d.keys(k, dm) {
		n++
		if s.hasAny(keys) != every {
			return !every
		}
	}
	return every && n > 0
}

// unknown names the fact that a condition needs and that was not looked up.
func (d *decision) unknown(k condition) Fact {
	switch {
	case k == onClient && !d.ev.Client.IP().IsValid():
		return FactClient
	case k == onPTR && d.ev.IPRev.Result == evidence.NotChecked:
		return FactIPRev
	case k == onSPF && d.ev.SPF.MailFrom == nil && d.ev.SPF.HELO == nil:
		return FactSPF
	case k == onSealer && d.ev.ARC.Result == evidence.NotChecked:
		return FactARC
	case k == onRecipient && len(d.ev.Recipients) == 0:
		return FactRecipients
	}
	return NoFact
}

// keys yields, for each value that the message has for a condition, the
// patterns that this value matches.
func (d *decision) keys(k condition, dm *evidence.DMARC) iter.Seq[iter.Seq[pattern]] {
	return func(yield func(iter.Seq[pattern]) bool) {
		ev := d.ev
		switch k {
		case onAuthor:
			if dm != nil {
				yield(authorKeys(dm.AuthorDomain, dm.OrgDomain))
			}
		case onMailFrom:
			yield(addressKeys(d.mailFrom(), ""))
		case onRecipient:
			for i := range ev.Recipients {
				if !yield(addressKeys(ev.Recipients[i].Address, d.rules.delimiters)) {
					return
				}
			}
		case onList:
			yield(listKeys(ev.Traces.ListID))
		case onPTR:
			for _, name := range ev.IPRev.Names {
				if ev.IPRev.Result == evidence.Pass && !yield(domainKeys(name)) {
					return
				}
			}
		case onDKIM:
			for i := range ev.DKIM {
				if ev.DKIM[i].Result == evidence.Pass && !yield(domainKeys(ev.DKIM[i].Domain)) {
					return
				}
			}
		case onSPF:
			if s := ev.SPF.MailFrom; s != nil && s.Result == evidence.Pass {
				yield(domainKeys(s.Domain))
			}
		case onSealer:
			if id := d.newestSealer(dm); id != "" {
				yield(func(yield func(pattern) bool) { yield(pattern{exactDomain, id}) })
			}
		}
	}
}

// mailFrom is the reverse-path with its domain normalized.
func (d *decision) mailFrom() string {
	local, domain, ok := cutAddress(d.ev.MailFrom)
	if !ok || d.ev.MailFromDomain == "" || domain == d.ev.MailFromDomain {
		return d.ev.MailFrom
	}
	return local + "@" + d.ev.MailFromDomain
}

// holds reports whether one of the networks holds ip.
func holds(list []netip.Prefix, ip netip.Addr) bool {
	if !ip.IsValid() {
		return false
	}
	ip = ip.Unmap().WithZone("")
	for _, p := range list {
		if unmapPrefix(p).Contains(ip) {
			return true
		}
	}
	return false
}
