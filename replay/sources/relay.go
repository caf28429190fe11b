package sources

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"alignd/evidence"
)

// gateway is a client that may be a host of the site which brings mail of others: SPF is
// then checked for the wrong address, until it is one of trusted_relays.
type gateway struct {
	messages int // since one had a field of an own host on top
	by       string
	// odd are messages whose topmost Received field is not that of the same host, with
	// the address of somebody outside. A host that writes one on top of each message has few.
	odd         int
	first, last time.Time
	days        daySet
	owned       string // what says that the host is the site's, in a sentence
	rewrites    int    // messages with a MAIL FROM of the site: those of a list or forwarder
	authors     table[string, int]
}

// What a gateway has to show; ours.
const (
	maxGateways    = 1000
	leastRelayed   = 20
	leastRelayOrgs = 5
	// leastClean is the share of messages, in percent, whose topmost field is as it should be.
	leastClean = 98
)

// topHop is the topmost Received field where a host of the site wrote it and tells of a
// client outside.
func (s *Survey) topHop(ev *evidence.Message) (by string, client netip.Addr) {
	if len(ev.Received) == 0 {
		return "", client
	}
	hop := &ev.Received[0]
	by = strings.TrimSuffix(strings.ToLower(hop.By), ".")
	if client = hop.Addr.Unmap(); !plainName(by) || !s.opt.Own(by) && !s.trusted(by) || !isOutside(client) || client == ev.Client.Peer.Unmap() {
		return "", netip.Addr{}
	}
	return by, client
}

func isOutside(ip netip.Addr) bool {
	return ip.IsValid() && !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast()
}

// relayed takes a message of a client that is no trusted relay yet.
func (s *Survey) relayed(ev *evidence.Message) {
	peer := ev.Client.Peer.Unmap().WithZone("")
	if !isOutside(peer) || ev.Client.Relay != "" {
		return
	}
	by, _ := s.topHop(ev)
	if by == "" && s.gateways.get(peer) == nil {
		return
	}
	g, isNew := s.gateways.at(peer)
	if isNew {
		g.by = by
		g.authors = table[string, int]{max: maxNames, weight: func(n *int) int { return *n }}
	}
	g.messages++
	if by != g.by {
		g.odd++
	}
	g.first, g.last = earlier(g.first, ev.Time), later(g.last, ev.Time)
	g.days.add(ev.Time)
	if s.opt.Own(ev.MailFromDomain) {
		g.rewrites++
	}
	for i := range ev.DMARC {
		if a := ev.DMARC[i].AuthorDomain; passes(ev, &ev.DMARC[i]) && !s.opt.Own(a) {
			note(&g.authors, s.opt.Organization(a))
		}
	}
	if g.owned == "" {
		g.owned = s.ownHost(ev)
	}
}

// ownHost is what says that the client is a host that the admin names: a name of its
// address that leads back to it, or SPF of its HELO name. What it calls itself says nothing,
// and a name below one of the site's may be somebody else's.
func (s *Survey) ownHost(ev *evidence.Message) string {
	if ev.IPRev.Result == evidence.Pass {
		for _, name := range ev.IPRev.Names {
			if s.trusted(name) {
				return fmt.Sprintf("Its address has the name %s, which leads back to it.", name)
			}
		}
	}
	if c := ev.SPF.HELO; c != nil && c.Result == evidence.Pass && !c.Wide && s.trusted(c.Domain) {
		return fmt.Sprintf("SPF of its HELO name %s passes.", c.Domain)
	}
	return ""
}

// gatewayOf files a failing message that came through a gateway.
func (s *Survey) gatewayOf(ev *evidence.Message, dm *evidence.DMARC, own bool, infrastructure string) {
	if by, _ := s.topHop(ev); by == "" || ev.Client.Relay != "" {
		return
	}
	peer := ev.Client.Peer.Unmap().WithZone("")
	s.class(classKey{kind: relay, signer: peer.String()}).add(ev, dm, own, infrastructure)
}

