package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alignd/e2e/mta"
)

// The addresses that mail comes from, and the zone of those who send it.
const (
	officeIP   = "198.51.100.66"
	vendorIP   = "198.51.100.77"
	attackerIP = "203.0.113.66"
	listIP     = "203.0.113.5"
	ownIP      = "192.0.2.200"

	dayZone = `
_dmarc.good.example TXT "v=DMARC1; p=reject; rua=mailto:r@good.example,mailto:dead@good.example"
_dmarc.news.good.example TXT "v=DMARC1; p=none; rua=mailto:n@good.example"
_dmarc.mark.example TXT "v=DMARC1; p=quarantine; rua=mailto:m@mark.example"
_dmarc.vendor.example TXT "v=DMARC1; p=reject; rua=mailto:v@vendor.example"
_dmarc.slow.example TXT "v=DMARC1; p=reject; rua=mailto:s@slow.example"
_dmarc.victim.example TXT "v=DMARC1; p=reject; rua=mailto:r@victim.example"
_dmarc.oneday.example TXT "v=DMARC1; p=reject; rua=mailto:r@oneday.example"
_dmarc.silent.example TXT "v=DMARC1; p=reject"
good.example TXT "v=spf1 ip4:198.51.100.66 -all"
news.good.example TXT "v=spf1 ip4:198.51.100.66 -all"
mark.example TXT "v=spf1 ip4:198.51.100.66 -all"
vendor.example TXT "v=spf1 ip4:198.51.100.66 -all"
oneday.example TXT "v=spf1 ip4:198.51.100.66 -all"
silent.example TXT "v=spf1 ip4:198.51.100.66 -all"
attacker.example TXT "v=spf1 ip4:203.0.113.66 -all"
`
	slowAway = "slow.example SERVFAIL\n"
	slowBack = "slow.example TXT \"v=spf1 ip4:198.51.100.66 -all\"\n"

	daySettings = `
not_judged: {networks: [192.0.2.200/32]}
trusted_sealers: [{id: hikers, domains: [example.org]}]
exceptions:
  - {id: vendor, kind: allow, action: accept, scope: {author_domains: [vendor.example]}, proof: {clients: [198.51.100.77/32]}, reason: breaks signatures, owner: postmaster, never_expires: true}
`
)

// kind is mail of one kind, sent so many times a day, with what it adds to reports.
type kind struct {
	name   string
	times  int
	client string
	from   string // MAIL FROM
	author string // of From: the field's value, or a whole message
	code   int
	rows   []string // without the client's address
}

// dayOf is the mail of a day: 0 or 1.
func dayOf(day int, sealed string) []kind {
	list := []kind{
		{name: "accepted", times: 5 + day, client: officeIP, from: "x@good.example", author: "a@good.example", code: 250, rows: []string{"good.example pass dkim=fail spf=pass"}},
		{name: "refused", times: 3, client: attackerIP, from: "x@attacker.example", author: "a@good.example", code: 550, rows: []string{"good.example reject dkim=fail spf=fail"}},
		{name: "refused, below", times: 2, client: attackerIP, from: "x@attacker.example", author: "a@shop.good.example", code: 550, rows: []string{"shop.good.example reject dkim=fail spf=fail"}},
		{name: "policy none", times: 2, client: officeIP, from: "x@news.good.example", author: "a@news.good.example", code: 250, rows: []string{"news.good.example none dkim=fail spf=pass"}},
		{name: "policy none, forged", times: 1, client: attackerIP, from: "x@attacker.example", author: "a@news.good.example", code: 250, rows: []string{"news.good.example none dkim=fail spf=fail"}},
		{name: "marked", times: 2, client: attackerIP, from: "x@attacker.example", author: "a@mark.example", code: 250, rows: []string{"mark.example quarantine dkim=fail spf=fail"}},
		{name: "not marked", times: 1, client: officeIP, from: "x@mark.example", author: "a@mark.example", code: 250, rows: []string{"mark.example pass dkim=fail spf=pass"}},
		{name: "overridden", times: 2, client: vendorIP, from: "x@esp.example", author: "a@vendor.example", code: 250, rows: []string{"vendor.example none dkim=fail spf=fail local_policy: exception"}},
		{name: "the vendor's own", times: 1, client: officeIP, from: "x@vendor.example", author: "a@vendor.example", code: 250, rows: []string{"vendor.example pass dkim=fail spf=pass"}},
		{name: "a list that is trusted", times: 2, client: listIP, from: "hikers-bounces@lists.example.org", author: sealed, code: 250, rows: []string{"example.com none dkim=fail spf=fail local_policy: arc=pass as[1].d=example.org as[1].s=arc"}},
		{name: "a list that is not", times: 1, client: attackerIP, from: "x@attacker.example", author: "a@example.com", code: 550, rows: []string{"example.com reject dkim=fail spf=fail"}},
		{name: "of who posts to lists", times: 1, client: "192.0.2.10", from: "x@example.com", author: "a@example.com", code: 250, rows: []string{"example.com pass dkim=fail spf=pass"}},
		{name: "two authors", times: 2, client: officeIP, from: "x@good.example", author: "a@good.example, b@mark.example", code: 250, rows: []string{"good.example pass dkim=fail spf=pass", "mark.example quarantine dkim=fail spf=fail"}},
		{name: "two authors, one of them without policy", times: 1, client: officeIP, from: "x@mark.example", author: "a@mark.example, b@attacker.example", code: 250, rows: []string{"mark.example pass dkim=fail spf=pass"}},
		{name: "a victim", times: 4, client: attackerIP, from: "x@attacker.example", author: "a@victim.example", code: 550},
		{name: "asks for no reports", times: 1, client: officeIP, from: "x@silent.example", author: "a@silent.example", code: 250},
		{name: "not judged", times: 1, client: ownIP, from: "x@attacker.example", author: "a@good.example", code: 250},
	}
	if day == 0 {
		list = append(list, kind{name: "a domain of one day", times: 2, client: officeIP, from: "x@oneday.example", author: "a@oneday.example", code: 250})
	}
	return list
}

