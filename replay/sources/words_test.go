package sources

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
)

// RFC 7208 sections 5.2 and 6.1.
func TestNamesThatAnSPFRecordIncludes(t *testing.T) {
	for _, c := range []struct {
		name, record string
		want         []string
	}{
		{name: "includes and a redirect", record: "v=spf1 include:_spf.A.example +include:b.example. redirect=c.example", want: []string{"_spf.a.example", "b.example", "c.example"}},
		{name: "one that does not mean a pass", record: "v=spf1 -include:a.example ?include:b.example ~include:c.example"},
		{name: "a macro may be anybody", record: "v=spf1 include:%{d2}.a.example"},
		{name: "a single label", record: "v=spf1 include:example"},
		{name: "what only looks like one", record: "v=spf1 exists:include:a.example a:include.example"},
		{name: "no record"},
	} {
		if got := included(c.record); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q names %v, want %v", c.name, c.record, got, c.want)
		}
	}
}

// RFC 7208 sections 4.6 and 5.6.
func TestAddressesThatAnSPFRecordLists(t *testing.T) {
	for _, c := range []struct {
		name, record, ip string
		want             bool
	}{
		{name: "an address", record: "v=spf1 ip4:192.0.2.1 -all", ip: "192.0.2.1", want: true},
		{name: "a network behind other terms", record: "v=spf1 a include:b.example ip4:192.0.2.0/24 -all", ip: "192.0.2.1", want: true},
		{name: "IPv6", record: "v=spf1 ip6:2001:db8::/32 -all", ip: "2001:db8::1", want: true},
		{name: "another", record: "v=spf1 ip4:192.0.2.0/24 -all", ip: "198.51.100.1"},
		{name: "a term before may say no", record: "v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 -all", ip: "192.0.2.1"},
		{name: "it means no pass", record: "v=spf1 ?ip4:192.0.2.0/24 -all", ip: "192.0.2.1"},
		{name: "about everybody", record: "v=spf1 ip4:128.0.0.0/1 -all", ip: "192.0.2.1"},
		{name: "a network that cannot be read", record: "v=spf1 ip4:192.0.2.0/x ip4:192.0.2.0/99 -all", ip: "192.0.2.9"},
		{name: "no record", ip: "192.0.2.1"},
	} {
		if got := recordLists(c.record, netip.MustParseAddr(c.ip)); got != c.want {
			t.Errorf("%s: %q for %s gives %v", c.name, c.record, c.ip, got)
		}
	}
}

func TestWhoseRecordListsTheClient(t *testing.T) {
	for _, c := range []struct {
		name, mechanism, domain string
		want                    bool
	}{
		{name: "an address", mechanism: "ip4:192.0.2.1", domain: "own.example", want: true},
		{name: "a small network", mechanism: "+ip4:192.0.2.0/28", domain: "own.example", want: true},
		{name: "that of the domain above", mechanism: "ip4:192.0.2.1", domain: "own.example", want: true},
		{name: "a host", mechanism: "a:mail.own.example", domain: "own.example", want: true},
		{name: "a network that others may share", mechanism: "ip4:192.0.2.0/24", domain: "own.example"},
		{name: "a network around a host", mechanism: "a/24", domain: "own.example"},
		{name: "an include", mechanism: "ip4:192.0.2.1", domain: "_spf.vendor.example"},
		{name: "everybody", mechanism: "all", domain: "own.example"},
		{name: "whoever has a name", mechanism: "ptr", domain: "own.example"},
		{name: "whoever exists", mechanism: "exists:%{i}.own.example", domain: "own.example"},
		{name: "a name below", mechanism: "ip4:192.0.2.1", domain: "x.news.own.example"},
	} {
		check := &evidence.SPFCheck{Mechanism: c.mechanism, MechanismDomain: c.domain}
		if got := directly(check, "news.own.example", lastTwo); got != c.want {
			t.Errorf("%s: %s of %s gives %v", c.name, c.mechanism, c.domain, got)
		}
	}
}

// Whatever names mail brings, an entry has none that YAML could take for something else.
func TestNoNameBreaksOutOfAnEntry(t *testing.T) {
	for i, hostile := range []string{`x"]\nexceptions: [`, "a\n- id: b", `"`, "a b.example", "ä.example", "a'b.example", "{a.example", "a.example#", "%x.example", "*.example", ""} {
		w := newWorld(t, int64(i), "vendor.example", "fwd.example", hostile, "members.club.example")
		w.vendorAlone()
		w.forwarder()
		w.list(hostile, "club.example", "club.example")
		w.list("members.club.example", hostile, hostile)
		w.spf[hostile] = published{record: "v=spf1 ip4:198.51.100.0/24", from: []string{"198.51.100.0/24"}}
		days(15, 3, func(day int) {
			w.send("attacker", mail{day: day, ip: "198.51.100.77", from: "own.example", sender: hostile, signers: []string{hostile, "vendor.example"}})
			w.send("attacker", mail{day: day, ip: "198.51.100.77", from: hostile, sender: "vendor.example", signers: []string{"vendor.example"}})
			w.send("attacker", mail{day: day, ip: "198.51.100.77", from: "own.example", sender: hostile, seals: []seal{sealed(hostile, "own.example", "pass")}})
		})
		for _, s := range w.survey().Suggestions {
			if len(hostile) > 1 && strings.Contains(s.Entry, hostile) {
				t.Errorf("%q stands in\n%s", hostile, s.Entry)
			}
		}
	}
}

func TestALittleMailDoesNotTellWhetherOthersUseASigner(t *testing.T) {
	w := newWorld(t, 2)
	w.office()
	days(6, 1, func(day int) {
		m := mail{day: day, ip: "198.51.100.1", from: "own.example", sender: "b.vendor.example", signers: []string{"vendor.example"}}
		w.send("vendor", m)
		m.signers = append(m.signers, "own.example")
		w.send("vendor", m)
	})
	r := w.survey()
	why := ""
	for _, p := range r.Sources {
		if p.Infrastructure == "198.51.100.0/24" {
			why = p.NotSuggested
		}
	}
	if len(r.Suggestions) > 0 || !strings.Contains(why, fmt.Sprintf("wanted are %d", leastSigned)) {
		t.Errorf("suggested are %d, and it says %q", len(r.Suggestions), why)
	}
}
