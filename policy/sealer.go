package policy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"alignd/evidence"
)

// sealer is a Sealer made ready for matching.
type sealer struct {
	Sealer
	authors, recipients, servIDs set
	domains                      set
}

// maxInstances is the highest instance of a chain. RFC 8617 section 4.2.1.
const maxInstances = 50

func (c *compiler) trustedSealers(spec *Spec) {
	r := c.rules
	r.sealerIndex = map[pattern][]int32{}
	seen := map[string]bool{}
	for i, s := range spec.Sealers {
		e := entryRef{"sealer", s.ID, s.Source}
		if len(s.Domains) == 0 {
			c.fault(e, "domains: is missing")
			continue
		}
		fill(&s.ID, s.Domains[0])
		if seen[s.ID] {
			c.fault(e, "id: is used twice")
		}
		seen[s.ID] = true
		oneOf(c, e, "require", &s.Require, RequireDMARC, RequireDMARC, RequireAligned)
		y := sealer{Sealer: s,
			domains:    c.domainSet(e, "domains", s.Domains, parseProof),
			authors:    c.domainSet(e, "author_domains", s.AuthorDomains, parseDomain),
			recipients: c.domainSet(e, "recipients", s.Recipients, parseAddress),
			servIDs:    c.domainSet(e, "authserv_ids", s.ServIDs, parsePlain),
		}
		c.needsOrg(y.authors)
		for p := range y.domains {
			r.sealerIndex[p] = append(r.sealerIndex[p], int32(i))
		}
		r.sealers = append(r.sealers, y)
	}
	if len(r.sealers) < len(spec.Sealers) {
		r.sealerIndex = nil // a fault was reported
	}
}

// trusted returns the first Sealer that covers the ARC Set at position at
// (from 0), or nil. d= of the seal and of the message signature are both
// looked at.
func (d *decision) trusted(at int, dm *evidence.DMARC) *sealer {
	arc := &d.ev.ARC
	set := &arc.Sets[at]
	best := int32(-1)
	for p := range domainKeys(set.SealDomain) {
		for _, i := range d.rules.sealerIndex[p] {
			s := &d.rules.sealers[i]
			if (best < 0 || i < best) && d.covers(s, set, at == len(arc.Sets)-1, dm) {
				best = i
			}
		}
	}
	if best < 0 {
		return nil
	}
	return &d.rules.sealers[best]
}

// covers checks what narrows the trust in a Sealer.
func (d *decision) covers(s *sealer, set *evidence.ARCSet, newest bool, dm *evidence.DMARC) bool {
	return d.uncovered(s, set, newest, dm) == ""
}

// uncovered says what keeps a Sealer's entry from covering an ARC Set that its
// domain sealed; empty when nothing does.
func (d *decision) uncovered(s *sealer, set *evidence.ARCSet, newest bool, dm *evidence.DMARC) string {
	switch {
	case !s.domains.hasAny(domainKeys(set.MessageDomain)):
		return "its ARC-Message-Signature is of another domain"
	case len(s.Selectors) > 0 && !slices.ContainsFunc(s.Selectors, func(x string) bool { return strings.EqualFold(x, set.SealSelector) }):
		return "its selector is not listed"
	case newest && len(s.Clients) > 0 && !holds(s.Clients, d.ev.Client.IP()):
		return "the client is not one of its clients"
	case s.authors != nil && (dm == nil || !s.authors.hasAny(authorKeys(dm.AuthorDomain, dm.OrgDomain))):
		return "the Author Domain is not one of its author_domains"
	case s.recipients != nil && (len(d.ev.Recipients) == 0 || !d.meets(onRecipient, s.recipients, Allow, dm)):
		return "a recipient is not one of its recipients"
	}
	return ""
}

// complete reports whether the chain was read whole, so that Sets[i-1] is
// instance i.
func complete(arc *evidence.ARC) bool {
	n := len(arc.Sets)
	if n == 0 || n > maxInstances || arc.Instances != n {
		return false
	}
	for i := range arc.Sets {
		if arc.Sets[i].Instance != i+1 {
			return false
		}
	}
	return true
}

