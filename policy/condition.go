package policy

import (
	"errors"
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
	// value gives what the message has for it.
	value observed
	// every: an Allow entry wants each value of the message to be listed, not one.
	every bool
	// unknown is what it needs and what was not looked up. Nil: nothing.
	unknown func(d decision, dm *evidence.DMARC) facts
	// wanted is what an Allow entry with s needs besides.
	wanted func(d decision, s set, dm *evidence.DMARC) facts
	// any reports whether the value is taken to be whichever one is wanted.
	any func(d decision) bool
	// needs are facts that cost DNS questions of their own.
	needs evidence.Needs
	// none says in words that a message has no value for it.
	none string
}

// observed returns value number i, from 0, that the message has for a condition; ok is
// false where there are no more. A Block entry gets values that match more, where the
// sender chooses the spelling.
type observed func(d decision, kind Kind, dm *evidence.DMARC, i int) (v value, ok bool)

// proof reports whether it is what a sender cannot choose.
func (c *condition) proof() bool { return strings.HasPrefix(c.key, "proof.") }

// name is the key without its section.
func (c *condition) name() string { return c.key[strings.IndexByte(c.key, '.')+1:] }

// conditions are all kinds, in the order in which they are looked at.
var conditions = []condition{
	{
		key:    "scope.author_domains",
		none:   "there is no Author Domain",
		list:   func(x *Exception) []string { return x.Scope.AuthorDomains },
		parse:  plainly(parseDomain),
		value:  authorValue,
		wanted: decision.orgWanted,
	}, {
		key:     "proof.clients",
		none:    "the client is not known",
		unknown: func(d decision, _ *evidence.DMARC) facts { return d.clientUnknown() },
	}, {
		key:     "proof.dkim",
		none:    "no signature passes",
		list:    func(x *Exception) []string { return x.Proof.DKIM },
		parse:   plainly(parseProof),
		value:   dkimValue,
		unknown: missingUnless(noDKIM, func(ev *evidence.Message) bool { return ev.Has(evidence.SectionDKIM) }),
	}, {
		key:     "proof.spf",
		none:    "SPF passes for no MAIL FROM, or for about everybody",
		list:    func(x *Exception) []string { return x.Proof.SPF },
		parse:   plainly(parseProof),
		value:   spfValue,
		unknown: missingUnless(noSPF, func(ev *evidence.Message) bool { return ev.SPF.MailFrom != nil || ev.MailFrom == "" }),
	}, {
		key:     "proof.ptr",
		none:    "the client has no confirmed name",
		list:    func(x *Exception) []string { return x.Proof.PTR },
		parse:   plainly(parseProof),
		value:   nameValue,
		unknown: missingUnless(noIPRev, func(ev *evidence.Message) bool { return ev.IPRev.Result != evidence.NotChecked }),
		any:     decision.anyName,
		needs:   evidence.Needs{IPRev: true},
	}, {
		key:   "scope.mail_from",
		none:  "MAIL FROM is null",
		list:  func(x *Exception) []string { return x.Scope.MailFrom },
		parse: plainly(parseAddress),
		value: mailFromValue,
	}, {
		key:     "scope.recipients",
		none:    "no recipient is known",
		list:    func(x *Exception) []string { return x.Scope.Recipients },
		parse:   plainly(parseAddress),
		wider:   addHostPatterns,
		value:   recipientValue,
		every:   true,
		unknown: recipientsUnknown,
	}, {
		key:     "scope.list_ids",
		none:    "there is no List-Id",
		list:    func(x *Exception) []string { return x.Scope.ListIDs },
		parse:   plainly(parseList),
		value:   listValue,
		unknown: missingUnless(noTraces, func(ev *evidence.Message) bool { return ev.Has(evidence.SectionTraces) }),
	}, {
		key:     "proof.sealers",
		none:    "no trusted sealer sealed it last, in a chain that passes",
		list:    func(x *Exception) []string { return x.Proof.Sealers },
		parse:   parseSealer,
		value:   sealerValue,
		unknown: func(d decision, dm *evidence.DMARC) facts { _, missing := d.newestSealer(dm); return missing },
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

func missingUnless(fact facts, known func(*evidence.Message) bool) func(decision, *evidence.DMARC) facts {
	return func(d decision, _ *evidence.DMARC) facts {
		if known(d.ev) {
			return noFacts
		}
		return fact
	}
}

func recipientsUnknown(d decision, _ *evidence.DMARC) facts {
	if len(d.ev.Recipients) == 0 {
		return noRecipients
	}
	return noFacts
}

func authorValue(_ decision, kind Kind, dm *evidence.DMARC, i int) (v value, ok bool) {
	if i > 0 || dm == nil {
		return value{}, false
	}
	v = value{is: anAuthor, text: dm.AuthorDomain, org: dm.OrgDomain}
	if kind == Block || dm.OrgDomain == "" { // see orgWanted
		v.is = aStrictAuthor
	}
	return v, true
}

func mailFromValue(d decision, _ Kind, _ *evidence.DMARC, i int) (v value, ok bool) {
	if i > 0 {
		return value{}, false
	}
	return value{is: anAddress, text: d.mailFrom()}, true
}

func recipientValue(d decision, kind Kind, _ *evidence.DMARC, i int) (v value, ok bool) {
	if i >= len(d.ev.Recipients) {
		return value{}, false
	}
	v = value{is: anAddress, text: d.ev.Recipients[i].Address, delimiters: d.rules.delimiters}
	if kind == Block {
		v.is = aBlockedRecipient
	}
	return v, true
}

func listValue(d decision, _ Kind, _ *evidence.DMARC, i int) (v value, ok bool) {
	return value{is: aList, text: d.ev.Traces.ListID}, i == 0
}

func nameValue(d decision, _ Kind, _ *evidence.DMARC, i int) (v value, ok bool) {
	if i >= len(d.ev.IPRev.Names) || d.ev.IPRev.Result != evidence.Pass {
		return value{}, false
	}
	return value{is: aDomain, text: d.ev.IPRev.Names[i]}, true
}

func dkimValue(d decision, _ Kind, _ *evidence.DMARC, i int) (v value, ok bool) {
	if i >= len(d.ev.DKIM) {
		return value{}, false
	}
	if s := &d.ev.DKIM[i]; d.proven(s.Result) {
		v = value{is: aDomain, text: s.Domain}
	}
	return v, true
}

// spfValue: a wide match proves nothing for an entry that lets in; for one that
// keeps out it is as good as any.
func spfValue(d decision, kind Kind, _ *evidence.DMARC, i int) (v value, ok bool) {
	s := d.ev.SPF.MailFrom
	if i > 0 || s == nil || !d.proven(s.Result) || kind != Block && d.ignored(s) {
		return value{}, false
	}
	return value{is: aDomain, text: s.Domain}, true
}

func sealerValue(d decision, _ Kind, dm *evidence.DMARC, i int) (v value, ok bool) {
	if i > 0 {
		return value{}, false
	}
	id, _ := d.newestSealer(dm)
	return value{is: aWord, text: id}, id != ""
}
