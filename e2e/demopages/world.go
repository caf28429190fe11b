package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
)

// sender is an organization that sends mail, with what it publishes.
type sender struct {
	domain string
	net    string // first three octets of its servers; its SPF
	policy string // p=; empty: no DMARC record
	spf    string // further terms
	signs  bool
	key    ed25519.PrivateKey
	weight int // how much it sends
}

// kind is a way in which mail comes.
type kind struct {
	name   string
	weight int
	// since is from which day on it comes, of the world's; 0 is all along.
	since int
	make  func(w *world, m *mail)
}

// mail is one message on its way.
type mail struct {
	rand         *rand.Rand
	from, author string // addresses of MAIL FROM and From
	client       string // address
	host         string // its name, and in HELO
	signers      []*sender
	broken       bool // a list changed the body after it was signed
	list         string
	subject, to  string
}

// world is who there is, and the DNS of all of them.
type world struct {
	own, vendor, mailer, bank, partner, flaky *sender
	firms, all                                []*sender
	kinds                                     []kind
	sum, firmSum                              int
}

func newWorld() *world {
	w := &world{}
	seed := byte(0)
	add := func(s sender) *sender {
		seed++
		s.key = ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
		p := &s
		w.all = append(w.all, p)
		return p
	}
	w.own = add(sender{domain: "example.net", net: "198.51.100", policy: "quarantine", spf: "include:spf.crm-vendor.example", signs: true, weight: 40})
	w.vendor = add(sender{domain: "crm-vendor.example", net: "203.0.113", policy: "none", signs: true})
	w.mailer = add(sender{domain: "bulk-mailer.example", net: "192.0.2", policy: "none", signs: true})
	w.bank = add(sender{domain: "bank.example", net: "198.18.1", policy: "reject", signs: true})
	w.partner = add(sender{domain: "partner.example", net: "198.18.2", policy: "reject", signs: true})
	w.flaky = add(sender{domain: "flaky.example", net: "198.18.3", policy: "SERVFAIL", signs: true})
	policies := []string{"reject", "quarantine", "none", "", "none", "reject"}
	for i := range 48 {
		name := fmt.Sprintf("%s%s.example", []string{"north", "blue", "old", "river", "city", "open", "green", "high"}[i%8], []string{"mill", "works", "press", "school", "clinic", "market"}[i/8])
		w.firms = append(w.firms, add(sender{domain: name, net: fmt.Sprintf("198.19.%d", i+10), policy: policies[i%6], signs: i%5 != 3, weight: 60 / (i + 2)}))
	}
	for _, f := range w.firms {
		w.firmSum += f.weight + 1
	}
	w.kinds = kinds
	for _, k := range w.kinds {
		w.sum += k.weight
	}
	return w
}

// kinds are all ways in which mail comes.
var kinds = []kind{
	{name: "honest firms", weight: 560, make: func(w *world, m *mail) { w.honest(m, w.firm(m.rand)) }},
	{name: "the bank", weight: 50, make: func(w *world, m *mail) { w.honest(m, w.bank) }},
	{name: "a partner", weight: 40, make: func(w *world, m *mail) { w.honest(m, w.partner) }},
	{name: "our own from outside", weight: 20, make: func(w *world, m *mail) { w.honest(m, w.own) }},
	{name: "a vendor for firms, aligned by their key", weight: 90, make: func(w *world, m *mail) {
		f := w.firm(m.rand)
		w.honest(m, f)
		m.from, m.client, m.host, m.signers = "bounce@"+w.mailer.domain, w.mailer.address(m.rand), "out."+w.mailer.domain, []*sender{w.mailer, f}
	}},
	{name: "a vendor for us, signed as himself", weight: 30, since: 24, make: func(w *world, m *mail) {
		m.author, m.from = "news@"+w.own.domain, "bounce@"+w.vendor.domain
		m.client, m.host, m.signers = w.vendor.address(m.rand), "out."+w.vendor.domain, []*sender{w.vendor}
		m.subject = "Your invitation"
	}},
	{name: "the vendor's mail that aligns by SPF", weight: 10, since: 24, make: func(w *world, m *mail) {
		m.author, m.from = "news@"+w.own.domain, "news@"+w.own.domain
		m.client, m.host, m.signers = w.vendor.address(m.rand), "out."+w.vendor.domain, []*sender{w.vendor}
	}},
	{name: "lists that change the body", weight: 50, make: func(w *world, m *mail) {
		w.honest(m, w.firm(m.rand))
		m.from, m.client, m.host, m.list, m.broken = "talk-bounces@lists.example", "198.18.9.25", "lists.example", "talk.lists.example", true
	}},
	{name: "forwarders", weight: 40, make: func(w *world, m *mail) {
		w.honest(m, w.firm(m.rand))
		m.client, m.host = fmt.Sprintf("198.18.10.%d", 1+m.rand.IntN(5)), "forward.college.example"
	}},
	{name: "forgers of the bank", weight: 60, make: func(w *world, m *mail) { w.forged(m, w.bank, "Your account is locked") }},
	{name: "forgers of us", weight: 25, make: func(w *world, m *mail) { w.forged(m, w.own, "Invoice overdue") }},
	{name: "forgers of firms", weight: 25, make: func(w *world, m *mail) { w.forged(m, w.firm(m.rand), "Document shared with you") }},
	{name: "who writes what a page could take for a part of itself", weight: 6, make: func(w *world, m *mail) {
		w.forged(m, w.firm(m.rand), "hostile")
		text := hostile[m.rand.IntN(len(hostile))]
		m.host, m.from, m.list = text, `"`+text+`"@cheap-vps.example`, text
	}},
	{name: "a domain whose DNS fails", weight: 8, since: 29, make: func(w *world, m *mail) { w.honest(m, w.flaky) }},
}

