package spf

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"alignd/evidence"
	"alignd/resolver"
)

func TestDomain(t *testing.T) {
	for _, tt := range []struct{ name, address, want string }{
		{name: "what follows the @", address: "user@example.com", want: "example.com"},
		{name: "the last @ outside quotes counts", address: `"a@b"@example.com`, want: "example.com"},
		{name: "an escaped quote does not end the quotes", address: `"a\"@b"@example.com`, want: "example.com"},
		{name: "without quotes the last @ counts", address: "a@b@example.com", want: "example.com"},
		{name: "an unbalanced quote hides nothing", address: `"a@example.com`, want: "example.com"},
		{name: "a local part alone has no domain", address: "postmaster"},
		{name: "the null reverse-path has no domain"},
		{name: "an @ inside quotes is no separator", address: `"a@b"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Domain(tt.address); got != tt.want {
				t.Errorf("Domain(%q) = %q, want %q", tt.address, got, tt.want)
			}
		})
	}
}

// TestMailFrom has what the published suites do not: what is reported beside
// the result, limits at their edges, and internationalized mail.
func TestMailFrom(t *testing.T) {
	long := strings.Repeat("a.", 127) + "com"
	for _, tt := range []struct {
		name  string
		zone  []string
		check Check // IP is 192.0.2.1 and MailFrom user@example.com when empty
		want  evidence.SPFCheck
	}{
		{
			name: "the directive that matched is reported as published",
			zone: []string{"example.com TXT v=spf1 IP4:192.0.2.0/24 -all"},
			want: evidence.SPFCheck{Result: evidence.Pass, Mechanism: "IP4:192.0.2.0/24", MechanismDomain: "example.com"},
		},
		{
			name: "with include it is the inner directive",
			zone: []string{"example.com TXT v=spf1 ?include:_spf.example.net -all", "_spf.example.net TXT v=spf1 a:mx.example.net -all", "mx.example.net A 192.0.2.1"},
			want: evidence.SPFCheck{Result: evidence.Neutral, Mechanism: "a:mx.example.net", MechanismDomain: "_spf.example.net", Lookups: 2},
		},
		{
			name: "an include that fails leaves no directive behind (5.2)",
			zone: []string{"example.com TXT v=spf1 include:_spf.example.net", "_spf.example.net TXT v=spf1 -all"},
			want: evidence.SPFCheck{Result: evidence.Neutral, Reason: "no directive matched", Lookups: 1},
		},
		{
			name: "redirect reports the other domain's directive and explanation (6.1)",
			zone: []string{"example.com TXT v=spf1 redirect=_spf.example.net exp=own.example.com", "own.example.com TXT own",
				"_spf.example.net TXT v=spf1 -all exp=why.%{d}", "why._spf.example.net TXT %{i} is not one of %{d}"},
			want: evidence.SPFCheck{Result: evidence.Fail, Mechanism: "-all", MechanismDomain: "_spf.example.net",
				Explanation: "192.0.2.1 is not one of _spf.example.net", Lookups: 1},
		},
		{
			name:  "without a client address there is no result",
			zone:  []string{"example.com TXT v=spf1 +all"},
			check: Check{IP: netip.Addr{}, MailFrom: "nobody@example.com", HELO: "no client"},
			want:  evidence.SPFCheck{Result: evidence.None, Reason: "client address unknown"},
		},
		{
			name:  "an IPv4-mapped client is an IPv4 client (5)",
			zone:  []string{"example.com TXT v=spf1 ip6:::ffff:192.0.2.1 -ip4:192.0.2.1 +all"},
			check: Check{IP: netip.MustParseAddr("::ffff:192.0.2.1")},
			want:  evidence.SPFCheck{Result: evidence.Fail, Mechanism: "-ip4:192.0.2.1", MechanismDomain: "example.com"},
		},
		{
			name:  "the zone of a link-local client does not matter",
			zone:  []string{"example.com TXT v=spf1 ip6:fe80::1 -all"},
			check: Check{IP: netip.MustParseAddr("fe80::1%eth0")},
			want:  evidence.SPFCheck{Result: evidence.Pass, Mechanism: "ip6:fe80::1", MechanismDomain: "example.com"},
		},
		{
			name: "a domain of one label has no policy (4.3)", zone: []string{"localhost TXT v=spf1 +all"},
			check: Check{MailFrom: "user@localhost"},
			want:  evidence.SPFCheck{Domain: "localhost", Result: evidence.None, Reason: "not a multi-label domain name"},
		},
		{
			name: "an address literal has no policy (4.3)", check: Check{MailFrom: "user@[192.0.2.1]"},
			want: evidence.SPFCheck{Domain: "[192.0.2.1]", Result: evidence.None, Reason: "an address literal has no policy"},
		},
		{
			name: "a sender without domain has no policy (4.3)", check: Check{MailFrom: "user"},
			want: evidence.SPFCheck{Result: evidence.None, Reason: "no domain name"},
		},
		{
			name: "a name too long for DNS has no policy (4.3)", check: Check{MailFrom: "user@" + long},
			want: evidence.SPFCheck{Domain: long, Result: evidence.None, Reason: "domain name too long"},
		},
		{
			name: "the trailing dot of a sender is no label", zone: []string{"example.com TXT v=spf1 +all"},
			check: Check{MailFrom: "user@Example.COM."},
			want:  evidence.SPFCheck{Result: evidence.Pass, Mechanism: "+all", MechanismDomain: "example.com", Wide: true},
		},
		{
			name: "U-labels are looked up as A-labels (RFC 8616 section 4)", zone: []string{"xn--bcher-kva.example TXT v=spf1 exists:%{o}.%{h}.example.net -all", "xn--bcher-kva.example.xn--mller-kva.example.example.net A 127.0.0.2"},
			check: Check{MailFrom: "user@Bücher.example", HELO: "müller.example"},
			want: evidence.SPFCheck{Domain: "xn--bcher-kva.example", Result: evidence.Pass, Lookups: 1,
				Mechanism: "exists:%{o}.%{h}.example.net", MechanismDomain: "xn--bcher-kva.example"},
		},
		{
			name:  "a term that needs a non-ASCII local part does not match (RFC 8616 section 4)",
			zone:  []string{"example.com TXT v=spf1 exists:%{l}.example.net include:%{s}.example.net a:%{d}.example.net ?all", "example.com.example.net A 192.0.2.9"},
			check: Check{MailFrom: "jürgen@example.com"},
			want:  evidence.SPFCheck{Result: evidence.Neutral, Mechanism: "?all", MechanismDomain: "example.com", Lookups: 3},
		},
		{
			name:  "a redirect that needs it leads nowhere (RFC 8616 section 4)",
			zone:  []string{"example.com TXT v=spf1 redirect=%{l}.example.net"},
			check: Check{MailFrom: "jürgen@example.com"},
			want:  evidence.SPFCheck{Result: evidence.Neutral, Reason: "no directive matched", Lookups: 1},
		},
		{
			name: "an include of an impossible name is a permerror (5.2)", zone: []string{"example.com TXT v=spf1 include:a..example.net"},
			want: evidence.SPFCheck{Result: evidence.PermError, Lookups: 1, Reason: `example.com includes "a..example.net": malformed domain name`},
		},
		{
			name: "a redirect to an impossible name is a permerror (6.1)", zone: []string{"example.com TXT v=spf1 redirect=%{h}"}, check: Check{HELO: "one"},
			want: evidence.SPFCheck{Result: evidence.PermError, Lookups: 1, Reason: `example.com redirects to "one": not a multi-label domain name`},
		},
		{
			name: "an impossible name is no void lookup", zone: []string{"example.com TXT v=spf1 a:a..example a:b..example a:c..example mx:d..example exists:e..example -all"},
			want: evidence.SPFCheck{Result: evidence.Fail, Mechanism: "-all", MechanismDomain: "example.com", Lookups: 5},
		},
		{
			name: "NODATA is a void lookup too, for the family asked (4.6.4)",
			zone: []string{"example.com TXT v=spf1 a:six.example.com exists:six.example.com -all", "six.example.com AAAA 2001:db8::1"},
			want: evidence.SPFCheck{Result: evidence.Fail, Mechanism: "-all", MechanismDomain: "example.com", Lookups: 2, Voids: 2},
		},
		{
			name: "mail exchangers that do not exist are no void lookups",
			zone: []string{"example.com TXT v=spf1 mx mx mx -all", "example.com MX gone1.example.com", "example.com MX gone2.example.com"},
			want: evidence.SPFCheck{Result: evidence.Fail, Mechanism: "-all", MechanismDomain: "example.com", Lookups: 3},
		},
		{
			name: "a null MX has no address and is no void lookup", zone: []string{"example.com TXT v=spf1 mx ?all", "example.com MX "},
			want: evidence.SPFCheck{Result: evidence.Neutral, Mechanism: "?all", MechanismDomain: "example.com", Lookups: 1},
		},
		{
			name: "the PTR question of a p macro is a term of its own (4.6.4)",
			zone: []string{"example.com TXT v=spf1 exists:%{p}.x.example.com exists:%{p}.y.example.com -all", "1.2.0.192.in-addr.arpa PTR mx.example.com", "mx.example.com A 192.0.2.1", "mx.example.com.y.example.com A 127.0.0.2"},
			want: evidence.SPFCheck{Result: evidence.Pass, Mechanism: "exists:%{p}.y.example.com", MechanismDomain: "example.com", Lookups: 3, Voids: 1},
		},
		{
			name: "p prefers the domain itself, then one below it (7.3)",
			zone: []string{"example.com TXT v=spf1 exists:%{p}.x.example -all", "1.2.0.192.in-addr.arpa PTR other.example", "1.2.0.192.in-addr.arpa PTR sub.example.com", "1.2.0.192.in-addr.arpa PTR example.com",
				"other.example A 192.0.2.1", "sub.example.com A 192.0.2.1", "example.com.x.example A 127.0.0.2", "sub.example.com.x.example A 127.0.0.2"},
			want: evidence.SPFCheck{Result: evidence.Pass, Mechanism: "exists:%{p}.x.example", MechanismDomain: "example.com", Lookups: 2},
		},
		{
			name: "a PTR name below another by its text alone does not match (5.5)", zone: []string{"example.com TXT v=spf1 ptr -all", "1.2.0.192.in-addr.arpa PTR badexample.com", "badexample.com A 192.0.2.1"},
			want: evidence.SPFCheck{Result: evidence.Fail, Mechanism: "-all", MechanismDomain: "example.com", Lookups: 1},
		},
		{
			name: "a redirect loop ends at the limit of terms (4.6.4)", zone: []string{"example.com TXT v=spf1 redirect=example.com"},
			want: evidence.SPFCheck{Result: evidence.PermError, Lookups: 10, Reason: `"redirect=example.com" of example.com would be the term number 11 that causes DNS questions, the limit is 10`},
		},
		{
			name:  "the limits can be set",
			zone:  []string{"example.com TXT v=spf1 a:gone.example.com a ?all", "example.com A 192.0.2.9"},
			check: Check{Limits: Limits{Terms: 1, Voids: 1}},
			want: evidence.SPFCheck{Result: evidence.PermError, Lookups: 1, Voids: 1,
				Reason: `"a" of example.com would be the term number 2 that causes DNS questions, the limit is 1`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.check
			if !c.IP.IsValid() && c.HELO != "no client" {
				c.IP = netip.MustParseAddr("192.0.2.1")
			}
			if c.MailFrom == "" {
				c.MailFrom = "user@example.com"
			}
			want := tt.want
			if want.Identity = evidence.MailFromIdentity; want.Domain == "" && want.Reason != "no domain name" {
				want.Domain = "example.com"
			}
			if got := withoutTrail(MailFrom(context.Background(), zone(tt.zone...), c)); !reflect.DeepEqual(got, want) {
				t.Errorf("zone %q\ncheck %+v\n got %+v\nwant %+v", tt.zone, c, got, want)
			}
		})
	}
}

// The records of RFC 7208 appendix A, each with a client that it authorizes
// and one that it does not.
func TestAppendixA(t *testing.T) {
	base := []string{
		"example.com MX mail-a.example.com", "example.com MX mail-b.example.com",
		"example.com A 192.0.2.10", "example.com A 192.0.2.11",
		"amy.example.com A 192.0.2.65", "bob.example.com A 192.0.2.66",
		"mail-a.example.com A 192.0.2.129", "mail-b.example.com A 192.0.2.130",
		"example.org MX mail-c.example.org", "mail-c.example.org A 192.0.2.140",
		"10.2.0.192.in-addr.arpa PTR example.com", "11.2.0.192.in-addr.arpa PTR example.com",
		"65.2.0.192.in-addr.arpa PTR amy.example.com", "66.2.0.192.in-addr.arpa PTR bob.example.com",
		"129.2.0.192.in-addr.arpa PTR mail-a.example.com", "130.2.0.192.in-addr.arpa PTR mail-b.example.com",
		"140.2.0.192.in-addr.arpa PTR mail-c.example.org", "4.0.0.10.in-addr.arpa PTR bob.example.com",
		"mary.mobile-users._spf.example.com A 127.0.0.2",
		"15.15.168.192.joel.remote-users._spf.example.com A 127.0.0.2",
		"15.15.168.192.in-addr._spf.example.com A 127.0.0.2",
	}
	for _, tt := range []struct {
		record, sender string
		pass, fail     string // space-separated clients
	}{
		{record: "v=spf1 +all", pass: "192.0.2.129 10.0.0.4 2001:db8::1"},
		{record: "v=spf1 a -all", pass: "192.0.2.10 192.0.2.11", fail: "192.0.2.65"},
		{record: "v=spf1 a:example.org -all", fail: "192.0.2.10 192.0.2.140"},
		{record: "v=spf1 mx -all", pass: "192.0.2.129 192.0.2.130", fail: "192.0.2.10"},
		{record: "v=spf1 mx:example.org -all", pass: "192.0.2.140", fail: "192.0.2.129"},
		{record: "v=spf1 mx mx:example.org -all", pass: "192.0.2.129 192.0.2.130 192.0.2.140", fail: "192.0.2.10"},
		{record: "v=spf1 mx/30 mx:example.org/30 -all", pass: "192.0.2.131 192.0.2.143", fail: "192.0.2.132"},
		{record: "v=spf1 ptr -all", pass: "192.0.2.10 192.0.2.65 192.0.2.129", fail: "192.0.2.140 10.0.0.4"},
		{record: "v=spf1 ip4:192.0.2.128/28 -all", pass: "192.0.2.129 192.0.2.143", fail: "192.0.2.65"},
		{record: "v=spf1 exists:%{l1r+}.mobile-users._spf.%{d} -all", sender: "mary+tag@example.com", pass: "10.0.0.4"},
		{record: "v=spf1 exists:%{l1r+}.mobile-users._spf.%{d} -all", sender: "fred@example.com", fail: "10.0.0.4"},
		{record: "v=spf1 exists:%{ir}.%{l1r+-}.remote-users._spf.%{d} -all", sender: "joel-x@example.com", pass: "192.168.15.15", fail: "192.168.15.16"},
		{record: "v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all", pass: "192.168.15.15", fail: "192.168.15.14"},
	} {
		lk := zone(append(base[:len(base):len(base)], "example.com TXT "+tt.record)...)
		if tt.sender == "" {
			tt.sender = "user@example.com"
		}
		for clients, want := range map[string]evidence.Result{tt.pass: evidence.Pass, tt.fail: evidence.Fail} {
			for _, ip := range strings.Fields(clients) {
				got := MailFrom(context.Background(), lk, Check{IP: netip.MustParseAddr(ip), MailFrom: tt.sender})
				if got.Result != want {
					t.Errorf("%s: client %s, sender %s: got %s (%s), want %s", tt.record, ip, tt.sender, got.Result, got.Reason, want)
				}
			}
		}
	}
}

// RFC 7208 appendix A.4: logical "and" by two negated includes. The records
// are of type TXT (erratum 4001), and ptr names the domain it is about, which
// is not that of the included record (erratum 6216).
func TestAppendixA4(t *testing.T) {
	lk := zone(
		"example.com TXT v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all",
		"ip4._spf.example.com TXT v=spf1 -ip4:192.0.2.0/24 +all",
		"ptr._spf.example.com TXT v=spf1 -ptr:example.com +all",
		"1.2.0.192.in-addr.arpa PTR a.example.com", "a.example.com A 192.0.2.1",
		"1.0.0.192.in-addr.arpa PTR b.example.com", "b.example.com A 192.0.0.1",
	)
	for ip, want := range map[string]evidence.Result{
		"192.0.2.1": evidence.Pass, // in the network and below the domain
		"192.0.2.2": evidence.Fail,
		"192.0.0.1": evidence.Fail,
		"192.0.0.2": evidence.Fail,
	} {
		got := MailFrom(context.Background(), lk, Check{IP: netip.MustParseAddr(ip), MailFrom: "user@example.com"})
		if got.Result != want {
			t.Errorf("client %s: got %s (%s), want %s", ip, got.Result, got.Reason, want)
		}
	}
}

func TestHELO(t *testing.T) {
	lk := zone("mx.example.com TXT v=spf1 exists:%{l}.%{o}.%{h} -all", "postmaster.mx.example.com.mx.example.com A 127.0.0.2")
	for _, tt := range []struct {
		name, helo string
		want       evidence.SPFCheck
	}{
		{name: "the sender is postmaster at the HELO name (2.4)", helo: "mx.example.com",
			want: evidence.SPFCheck{Domain: "mx.example.com", Result: evidence.Pass, Mechanism: "exists:%{l}.%{o}.%{h}", MechanismDomain: "mx.example.com", Lookups: 1}},
		{name: "a trailing dot is no part of the name", helo: "mx.example.com.",
			want: evidence.SPFCheck{Domain: "mx.example.com", Result: evidence.Pass, Mechanism: "exists:%{l}.%{o}.%{h}", MechanismDomain: "mx.example.com", Lookups: 1}},
		{name: "an address literal has no policy (2.3)", helo: "[192.0.2.1]",
			want: evidence.SPFCheck{Domain: "[192.0.2.1]", Reason: "an address literal has no policy"}},
		{name: "a single label has no policy (2.3)", helo: "LOCALHOST",
			want: evidence.SPFCheck{Domain: "localhost", Reason: "not a multi-label domain name"}},
		{name: "a name with spaces has no policy (2.3)", helo: "my pc.example.com",
			want: evidence.SPFCheck{Domain: "my pc.example.com", Reason: "character not allowed in a domain name"}},
		{name: "no name has no policy (2.3)", want: evidence.SPFCheck{Reason: "no domain name"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want.Identity = evidence.HELOIdentity; want.Result == "" {
				want.Result = evidence.None
			}
			c := Check{IP: netip.MustParseAddr("192.0.2.1"), HELO: tt.helo}
			if got := withoutTrail(HELO(context.Background(), lk, c)); !reflect.DeepEqual(got, want) {
				t.Errorf("HELO %q:\n got %+v\nwant %+v", tt.helo, got, want)
			}
			if got := withoutTrail(MailFrom(context.Background(), lk, c)); !reflect.DeepEqual(got, want) {
				t.Errorf("null reverse-path, HELO %q:\n got %+v\nwant %+v", tt.helo, got, want)
			}
		})
	}
}

// stuck never answers until the context ends.
type stuck struct{ *fakeDNS }

func (s stuck) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if qtype == dns.TypeTXT {
		return s.fakeDNS.Lookup(ctx, name, qtype)
	}
	<-ctx.Done()
	return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "timeout"}
}

func TestTemporaryAndPermanent(t *testing.T) {
	c := Check{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "user@example.com"}
	t.Run("the time limit gives temperror, in a PTR check too (4.6.4)", func(t *testing.T) {
		for _, record := range []string{"v=spf1 a -all", "v=spf1 ptr -all", "v=spf1 exists:%{p}.example -all"} {
			c := c
			c.Limits.Timeout = 5 * time.Millisecond
			synctest.Test(t, func(t *testing.T) {
				got := MailFrom(context.Background(), stuck{zone("example.com TXT " + record)}, c)
				if got.Result != evidence.TempError || got.Reason != "time limit reached" {
					t.Errorf("%s: got %s (%s), want temperror", record, got.Result, got.Reason)
				}
			})
		}
	})
	t.Run("a DNS error stays temporary through include and redirect (5.2, 6.1)", func(t *testing.T) {
		for _, record := range []string{"v=spf1 include:bad.example +all", "v=spf1 redirect=bad.example", "v=spf1 mx:bad.example", "v=spf1 mx:worse.example +all"} {
			got := MailFrom(context.Background(), zone("example.com TXT "+record, "bad.example SERVFAIL", "worse.example MX bad.example"), c)
			if got.Result != evidence.TempError || got.Reason == "" {
				t.Errorf("%s: got %s (%s), want temperror", record, got.Result, got.Reason)
			}
		}
	})
	t.Run("the message's spent query budget is a permerror", func(t *testing.T) {
		lk := zone()
		lk.refuse = resolver.ErrBudget
		if got := MailFrom(context.Background(), lk, c); got.Result != evidence.PermError || !strings.Contains(got.Reason, "budget") {
			t.Errorf("got %s (%s), want permerror", got.Result, got.Reason)
		}
	})
	t.Run("a name that the resolver cannot carry does not match", func(t *testing.T) {
		lk := zone()
		lk.refuse = resolver.ErrName
		if got := MailFrom(context.Background(), lk, c); got.Result != evidence.None {
			t.Errorf("got %s (%s), want none", got.Result, got.Reason)
		}
	})
}

// Questions cost time at the client and load elsewhere, so only those that
// can decide are asked.
func TestQuestions(t *testing.T) {
	for _, tt := range []struct {
		name string
		zone []string
		ip   string
		want []question
	}{
		{name: "an IPv4 client asks for A only", zone: []string{"example.com TXT v=spf1 a -all"}, ip: "192.0.2.1",
			want: []question{{"example.com", dns.TypeTXT}, {"example.com", dns.TypeA}}},
		{name: "an IPv6 client asks for AAAA only", zone: []string{"example.com TXT v=spf1 a -all"}, ip: "2001:db8::1",
			want: []question{{"example.com", dns.TypeTXT}, {"example.com", dns.TypeAAAA}}},
		{name: "nothing behind the match is asked", zone: []string{"example.com TXT v=spf1 ip4:192.0.2.1 a mx include:x.example -all"}, ip: "192.0.2.1",
			want: []question{{"example.com", dns.TypeTXT}}},
		{name: "a broken record asks nothing", zone: []string{"example.com TXT v=spf1 a mx -all oops"}, ip: "192.0.2.1",
			want: []question{{"example.com", dns.TypeTXT}}},
		{name: "PTR names elsewhere are not validated", zone: []string{"example.com TXT v=spf1 ptr ptr -all", "1.2.0.192.in-addr.arpa PTR mx.example.net"}, ip: "192.0.2.1",
			want: []question{{"example.com", dns.TypeTXT}, {"1.2.0.192.in-addr.arpa", dns.TypePTR}}},
		{name: "an address of the first matching exchanger is enough", zone: []string{"example.com TXT v=spf1 mx -all", "example.com MX a.example.com", "example.com MX b.example.com", "a.example.com A 192.0.2.1"}, ip: "192.0.2.1",
			want: []question{{"example.com", dns.TypeTXT}, {"example.com", dns.TypeMX}, {"a.example.com", dns.TypeA}}},
		{name: "an IPv6 client's PTR records are at its nibbles", zone: []string{"example.com TXT v=spf1 ptr -all"}, ip: "2001:db8::cb01",
			want: []question{{"example.com", dns.TypeTXT}, {"1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", dns.TypePTR}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lk := zone(tt.zone...)
			MailFrom(context.Background(), lk, Check{IP: netip.MustParseAddr(tt.ip), MailFrom: "user@example.com"})
			if !reflect.DeepEqual(lk.asked, tt.want) {
				t.Errorf("asked %v, want %v", lk.asked, tt.want)
			}
		})
	}
}

func TestASenderWithoutAtSign(t *testing.T) {
	lk := zone("example.com TXT v=spf1 exists:%{l}.x.test -all", "postmaster.x.test A 127.0.0.2")
	for _, tt := range []struct {
		sender, domain string
		want           evidence.Result
	}{
		{sender: "Example.COM", domain: "example.com", want: evidence.Pass}, // a domain without local part (4.3)
		{sender: "joe", want: evidence.None},
		{sender: `"a b.example.com"`, want: evidence.None},
		{sender: "a b.example.com", want: evidence.None},
		{sender: "@example.com", domain: "example.com", want: evidence.Pass},
	} {
		got := MailFrom(context.Background(), lk, Check{IP: netip.MustParseAddr("192.0.2.1"), HELO: "h.test", MailFrom: tt.sender})
		if got.Result != tt.want || got.Domain != tt.domain {
			t.Errorf("%s: got %+v, want %s for %q", tt.sender, got, tt.want, tt.domain)
		}
	}
	unknown := MailFrom(context.Background(), lk, Check{MailFrom: "u@EXAMPLE.com."})
	if unknown.Domain != "example.com" || unknown.Result != evidence.None {
		t.Errorf("without a client: %+v, want none of example.com", unknown)
	}
}

// TestWideMatches: a pass by which about everybody passes is told.
func TestWideMatches(t *testing.T) {
	for _, tt := range []struct {
		name string
		ip   string
		zone []string
		want evidence.Result
		wide bool
	}{
		{name: "all", zone: []string{"example.com TXT v=spf1 +all"}, want: evidence.Pass, wide: true},
		{name: "all without its sign", zone: []string{"example.com TXT v=spf1 all"}, want: evidence.Pass, wide: true},
		{name: "the halves of the address space", zone: []string{"example.com TXT v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all"}, want: evidence.Pass, wide: true},
		{name: "a /7", zone: []string{"example.com TXT v=spf1 ip4:192.0.0.0/7 -all"}, want: evidence.Pass, wide: true},
		{name: "a /8 is not wide", zone: []string{"example.com TXT v=spf1 ip4:192.0.0.0/8 -all"}, want: evidence.Pass},
		{name: "an earlier narrow match decides", zone: []string{"example.com TXT v=spf1 ip4:192.0.2.1 +all"}, want: evidence.Pass},
		{name: "a wide network of IPv6", ip: "2001:db8::1", zone: []string{"example.com TXT v=spf1 ip6:2000::/3 -all"}, want: evidence.Pass, wide: true},
		{name: "a /23 of IPv6", ip: "2001:db8::1", zone: []string{"example.com TXT v=spf1 ip6:2001:c00::/23 -all"}, want: evidence.Pass, wide: true},
		{name: "a /24 of IPv6 is not wide", ip: "2001:db8::1", zone: []string{"example.com TXT v=spf1 ip6:2001:d00::/24 -all"}, want: evidence.Pass},
		{name: "a with a prefix length", zone: []string{"example.com TXT v=spf1 a/0 -all", "example.com A 198.51.100.1"}, want: evidence.Pass, wide: true},
		{name: "the prefix length of the other family does not matter", zone: []string{"example.com TXT v=spf1 a//0 -all", "example.com A 192.0.2.1"}, want: evidence.Pass},
		{name: "mx with a prefix length", ip: "2001:db8::1", zone: []string{"example.com TXT v=spf1 mx//8 -all", "example.com MX m.example.com", "m.example.com AAAA 2002::1"},
			want: evidence.Pass, wide: true},
		{name: "within an include", zone: []string{"example.com TXT v=spf1 include:i.example.net -all", "i.example.net TXT v=spf1 ip4:192.0.0.0/4 -all"}, want: evidence.Pass, wide: true},
		{name: "within an include that is not wide", zone: []string{"example.com TXT v=spf1 include:i.example.net +all", "i.example.net TXT v=spf1 ip4:192.0.2.0/24 -all"}, want: evidence.Pass},
		{name: "behind a redirect", zone: []string{"example.com TXT v=spf1 redirect=r.example.net", "r.example.net TXT v=spf1 all"}, want: evidence.Pass, wide: true},
		{name: "a pass within an include that is neutral outside", zone: []string{"example.com TXT v=spf1 ?include:i.example.net -all", "i.example.net TXT v=spf1 +all"}, want: evidence.Neutral},
		{name: "?all is no pass", zone: []string{"example.com TXT v=spf1 ?all"}, want: evidence.Neutral},
		{name: "-all is no pass", zone: []string{"example.com TXT v=spf1 -all"}, want: evidence.Fail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ip := tt.ip
			if ip == "" {
				ip = "192.0.2.1"
			}
			got := MailFrom(t.Context(), zone(tt.zone...), Check{IP: netip.MustParseAddr(ip), MailFrom: "user@example.com"})
			if got.Result != tt.want || got.Wide != tt.wide {
				t.Errorf("%q: got %s, wide %t, want %s, %t", tt.zone, got.Result, got.Wide, tt.want, tt.wide)
			}
		})
	}
}

// withoutTrail leaves out what TestTheTrailOfADecision is about.
func withoutTrail(c evidence.SPFCheck) evidence.SPFCheck {
	c.Record, c.Path = "", nil
	return c
}

func TestTheTrailOfADecision(t *testing.T) {
	const top = "v=spf1 x=y include:in.example.com redirect=re.example.com"
	for _, test := range []struct {
		name string
		zone []string
		want []evidence.SPFTerm
	}{
		{name: "the directive within an include", zone: []string{"in.example.com TXT v=spf1 ip4:192.0.2.9 ip4:192.0.2.1 -all"},
			want: []evidence.SPFTerm{{Domain: "example.com", Number: 2, Term: "include:in.example.com"}, {Domain: "in.example.com", Number: 2, Term: "ip4:192.0.2.1"}}},
		{name: "the directive behind a redirect", zone: []string{"in.example.com TXT v=spf1 -all", "re.example.com TXT v=spf1 a:a.example.com -all"},
			want: []evidence.SPFTerm{{Domain: "example.com", Number: 3, Term: "redirect=re.example.com"}, {Domain: "re.example.com", Number: 2, Term: "-all"}}},
		{name: "the term that cannot be evaluated", zone: []string{"in.example.com TXT v=spf1 include:none.example.com"},
			want: []evidence.SPFTerm{{Domain: "example.com", Number: 2, Term: "include:in.example.com"}, {Domain: "in.example.com", Number: 1, Term: "include:none.example.com"}}},
		{name: "no term", zone: []string{"in.example.com TXT v=spf1 -all", "re.example.com TXT v=spf1 ip4:192.0.2.9"},
			want: []evidence.SPFTerm{{Domain: "example.com", Number: 3, Term: "redirect=re.example.com"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lk := zone(append(test.zone, "example.com TXT "+top)...)
			got := MailFrom(context.Background(), lk, Check{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@example.com"})
			if !slices.Equal(got.Path, test.want) || got.Record != top {
				t.Errorf("got %+v of %q\nwant %+v", got.Path, got.Record, test.want)
			}
		})
	}
}
