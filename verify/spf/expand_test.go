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
		{name: "s", ip: "192.0.2.3", spec: "%{s}", want: "strong-bad@email.example.com"},
		{name: "o", ip: "192.0.2.3", spec: "%{o}", want: "email.example.com"},
		{name: "d", ip: "192.0.2.3", spec: "%{d}", want: "email.example.com"},
		{name: "d keeps four of three parts", ip: "192.0.2.3", spec: "%{d4}", want: "email.example.com"},
		{name: "d3", ip: "192.0.2.3", spec: "%{d3}", want: "email.example.com"},
		{name: "d2", ip: "192.0.2.3", spec: "%{d2}", want: "example.com"},
		{name: "d1", ip: "192.0.2.3", spec: "%{d1}", want: "com"},
		{name: "dr", ip: "192.0.2.3", spec: "%{dr}", want: "com.example.email"},
		{name: "d2r", ip: "192.0.2.3", spec: "%{d2r}", want: "example.email"},
		{name: "l", ip: "192.0.2.3", spec: "%{l}", want: "strong-bad"},
		{name: "l-", ip: "192.0.2.3", spec: "%{l-}", want: "strong.bad"},
		{name: "lr", ip: "192.0.2.3", spec: "%{lr}", want: "strong-bad"},
		{name: "lr-", ip: "192.0.2.3", spec: "%{lr-}", want: "bad.strong"},
		{name: "l1r-", ip: "192.0.2.3", spec: "%{l1r-}", want: "strong"},
		{name: "a DNS block list query", ip: "192.0.2.3", spec: "%{ir}.%{v}._spf.%{d2}", want: "3.2.0.192.in-addr._spf.example.com"},
		{name: "the local part before it", ip: "192.0.2.3", spec: "%{lr-}.lp._spf.%{d2}", want: "bad.strong.lp._spf.example.com"},
		{name: "local part and address", ip: "192.0.2.3", spec: "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
			want: "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
		{name: "address and one part", ip: "192.0.2.3", spec: "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", want: "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{name: "a trusted-domains query", ip: "192.0.2.3", spec: "%{d2}.trusted-domains.example.net", want: "example.com.trusted-domains.example.net"},
		{name: "an IPv6 client", ip: "2001:db8::cb01", spec: "%{ir}.%{v}._spf.%{d2}",
			want: "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"},
		{name: "h", ip: "192.0.2.3", spec: "%{h}", want: "mx.example.org"},
		{name: "percent, space and escaped space", ip: "192.0.2.3", spec: "a%%b%_c%-d.example.com", want: "a%b c%20d.example.com"},
		{name: "an upper case letter escapes its value", ip: "192.0.2.3", spec: "%{S}.example.com", want: "strong-bad%40email.example.com.example.com"},
		{name: "one trailing dot goes", ip: "192.0.2.3", spec: "%{d1}.example.com.", want: "com.example.com"},
		{name: "labels go from the left until 253 octets are left", ip: "192.0.2.3", spec: "%{d}." + long + ".example.com",
			want: long[len(long)-241:] + ".example.com"},
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
		{name: "consecutive delimiters leave empty parts", macro: "%{l}", value: "a..b", want: "a..b"},
		{name: "empty parts are reversed too", macro: "%{lr}", value: ".a..b", want: "b..a."},
		{name: "empty parts are counted", macro: "%{l2}", value: "a..", want: "."},
		{name: "reversal comes before the count", macro: "%{l2r}", value: "a.b.c", want: "b.a"},
		{name: "any of the delimiters parts", macro: "%{l+-_=,/.}", value: "a+b-c_d=e,f/g.h", want: "a.b.c.d.e.f.g.h"},
		{name: "with other delimiters a dot is a character", macro: "%{l1-}", value: "a.b-c.d", want: "c.d"},
		{name: "an empty value is empty", macro: "%{l3r}"},
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
		{name: "c, r and t are for explanations (7.2)", source: "%{c} %{r} %{t}", want: "2001:db8::cb01 mx.receiver.example 1234567890"},
		{name: "spaces and the last dot are kept", source: " a  b. ", want: " a  b. "},
		{name: "p without PTR records is unknown (7.3)", source: "%{p}", want: "unknown"},
		{name: "a syntax error drops it all (6.2)", source: "good %{x}"},
		{name: "an octet above 0x7F drops it all (6.2)", source: "caf\xc3\xa9"},
		{name: "a control character drops it all (6.2)", source: "a\r\nb"},
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
