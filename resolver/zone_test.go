package resolver

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

var zoneText = `
; a comment ( with a parenthesis
example.com            TXT   "v=spf1 " "-all"
example.com.     60 IN MX    20 mx2.example.com
                       MX    10 MX1.example.com
mx1.example.com        A     192.0.2.1
                       A     192.0.2.2
                       AAAA  2001:db8::1
a.deep.example.com     A     192.0.2.3
octets.example.com     TXT   "semi;colon \"quoted\" back\\slash \195\169 \000 end"
long.example.com       TXT   "` + longText + `"
multi.example.com      TXT   ( "one"  ; comment "
                               "two SERVFAIL" )
alias.example.com      CNAME mx1.example.com
dangling.example.com   CNAME nothing.example.com
loop1.example.com      CNAME loop2.example.com
loop2.example.com      CNAME loop1.example.com
*.wild.example.com     TXT   "wild"
deep.there.wild.example.com TXT "real"
broken.example.com     SERVFAIL ; all types
slow.example.com 30 IN TIMEOUT  TXT
                       A     192.0.2.9
timeout                A     192.0.2.10
null.example.com       MX    0 .
toslow.example.com     CNAME slow.example.com
*.dead.example.com     servfail
1.2.0.192.in-addr.arpa PTR   Mail.Example.com
odd\ na\.me.example.com TXT  "odd"
odd\ name.example.com TIMEOUT
spf.example.com        SPF   "v=spf1"
$ORIGIN example.net.
www                    A     192.0.2.20
@                      TXT   "origin"
sub                    TIMEOUT
bücher                 TXT    "umlaut"
partly                 TXT    "still here"
partly                 TIMEOUT
hidden                 TXT    "not here"
hidden                 SERVFAIL TXT
two                    TIMEOUT TXT  MX ; and no other
two                    A      192.0.2.30
every                  SERVFAIL true
some                   SERVFAIL A,TXT
all                    IN SERVFAIL .
quoted                 60 TIMEOUT ""
bare                   TXT
bare                   IN TXT ; nothing
bare                   SPF
old                    DNAME  new.example.net.
a.old                  TXT    "not reached"
x.new                  TXT    "moved"
deep.new               DNAME  example.com.
grow                   DNAME  a.much.longer.example.net.
`

var longText = strings.Repeat("0123456789", 60) + `\255\255`