// text is a message of a kind, different each time.
func (k *kind) text(i int) string {
	if strings.Contains(k.author, "\n") {
		return k.author
	}
	return fmt.Sprintf("From: %s\nTo: bob@here.test\nSubject: %d\nDate: Mon, 01 Dec 2025 09:00:00 +0100\nMessage-ID: <%d.%d@client.test>\n\nx\n", k.author, i, time.Now().UnixNano(), i)
}

// send sends the mail of a kind through the lines in turn, and expects its rows.
func (s *reportSite) send(k kind) {
	s.t.Helper()
	for i := range k.times {
		if reply := s.once(&k, k.text(i)); reply.Code != k.code {
			s.t.Fatalf("%s: %s", k.name, reply)
		}
	}
	for _, row := range k.rows {
		s.want[k.client+" "+row] += int64(k.times)
	}
}

func (s *reportSite) once(k *kind, text string) mta.Reply {
	s.t.Helper()
	s.turn++
	c := s.dial(s.turn, k.client)
	defer c.Close()
	return transaction(s.t, c, k.from, strings.NewReader(text))
}

func (s *reportSite) dial(turn int, client string) *mta.Client {
	s.t.Helper()
	h := s.hosts[turn%len(s.hosts)]
	c, err := mta.Dial(s.p.Addr(h.line), mta.Peer{Addr: netip.MustParseAddr(client)})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// putOffAndRetried sends a message that is answered 451, as DNS fails, and sends it again an
// hour later: it counts once. now is the time within the test's days.
func (s *reportSite) putOffAndRetried(now time.Duration) {
	s.t.Helper()
	k := kind{name: "put off", client: officeIP, from: "x@slow.example", author: "a@slow.example"}
	text := k.text(0)
	s.zone(slowAway)
	if reply := s.once(&k, text); reply.Code != 451 {
		s.t.Fatalf("%s: %s", k.name, reply)
	}
	s.zone(slowBack)
	s.restart(now + time.Hour)
	if reply := s.once(&k, text); reply.Code != 250 {
		s.t.Fatalf("%s, and sent again: %s", k.name, reply)
	}
	s.want[k.client+" slow.example pass dkim=fail spf=pass"]++
}

// givenUp has a client go away in the middle of a message: it was not answered.
func (s *reportSite) givenUp() {
	s.t.Helper()
	c := s.dial(0, attackerIP)
	for _, line := range []string{"EHLO a.example", "MAIL FROM:<x@attacker.example>", "RCPT TO:<bob@here.test>", "DATA"} {
		if _, err := c.Command("%s", line); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := c.Cut(); err != nil {
		s.t.Fatal(err)
	}
}

// listCase is a message that a trusted list has changed and sealed, and its zone, whose author
// wants reports.
func listCase(t *testing.T) (message, zone string) {
	t.Helper()
	const dir = "../testdata/cases/37-trusted-sealer/"
	zone = strings.Replace(string(readFile(t, dir+"zone")), "v=DMARC1; p=reject", "v=DMARC1; p=reject; rua=mailto:e@example.com", 1)
	return string(readFile(t, dir+"message.eml")), zone
}
