package policy

import (
	"net/netip"

	"alignd/evidence"
)

// find returns the first entry that matches the message for the Author Domain
// of dm (nil when there is none). missing are the observations that entries need
// and that were not made.
func (x *exceptions) find(d decision, dm *evidence.DMARC) (found *exception, missing facts) {
	if len(x.list) == 0 {
		return nil, noFacts
	}
	if x.byKey == nil { // it was not filed
		return x.findSlowly(d, dm)
	}
	best := int32(len(x.list))
	try := func(list []int32) {
		for _, i := range list {
			if i >= best {
				return
			}
			ok, unknown := d.matches(&x.list[i], dm)
			if ok {
				best = i
				return
			}
			missing |= unknown
		}
	}
	for k := range conditions {
		if !x.filed(k) {
			continue
		}
		if conditions[k].missing(d, dm) != noFacts {
			return x.findSlowly(d, dm)
		}
		x.candidates(k, d, dm, try)
	}
	if best == int32(len(x.list)) {
		return nil, missing
	}
	return &x.list[best], missing
}

// candidates hands try the entries that are filed under what the message has for number
// k of conditions, some at a time, each time the first ones first.
func (x *exceptions) candidates(k int, d decision, dm *evidence.DMARC, try func([]int32)) {
	switch of := &conditions[k]; {
	case of.list == nil:
		x.byClient.each(d.ev.Client.IP(), try)
	case of.any != nil && of.any(d):
		for _, list := range x.byKey[k] {
			try(list)
		}
	default:
		for i := 0; ; i++ {
			v, more := of.value(d, x.kind, dm, i)
			if !more {
				return
			}
			for p := range v.each {
				try(x.byKey[k][p])
			}
		}
	}
}

// findSlowly is find where entries are filed under something that is not known: it
// looks at each, so that all that is missing is told.
func (x *exceptions) findSlowly(d decision, dm *evidence.DMARC) (found *exception, missing facts) {
	for i := range x.list {
		ok, unknown := d.matches(&x.list[i], dm)
		if ok {
			return &x.list[i], missing
		}
		missing |= unknown
	}
	return nil, missing
}

// missing is what a condition needs of the message and that was not looked up.
func (c *condition) missing(d decision, dm *evidence.DMARC) facts {
	if c.unknown == nil {
		return noFacts
	}
	return c.unknown(d, dm)
}

// matches reports whether all conditions of x hold. missing is set when only
// observations that were not made stand in the way.
func (d decision) matches(x *exception, dm *evidence.DMARC) (ok bool, missing facts) {
	if x.expired(d.ev.Time) {
		return false, noFacts
	}
	for k := range conditions {
		if !x.asks(k) {
			continue
		}
		ok, unknown := d.fits(x, k, dm)
		if !ok {
			return false, noFacts
		}
		missing |= unknown
	}
	return missing == noFacts, missing
}

// asks reports whether x has number k of conditions.
func (x *exception) asks(k int) bool {
	return x.sets[k] != nil || conditions[k].list == nil && len(x.clients) > 0
}

// fits reports whether a condition that x asks for holds, as far as it is known: where
// missing is set, that has still to be seen.
func (d decision) fits(x *exception, k int, dm *evidence.DMARC) (ok bool, missing facts) {
	of := &conditions[k]
	if of.list == nil {
		missing = d.clientUnknown()
		return missing != noFacts || holds(x.clients, d.ev.Client.IP()), missing
	}
	if of.any != nil && of.any(d) && !x.scoped {
		return false, noFacts
	}
	s := x.sets[k]
	missing = of.missing(d, dm)
	if of.wanted != nil && x.kind == Allow {
		missing |= of.wanted(d, s, dm)
	}
	if missing != noFacts {
		return true, missing
	}
	met, lost := d.meets(of, s, x.kind, dm)
	return met || lost != noFacts, lost
}

// orgWanted is the missing fact where only the Organizational Domain could tell
// whether s holds for the Author Domain, and it is not known. A hopeful decision takes
// one that was not answered for the one that is wanted.
func (d decision) orgWanted(s set, dm *evidence.DMARC) facts {
	unknown := orgUnknown(dm)
	if unknown == noFacts || d.hopeful && unknown == unansweredOrg ||
		s.hasAny(authorKeys(dm.AuthorDomain, "")) || !s.hasAny(namesAbove(dm.AuthorDomain)) {
		return noFacts
	}
	return unknown
}

// meets reports whether the message meets one condition. An allow entry wants
// every recipient in its scope, everything else one value. missing is what was not kept
// of the values where only that stands in the way.
func (d decision) meets(of *condition, s set, kind Kind, dm *evidence.DMARC) (ok bool, missing facts) {
	switch {
	case of.any != nil && of.any(d):
		return true, noFacts
	case of.every && kind == Allow:
		return d.every(s, kind, dm, of.value)
	}
	return d.some(s, kind, dm, of.value)
}

// some reports whether one of the message's values is in s; missing as for meets.
func (d decision) some(s set, kind Kind, dm *evidence.DMARC, of observed) (ok bool, missing facts) {
	for i := 0; ; i++ {
		v, more := of(d, kind, dm, i)
		if !more {
			return false, missing
		}
		if s.has(v) {
			return true, noFacts
		}
		missing |= s.lost(v)
	}
}

// every reports whether the message has values and all of them are in s; missing as for
// meets.
func (d decision) every(s set, kind Kind, dm *evidence.DMARC, of observed) (ok bool, missing facts) {
	for i := 0; ; i++ {
		v, more := of(d, kind, dm, i)
		if !more {
			return i > 0 && missing == noFacts, missing
		}
		if s.has(v) {
			continue
		}
		lost := s.lost(v)
		if lost == noFacts {
			return false, noFacts
		}
		missing |= lost
	}
}

// anyName reports whether the client's reverse name, which was not answered, is taken
// for the one that is wanted.
func (d decision) anyName() bool { return d.hopeful && d.ev.IPRev.Result == evidence.TempError }

// proven reports whether a check passed, or may yet.
func (d decision) proven(r evidence.Result) bool {
	return r == evidence.Pass || d.hopeful && r == evidence.TempError
}

// ignored reports whether an SPF pass is too wide to count here.
func (d decision) ignored(s *evidence.SPFCheck) bool {
	return s.Wide && d.rules.wideSPF == WideIgnore
}

// mailFrom is the reverse-path with its domain normalized.
func (d decision) mailFrom() string {
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
