package policy

import (
	"errors"
	"iter"
	"strings"

	"alignd/evidence"
)

// condition is one kind of condition of an exception: how an entry writes it, and
// what of a message it is compared with. To add one is a field of Scope or Proof, here
// and in package config, and a row of conditions.
type condition struct {
	// key is how an admin writes it: "proof." in front makes it a proof.
	key string
	// list is what an entry lists for it. Nil for networks: Proof.Clients.
	list  func(*Exception) []string
	parse func(c *compiler, text string) (pattern, error)
	// wider adds what a Block entry takes besides.
	wider func(set)
	// values are those that the message has for it.
	values observed
	// every: an Allow entry wants each value of the message to be listed, not one.
	every bool
	// unknown is what it needs and what was not looked up. Nil: nothing.
	unknown func(d *decision, dm *evidence.DMARC) facts
	// wanted is what an Allow entry with s needs besides.
	wanted func(d *decision, s set, dm *evidence.DMARC) facts
	// any reports whether the value is taken to be whichever one is wanted.
	any func(d *decision) bool
	// needs are facts that cost DNS questions of their own.
	needs evidence.Needs
}

// observed yields, for each value that the message has for a condition, the patterns
// that this value matches. A Block entry takes more than an Allow entry where the
// sender chooses the spelling.
type observed func(d *decision, kind Kind, dm *evidence.DMARC, yield func(iter.Seq[pattern]) bool)

// proof reports whether it is what a sender cannot choose.
func (c *condition) proof() bool { return strings.HasPrefix(c.key, "proof.") }

// name is the key without its section.
func (c *condition) name() string { return c.key[strings.IndexByte(c.key, '.')+1:] }

// conditions are all kinds, in the order in which they are looked at.
var conditions = []condition{
	{
		key:    "scope.author_domains",
		list:   func(x *Exception) []string { return x.Scope.AuthorDomains },
		parse:  plainly(parseDomain),
		values: authorValues,
		wanted: (*decision).orgWanted,
	}, {
		key:     "proof.clients",
		unknown: func(d *decision, _ *evidence.DMARC) facts { return d.clientUnknown() },
	}, {
		key:     "proof.dkim",
		list:    func(x *Exception) []string { return x.Proof.DKIM },
		parse:   plainly(parseProof),
		values:  dkimValues,
		unknown: missingUnless(noDKIM, func(ev *evidence.Message) bool { return ev.Has(evidence.SectionDKIM) }),
	}, {
		key:     "proof.spf",
		list:    func(x *Exception) []string { return x.Proof.SPF },
		parse:   plainly(parseProof),
		values:  spfValues,
		unknown: missingUnless(noSPF, func(ev *evidence.Message) bool { return ev.SPF.MailFrom != nil || ev.MailFrom == "" }),
	}, {
		key:     "proof.ptr",
		list:    func(x *Exception) []string { return x.Proof.PTR },
		parse:   plainly(parseProof),
		values:  nameValues,
		unknown: missingUnless(noIPRev, func(ev *evidence.Message) bool { return ev.IPRev.Result != evidence.NotChecked }),
		any:     (*decision).anyName,
		needs:   evidence.Needs{IPRev: true},
	}, {
		key:    "scope.mail_from",
		list:   func(x *Exception) []string { return x.Scope.MailFrom },
		parse:  plainly(parseAddress),
		values: mailFromValues,
	}, {
		key:     "scope.recipients",
		list:    func(x *Exception) []string { return x.Scope.Recipients },
		parse:   plainly(parseAddress),
		wider:   addHostPatterns,
		values:  recipientValues,
		every:   true,
		unknown: recipientsUnknown,
	}, {
		key:     "scope.list_ids",
		list:    func(x *Exception) []string { return x.Scope.ListIDs },
		parse:   plainly(parseList),
		values:  listValues,
		unknown: missingUnless(noTraces, func(ev *evidence.Message) bool { return ev.Has(evidence.SectionTraces) }),
	}, {
		key:     "proof.sealers",
		list:    func(x *Exception) []string { return x.Proof.Sealers },
		parse:   parseSealer,
		values:  sealerValues,
		unknown: func(d *decision, dm *evidence.DMARC) facts { _, missing := d.newestSealer(dm); return missing },
	},
}