func (s *sender) address(r *rand.Rand) string { return fmt.Sprintf("%s.%d", s.net, 10+r.IntN(6)) }

func (w *world) firm(r *rand.Rand) *sender {
	at := r.IntN(w.firmSum)
	for _, f := range w.firms {
		if at -= f.weight + 1; at < 0 {
			return f
		}
	}
	return w.firms[0]
}

// hostile is what a sender may write into HELO, MAIL FROM and List-Id.
var hostile = []string{
	"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "\u202egnp.exe\u2066", "a\x00b\x1b[2J", "=cmd|' /C calc'!A0",
	"</title></textarea><svg onload=alert(1)>", "{{.}}${7*7}", strings.Repeat("W", 3000),
}

var people = []string{"office", "sales", "info", "support", "billing", "hr", "press", "it"}

func (w *world) honest(m *mail, s *sender) {
	m.author = people[m.rand.IntN(len(people))] + "@" + s.domain
	m.from, m.client, m.host = m.author, s.address(m.rand), "mail."+s.domain
	if s.signs {
		m.signers = []*sender{s}
	}
	m.subject = []string{"Minutes of the meeting", "Your order", "Newsletter", "Re: question", "Offer"}[m.rand.IntN(5)]
}

// forged is mail from one of some networks that nobody knows.
func (w *world) forged(m *mail, as *sender, subject string) {
	m.author = people[m.rand.IntN(len(people))] + "@" + as.domain
	m.client = fmt.Sprintf("100.%d.%d.%d", 70+m.rand.IntN(20), m.rand.IntN(250), 1+m.rand.IntN(250))
	m.host = fmt.Sprintf("host%d.cheap-vps.example", m.rand.IntN(900))
	m.from = m.author
	if m.rand.IntN(3) == 0 {
		m.from = "bounce@cheap-vps.example"
	}
	m.subject = subject
}

// pick is the kind of a message on a day.
func (w *world) pick(r *rand.Rand, day int) *kind {
	for {
		at := r.IntN(w.sum)
		for i := range w.kinds {
			if at -= w.kinds[i].weight; at < 0 {
				if w.kinds[i].since <= day {
					return &w.kinds[i]
				}
				break
			}
		}
	}
}

// zone is what all of them publish.
func (w *world) zone() string {
	var z strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&z, format+"\n", args...) }
	for _, s := range w.all {
		line("%s. 300 IN A %s.10", s.domain, s.net)
		line(`%s. 300 IN TXT "v=spf1 ip4:%s.0/24 %s ~all"`, s.domain, s.net, s.spf)
		switch s.policy {
		case "":
		case "SERVFAIL":
			line("_dmarc.%s. 300 IN SERVFAIL", s.domain)
		default:
			line(`_dmarc.%s. 300 IN TXT "v=DMARC1; p=%s; rua=mailto:dmarc@%s"`, s.domain, s.policy, s.domain)
		}
		line(`s2026._domainkey.%s. 300 IN TXT "v=DKIM1; k=ed25519; p=%s"`, s.domain, base64.StdEncoding.EncodeToString(s.key.Public().(ed25519.PublicKey)))
		for i := range 6 {
			reverse(line, fmt.Sprintf("%s.%d", s.net, 10+i), "mail."+s.domain)
		}
	}
	line(`spf.crm-vendor.example. 300 IN TXT "v=spf1 ip4:%s.0/24 -all"`, w.vendor.net)
	line(`cheap-vps.example. 300 IN TXT "v=spf1 ip4:100.64.0.0/10 -all"`)
	line(`lists.example. 300 IN TXT "v=spf1 ip4:198.18.9.25 -all"`)
	reverse(line, "198.18.9.25", "lists.example")
	for i := range 5 {
		reverse(line, fmt.Sprintf("198.18.10.%d", i+1), "forward.college.example")
	}
	return z.String()
}

// reverse gives an address a name that leads back to it.
func reverse(line func(string, ...any), ip, name string) {
	a := netip.MustParseAddr(ip).As4()
	line("%d.%d.%d.%d.in-addr.arpa. 300 IN PTR %s.", a[3], a[2], a[1], a[0], name)
	line("%s. 300 IN A %s", name, ip)
}