func mustZone(t testing.TB, src string) *Zone {
	t.Helper()
	z, err := ParseZone(strings.NewReader(src), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// show gives an outcome in one line.
func show(a *Answer, err error) string {
	var e *Error
	switch {
	case errors.As(err, &e) && e.Why != "":
		return fmt.Sprintf("%v: %s", e.Err, e.Why)
	case err != nil:
		return err.Error()
	}
	s := dns.RcodeToString[a.RCode]
	if a.NameExists {
		s += " exists"
	}
	for _, r := range a.strings() {
		s += fmt.Sprintf(" %q", r)
	}
	return s
}

func TestZoneLookup(t *testing.T) {
	z := mustZone(t, zoneText)
	tests := []struct {
		name, ask string
		qtype     uint16
		want      string
	}{
		{"strings of one TXT record are joined", "example.com", dns.TypeTXT, `NOERROR exists "v=spf1 -all"`},
		{"case and trailing dot do not matter", "EXAMPLE.com.", dns.TypeTXT, `NOERROR exists "v=spf1 -all"`},
		{"MX records come in ascending preference, lower case", "example.com", dns.TypeMX, `NOERROR exists "10 mx1.example.com." "20 mx2.example.com."`},
		{"a line without owner continues the owner above", "mx1.example.com", dns.TypeA, `NOERROR exists "192.0.2.1" "192.0.2.2"`},
		{"AAAA", "mx1.example.com", dns.TypeAAAA, `NOERROR exists "2001:db8::1"`},
		{"another type is NODATA", "mx1.example.com", dns.TypeTXT, "NOERROR exists"},
		{"an empty non-terminal is NODATA (RFC 8020 section 2)", "deep.example.com", dns.TypeTXT, "NOERROR exists"},
		{"a name that is not there is NXDOMAIN", "no.example.com", dns.TypeTXT, "NXDOMAIN"},
		{"a name of no domain in the file is NXDOMAIN", "example.org", dns.TypeTXT, "NXDOMAIN"},
		{"escapes become octets", "octets.example.com", dns.TypeTXT, `NOERROR exists "semi;colon \"quoted\" back\\slash é \x00 end"`},
		{"a string above 255 octets is accepted", "long.example.com", dns.TypeTXT, `NOERROR exists "` + strings.Repeat("0123456789", 60) + `\xff\xff"`},
		{"a record over several lines, with the word SERVFAIL in it", "multi.example.com", dns.TypeTXT, `NOERROR exists "onetwo SERVFAIL"`},
		{"a CNAME is followed", "alias.example.com", dns.TypeA, `NOERROR exists "192.0.2.1" "192.0.2.2"`},
		{"a CNAME to nowhere exists and is NXDOMAIN", "dangling.example.com", dns.TypeA, "NXDOMAIN exists"},
		{"a CNAME loop is a temporary failure", "loop1.example.com", dns.TypeA, "temporary DNS failure: SERVFAIL"},
		{"a wildcard makes names below its parent", "a.b.wild.example.com", dns.TypeTXT, `NOERROR exists "wild"`},
		{"a wildcard does not reach below an existing name (RFC 4592)", "x.there.wild.example.com", dns.TypeTXT, "NXDOMAIN"},
		{"a wildcard does not cover an empty non-terminal", "there.wild.example.com", dns.TypeTXT, "NOERROR exists"},
		{"SERVFAIL fails every type", "broken.example.com", dns.TypeMX, "temporary DNS failure: SERVFAIL"},
		{"TIMEOUT of one type fails that type", "slow.example.com", dns.TypeTXT, "temporary DNS failure: timeout"},
		{"and no other; owner and TTL carry over", "slow.example.com", dns.TypeA, `NOERROR exists "192.0.2.9"`},
		{"a failure behind a CNAME", "toslow.example.com", dns.TypeTXT, "temporary DNS failure: timeout"},
		{"an owner may be called timeout", "timeout", dns.TypeA, `NOERROR exists "192.0.2.10"`},
		{"null MX", "null.example.com", dns.TypeMX, `NOERROR exists "0 ."`},
		{"a wildcard can fail", "x.dead.example.com", dns.TypeTXT, "temporary DNS failure: SERVFAIL"},
		{"PTR in lower case", "1.2.0.192.in-addr.arpa", dns.TypePTR, `NOERROR exists "mail.example.com."`},
		{"a label with a dot is not a name of two labels", "odd na.me.example.com", dns.TypeTXT, "NXDOMAIN"},
		{"a pseudo-type of a name with a space", "odd name.example.com", dns.TypeTXT, "temporary DNS failure: timeout"},
		{"records of other types are there, not asked", "spf.example.com", dns.TypeTXT, "NOERROR exists"},
		{"$ORIGIN", "www.example.net", dns.TypeA, `NOERROR exists "192.0.2.20"`},
		{"@ is the origin", "example.net", dns.TypeTXT, `NOERROR exists "origin"`},
		{"pseudo-types obey $ORIGIN", "sub.example.net", dns.TypeTXT, "temporary DNS failure: timeout"},
		{"a bare pseudo-type leaves the records of the name", "partly.example.net", dns.TypeTXT, `NOERROR exists "still here"`},
		{"and fails the other types", "partly.example.net", dns.TypeA, "temporary DNS failure: timeout"},
		{"a pseudo-type with a type hides records of it", "hidden.example.net", dns.TypeTXT, "temporary DNS failure: SERVFAIL"},
		{"a pseudo-type with several types fails the first", "two.example.net", dns.TypeTXT, "temporary DNS failure: timeout"},
		{"and the second", "two.example.net", dns.TypeMX, "temporary DNS failure: timeout"},
		{"and no other type", "two.example.net", dns.TypeA, `NOERROR exists "192.0.2.30"`},
		{"so is what a converted suite says", "every.example.net", dns.TypeA, "temporary DNS failure: SERVFAIL"},
		{"a list of types", "some.example.net", dns.TypeTXT, "temporary DNS failure: SERVFAIL"},
		{"a dot as data of a pseudo-type is every type", "all.example.net", dns.TypeA, "temporary DNS failure: SERVFAIL"},
		{"so is an empty string", "quoted.example.net", dns.TypeTXT, "temporary DNS failure: timeout"},
		{"a TXT record without any string is the empty text", "bare.example.net", dns.TypeTXT, `NOERROR exists "" ""`},
		{"a DNAME redirects what is below it (RFC 6672)", "x.old.example.net", dns.TypeTXT, `NOERROR exists "moved"`},
		{"what the file has below a DNAME is not reached", "a.old.example.net", dns.TypeTXT, "NXDOMAIN exists"},
		{"the name of the DNAME itself is not redirected", "old.example.net", dns.TypeTXT, "NOERROR exists"},
		{"a DNAME leads to another", "octets.deep.old.example.net", dns.TypeA, "NOERROR exists"},
		{"a name too long behind a DNAME cannot be answered", strings.Repeat(strings.Repeat("a", 60)+".", 3) + strings.Repeat("b", 50) + ".grow.example.net", dns.TypeTXT, "temporary DNS failure: SERVFAIL"},
		{"an owner may be written with U-labels", "xn--bcher-kva.example.net", dns.TypeTXT, `NOERROR exists "umlaut"`},
		{"an empty label is no name", "a..example.net", dns.TypeTXT, "not a DNS name: empty label"},
		{"an empty name is no name", "", dns.TypeTXT, "not a DNS name: empty label"},
		{"a label of 64 octets is no name", strings.Repeat("a", 64) + ".example", dns.TypeTXT, "not a DNS name: label of more than 63 octets"},
		{"a name of 254 octets is no name", strings.Repeat("a.", 126) + "bb", dns.TypeTXT, "not a DNS name: more than 253 octets"},
		{"other types are not supported", "example.com", dns.TypeSOA, "temporary DNS failure: record type is not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(z.Lookup(t.Context(), tt.ask, tt.qtype)); got != tt.want {
				t.Errorf("%s %s\n got %s\nwant %s", dns.TypeToString[tt.qtype], tt.ask, got, tt.want)
			}
		})
	}
}