func plainly(parse func(string) (pattern, error)) func(*compiler, string) (pattern, error) {
	return func(_ *compiler, text string) (pattern, error) { return parse(text) }
}

var errNoSealer = errors.New("is not the id of a trusted sealer")

// parseSealer reads the id of a trusted Sealer.
func parseSealer(c *compiler, id string) (pattern, error) {
	for i := range c.rules.sealers {
		if c.rules.sealers[i].ID == id {
			return pattern{exactDomain, id}, nil
		}
	}
	return pattern{}, errNoSealer
}

func missingUnless(fact facts, known func(*evidence.Message) bool) func(*decision, *evidence.DMARC) facts {
	return func(d *decision, _ *evidence.DMARC) facts {
		if known(d.ev) {
			return noFacts
		}
		return fact
	}
}

func recipientsUnknown(d *decision, _ *evidence.DMARC) facts {
	if len(d.ev.Recipients) == 0 {
		return noRecipients
	}
	return noFacts
}

func authorValues(_ *decision, kind Kind, dm *evidence.DMARC, yield func(iter.Seq[pattern]) bool) {
	switch {
	case dm == nil:
	case kind == Block || dm.OrgDomain == "": // see orgWanted
		yield(strictAuthorKeys(dm.AuthorDomain, dm.OrgDomain))
	default:
		yield(authorKeys(dm.AuthorDomain, dm.OrgDomain))
	}
}

func mailFromValues(d *decision, _ Kind, _ *evidence.DMARC, yield func(iter.Seq[pattern]) bool) {
	yield(addressKeys(d.mailFrom(), ""))
}

func recipientValues(d *decision, kind Kind, _ *evidence.DMARC, yield func(iter.Seq[pattern]) bool) {
	for i := range d.ev.Recipients {
		to := d.ev.Recipients[i].Address
		if !yield(addressKeys(to, d.rules.delimiters)) {
			return
		}
		if kind == Block && !yield(hostKeys(to, d.rules.delimiters)) {
			return
		}
	}
}

func listValues(d *decision, _ Kind, _ *evidence.DMARC, yield func(iter.Seq[pattern]) bool) {
	yield(listKeys(d.ev.Traces.ListID))
}

func nameValues(d *decision, _ Kind, _ *evidence.DMARC, yield func(iter.Seq[pattern]) bool) {
	for _, name := range d.ev.IPRev.Names {
		if d.ev.IPRev.Result == evidence.Pass && !yield(domainKeys(name)) {
			return
		}
	}
}

func dkimValues(d *decision, _ Kind, _ *evidence.DMARC, yield func(iter.Seq[pattern]) bool) {
	for i := range d.ev.DKIM {
		if d.proven(d.ev.DKIM[i].Result) && !yield(domainKeys(d.ev.DKIM[i].Domain)) {
			return
		}
	}
}

// spfValues: a wide match proves nothing for an entry that lets in; for one that
// keeps out it is as good as any.
func spfValues(d *decision, kind Kind, _ *evidence.DMARC, yield func(iter.Seq[pattern]) bool) {
	if s := d.ev.SPF.MailFrom; s != nil && d.proven(s.Result) && (kind == Block || !d.ignored(s)) {
		yield(domainKeys(s.Domain))
	}
}

func sealerValues(d *decision, _ Kind, dm *evidence.DMARC, yield func(iter.Seq[pattern]) bool) {
	if id, _ := d.newestSealer(dm); id != "" {
		yield(func(yield func(pattern) bool) { yield(pattern{exactDomain, id}) })
	}
}
