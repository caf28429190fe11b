package policy

import (
	"iter"
	"net/netip"

	"alignd/evidence"
)

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
		return nil, fact
	}
	return &x.list[best], fact
}

// matches reports whether all conditions of x hold. fact is set when only an
// observation that was not made stands in the way.
func (d *decision) matches(x *exception, dm *evidence.DMARC) (ok bool, fact Fact) {
	if x.expired(d.ev.Time) || d.anyName() && x.sets[onPTR] != nil && !x.scoped() {
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
// patterns that this value matches. A Block entry takes more than an Allow entry
// where the sender chooses the spelling.
func (d *decision) keys(k condition, kind Kind, dm *evidence.DMARC) iter.Seq[iter.Seq[pattern]] {
	return func(yield func(iter.Seq[pattern]) bool) {
		ev := d.ev
		switch k {
		case onAuthor:
			switch {
			case dm == nil:
			case kind == Block:
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