// newestSealer is the id of the trusted Sealer that sealed the message last,
// in a chain that passes; "" when there is none.
func (d *decision) newestSealer(dm *evidence.DMARC) string {
	arc := &d.ev.ARC
	passed := arc.Result == evidence.Pass || d.hopeful && arc.Temporary
	if !passed || !complete(arc) {
		return ""
	}
	if s := d.trusted(len(arc.Sets)-1, dm); s != nil {
		return s.ID
	}
	return ""
}

// voucher is a trusted Sealer that found the message authenticated.
type voucher struct {
	by *sealer
	at int // position in ARC.Sets
	// temporary: only a temporary DNS error kept the chain from passing.
	temporary bool
}

// vouch looks for a trusted Sealer that vouches for the Author Domain (RFC
// 8617 section 7.2.1). Trust runs from the newest ARC Set down without a gap:
// an untrusted Sealer above could have invented what lies below. Of the sets so
// reached the oldest that speaks about the Author Domain counts.
func (d *decision) vouch(dm *evidence.DMARC) (voucher, bool) {
	arc := &d.ev.ARC
	passed := arc.Result == evidence.Pass
	if len(d.rules.sealers) == 0 || dm == nil || !passed && !arc.Temporary || !complete(arc) {
		return voucher{}, false
	}
	low := d.trustedFrom(dm)
	if !passed && low > 0 {
		return voucher{}, false
	}
	for at := low; at < len(arc.Sets); at++ {
		s := d.trusted(at, dm)
		if s.Unmodified && arc.OldestPass > at+1 {
			continue
		}
		switch s.sealed(&arc.Sets[at], dm).result {
		case evidence.Pass:
			return voucher{by: s, at: at, temporary: !passed}, true
		case evidence.Fail:
			return voucher{}, false
		}
	}
	return voucher{}, false
}

// trustedFrom is the position of the oldest ARC Set that trust reaches from the
// newest one down; the number of sets when the newest is not trusted.
func (d *decision) trustedFrom(dm *evidence.DMARC) int {
	low := len(d.ev.ARC.Sets)
	for low > 0 && d.trusted(low-1, dm) != nil {
		low--
	}
	return low
}

// comment is the reason comment of an override (RFC 8617 section 7.2.2): chain
// status, d= and s= of every seal, and the first set's client.
func (v voucher) comment(arc *evidence.ARC) string {
	b := []byte("arc=")
	b = append(b, arc.Result...)
	for i := len(arc.Sets) - 1; i >= 0 && len(b) < maxComment; i-- {
		n := strconv.Itoa(arc.Sets[i].Instance)
		b = append(b, " as["+n+"].d="+word(arc.Sets[i].SealDomain)+" as["+n+"].s="+word(arc.Sets[i].SealSelector)...)
	}
	if ip := remoteIP(arc.Sets[0].AAR); ip.IsValid() {
		b = append(b, " remote-ip[1]="+ip.String()...)
	}
	return string(b)
}

// maxComment bounds an override comment, in octets, before the last item; ours.
const maxComment = 1000

func remoteIP(aar *evidence.AuthResults) netip.Addr {
	if aar == nil {
		return netip.Addr{}
	}
	for i := range aar.Results {
		if ip, err := netip.ParseAddr(aar.Results[i].Value("smtp", "remote-ip")); err == nil {
			return ip.WithZone("")
		}
	}
	return netip.Addr{}
}

// aligned reports Identifier Alignment (RFC 9989 section 4.4) as far as
// Evidence tells the Organizational Domain.
func aligned(id string, dm *evidence.DMARC, strict bool) bool {
	switch {
	case id == "" || dm.AuthorDomain == "":
		return false
	case id == dm.AuthorDomain:
		return true
	case strict:
		return false
	}
	return family(id, dm)
}

// family reports whether id is the Author Domain, or one of the two lies below
// the other or both below the Organizational Domain.
func family(id string, dm *evidence.DMARC) bool {
	author, org, site := dm.AuthorDomain, dm.OrgDomain, dm.SiteDomain
	switch {
	case id == "" || author == "":
		return false
	case id == author || isBelow(id, author):
		return true
	case site != "" && !isBelow(author, id):
		return id == site || isBelow(id, site)
	case org != "":
		return id == org || isBelow(id, org)
	}
	return isBelow(author, id) && strings.Contains(id, ".")
}

// plainDomain is a domain as others write it, made comparable.
func plainDomain(s string) string {
	return strings.TrimSuffix(strings.ToLower(s), ".")
}
