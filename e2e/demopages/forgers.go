package main

import (
	"fmt"
	"math/rand/v2"
)

// forgery is how much trouble a forger takes.
type forgery int

const (
	plainForgery forgery = iota // the victim's address in MAIL FROM, too
	ownEnvelope                 // a domain of his own in MAIL FROM, where SPF passes, and a signature of it
	nobody                      // no MAIL FROM, and no sensible HELO
	copied                      // the signature of a message of the victim
)

// campaign is a time in which many send the same forgery.
type campaign struct {
	begin, hours int // of the world's
	// more is how much it adds to the mail of these hours.
	more    float64
	as      string
	how     forgery
	from    home
	subject string
}

// campaignsOf are some a week, each with its victim, and one against ourselves that has
// just ended.
func campaignsOf(w *world) []campaign {
	r := rand.New(rand.NewPCG(11, 18))
	list := []campaign{{begin: days*24 - 7, hours: 6, more: 0.5, as: w.own.domain, how: plainForgery, from: homes[1], subject: "Invoice overdue"}}
	victims := []string{"bank.example", "bank.example", "example.net", "brand.example", "northmill.example", "statewater.example", "cloud-office.example"}
	for range 26 {
		how := []forgery{plainForgery, plainForgery, ownEnvelope, nobody, copied}[r.IntN(5)]
		list = append(list, campaign{begin: r.IntN(days*24 - 30), hours: 1 + r.IntN(7), more: 0.2 + 1.3*r.Float64(), as: victims[r.IntN(len(victims))],
			how: how, from: homes[r.IntN(len(homes))], subject: subjects[r.IntN(len(subjects))]})
	}
	return list
}

// active is the campaign of an hour, and how much mail it adds.
func (w *world) active(hour int) (c *campaign) {
	for i := range w.campaigns {
		if x := &w.campaigns[i]; hour >= x.begin && hour < x.begin+x.hours {
			c = x
		}
	}
	return c
}

func (w *world) forgery(m *mail) forgery { return forgery(m.rand.IntN(4)) }

// forged is mail from dwellings in the name of another.
func (w *world) forged(m *mail, as string, how forgery, from home, subject string) {
	m.author = people[m.rand.IntN(len(people))] + "@" + as
	m.client, m.host = from.address(m.rand)
	m.helo, m.from, m.subject = m.host, m.author, subject
	switch how {
	case ownEnvelope:
		t := w.throwaways[m.rand.IntN(len(w.throwaways))]
		m.from, m.helo = fmt.Sprintf("return-%d@%s", m.rand.IntN(1e6), t.domain), "mail."+t.domain
		if m.rand.IntN(3) > 0 {
			m.signers = []*sender{t}
		}
	case nobody:
		m.from, m.helo = "", []string{"localhost", "[192.168.1.7]", "desktop-4k2", "mail." + as}[m.rand.IntN(4)]
	case copied:
		m.signers, m.copied = []*sender{w.named(as)}, true
	}
}
