package policy

import (
	"iter"
	"net/netip"

	"alignd/evidence"
)

// find returns the first entry that matches the message for the Author Domain
// of dm (nil when there is none). missing are the observations that entries need
// and that were not made.
func (x *exceptions) find(d *decision, dm *evidence.DMARC) (found *exception, missing facts) {
	if len(x.list) == 0 {
		return nil, noFacts
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
		if d.unknown(k, dm) != noFacts {
			return x.findSlowly(d, dm)
		}
		if k == onClient {
			x.byClient.each(d.ev.Client.IP(), try)
			continue
		}
		if k == onPTR && d.anyName() {
			for _, list := range x.byKey[k] {
				try(list)
			}
			continue
		}
		for keys := range d.keys(k, x.kind, dm) {
			for p := range keys {
				try(x.byKey[k][p])
			}
		}
	}
	if best == int32(len(x.list)) {
		return nil, missing
	}
	return &x.list[best], missing
}

// findSlowly is find where entries are filed under something that is not known: it
// looks at each, so that all that is missing is told.
func (x *exceptions) findSlowly(d *decision, dm *evidence.DMARC) (found *exception, missing facts) {
	for i := range x.list {
		ok, unknown := d.matches(&x.list[i], dm)
		if ok {
			return &x.list[i], missing
		}
		missing |= unknown
	}
	return nil, missing
}

// matches reports whether all conditions of x hold. missing is set when only
// observations that were not made stand in the way.
func (d *decision) matches(x *exception, dm *evidence.DMARC) (ok bool, missing facts) {
	if x.expired(d.ev.Time) || d.anyName() && x.sets[onPTR] != nil && !x.scoped() {
		return false, noFacts
	}
	if len(x.clients) > 0 {
		if missing = d.clientUnknown(); missing == noFacts && !holds(x.clients, d.ev.Client.IP()) {
			return false, noFacts
		}
	}
	for k, s := range x.sets {
		if s == nil {
			continue
		}
		unknown := d.unknown(condition(k), dm)
		if condition(k) == onAuthor && x.kind == Allow {
			unknown = d.orgWanted(s, dm)
		}
		if unknown == noFacts && !d.meets(condition(k), s, x.kind, dm) {
			return false, noFacts
		}
		missing |= unknown
	}
	return missing == noFacts, missing
}

// orgWanted is set where it hangs on an Organizational Domain that is not known
// whether s holds for the Author Domain. One that was not answered is whichever is
// wanted where everything open turns out well.
func (d *decision) orgWanted(s set, dm *evidence.DMARC) facts {
	unknown := orgUnknown(dm)
	if unknown == noFacts || d.hopeful && unknown == unansweredOrg ||
		s.hasAny(authorKeys(dm.AuthorDomain, "")) || !s.hasAny(namesAbove(dm.AuthorDomain)) {
		return noFacts
	}
	return unknown
}

// scoped reports whether an entry is about certain mail only.
func (x *exception) scoped() bool {
	s := &x.sets
	return s[onAuthor] != nil || s[onMailFrom] != nil || s[onRecipient] != nil || s[onList] != nil
}

// meets reports whether the message meets one condition. An allow entry wants
// every recipient in its scope, everything else one value.
func (d *decision) meets(k condition, s set, kind Kind, dm *evidence.DMARC) bool {
	if k == onPTR && d.anyName() {
		return true
	}
	every := k == onRecipient && kind == Allow
	n := 0
	for keys := range d.keys(k, kind, dm) {
		n++
		if s.hasAny(keys) != every {
			return !every
		}
	}
	return every && n > 0
}

// anyName reports whether the client's reverse name is taken to be whichever
// one is wanted.
func (d *decision) anyName() bool { return d.hopeful && d.ev.IPRev.Result == evidence.TempError }

// proven reports whether a check passed, or may yet.
func (d *decision) proven(r evidence.Result) bool {
	return r == evidence.Pass || d.hopeful && r == evidence.TempError
}

// ignored reports whether an SPF pass is too wide to count here.
func (d *decision) ignored(s *evidence.SPFCheck) bool {
	return s.Wide && d.rules.wideSPF == WideIgnore
}

// unknown is what a condition needs and that was not looked up. For onAuthor it is
// orgWanted.
func (d *decision) unknown(k condition, dm *evidence.DMARC) facts {
	ev := d.ev
	switch {
	case k == onClient:
		return d.clientUnknown()
	case k == onPTR && ev.IPRev.Result == evidence.NotChecked:
		return noIPRev
	case k == onDKIM && !ev.Has(evidence.SectionDKIM):
		return noDKIM
	case k == onSPF && ev.SPF.MailFrom == nil && ev.MailFrom != "":
		return noSPF
	case k == onList && !ev.Has(evidence.SectionTraces):
		return noTraces
	case k == onSealer:
		_, missing := d.newestSealer(dm)
		return missing
	case k == onRecipient && len(ev.Recipients) == 0:
		return noRecipients
	}
	return noFacts
}

// keys yields, for each value that the message has for a condition, the
// patterns that this value matches. A Block entry takes more than an Allow entry
// where the sender chooses the spelling.
func (d *decision) keys(k condition, kind Kind, dm *evidence.DMARC) iter.Seq[iter.Seq[pattern]] {
	return func(yield func(iter.Seq[pattern]) bool) {
		ev := d.ev
		switch k {
		case onAuthor:
			switch {
			case dm == nil:
			case kind == Block || dm.OrgDomain == "": // see orgWanted
				yield(strictAuthorKeys(dm.AuthorDomain, dm.OrgDomain))
			default:
				yield(authorKeys(dm.AuthorDomain, dm.OrgDomain))
			}
		case onMailFrom:
			yield(addressKeys(d.mailFrom(), ""))
		case onRecipient:
			for i := range ev.Recipients {
				to := ev.Recipients[i].Address
				if !yield(addressKeys(to, d.rules.delimiters)) {
					return
				}
				if kind == Block && !yield(hostKeys(to, d.rules.delimiters)) {
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
				if d.proven(ev.DKIM[i].Result) && !yield(domainKeys(ev.DKIM[i].Domain)) {
					return
				}
			}
		case onSPF:
			// A wide match proves nothing for an entry that lets in; for one that
			// keeps out it is as good as any.
			if s := ev.SPF.MailFrom; s != nil && d.proven(s.Result) && (kind == Block || !d.ignored(s)) {
				yield(domainKeys(s.Domain))
			}
		case onSealer:
			if id, _ := d.newestSealer(dm); id != "" {
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
