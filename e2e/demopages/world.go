package main

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"strings"
)

// sender is an organization that sends mail, with what it publishes.
type sender struct {
	domain string
	net    string  // first three octets of its servers
	host   *sender // whose servers it sends by; nil: its own
	policy string  // p= and further tags; empty: no DMARC record
	spf    string  // its terms; empty: none
	signs  bool
	key    ed25519.PrivateKey
	weight int // how much it sends
}

// servers is how many each organization sends by.
const servers = 6

// Where mail comes from that is not an organization's.
const (
	listHost   = "198.18.9.25"
	clubHost   = "198.18.9.40"
	forwarders = "198.18.10"
	scanners   = "198.18.12"
)

// home is a network of dwellings, whose computers forgers use.
type home struct{ net, name string }

var homes = []home{{"100.72", "dyn.cable.example"}, {"100.85", "pool.dsl.example"}, {"100.101", "cust.fibre.example"}}

func (h *home) address(r *rand.Rand) (ip, name string) {
	c, d := r.IntN(250), 60*r.IntN(4)+7
	return fmt.Sprintf("%s.%d.%d", h.net, c, d), fmt.Sprintf("%s-%d-%d.%s", strings.ReplaceAll(h.net, ".", "-"), c, d, h.name)
}

// world is who there is.
type world struct {
	own, vendor, mailer, bank, partner, flaky, club, college, list *sender
	firms, throwaways, all                                         []*sender
	sum, firmSum                                                   int
	campaigns                                                      []campaign
}

func (w *world) add(s sender) *sender {
	s.key = ed25519.NewKeyFromSeed(append(make([]byte, 31), byte(len(w.all)+1)))
	switch {
	case s.spf != "":
	case s.host != nil:
		s.spf = "include:_spf." + s.host.domain + " -all"
	default:
		s.spf = "include:_spf." + s.domain + " ~all"
	}
	p := &s
	w.all = append(w.all, p)
	return p
}

func newWorld() *world {
	w := &world{}
	w.own = w.add(sender{domain: "example.net", net: "198.51.100", policy: "none", spf: "mx include:_spf.example.net include:_spf.crm-vendor.example ~all", signs: true})
	w.vendor = w.add(sender{domain: "crm-vendor.example", net: "203.0.113", policy: "none", signs: true})
	w.mailer = w.add(sender{domain: "bulk-mailer.example", net: "192.0.2", policy: "none", signs: true})
	w.bank = w.add(sender{domain: "bank.example", net: "198.18.1", policy: "reject", signs: true})
	w.partner = w.add(sender{domain: "partner.example", net: "198.18.2", policy: "reject", signs: true})
	w.flaky = w.add(sender{domain: "statewater.example", net: "198.18.3", policy: "reject", signs: true})
	w.college = w.add(sender{domain: "college.example", net: forwarders, policy: "none", spf: "ip4:" + forwarders + ".0/24 ~all"})
	w.list = w.add(sender{domain: "lists.example", net: "198.18.9", spf: "ip4:" + listHost + " -all"})
	w.club = w.add(sender{domain: "club.example", net: "198.18.4", policy: "none", spf: "ip4:" + clubHost + " -all"})
	office := w.add(sender{domain: "cloud-office.example", net: "198.18.20", policy: "reject", signs: true})
	host := w.add(sender{domain: "webhost.example", net: "198.18.21", policy: "none", signs: true})
	w.settle(office, host)
	for i := range 12 {
		name := fmt.Sprintf("%s-%s.example", []string{"secure", "account", "parcel", "login"}[i%4], []string{"notice", "update", "service"}[i/4])
		w.throwaways = append(w.throwaways, w.add(sender{domain: name, net: "198.18.30", host: host, policy: "none", spf: "ip4:100.64.0.0/10 -all", signs: true}))
	}
	w.sum = sumOf(kinds)
	w.campaigns = campaignsOf(w)
	return w
}

// settle adds the firms, some with servers of their own and some without.
func (w *world) settle(office, host *sender) {
	policies := []string{"reject", "quarantine", "none", "", "none", "reject"}
	for i := range 48 {
		s := sender{domain: firmName(i), net: fmt.Sprintf("198.19.%d", i+10), policy: policies[i%6], signs: i%5 != 3, weight: 60/(i+2) + 1}
		switch {
		case i%4 == 1:
			s.host = office
		case i%4 == 2 && i > 8:
			s.host = host
		}
		switch s.domain {
		case "blueworks.example":
			s.policy = "quarantine"
		case "greenpress.example": // asks more than ten questions (RFC 7208 section 4.6.4)
			for k := range 11 {
				s.spf += fmt.Sprintf("a:out%d.%s ", k%servers+1, s.domain)
			}
			s.spf += "~all"
		case "cityworks.example":
			s.policy = "rejekt" // a slip of its admin
		}
		f := w.add(s)
		w.firms = append(w.firms, f)
		w.firmSum += f.weight
	}
}

func firmName(i int) string {
	return []string{"north", "blue", "old", "river", "city", "open", "green", "high"}[i%8] +
		[]string{"mill", "works", "press", "school", "clinic", "market"}[i/8] + ".example"
}

// firm is one of them, those that send much more often than others.
func (w *world) firm(r *rand.Rand) *sender {
	at := r.IntN(w.firmSum)
	for _, f := range w.firms {
		if at -= f.weight; at < 0 {
			return f
		}
	}
	return w.firms[0]
}

func (w *world) named(domain string) *sender {
	for _, s := range w.all {
		if s.domain == domain {
			return s
		}
	}
	return w.own
}

// server is one that it sends by.
func (s *sender) server(r *rand.Rand) (ip, name string) {
	if s.host != nil {
		return s.host.server(r)
	}
	i := r.IntN(servers)
	return fmt.Sprintf("%s.%d", s.net, 10+i), fmt.Sprintf("out%d.%s", i+1, s.domain)
}
