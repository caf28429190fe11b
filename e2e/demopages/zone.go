package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"alignd/resolver"
)

const selector = "s2026"

// published are the DNS of the world as it mostly is, and while parts of it fail.
type published struct{ usual, failing *resolver.Zone }

func publish(w *world) (p published, err error) {
	if p.usual, err = resolver.ParseZone(strings.NewReader(w.zone(false)), "world"); err != nil {
		return p, err
	}
	p.failing, err = resolver.ParseZone(strings.NewReader(w.zone(true)), "world")
	return p, err
}

type liner func(format string, args ...any)

// zone is what all publish.
func (w *world) zone(failing bool) string {
	var z strings.Builder
	line := liner(func(format string, args ...any) { fmt.Fprintf(&z, format+"\n", args...) })
	for _, s := range w.all {
		s.publish(line, failing && s == w.flaky)
	}
	line("example.net. 300 IN MX 10 mx.example.net.")
	line("mx.example.net. 300 IN A 198.51.100.25")
	line(`brand.example. 300 IN TXT "v=spf1 -all"`)
	line(`_dmarc.brand.example. 300 IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.net"`)
	line(`brand.example._report._dmarc.example.net. 300 IN TXT "v=DMARC1"`)
	line(`odd-helo.example. 300 IN TXT "v=spf1 ip4:100.64.0.0/10 -all"`)
	publishOdd(line)
	reverse(line, listHost, "lists.example")
	reverse(line, clubHost, "mail.club.example")
	for i := range 5 {
		reverse(line, fmt.Sprintf("%s.%d", forwarders, i+1), fmt.Sprintf("fwd%d.college.example", i+1))
	}
	for i := range 3 {
		ip := fmt.Sprintf("%s.%d", scanners, i+1)
		if failing {
			line("%s SERVFAIL", arpa(ip))
		} else {
			reverse(line, ip, fmt.Sprintf("copier%d.scan-to-mail.example", i+1))
		}
	}
	for _, n := range homes {
		for c := range 250 {
			for d := range 4 {
				reverse(line, fmt.Sprintf("%s.%d.%d", n.net, c, d*60+7), fmt.Sprintf("%s-%d-%d.%s", strings.ReplaceAll(n.net, ".", "-"), c, d*60+7, n.name))
			}
		}
	}
	return z.String()
}

func (s *sender) publish(line liner, fails bool) {
	line("%s. 300 IN A %s.10", s.domain, s.net)
	line("%s. 300 IN MX 10 mail.%s.", s.domain, s.domain)
	if s.spf != "" {
		line(`%s. 300 IN TXT "v=spf1 %s"`, s.domain, s.spf)
	}
	switch {
	case fails:
		line("_dmarc.%s. SERVFAIL", s.domain)
		line("%s._domainkey.%s. SERVFAIL", selector, s.domain)
	case s.policy != "":
		line(`_dmarc.%s. 300 IN TXT "v=DMARC1; p=%s; rua=mailto:dmarc@%s"`, s.domain, s.policy, s.domain)
	}
	if !fails {
		line(`%s._domainkey.%s. 300 IN TXT "v=DKIM1; k=ed25519; p=%s"`, selector, s.domain, base64.StdEncoding.EncodeToString(s.key.Public().(ed25519.PublicKey)))
	}
	if s.host == nil {
		line(`_spf.%s. 300 IN TXT "v=spf1 ip4:%s.0/24 -all"`, s.domain, s.net)
		for i := range servers {
			reverse(line, fmt.Sprintf("%s.%d", s.net, 10+i), fmt.Sprintf("out%d.%s", i+1, s.domain))
		}
	}
}

// reverse gives an address a name that leads back to it.
func reverse(line liner, ip, name string) {
	line("%s 300 IN PTR %s.", arpa(ip), name)
	line("%s. 300 IN A %s", name, ip)
}

func arpa(ip string) string {
	a := netip.MustParseAddr(ip).As4()
	return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa.", a[3], a[2], a[1], a[0])
}

// serveDNS answers for the world, so that the page Domain finds what the mail was judged by.
func serveDNS(zone *resolver.Zone, conn net.PacketConn) *dns.Server {
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		m.RecursionAvailable = true
		answer(m, zone, q.Question[0])
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	return s
}

func answer(m *dns.Msg, zone *resolver.Zone, q dns.Question) {
	a, err := zone.Lookup(context.Background(), strings.TrimSuffix(q.Name, "."), q.Qtype)
	if err != nil {
		m.Rcode = dns.RcodeServerFailure
		return
	}
	m.Rcode = a.RCode
	h := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 300}
	for _, text := range a.TXT {
		rr := &dns.TXT{Hdr: h}
		for ; len(text) > 255; text = text[255:] {
			rr.Txt = append(rr.Txt, text[:255])
		}
		rr.Txt = append(rr.Txt, text)
		m.Answer = append(m.Answer, rr)
	}
	for _, ip := range a.Addrs {
		if ip.Is4() {
			m.Answer = append(m.Answer, &dns.A{Hdr: h, A: ip.AsSlice()})
		}
	}
	for _, mx := range a.MX {
		m.Answer = append(m.Answer, &dns.MX{Hdr: h, Preference: mx.Preference, Mx: dns.Fqdn(mx.Host)})
	}
	for _, name := range a.PTR {
		m.Answer = append(m.Answer, &dns.PTR{Hdr: h, Ptr: dns.Fqdn(name)})
	}
}
