package spf

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alignd/domain"
	"alignd/resolver"
)

func exampleEvaluation(ip string, lk resolver.Lookuper) *evaluation {
	return &evaluation{
		ctx: context.Background(), lookuper: lk, limits: DefaultLimits,
		ip: netip.MustParseAddr(ip), local: "strong-bad", senderDomain: "email.example.com",
		helo: "mx.example.org", receiver: "mx.receiver.example", now: time.Unix(1234567890, 0),
	}
}

// The examples of RFC 7208 section 7.4, and the rules of section 7.3.
func TestExpandedNames(t *testing.T) {
	long := strings.Repeat("a.", 126) + "b"
	for _, tt := range []struct{ name, ip, spec, want string }{
		{"s", "192.0.2.3", "%{s}", "strong-bad@email.example.com"},
		{"o", "192.0.2.3", "%{o}", "email.example.com"},
		{"d", "192.0.2.3", "%{d}", "email.example.com"},
		{"d keeps four of three parts", "192.0.2.3", "%{d4}", "email.example.com"},
		{"d3", "192.0.2.3", "%{d3}", "email.example.com"},
		{"d2", "192.0.2.3", "%{d2}", "example.com"},
		{"d1", "192.0.2.3", "%{d1}", "com"},
		{"dr", "192.0.2.3", "%{dr}", "com.example.email"},
		{"d2r", "192.0.2.3", "%{d2r}", "example.email"},
		{"l", "192.0.2.3", "%{l}", "strong-bad"},
		{"l-", "192.0.2.3", "%{l-}", "strong.bad"},
		{"lr", "192.0.2.3", "%{lr}", "strong-bad"},
		{"lr-", "192.0.2.3", "%{lr-}", "bad.strong"},
		{"l1r-", "192.0.2.3", "%{l1r-}", "strong"},
		{"a DNS block list query", "192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{"the local part before it", "192.0.2.3", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{"local part and address", "192.0.2.3", "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
		{"address and one part", "192.0.2.3", "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"a trusted-domains query", "192.0.2.3", "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
		{"an IPv6 client", "2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}",
			"1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"},
		{"h", "192.0.2.3", "%{h}", "mx.example.org"},
		{"percent, space and escaped space", "192.0.2.3", "a%%b%_c%-d.example.com", "a%b c%20d.example.com"},
		{"an upper case letter escapes its value", "192.0.2.3", "%{S}.example.com", "strong-bad%40email.example.com.example.com"},
		{"one trailing dot goes", "192.0.2.3", "%{d1}.example.com.", "com.example.com"},
		{"labels go from the left until 253 octets are left", "192.0.2.3", "%{d}." + long + ".example.com",
			long[len(long)-241:] + ".example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec, why := parseDomainSpec(tt.spec)
			if why != "" {
				t.Fatalf("%q: %s", tt.spec, why)
			}
			got, ok, stop := exampleEvaluation(tt.ip, zone()).name(spec, "email.example.com")
			if !ok || stop != nil || got != tt.want {
				t.Errorf("%q: got %q, %v, %v, want %q", tt.spec, got, ok, stop, tt.want)
			}
		})
	}
}

func TestExpandedParts(t *testing.T) {
	for _, tt := range []struct{ name, macro, value, want string }{
		{"consecutive delimiters leave empty parts", "%{l}", "a..b", "a..b"},
		{"empty parts are reversed too", "%{lr}", ".a..b", "b..a."},
		{"empty parts are counted", "%{l2}", "a..", "."},
		{"reversal comes before the count", "%{l2r}", "a.b.c", "b.a"},
		{"any of the delimiters parts", "%{l+-_=,/.}", "a+b-c_d=e,f/g.h", "a.b.c.d.e.f.g.h"},
		{"with other delimiters a dot is a character", "%{l1-}", "a.b-c.d", "c.d"},
		{"an empty value is empty", "%{l3r}", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pieces, why := parseMacroString(tt.macro, inName)
			if why != "" {
				t.Fatal(why)
			}
			if got := string(pieces[0].transform(nil, tt.value)); got != tt.want {
				t.Errorf("%s of %q: got %q, want %q", tt.macro, tt.value, got, tt.want)
			}
		})
	}
}

func TestExplanationText(t *testing.T) {
	e := exampleEvaluation("2001:db8::cb01", zone())
	for _, tt := range []struct{ name, source, want string }{
		{"c, r and t are for explanations (7.2)", "%{c} %{r} %{t}", "2001:db8::cb01 mx.receiver.example 1234567890"},
		{"spaces and the last dot are kept", " a  b. ", " a  b. "},
		{"p without PTR records is unknown (7.3)", "%{p}", "unknown"},
		{"a syntax error drops it all (6.2)", "good %{x}", ""},
		{"an octet above 0x7F drops it all (6.2)", "caf\xc3\xa9", ""},
		{"a control character drops it all (6.2)", "a\r\nb", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, stop := e.explanation(tt.source, "email.example.com")
			if stop != nil || got != tt.want {
				t.Errorf("%q: got %q, %v, want %q", tt.source, got, stop, tt.want)
			}
		})
	}
	t.Run("what a macro brings in is made printable", func(t *testing.T) {
		e := exampleEvaluation("192.0.2.3", zone())
		e.helo = "a\r\nb\xff"
		if got, _ := e.explanation("%{h}!", "x.example"); got != "a??b?!" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("it is cut at our limit", func(t *testing.T) {
		if got, _ := e.explanation(strings.Repeat("%{d} ", 1000), "x.example"); len(got) != maxExplanation {
			t.Errorf("got %d octets", len(got))
		}
	})
}

// FuzzExpand: an expanded name is never too long unless DNS cannot carry it
// anyway, is lower case, and building only the end of it changes nothing.
func FuzzExpand(f *testing.F) {
	f.Add("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "strong-bad", "mx.example.org", true)
	f.Add("%{L3r+-}%%%_%-%{o}.%{h}", "a..b+c-d@e", "", false)
	f.Add("%{s}%{s}%{s}.%{S}%{s}.%{s}.example.com.", strings.Repeat("x.", 60), "[::1]", false)
	f.Fuzz(func(t *testing.T, text, local, helo string, v4 bool) {
		spec, why := parseDomainSpec(text)
		if why != "" {
			return
		}
		ip := "2001:db8::cb01"
		if v4 {
			ip = "192.0.2.3"
		}
		e := exampleEvaluation(ip, zone())
		e.local, e.helo = local, helo
		got, ok, stop := e.name(spec, "email.example.com")
		if !ok {
			if isASCII(local) {
				t.Fatalf("%q: cannot match with local part %q", text, local)
			}
			return
		}
		if stop != nil {
			t.Fatalf("%q: %v", text, stop)
		}
		if len(got) > domain.MaxLength && askable(got) {
			t.Fatalf("%q gives %d octets: %q", text, len(got), got)
		}
		if spec.pieces == nil {
			return
		}
		var whole []byte
		for _, p := range spec.pieces {
			if whole, stop = e.expand(whole, p, "email.example.com"); stop != nil {
				t.Fatalf("%q: %v", text, stop)
			}
		}
		if want := string(truncate(lower(whole))); got != want {
			t.Fatalf("%q: got %q, want %q", text, got, want)
		}
	})
}
