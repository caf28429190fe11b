package policy

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"alignd/evidence"
)

// Rules is a Spec made ready for Decide. It is immutable.
type Rules struct {
	mode      Mode
	handling  Handling
	notJudged NotJudged
	networks  prefixTable
	from      FromActions
	permError Action

	domains     []DomainRule
	domainIndex map[pattern]int32
	profiles    []Profile
	profileOf   map[pattern]int32
	// hostProfiles are all Profiles that have one of hostPatterns.
	hostProfiles map[pattern][]int32
	delimiters   string

	own        []OwnDomains
	ownIndex   map[pattern]int32
	noRecord   NoRecord
	tempErrors TempErrors

	block, allow exceptions
	entries      []Exception
	sealers      []sealer
	sealerIndex  map[pattern][]int32
	relays       map[string]Relay
	options      map[string]Source

	wideSPF WideSPF
	tag     TagField
	replies replies
	onError Action
	needs   evidence.Needs
}

// Defaults are the Rules without any configuration: p=reject is refused with
// 550 5.7.26, p=quarantine is tagged.
func Defaults() *Rules {
	rules, err := Compile(Spec{})
	if err != nil {
		panic("policy: the built-in defaults are invalid: " + err.Error())
	}
	return rules
}

// Compile checks spec and indexes it. The error is of type Errors and holds
// every fault. The slices and maps of spec must not be changed afterwards.
func Compile(spec Spec) (*Rules, error) {
	c := compiler{rules: &Rules{options: spec.Options}}
	c.settings(&spec)
	c.clients(&spec)
	c.overrides(&spec)
	c.ownDomains(&spec)
	c.trustedSealers(&spec)
	c.exceptions(&spec)
	c.trustedRelays(&spec)
	c.repliesOf(&spec)
	c.signalNeeds()
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return c.rules, nil
}

// compiler builds Rules and gathers faults.
type compiler struct {
	rules *Rules
	errs  Errors
}

var anyAction = []Action{Accept, Tag, Hold, Quarantine, Tempfail, Reject}

func (c *compiler) settings(spec *Spec) {
	r := c.rules
	none := entryRef{kind: "policy"}
	r.mode = spec.Mode
	oneOf(c, none, "mode", &r.mode, Enforce, Enforce, Monitor)

	r.from = spec.From
	from := entryRef{kind: "from", option: "from"}
	oneOf(c, from, "missing", &r.from.Missing, Reject, anyAction...)
	oneOf(c, from, "several", &r.from.Several, Reject, anyAction...)
	oneOf(c, from, "too_many", &r.from.TooMany, Reject, anyAction...)
	oneOf(c, from, "empty", &r.from.Empty, Tag, anyAction...)
	oneOf(c, from, "unparsable", &r.from.Unparsable, Tag, anyAction...)

	r.permError = spec.PermError
	oneOf(c, none, "permerror", &r.permError, Accept, anyAction...)
	r.onError = spec.OnError
	oneOf(c, none, "on_error", &r.onError, Tempfail, Tempfail, Accept, Tag, Reject)

	r.wideSPF = spec.WideSPF
	oneOf(c, none, "spf.wide", &r.wideSPF, WideCount, WideCount, WideIgnore)

	r.noRecord = spec.NoRecord
	oneOf(c, none, "unauthenticated", &r.noRecord.Unauthenticated, Accept, anyAction...)
	oneOf(c, none, "spf_fail", &r.noRecord.SPFFail, Accept, anyAction...)

	r.tempErrors = spec.TempErrors
	temp := entryRef{kind: "temperror", option: "temperror"}
	oneOf(c, temp, "policy_unknown", &r.tempErrors.PolicyUnknown, Accept, Accept, Tag, Tempfail)
	oneOf(c, temp, "unresolved", &r.tempErrors.Unresolved, Tempfail, Accept, Tag, Tempfail)
	oneOf(c, temp, "expired", &r.tempErrors.Expired, Tag, Accept, Tag)
	if r.tempErrors.For == 0 {
		r.tempErrors.For = DefaultTempErrorFor
	}
	if r.tempErrors.For < 0 {
		c.fault(none, "temperror_for", "must not be negative; set temperror.unresolved to accept to never defer")
	}

	r.handling = spec.Handling
	c.handling(entryRef{kind: "policy"}, &r.handling)
	h := &r.handling
	h.merge(Handling{Reject: Reject, Quarantine: Quarantine, None: Accept, RejectMode: Strict,
		Signals: Signals(), Pct: PctHonor, QuarantineAs: Tag})
}

// DefaultTempErrorFor is how long the same message is deferred for temporary
// errors. Ours; below the 5 days after which a client gives up (RFC 5321
// section 4.5.4.1) and long enough for a DNS outage.
const DefaultTempErrorFor = 4 * time.Hour

