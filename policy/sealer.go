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
		e := entryRef{"sealer", s.ID, s.Source, "trusted_sealers", i + 1}
		if len(s.Domains) == 0 {
			c.fault(e, "domains", "is missing")
		} else {
			fill(&s.ID, s.Domains[0])
		}
		if seen[s.ID] {
			c.fault(e, "id", "is used twice")
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
		c.rules.needs.OrgDomain = c.rules.needs.OrgDomain || s.Require == RequireAligned
		for p := range y.domains {
			r.sealerIndex[p] = append(r.sealerIndex[p], int32(i))
		}
		r.sealers = append(r.sealers, y)
	}
}

// trusted returns the first Sealer that covers the ARC Set at position at
// (from 0), or nil and what is not known of those that might. d= of the seal and
// of the message signature are both looked at.
func (d decision) trusted(at int, dm *evidence.DMARC) (by *sealer, missing facts) {
	arc := &d.ev.ARC
	set := &arc.Sets[at]
	best := int32(-1)
	for p := range domainKeys(set.SealDomain) {
		for _, i := range d.rules.sealerIndex[p] {
			s := &d.rules.sealers[i]
			if best >= 0 && i >= best {
				continue
			}
			why, unknown := d.uncovered(s, set, at == len(arc.Sets)-1, dm)
			if why == "" && unknown == noFacts {
				best = i
			}
			missing |= unknown
		}
	}
	if best < 0 {
		return nil, missing
	}
	return &d.rules.sealers[best], noFacts
}

// uncovered says what keeps a Sealer's entry from covering an ARC Set that its
// domain sealed; empty when nothing does. missing is set when only observations
// that were not made do.
func (d decision) uncovered(s *sealer, set *evidence.ARCSet, newest bool, dm *evidence.DMARC) (why string, missing facts) {
	if newest && len(s.Clients) > 0 {
		missing |= d.clientUnknown()
	}
	if s.authors != nil {
		missing |= d.orgWanted(s.authors, dm)
	}
	if s.recipients != nil {
		_, lost := d.every(s.recipients, Allow, dm, recipientValue)
		missing |= recipientsUnknown(d, dm) | lost
	}
	if why = d.outside(s, set, newest, dm, missing); why != "" {
		return why, noFacts
	}
	return "", missing
}

// outside is the part of uncovered that needs none of the missing facts.
func (d decision) outside(s *sealer, set *evidence.ARCSet, newest bool, dm *evidence.DMARC, missing facts) string {
	switch {
	case !s.domains.hasAny(domainKeys(set.MessageDomain)):
		return "its ARC-Message-Signature is of another domain"
	case len(s.Selectors) > 0 && !slices.ContainsFunc(s.Selectors, func(x string) bool { return strings.EqualFold(x, set.SealSelector) }):
		return "its selector is not listed"
	case newest && len(s.Clients) > 0 && missing&(noClient|noReceived) == 0 && !holds(s.Clients, d.ev.Client.IP()):
		return "the client is not one of its clients"
	case s.authors != nil && missing&(noOrg|unansweredOrg) == 0 && (dm == nil || !d.isAuthor(s.authors, dm)):
		return "the Author Domain is not one of its author_domains"
	case s.recipients != nil && missing&(noRecipients|noLocalParts) == 0 && !d.allRecipients(s.recipients, dm):
		return "a recipient is not one of its recipients"
	}
	return ""
}

func (d decision) isAuthor(s set, dm *evidence.DMARC) bool {
	ok, _ := d.some(s, Allow, dm, authorValue)
	return ok
}

func (d decision) allRecipients(s set, dm *evidence.DMARC) bool {
	ok, _ := d.every(s, Allow, dm, recipientValue)
	return ok
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
// in a chain that passes; "" when there is none, and what is not known of it.
func (d decision) newestSealer(dm *evidence.DMARC) (id string, missing facts) {
	arc := &d.ev.ARC
	if arc.Result == evidence.NotChecked {
		return "", noARC
	}
	passed := arc.Result == evidence.Pass || d.hopeful && arc.Temporary
	if !passed || !complete(arc) {
		return "", noFacts
	}
	s, missing := d.trusted(len(arc.Sets)-1, dm)
	if s == nil {
		return "", missing
	}
	return s.ID, noFacts
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
// missing is what keeps a Sealer from vouching that was not looked up.
func (d decision) vouch(dm *evidence.DMARC) (v voucher, ok bool, missing facts) {
	arc := &d.ev.ARC
	passed := arc.Result == evidence.Pass
	switch {
	case arc.Result == evidence.NotChecked:
		return voucher{}, false, noARC
	case !passed && !arc.Temporary || !complete(arc):
		return voucher{}, false, noFacts
	}
	low, missing := d.trustedFrom(dm)
	if !passed && low > 0 {
		return voucher{}, false, missing
	}
	for at := low; at < len(arc.Sets); at++ {
		s, _ := d.trusted(at, dm)
		if s.Unmodified && arc.OldestPass > at+1 {
			continue
		}
		f := s.sealed(&arc.Sets[at], dm)
		switch f.result {
		case evidence.Pass:
			return voucher{by: s, at: at, temporary: !passed}, true, missing
		case evidence.Fail:
			return voucher{}, false, missing
		}
		missing |= f.missing
	}
	return voucher{}, false, missing
}

// trustedFrom is the position of the oldest ARC Set that trust reaches from the
// newest one down; the number of sets when the newest is not trusted. missing is
// what is not known of the Sealer below it.
func (d decision) trustedFrom(dm *evidence.DMARC) (low int, missing facts) {
	for low = len(d.ev.ARC.Sets); low > 0; low-- {
		var s *sealer
		if s, missing = d.trusted(low-1, dm); s == nil {
			break
		}
	}
	return low, missing
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
// Evidence tells the Organizational Domain; missing is set when it does not.
func aligned(id string, dm *evidence.DMARC, strict bool) (yes bool, missing facts) {
	switch {
	case id == "" || dm.AuthorDomain == "":
		return false, noFacts
	case id == dm.AuthorDomain:
		return true, noFacts
	case strict:
		return false, noFacts
	}
	return related(id, dm)
}

// related is family without a guess: where only the Organizational Domain could tell,
// and it is not known, it says no and what is missing.
func related(id string, dm *evidence.DMARC) (yes bool, missing facts) {
	author := dm.AuthorDomain
	switch {
	case dm.OrgDomain != "" || id == author || isBelow(id, author) || dm.SiteDomain != "" && !isBelow(author, id):
		return family(id, dm), noFacts
	case id != "" && author != "" && strings.Contains(sharedSuffix(id, author), "."):
		return false, orgUnknown(dm)
	}
	return false, noFacts
}

// sharedSuffix is the longest name that a and b are, or are below.
func sharedSuffix(a, b string) string {
	for a != "" && a != b && !isBelow(b, a) {
		_, a, _ = strings.Cut(a, ".")
	}
	return a
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
