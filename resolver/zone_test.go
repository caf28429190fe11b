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
		{name: "strings of one TXT record are joined", ask: "example.com", qtype: dns.TypeTXT, want: `NOERROR exists "v=spf1 -all"`},
		{name: "case and trailing dot do not matter", ask: "EXAMPLE.com.", qtype: dns.TypeTXT, want: `NOERROR exists "v=spf1 -all"`},
		{name: "MX records come in ascending preference, lower case", ask: "example.com", qtype: dns.TypeMX,
			want: `NOERROR exists "10 mx1.example.com." "20 mx2.example.com."`},
		{name: "a line without owner continues the owner above", ask: "mx1.example.com", qtype: dns.TypeA, want: `NOERROR exists "192.0.2.1" "192.0.2.2"`},
		{name: "AAAA", ask: "mx1.example.com", qtype: dns.TypeAAAA, want: `NOERROR exists "2001:db8::1"`},
		{name: "another type is NODATA", ask: "mx1.example.com", qtype: dns.TypeTXT, want: "NOERROR exists"},
		{name: "an empty non-terminal is NODATA (RFC 8020 section 2)", ask: "deep.example.com", qtype: dns.TypeTXT, want: "NOERROR exists"},
		{name: "a name that is not there is NXDOMAIN", ask: "no.example.com", qtype: dns.TypeTXT, want: "NXDOMAIN"},
		{name: "a name of no domain in the file is NXDOMAIN", ask: "example.org", qtype: dns.TypeTXT, want: "NXDOMAIN"},
		{name: "escapes become octets", ask: "octets.example.com", qtype: dns.TypeTXT,
			want: `NOERROR exists "semi;colon \"quoted\" back\\slash é \x00 end"`},
		{name: "a string above 255 octets is accepted", ask: "long.example.com", qtype: dns.TypeTXT,
			want: `NOERROR exists "` + strings.Repeat("0123456789", 60) + `\xff\xff"`},
		{name: "a record over several lines, with the word SERVFAIL in it", ask: "multi.example.com", qtype: dns.TypeTXT,
			want: `NOERROR exists "onetwo SERVFAIL"`},
		{name: "a CNAME is followed", ask: "alias.example.com", qtype: dns.TypeA, want: `NOERROR exists "192.0.2.1" "192.0.2.2"`},
		{name: "a CNAME to nowhere exists and is NXDOMAIN", ask: "dangling.example.com", qtype: dns.TypeA, want: "NXDOMAIN exists"},
		{name: "a CNAME loop is a temporary failure", ask: "loop1.example.com", qtype: dns.TypeA, want: "temporary DNS failure: SERVFAIL"},
		{name: "a wildcard makes names below its parent", ask: "a.b.wild.example.com", qtype: dns.TypeTXT, want: `NOERROR exists "wild"`},
		{name: "a wildcard does not reach below an existing name (RFC 4592)", ask: "x.there.wild.example.com", qtype: dns.TypeTXT, want: "NXDOMAIN"},
		{name: "a wildcard does not cover an empty non-terminal", ask: "there.wild.example.com", qtype: dns.TypeTXT, want: "NOERROR exists"},
		{name: "SERVFAIL fails every type", ask: "broken.example.com", qtype: dns.TypeMX, want: "temporary DNS failure: SERVFAIL"},
		{name: "TIMEOUT of one type fails that type", ask: "slow.example.com", qtype: dns.TypeTXT, want: "temporary DNS failure: timeout"},
		{name: "and no other; owner and TTL carry over", ask: "slow.example.com", qtype: dns.TypeA, want: `NOERROR exists "192.0.2.9"`},
		{name: "a failure behind a CNAME", ask: "toslow.example.com", qtype: dns.TypeTXT, want: "temporary DNS failure: timeout"},
		{name: "an owner may be called timeout", ask: "timeout", qtype: dns.TypeA, want: `NOERROR exists "192.0.2.10"`},
		{name: "null MX", ask: "null.example.com", qtype: dns.TypeMX, want: `NOERROR exists "0 ."`},
		{name: "a wildcard can fail", ask: "x.dead.example.com", qtype: dns.TypeTXT, want: "temporary DNS failure: SERVFAIL"},
		{name: "PTR in lower case", ask: "1.2.0.192.in-addr.arpa", qtype: dns.TypePTR, want: `NOERROR exists "mail.example.com."`},
		{name: "a label with a dot is not a name of two labels", ask: "odd na.me.example.com", qtype: dns.TypeTXT, want: "NXDOMAIN"},
		{name: "a pseudo-type of a name with a space", ask: "odd name.example.com", qtype: dns.TypeTXT, want: "temporary DNS failure: timeout"},
		{name: "records of other types are there, not asked", ask: "spf.example.com", qtype: dns.TypeTXT, want: "NOERROR exists"},
		{name: "$ORIGIN", ask: "www.example.net", qtype: dns.TypeA, want: `NOERROR exists "192.0.2.20"`},
		{name: "@ is the origin", ask: "example.net", qtype: dns.TypeTXT, want: `NOERROR exists "origin"`},
		{name: "pseudo-types obey $ORIGIN", ask: "sub.example.net", qtype: dns.TypeTXT, want: "temporary DNS failure: timeout"},
		{name: "a bare pseudo-type leaves the records of the name", ask: "partly.example.net", qtype: dns.TypeTXT, want: `NOERROR exists "still here"`},
		{name: "and fails the other types", ask: "partly.example.net", qtype: dns.TypeA, want: "temporary DNS failure: timeout"},
		{name: "a pseudo-type with a type hides records of it", ask: "hidden.example.net", qtype: dns.TypeTXT, want: "temporary DNS failure: SERVFAIL"},
		{name: "a pseudo-type with several types fails the first", ask: "two.example.net", qtype: dns.TypeTXT, want: "temporary DNS failure: timeout"},
		{name: "and the second", ask: "two.example.net", qtype: dns.TypeMX, want: "temporary DNS failure: timeout"},
		{name: "and no other type", ask: "two.example.net", qtype: dns.TypeA, want: `NOERROR exists "192.0.2.30"`},
		{name: "so is what a converted suite says", ask: "every.example.net", qtype: dns.TypeA, want: "temporary DNS failure: SERVFAIL"},
		{name: "a list of types", ask: "some.example.net", qtype: dns.TypeTXT, want: "temporary DNS failure: SERVFAIL"},
		{name: "a dot as data of a pseudo-type is every type", ask: "all.example.net", qtype: dns.TypeA, want: "temporary DNS failure: SERVFAIL"},
		{name: "so is an empty string", ask: "quoted.example.net", qtype: dns.TypeTXT, want: "temporary DNS failure: timeout"},
		{name: "a TXT record without any string is the empty text", ask: "bare.example.net", qtype: dns.TypeTXT, want: `NOERROR exists "" ""`},
		{name: "a DNAME redirects what is below it (RFC 6672)", ask: "x.old.example.net", qtype: dns.TypeTXT, want: `NOERROR exists "moved"`},
		{name: "what the file has below a DNAME is not reached", ask: "a.old.example.net", qtype: dns.TypeTXT, want: "NXDOMAIN exists"},
		{name: "the name of the DNAME itself is not redirected", ask: "old.example.net", qtype: dns.TypeTXT, want: "NOERROR exists"},
		{name: "a DNAME leads to another", ask: "octets.deep.old.example.net", qtype: dns.TypeA, want: "NOERROR exists"},
		{name: "a name too long behind a DNAME cannot be answered",
			ask:   strings.Repeat(strings.Repeat("a", 60)+".", 3) + strings.Repeat("b", 50) + ".grow.example.net",
			qtype: dns.TypeTXT, want: "temporary DNS failure: SERVFAIL"},
		{name: "an owner may be written with U-labels", ask: "xn--bcher-kva.example.net", qtype: dns.TypeTXT, want: `NOERROR exists "umlaut"`},
		{name: "an empty label is no name", ask: "a..example.net", qtype: dns.TypeTXT, want: "not a DNS name: empty label"},
		{name: "an empty name is no name", qtype: dns.TypeTXT, want: "not a DNS name: empty label"},
		{name: "a label of 64 octets is no name", ask: strings.Repeat("a", 64) + ".example", qtype: dns.TypeTXT,
			want: "not a DNS name: label of more than 63 octets"},
		{name: "a name of 254 octets is no name", ask: strings.Repeat("a.", 126) + "bb", qtype: dns.TypeTXT, want: "not a DNS name: more than 253 octets"},
		{name: "other types are not supported", ask: "example.com", qtype: dns.TypeSOA, want: "temporary DNS failure: record type is not supported"},
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
		{name: "a bad address names file and line", src: "\nexample.com A 1.2.3\n", want: `zone: dns: bad A A: "1.2.3" at line: 2:19`},
		{name: "an unknown type", src: "example.com FOO x\n", want: `line: 1`},
		{name: "a pseudo-type with data", src: "\n\nexample.com SERVFAIL now\n", want: `zone: SERVFAIL takes record types, not "now" at line: 3`},
		{name: "$INCLUDE is refused", src: "$INCLUDE /etc/passwd\n", want: `line: 1`},
		{name: "another class", src: "example.com CH TXT x\n", want: "class is not IN"},
		{name: "a label too long", src: strings.Repeat("a", 64) + " A 192.0.2.1\n", want: "line: 1"},
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

// wordless is a private type whose data, if any, are of no interest.
type wordless struct{ dns.PrivateRdata }

func (wordless) Parse([]string) error { return errors.New("a reason") }

// The day that this fails, ParseZone can leave the pseudo-types to dns.PrivateHandle:
// see docs/decisions/resolver.md.
func TestPrivateTypesOfTheLibraryCannotBePseudoTypes(t *testing.T) {
	const private = 0xFFA2
	dns.PrivateHandle("WORDLESS", private, func() dns.PrivateRdata { return wordless{} })
	defer dns.PrivateHandleRemove(private)
	for _, row := range []struct{ name, src, lost string }{
		{name: "without data they are not read", src: "x.example. WORDLESS\n", lost: "a reason"},
		{name: "the text of an error is lost", src: "x.example. WORDLESS x\n", lost: "a reason"},
	} {
		p := dns.NewZoneParser(strings.NewReader(row.src), ".", "zone")
		p.SetDefaultTTL(defaultTTL)
		if _, ok := p.Next(); ok || p.Err() == nil || strings.Contains(p.Err().Error(), row.lost) {
			t.Errorf("%s: not any more, %v", row.name, p.Err())
		}
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
