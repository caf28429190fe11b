package dnsserver_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

const zoneText = `
example.com            SOA   ns.example.com admin.example.com 1 2 3 4 5
example.com            TXT   "v=spf1 " "-all"
example.com            MX    10 mx.example.com
example.com            MX    0 .
mx.example.com         A     192.0.2.1
mx.example.com         AAAA  2001:db8::1
alias.example.com      CNAME mx.example.com
chain.example.com      CNAME alias.example.com
dangling.example.com   CNAME nothing.example.org
loop.example.com       CNAME loop.example.com
broken.example.com     SERVFAIL
tobroken.example.com   CNAME broken.example.com
*.wild.example.net     TXT   "wild"
*.wildc.example.net    CNAME mx.example.com
a.b.there.wild.example.net TXT "there"
big.example.net        TXT   "\000\255\"\\;` + "0123456789" + `"
1.2.0.192.in-addr.arpa PTR   MAIL.example.com
odd\ name.example.com  TXT   "odd"
`

func start(t *testing.T, zone *resolver.Zone) *dnsserver.Server {
	t.Helper()
	s, err := dnsserver.ServeZone(zone, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func parse(t *testing.T, src string) *resolver.Zone {
	t.Helper()
	z, err := resolver.ParseZone(strings.NewReader(src), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestZoneAndServerAgree: the same zone answers alike when it is read directly
// and when it is asked through server and resolver.
func TestZoneAndServerAgree(t *testing.T) {
	zone := parse(t, zoneText)
	r, err := resolver.New(resolver.Options{Servers: []string{start(t, zone).Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	show := func(a *resolver.Answer, err error) string {
		if err != nil {
			return fmt.Sprint(resolver.Temporary(err))
		}
		return fmt.Sprintf("%s %d %d %t %q %v %v %q", a.Name, a.Type, a.RCode, a.NameExists, a.TXT, a.Addrs, a.MX, a.PTR)
	}
	names := []string{"nothing.example.com", "there.wild.example.net", "b.there.wild.example.net", "x.b.there.wild.example.net",
		"x.y.wild.example.net", "x.wildc.example.net", "wild.example.net", "net", "org"}
	for line := range strings.Lines(zoneText) {
		if f := strings.Fields(line); len(f) > 0 {
			names = append(names, f[0])
		}
	}
	names = append(names, "odd name.example.com", "EXAMPLE.com.")
	for _, name := range names {
		for _, qtype := range []uint16{dns.TypeTXT, dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypePTR} {
			want := show(zone.Lookup(t.Context(), name, qtype))
			if got := show(r.Lookup(t.Context(), name, qtype)); got != want {
				t.Errorf("%s %s\nserver %s\n  zone %s", dns.TypeToString[qtype], name, got, want)
			}
		}
	}
}

func TestServer(t *testing.T) {
	long := strings.Repeat("x", 900)
	s := start(t, parse(t, "example.com TXT "+long+"\nexample.com CAA 0 issue \"ca.example\"\nslow.example TIMEOUT\n"))
	ask := func(t *testing.T, network string, edns uint16, name string, qtype uint16) (*dns.Msg, error) {
		t.Helper()
		m := new(dns.Msg).SetQuestion(name, qtype)
		if edns > 0 {
			m.SetEdns0(edns, false)
		}
		c := dns.Client{Net: network, Timeout: 5 * time.Second}
		if name == "slow.example." {
			c.Timeout = 100 * time.Millisecond
		}
		reply, _, err := c.Exchange(m, s.Addr())
		return reply, err
	}
	t.Run("a long answer is truncated to 512 octets without EDNS", func(t *testing.T) {
		m, err := ask(t, "udp", 0, "example.com.", dns.TypeTXT)
		if err != nil || !m.Truncated || m.Len() > 512 {
			t.Errorf("%v, %v", m, err)
		}
	})
	t.Run("with EDNS it comes whole", func(t *testing.T) {
		m, err := ask(t, "udp", 1232, "example.com.", dns.TypeTXT)
		if err != nil || m.Truncated || len(m.Answer) != 1 {
			t.Errorf("%v, %v", m, err)
		}
	})
	t.Run("and over TCP", func(t *testing.T) {
		m, err := ask(t, "tcp", 0, "example.com.", dns.TypeTXT)
		if err != nil || m.Truncated || len(m.Answer) != 1 {
			t.Errorf("%v, %v", m, err)
		}
	})
	t.Run("any type is answered", func(t *testing.T) {
		m, err := ask(t, "udp", 0, "Example.COM.", dns.TypeCAA)
		if err != nil || len(m.Answer) != 1 {
			t.Errorf("%v, %v", m, err)
		}
	})
	t.Run("a negative answer has a SOA record", func(t *testing.T) {
		m, err := ask(t, "udp", 0, "no.example.com.", dns.TypeTXT)
		if err != nil || m.Rcode != dns.RcodeNameError || len(m.Ns) != 1 {
			t.Errorf("%v, %v", m, err)
		}
	})
	t.Run("TIMEOUT is silence", func(t *testing.T) {
		if m, err := ask(t, "udp", 0, "slow.example.", dns.TypeTXT); err == nil {
			t.Errorf("answered %v", m)
		}
	})
	t.Run("questions are counted", func(t *testing.T) {
		if n := s.Counts()[dnsserver.Question{Name: "example.com", Type: dns.TypeTXT}]; n != 3 || s.Queries() != 6 {
			t.Errorf("%d and %d in all, want 3 and 6", n, s.Queries())
		}
		if s.ResetCounts(); s.Queries() != 0 {
			t.Errorf("%d after reset", s.Queries())
		}
	})
	t.Run("Reload serves another zone", func(t *testing.T) {
		s.Reload(parse(t, "other.example A 192.0.2.1\n"))
		m, err := ask(t, "udp", 0, "other.example.", dns.TypeA)
		if err != nil || len(m.Answer) != 1 {
			t.Errorf("%v, %v", m, err)
		}
	})
}