// merge fills the empty fields of h from wider.
func (h *Handling) merge(wider Handling) {
	fill(&h.Reject, wider.Reject)
	fill(&h.Quarantine, wider.Quarantine)
	fill(&h.None, wider.None)
	fill(&h.RejectMode, wider.RejectMode)
	fill(&h.Pct, wider.Pct)
	fill(&h.QuarantineAs, wider.QuarantineAs)
	if h.Signals == nil {
		h.Signals = wider.Signals
	}
	if h.Rollout == nil {
		h.Rollout = wider.Rollout
	}
}

func fill[T ~string](to *T, from T) {
	if *to == "" {
		*to = from
	}
}

// action is what is done where the policy is req; "" when h leaves it open.
func (h *Handling) action(req Requested) Action {
	switch req {
	case RequestedReject:
		return h.Reject
	case RequestedQuarantine:
		return h.Quarantine
	}
	return h.None
}

// handling checks one Handling; empty fields stay empty.
func (c *compiler) handling(e entryRef, h *Handling) {
	oneOf(c, e, "honor.reject", &h.Reject, "", anyAction...)
	oneOf(c, e, "honor.quarantine", &h.Quarantine, "", anyAction...)
	oneOf(c, e, "honor.none", &h.None, "", anyAction...)
	oneOf(c, e, "reject_mode", &h.RejectMode, "", Strict, Corroborated)
	oneOf(c, e, "pct", &h.Pct, "", PctHonor, PctZeroAsTest, PctIgnore)
	oneOf(c, e, "quarantine_as", &h.QuarantineAs, "", Tag, Hold, Reject)
	for i, s := range h.Signals {
		oneOf(c, e, item("corroborated_by", i), &s, "", Signals()...)
	}
	if h.Signals != nil && len(h.Signals) == 0 && h.RejectMode == Corroborated {
		c.fault(e, "corroborated_by", "an empty list means that nothing is ever rejected; name one of %v", Signals())
	}
	c.rollout(e, h.Rollout)
}

func (c *compiler) rollout(e entryRef, stages []Stage) {
	var last time.Time
	for i, s := range stages {
		key := item("rollout", i)
		if s.Source != (Source{}) {
			e.at = s.Source
		}
		if s.Name == "" {
			c.fault(e, key+".stage", "is missing; one of monitor, tag, quarantine, reject")
		}
		oneOf(c, e, key+".stage", &s.Name, "", StageMonitor, StageTag, StageQuarantine, StageReject)
		if s.Percent < 0 || s.Percent > 100 {
			c.fault(e, key+".percent", "%d is not between 1 and 100", s.Percent)
		}
		if s.Start.Before(last) {
			c.fault(e, key+".from", "stages must be in the order of their dates")
		}
		last = s.Start
		c.stopIf(e, key, &stages[i])
	}
}

func (c *compiler) clients(spec *Spec) {
	r := c.rules
	r.notJudged = spec.NotJudged
	r.notJudged.Networks = slices.Clone(spec.NotJudged.Networks)
	for i := range r.notJudged.Networks {
		n := &r.notJudged.Networks[i]
		e := entryRef{"not_judged", n.ID, n.Source, "not_judged.networks", i + 1}
		if !n.Prefix.IsValid() {
			c.fault(e, "", "network is missing")
			continue
		}
		if n.Prefix.Bits() == 0 {
			c.fault(e, "", "%s is every client; use mode: monitor to act on no mail", n.Prefix)
			continue
		}
		if n.ID == "" {
			n.ID = n.Prefix.String()
		}
		r.networks.add(n.Prefix, int32(i))
	}
}

// patterns yields the patterns of a list that parse, each with its place there.
func (c *compiler) patterns(e entryRef, key string, list []string, parse func(string) (pattern, error)) iter.Seq2[int, pattern] {
	return func(yield func(int, pattern) bool) {
		for i, text := range list {
			p, err := parse(text)
			if err != nil {
				c.fault(e, item(key, i), "%q %v", text, err)
			} else if !yield(i, p) {
				return
			}
		}
	}
}

// domainSet parses patterns with parse; the result is nil without patterns.
func (c *compiler) domainSet(e entryRef, key string, list []string, parse func(string) (pattern, error)) set {
	if len(list) == 0 {
		return nil
	}
	s := make(set, len(list))
	for _, p := range c.patterns(e, key, list, parse) {
		s[p] = struct{}{}
		if p.kind == fullAddress {
			_, domain, _ := cutAddress(p.name)
			s[pattern{someLocal, domain}] = struct{}{}
		}
	}
	return s
}