// relay suggests to look behind a gateway of the site.
func (s *Survey) relay(c *candidate) {
	peer, err := netip.ParseAddr(c.class.key.signer)
	g := s.gateways.get(peer)
	switch {
	case err != nil || g == nil:
		c.why = "too many clients look like a gateway"
	case !s.trusted(g.by):
		c.why = fmt.Sprintf("it writes Received fields as %s, as anybody can. Where it is a gateway of yours: --trust %s", g.by, g.by)
	case g.owned == "":
		c.why = fmt.Sprintf("neither its reverse name (looked up with iprev: true) nor SPF of its HELO name shows that it is %s", g.by)
	case g.messages < leastRelayed || len(g.authors.rows) < leastRelayOrgs:
		c.why = "too little mail of others that passes DMARC comes through it to call it a gateway"
	case g.odd*100 > g.messages*(100-leastClean):
		c.why = fmt.Sprintf("it does not write a Received field as %s on top of each message, so a client could", g.by)
	case g.rewrites*10 > g.messages:
		c.why = "it sends with a MAIL FROM of your own, as lists and forwarders do; have it seal (ARC), and name it in trusted_sealers"
	default:
		c.proof = proof{signer: g.by, clients: []netip.Addr{peer}}
		c.Because = append(c.Because, fmt.Sprintf("You named %s as trusted.", g.by), g.owned,
			fmt.Sprintf("On top of its mail stands a Received field that %s wrote, with the client outside: messages %d.", g.by, g.messages-g.odd),
			"SPF is then checked for that client, so it counts as let in what the SPF record of the Author Domain, as the journal has it, says of the client. Others may change too, which no journal can tell.")
	}
}

// relayLetsIn reports whether a refused message passes once SPF is checked for the client
// behind the gateway. It goes by the addresses in the record that was met, and asks no DNS.
func (s *Survey) relayLetsIn(c *candidate, ev *evidence.Message) bool {
	if ev.Client.Relay != "" || ev.Client.Peer.Unmap().WithZone("") != c.proof.clients[0] || ev.SPF.MailFrom == nil || len(ev.DMARC) != 1 || ev.From.Problem != evidence.FromOK {
		return false
	}
	by, client := s.topHop(ev)
	dm, check := &ev.DMARC[0], ev.SPF.MailFrom
	aligned := check.Domain == dm.AuthorDomain || !dm.Published.StrictSPF && dm.OrgDomain != "" && isAtOrBelow(check.Domain, dm.OrgDomain) && s.sameOrg(check.Domain, dm.AuthorDomain)
	return by == c.proof.signer && aligned && dm.Result == evidence.Fail && recordLists(check.Record, client)
}

// recordLists reports whether an SPF record lists an address itself, before any term that
// may say otherwise (RFC 7208 sections 4.6 and 5.6).
func recordLists(record string, ip netip.Addr) bool {
	terms := strings.Fields(strings.ToLower(record))
	if len(terms) == 0 || terms[0] != "v=spf1" {
		return false
	}
	for _, term := range terms[1:] {
		if strings.IndexByte("-~?", term[0]) >= 0 {
			return false
		}
		network, ok := strings.CutPrefix(strings.TrimPrefix(term, "+"), "ip4:")
		bits := 32
		if !ok {
			network, ok = strings.CutPrefix(strings.TrimPrefix(term, "+"), "ip6:")
			bits = 128
		}
		if !ok {
			continue
		}
		text, length, cut := strings.Cut(network, "/")
		if n, err := strconv.Atoi(length); cut && err == nil {
			bits = n
		}
		if addr, err := netip.ParseAddr(text); err == nil {
			if p, err := addr.Prefix(bits); err == nil && bits >= 8 && p.Contains(ip) {
				return true
			}
		}
	}
	return false
}

func (c *candidate) trustedRelay() string {
	return fmt.Sprintf("trusted_relays:\n  - id: %s\n    peers: %s\n    by: %s\n    on_parse_failure: none\n    reject: reject\n",
		quote(c.ID), quotes(c.addresses()), quotes([]string{c.proof.signer}))
}