func TestZoneErrors(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"a bad address names file and line", "\nexample.com A 1.2.3\n", `zone: dns: bad A A: "1.2.3" at line: 2:19`},
		{"an unknown type", "example.com FOO x\n", `line: 1`},
		{"a pseudo-type with data", "\n\nexample.com SERVFAIL now\n", `zone: SERVFAIL takes record types, not "now" at line: 3`},
		{"$INCLUDE is refused", "$INCLUDE /etc/passwd\n", `line: 1`},
		{"another class", "example.com CH TXT x\n", "class is not IN"},
		{"a label too long", strings.Repeat("a", 64) + " A 192.0.2.1\n", "line: 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseZone(strings.NewReader(tt.src), "zone")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q\n got %v\nwant %s", tt.src, err, tt.want)
			}
		})
	}
}

func TestZoneAnswersKeepTheirMemo(t *testing.T) {
	z := mustZone(t, "example.com TXT x\n")
	parsed := 0
	type kind struct{}
	for range 3 {
		a, err := z.Lookup(t.Context(), "example.com", dns.TypeTXT)
		if err != nil {
			t.Fatal(err)
		}
		Memo(a, kind{}, func(a *Answer) string { parsed++; return a.TXT[0] })
	}
	if parsed != 1 {
		t.Errorf("parsed %d times, want 1", parsed)
	}
}

func FuzzParseZone(f *testing.F) {
	f.Add(zoneText)
	f.Add("a SERVFAIL\nb 1h TIMEOUT a\n* TXT \"x\n y\"")
	f.Add("$GENERATE 1-3 a$ A 192.0.2.$\n")
	f.Fuzz(func(t *testing.T, src string) {
		if strings.Contains(strings.ToUpper(src), "$GENERATE") && len(src) > 100 {
			return // makes up to 65535 records a line
		}
		z, err := ParseZone(strings.NewReader(src), "zone")
		if err != nil {
			return
		}
		for name, n := range z.nodes {
			if name != "." && z.nodes[parentOf(name)] == nil {
				t.Fatalf("%q: %q exists, its parent does not", src, name)
			}
			ask, ok := text(name)
			if !ok || ask == "" {
				continue
			}
			for qtype := range n.records {
				if !supported(qtype) {
					continue
				}
				a, err := z.Lookup(t.Context(), ask, qtype)
				if n.failure(qtype) == "" && (err != nil && !Temporary(err) || err == nil && !a.NameExists) {
					t.Fatalf("%q: %s %q: %+v, %v", src, dns.TypeToString[qtype], ask, a, err)
				}
			}
		}
	})
}