// needsOrg notes where a set that is not only for stricter entries asks for the
// Organizational Domain.
func (c *compiler) needsOrg(s set) {
	for p := range s {
		c.rules.needs.OrgDomain = c.rules.needs.OrgDomain || p.kind == orgDomain
	}
}

// index files value under each pattern; the first entry to name one keeps it.
func index(to map[pattern]int32, s set, value int32) {
	for p := range s {
		if _, ok := to[p]; !ok {
			to[p] = value
		}
	}
}

func (c *compiler) overrides(spec *Spec) {
	r := c.rules
	r.delimiters = spec.ExtensionDelimiters
	r.domains = slices.Clone(spec.Domains)
	r.domainIndex = map[pattern]int32{}
	for i := range r.domains {
		d := &r.domains[i]
		e := entryRef{"domain rule", d.ID, d.Source, "domains", i + 1}
		if len(d.AuthorDomains) == 0 {
			c.fault(e, "author_domains", "is missing")
		} else {
			fill(&d.ID, d.AuthorDomains[0])
		}
		c.handling(e, &d.Handling)
		for at, p := range c.patterns(e, "author_domains", d.AuthorDomains, parseDomain) {
			c.needsOrg(set{p: {}})
			if first, ok := r.domainIndex[p]; !ok {
				r.domainIndex[p] = int32(i)
			} else if first != int32(i) {
				c.fault(e, item("author_domains", at), "%q stands in domain rule %q already", p, r.domains[first].ID)
			}
		}
	}
	r.profiles = slices.Clone(spec.Profiles)
	r.profileOf, r.hostProfiles = map[pattern]int32{}, map[pattern][]int32{}
	for i := range r.profiles {
		p := &r.profiles[i]
		e := entryRef{"profile", p.ID, p.Source, "profiles", i + 1}
		if len(p.Recipients) == 0 {
			c.fault(e, "recipients", "is missing")
		} else {
			fill(&p.ID, p.Recipients[0])
		}
		c.handling(e, &p.Handling)
		for i, g := range p.Handling.Rollout {
			if g.StopIf != nil {
				c.fault(e, item("rollout", i)+".stop_if", "mail is counted by Author Domain and not by recipient; set it in the general rollout or in that of domains")
			}
		}
		s := c.domainSet(e, "recipients", p.Recipients, parseAddress)
		index(r.profileOf, s, int32(i))
		for h := range hostPatterns(s) {
			if at := r.hostProfiles[h]; len(at) == 0 || at[len(at)-1] != int32(i) {
				r.hostProfiles[h] = append(at, int32(i))
			}
		}
	}
}

func (c *compiler) ownDomains(spec *Spec) {
	r := c.rules
	r.own = slices.Clone(spec.Own)
	r.ownIndex = map[pattern]int32{}
	for i := range r.own {
		o := &r.own[i]
		e := entryRef{"own", o.ID, o.Source, "own_domains", i + 1}
		if len(o.Domains) == 0 {
			c.fault(e, "domains", "is missing")
		} else {
			fill(&o.ID, o.Domains[0])
		}
		oneOf(c, e, "action", &o.Action, Reject, anyAction...)
		s := c.domainSet(e, "domains", o.Domains, parseDomain)
		if _, ok := s[pattern{kind: anyDomain}]; ok {
			c.fault(e, "domains", `"*" would make every sender one of ours`)
		}
		index(r.ownIndex, s, int32(i))
	}
}

func (c *compiler) trustedRelays(spec *Spec) {
	c.rules.relays = make(map[string]Relay, len(spec.Relays))
	for i, y := range spec.Relays {
		e := entryRef{"relay", y.ID, y.Source, "trusted_relays", i + 1}
		if y.ID == "" {
			c.fault(e, "id", "is missing")
			continue
		}
		if _, ok := c.rules.relays[y.ID]; ok {
			c.fault(e, "id", "is used twice")
		}
		oneOf(c, e, "reject", &y.Reject, Quarantine, Accept, Tag, Hold, Quarantine, Reject)
		oneOf(c, e, "tempfail", &y.Tempfail, Tempfail, Accept, Tag, Hold, Quarantine, Tempfail)
		c.rules.relays[y.ID] = y
	}
}

// String spells a pattern as it is written in a Spec.
func (p pattern) String() string {
	switch p.kind {
	case belowDomain, listSuffix:
		return "." + p.name
	case orgDomain:
		return "org:" + p.name
	case anyDomain:
		return "*"
	case nullPath:
		return "<>"
	}
	return p.name
}

// isUniversal reports whether a network holds every client of its family.
func isUniversal(p netip.Prefix) bool { return unmapPrefix(p).Bits() <= 0 }
