package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// mail is one message on its way.
type mail struct {
	rand         *rand.Rand
	from, author string // addresses of MAIL FROM and From
	client       string // address
	host, helo   string // its name, and what it says its name is
	signers      []*sender
	subject, to  string
	// list: its List-Id; changed: it put a footer below what was signed, and a name into
	// the subject. sealer seals what it made of the message.
	list    string
	changed bool
	sealer  *sender
	// copied: a signature that belongs to another message.
	copied bool
	// fields are further ones, as they stand in the header.
	fields []string
}

// kind is a way in which mail comes.
type kind struct {
	name   string
	weight int
	// since is from which day on it comes, of the world's; 0 is all along.
	since int
	make  func(w *world, m *mail)
}

func sumOf(list []kind) (sum int) {
	for i := range list {
		sum += list[i].weight
	}
	return sum
}

// kinds are all ways in which mail comes day by day; forgers send most of theirs in
// campaigns.
var kinds = []kind{
	{name: "honest firms", weight: 500, make: func(w *world, m *mail) { w.honest(m, w.firm(m.rand)) }},
	{name: "the bank", weight: 50, make: func(w *world, m *mail) { w.honest(m, w.bank) }},
	{name: "a partner", weight: 40, make: func(w *world, m *mail) { w.honest(m, w.partner) }},
	{name: "who has bad luck with DNS", weight: 130, make: func(w *world, m *mail) { w.honest(m, w.flaky) }},
	{name: "our own from outside", weight: 25, make: func(w *world, m *mail) { w.honest(m, w.own) }},
	{name: "notifications", weight: 8, make: func(w *world, m *mail) {
		w.honest(m, w.firm(m.rand))
		m.author, m.from, m.subject = "mailer-daemon@"+domainOf(m.author), "", "Undelivered mail returned to sender"
	}},
	{name: "a vendor for firms, with their keys", weight: 90, make: func(w *world, m *mail) {
		f := w.firm(m.rand)
		w.honest(m, f)
		w.by(m, w.mailer, w.mailer, f)
		m.subject = "Newsletter"
	}},
	{name: "a vendor for a firm, without its key", weight: 8, make: func(w *world, m *mail) {
		w.honest(m, w.named("blueworks.example"))
		w.by(m, w.mailer, w.mailer)
		m.subject = "See us at the fair"
	}},
	{name: "a vendor for us, signed as himself", weight: 30, since: 24, make: func(w *world, m *mail) {
		w.honest(m, w.own)
		w.by(m, w.vendor, w.vendor)
		m.author, m.subject = "news@"+w.own.domain, "Your invitation"
	}},
	{name: "the vendor's mail that aligns by SPF", weight: 12, since: 24, make: func(w *world, m *mail) {
		w.honest(m, w.own)
		w.by(m, w.vendor, w.vendor)
		m.author, m.from, m.subject = "news@"+w.own.domain, "news@"+w.own.domain, "Your invitation"
	}},
	{name: "a list that changes mail", weight: 36, make: func(w *world, m *mail) {
		w.posted(m)
		m.from, m.client, m.host, m.helo, m.list = "talk-bounces@lists.example", listHost, "lists.example", "lists.example", "talk.lists.example"
	}},
	{name: "a list that changes mail and seals it", weight: 34, make: func(w *world, m *mail) {
		w.posted(m)
		m.from, m.client, m.host, m.helo, m.list = "members-bounces@club.example", clubHost, "mail.club.example", "mail.club.example", "members.club.example"
		m.sealer = w.club
	}},
	{name: "forwarders", weight: 32, make: func(w *world, m *mail) { w.forwarded(m, false) }},
	{name: "forwarders that rewrite the sender", weight: 18, make: func(w *world, m *mail) { w.forwarded(m, true) }},
	{name: "copiers", weight: 12, make: func(w *world, m *mail) {
		i := 1 + m.rand.IntN(3)
		w.honest(m, w.named("rivermarket.example"))
		m.author, m.subject, m.signers = "copier@rivermarket.example", "Scanned document", nil
		m.from, m.client = m.author, fmt.Sprintf("%s.%d", scanners, i)
		m.host = fmt.Sprintf("copier%d.scan-to-mail.example", i)
		m.helo = m.host
	}},
	{name: "forgers, a few all the time", weight: 24, make: func(w *world, m *mail) {
		as := []*sender{w.bank, w.own, w.firm(m.rand), w.firm(m.rand)}[m.rand.IntN(4)]
		w.forged(m, as.domain, w.forgery(m), homes[m.rand.IntN(len(homes))], subjects[m.rand.IntN(len(subjects))])
	}},
	{name: "names that look alike, with all that is asked for", weight: 8, make: func(w *world, m *mail) {
		t := w.throwaways[m.rand.IntN(len(w.throwaways))]
		w.forged(m, t.domain, plainForgery, homes[m.rand.IntN(len(homes))], "Confirm your delivery")
		m.signers = []*sender{t}
	}},
	{name: "who writes what a page could take for a part of itself", weight: 2, make: func(w *world, m *mail) {
		w.hostile(m)
	}},
}

var (
	people   = []string{"office", "sales", "info", "support", "billing", "hr", "press", "it"}
	subjects = []string{"Your account is locked", "Invoice overdue", "Document shared with you", "New voice message", "Password expires today"}
)

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

func (w *world) honest(m *mail, s *sender) {
	m.author = people[m.rand.IntN(len(people))] + "@" + s.domain
	m.from = m.author
	m.client, m.host = s.server(m.rand)
	m.helo = m.host
	if s.signs {
		m.signers = []*sender{s}
	}
	m.subject = []string{"Minutes of the meeting", "Your order", "Newsletter", "Re: question", "Offer"}[m.rand.IntN(5)]
}

// by has somebody else send it, who signs as those named.
func (w *world) by(m *mail, s *sender, as ...*sender) {
	m.from, m.signers = fmt.Sprintf("bounce-%d@%s", m.rand.IntN(1e6), s.domain), as
	m.client, m.host = s.server(m.rand)
	m.helo = m.host
}

// posted is mail of a firm, or of ours, that a list passes on with changes.
func (w *world) posted(m *mail) {
	s := w.firm(m.rand)
	if m.rand.IntN(12) == 0 {
		s = w.own
	}
	w.honest(m, s)
	m.changed = true
}

// forwarded is mail that somebody has sent on to here; some rewrite MAIL FROM (SRS).
func (w *world) forwarded(m *mail, rewrite bool) {
	s := w.firm(m.rand)
	if m.rand.IntN(20) == 0 {
		s = w.own
	}
	w.honest(m, s)
	i := 1 + m.rand.IntN(5)
	m.client, m.host = fmt.Sprintf("%s.%d", forwarders, i), fmt.Sprintf("fwd%d.college.example", i)
	m.helo = m.host
	if rewrite {
		m.from = fmt.Sprintf("SRS0=%04X=%02X=%s=%s@college.example", m.rand.IntN(1<<16), m.rand.IntN(256), s.domain, strings.TrimSuffix(m.from, "@"+s.domain))
	}
}

// pick is the kind of a message on a day.
func (w *world) pick(r *rand.Rand, day int) *kind {
	for {
		at := r.IntN(w.sum)
		for i := range kinds {
			if at -= kinds[i].weight; at < 0 {
				if kinds[i].since <= day {
					return &kinds[i]
				}
				break
			}
		}
	}
}
