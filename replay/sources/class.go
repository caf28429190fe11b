package sources

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/policy"
)

// kind is what an entry would be.
type kind uint8

const (
	vendor kind = iota // exception for one Author Domain and a signer
	list               // exception for a list and its signer
	sealer             // trusted_sealers
	relay              // trusted_relays
)

// classKey is failing mail that one entry would be for.
type classKey struct {
	kind   kind
	author string // of vendor
	list   string // of list: the List-Id
	signer string // SDID, d= of the seal, or the address of a relay
	sender string // MAIL FROM domain that passes SPF; empty for none, and for sealer
}

// Bounds of what is kept of one class; ours.
const (
	maxAddresses = 32
	maxAuthors   = 64
	maxClasses   = 10000
)

// class is what is known of such mail. Only what failed and was not delivered as it is
// counts.
type class struct {
	key         classKey
	messages    int
	first, last time.Time
	days        daySet
	from        tally // infrastructures
	addresses   table[netip.Addr, int]
	authors     table[string, member]
	servIDs     tally
	modified    bool // of sealer: a message was changed since
	mediator    bool // the signer also seals, or sends on
	asList      bool // of vendor: it calls itself a list of the signer
	own         bool // an Author Domain is the site's
}

// member is an Author Domain within a list or behind a sealer.
type member struct {
	messages int
	days     daySet
}

func (s *Survey) class(k classKey) *class {
	c, isNew := s.classes.at(k)
	if isNew {
		count := func(n *int) int { return *n }
		c.key = k
		c.addresses = table[netip.Addr, int]{max: maxAddresses, weight: count}
		c.authors = table[string, member]{max: maxAuthors, weight: func(m *member) int { return m.messages }}
	}
	return c
}

// sort files a failing message under the classes that it is of.
func (s *Survey) sort(ev *evidence.Message, dm *evidence.DMARC, own bool, infrastructure string) {
	sender := senderOf(ev)
	s.gatewayOf(ev, dm, own, infrastructure)
	if d, set := s.vouchedSeal(ev, dm); d != "" {
		c := s.class(classKey{kind: sealer, signer: d})
		c.add(ev, dm, own, infrastructure)
		c.servIDs.add(plainServID(set.AAR))
		c.modified = c.modified || ev.ARC.OldestPass > len(ev.ARC.Sets)
		if s.speaksForSealer(sender, d) {
			c.at(ev)
		}
		return // what a seal vouches for needs no exception
	}
	for _, signer := range strangers(ev, dm) {
		id := strings.ToLower(ev.Traces.ListID)
		if isAtOrBelow(id, signer) && slices.Contains(s.opt.Trust, id) {
			c := s.class(classKey{kind: list, list: id, signer: signer, sender: sender})
			c.add(ev, dm, own, infrastructure)
			c.mediator = c.mediator || s.mediates(ev, signer)
			continue
		}
		c := s.class(classKey{kind: vendor, author: dm.AuthorDomain, signer: signer, sender: sender})
		c.add(ev, dm, own, infrastructure)
		c.at(ev)
		c.mediator = c.mediator || s.mediates(ev, signer)
		c.asList = c.asList || isAtOrBelow(id, signer)
	}
}

func (c *class) add(ev *evidence.Message, dm *evidence.DMARC, own bool, infrastructure string) {
	c.messages++
	c.first, c.last = earlier(c.first, ev.Time), later(c.last, ev.Time)
	c.days.add(ev.Time)
	c.from.add(infrastructure)
	c.own = c.own || own
	m, _ := c.authors.at(dm.AuthorDomain)
	m.messages++
	m.days.add(ev.Time)
}

// at notes the address that the message came from.
func (c *class) at(ev *evidence.Message) {
	if ip := ev.Client.IP(); ip.IsValid() {
		note(&c.addresses, ip.Unmap().WithZone(""))
	}
}

// severity orders deliveries by what a message loses.
func severity(d policy.Delivery) int {
	switch d {
	case policy.DeliverTag:
		return 1
	case policy.DeliverHold:
		return 2
	case policy.DeliverDefer:
		return 3
	case policy.Refuse:
		return 4
	}
	return 0
}

// vouchedSeal is d= of the newest seal of a passing chain whose results say that the
// Author Domain passed DMARC, where the admin trusts that domain.
func (s *Survey) vouchedSeal(ev *evidence.Message, dm *evidence.DMARC) (d string, set *evidence.ARCSet) {
	d = newestSealer(&ev.ARC)
	if d == "" || !plainName(d) || !s.trusted(d) {
		return "", nil
	}
	set = &ev.ARC.Sets[len(ev.ARC.Sets)-1]
	if set.MessageDomain != d || set.AAR == nil {
		return "", nil
	}
	for i := range set.AAR.Results {
		m := &set.AAR.Results[i]
		if m.Method == "dmarc" && m.Result == "pass" && m.Value("header", "from") == dm.AuthorDomain {
			return d, set
		}
	}
	return "", nil
}

// speaksForSealer reports whether a MAIL FROM domain that passes SPF shows that a Sealer
// itself delivers: it is the Sealer's, or one above it, or the admin trusts it. One below
// it may be that of a customer.
func (s *Survey) speaksForSealer(sender, d string) bool {
	return sender != "" && (isAtOrBelow(d, sender) && s.opt.Organization(sender) != "" || s.trusted(sender))
}

// mediates reports whether a signer only sends on what others wrote: then its signature
// says nothing of who that was.
func (s *Survey) mediates(ev *evidence.Message, signer string) bool {
	return ev.Traces.Resent || ev.Traces.Forwarded || slices.ContainsFunc(ev.ARC.Sets, func(set evidence.ARCSet) bool {
		return s.sameOrg(set.SealDomain, signer)
	})
}

func (s *Survey) sameOrg(a, b string) bool {
	return a == b || s.opt.Organization(a) != "" && s.opt.Organization(a) == s.opt.Organization(b)
}

// trusted reports whether the admin names a domain. That one of own_domains is the site's
// is not enough: somebody else may have a name below it.
func (s *Survey) trusted(d string) bool { return slices.Contains(s.opt.Trust, d) }

// plainServID is the authserv-id of results, where it is a domain.
func plainServID(a *evidence.AuthResults) string {
	if a != nil && plainName(a.ServID) {
		return a.ServID
	}
	return ""
}
