package spf

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"alignd/resolver"
)

func TestParseRecord(t *testing.T) {
	for _, tt := range []struct {
		name, txt string
		want      string // String(); empty for a syntax error
	}{
		{name: "an empty record has no terms (4.5)", txt: "v=spf1", want: "v=spf1"},
		{name: "the version is case-insensitive (12)", txt: "V=SpF1 -ALL", want: "v=spf1 -all"},
		{name: "spaces may be many, also at the end (4.6.1)", txt: "v=spf1  a   -all  ", want: "v=spf1 a -all"},
		{name: "a plus and full prefix lengths say nothing", txt: "v=spf1 +a/32//128 +ip4:192.0.2.1/32", want: "v=spf1 a ip4:192.0.2.1"},
		{name: "both prefix lengths are read (5.3)", txt: "v=spf1 mx:example.com/24//64", want: "v=spf1 mx:example.com/24//64"},
		{name: "the second prefix length may stand alone (5.3)", txt: "v=spf1 a//64", want: "v=spf1 a//64"},
		{name: "a prefix length behind a macro is one", txt: "v=spf1 a:%{d}/24", want: "v=spf1 a:%{d}/24"},
		{name: "a slash inside a domain-spec is a literal (7.1)", txt: "v=spf1 a:foo:bar/baz.example.com", want: "v=spf1 a:foo:bar/baz.example.com"},
		{name: "a slash may be a delimiter (7.1)", txt: "v=spf1 exists:%{l/}.example.com", want: "v=spf1 exists:%{l/}.example.com"},
		{name: "a domain-spec may end in any macro-expand (7.1)", txt: "v=spf1 a:foo%% a:foo%_ a:foo%-", want: "v=spf1 a:foo%% a:foo%_ a:foo%-"},
		{name: "a domain-spec may end in a dot (7.1)", txt: "v=spf1 a:example.com.", want: "v=spf1 a:example.com."},
		{name: "a top label of digits and a hyphen is one (7.1)", txt: "v=spf1 a:example.1-2", want: "v=spf1 a:example.1-2"},
		{name: "a name may start with a dot (7.1)", txt: "v=spf1 a:.com", want: "v=spf1 a:.com"},
		{name: "transformers and letters are case-insensitive (12)", txt: "v=spf1 a:%{D2R-}", want: "v=spf1 a:%{D2R-}"},
		{name: "127 parts are supported (7.3)", txt: "v=spf1 a:%{d127}", want: "v=spf1 a:%{d127}"},
		{name: "a huge number of parts is no overflow (7.3)", txt: "v=spf1 a:%{d99999999999999999999999}", want: "v=spf1 a:%{d99999999999999999999999}"},
		{name: "a known mechanism's name with = is an unknown modifier (4.6.1)", txt: "v=spf1 all=x ip4=1.2.3.4 -all",
			want: "v=spf1 all=x ip4=1.2.3.4 -all"},
		{name: "unknown modifiers repeat and may be empty (6)", txt: "v=spf1 x= x= y.z-1_=%{c}", want: "v=spf1 x= x= y.z-1_=%{c}"},
		{name: "ip6 keeps an IPv4-mapped network", txt: "v=spf1 ip6:::ffff:1.2.3.4/120", want: "v=spf1 ip6:::ffff:1.2.3.4/120"},

		{name: "the version needs a space behind it (4.5)", txt: "v=spf10 -all"},
		{name: "a leading space is no record (4.5)", txt: " v=spf1 -all"},
		{name: "a tab parts nothing (4.6.1)", txt: "v=spf1 a\t-all"},
		{name: "an octet above 0x7E is not allowed (3.1)", txt: "v=spf1 a:ex\x80mple.com"},
		{name: "a non-ASCII unknown modifier is not allowed (3.1)", txt: "v=spf1 x=\xc3\xa9 -all"},
		{name: "a fold of a letter is not that letter", txt: "v=spf1 \u017f:x"},
		{name: "a qualifier alone is no term (4.6.1)", txt: "v=spf1 -"},
		{name: "two qualifiers are one too many (4.6.1)", txt: "v=spf1 --all"},
		{name: "a qualifier on a modifier is an error (4.6.1)", txt: "v=spf1 -redirect=example.com"},
		{name: "redirect is a modifier (4.6.1)", txt: "v=spf1 redirect:example.com"},
		{name: "redirect appears once (6)", txt: "v=spf1 redirect=a.example redirect=a.example"},
		{name: "exp appears once, whatever its case (6)", txt: "v=spf1 exp=a.example EXP=b.example"},
		{name: "exp needs a domain (6.2)", txt: "v=spf1 -all exp="},
		{name: "exp's domain may not use c (7.2)", txt: "v=spf1 -all exp=%{c}.example.com"},
		{name: "all takes no argument (5.1)", txt: "v=spf1 -all:x"},
		{name: "include needs a domain (5.2)", txt: "v=spf1 include"},
		{name: "include takes no prefix length (5.2)", txt: "v=spf1 include:example.com/24"},
		{name: "ptr takes no prefix length (5.5)", txt: "v=spf1 ptr/24"},
		{name: "exists needs a domain (5.7)", txt: "v=spf1 exists"},
		{name: "a needs a domain behind its colon (5.3)", txt: "v=spf1 a:"},
		{name: "a bare slash is no prefix length (5.3)", txt: "v=spf1 a/"},
		{name: "a leading zero in a prefix length is an error (12)", txt: "v=spf1 a/024"},
		{name: "33 is no IPv4 prefix length (5.6)", txt: "v=spf1 a:example.com/33"},
		{name: "129 is no IPv6 prefix length (5.6)", txt: "v=spf1 mx//129"},
		{name: "one slash parts no IPv6 prefix length (5.3)", txt: "v=spf1 a/24/64"},
		{name: "prefix lengths come IPv4 first (5.3)", txt: "v=spf1 a//64/24"},
		{name: "ip4 takes no IPv6 address (5.6)", txt: "v=spf1 ip4:2001:db8::1"},
		{name: "ip6 takes no IPv4 address (5.6)", txt: "v=spf1 ip6:192.0.2.1"},
		{name: "ip6 takes no zone (5.6)", txt: "v=spf1 ip6:fe80::1%eth0"},
		{name: "ip4 has four numbers (5.6)", txt: "v=spf1 ip4:192.0.2"},
		{name: "ip4's numbers have no leading zero (5.6)", txt: "v=spf1 ip4:192.0.2.01"},
		{name: "ip4 has one prefix length (5.6)", txt: "v=spf1 ip4:192.0.2.0//24"},
		{name: "a single label is no domain-spec (7.1)", txt: "v=spf1 a:localhost"},
		{name: "a dot does not help a single label (7.1)", txt: "v=spf1 a:localhost."},
		{name: "a top label is not all digits (7.1)", txt: "v=spf1 a:192.0.2.1"},
		{name: "a top label does not start with a hyphen (7.1)", txt: "v=spf1 a:example.-com"},
		{name: "a top label does not end with a hyphen (7.1)", txt: "v=spf1 a:example.com-"},
		{name: "a top label has no underscore (7.1)", txt: "v=spf1 a:example.c_m"},
		{name: "literal text behind a macro needs a top label (7.1)", txt: "v=spf1 a:%{d}com"},
		{name: "a percent sign alone is an error (7.1)", txt: "v=spf1 a:foo%.example.com"},
		{name: "an open brace needs its other (7.1)", txt: "v=spf1 a:%{d"},
		{name: "a macro needs a letter (7.1)", txt: "v=spf1 a:%{}"},
		{name: "x is no macro letter (7.2)", txt: "v=spf1 a:%{x}.example.com"},
		{name: "zero parts are an error (7.3)", txt: "v=spf1 a:%{d0}"},
		{name: "r comes behind the digits (7.1)", txt: "v=spf1 a:%{dr2}"},
		{name: "a letter is no delimiter (7.1)", txt: "v=spf1 a:%{d2x}"},
		{name: "an unknown modifier needs valid macros (6)", txt: "v=spf1 -all foo=%abc"},
		{name: "a modifier's name starts with a letter (12)", txt: "v=spf1 1up=foo"},
		{name: "a record above our limit is refused", txt: "v=spf1 " + strings.Repeat("a ", maxPublished/2)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec, err := ParseRecord(tt.txt)
			var syntax *SyntaxError
			switch {
			case tt.want == "" && !errors.As(err, &syntax):
				t.Errorf("ParseRecord(%q): %v, %v, want a syntax error", tt.txt, rec, err)
			case tt.want != "" && err != nil:
				t.Errorf("ParseRecord(%q): %v", tt.txt, err)
			case tt.want != "" && rec.String() != tt.want:
				t.Errorf("ParseRecord(%q) prints %q, want %q", tt.txt, rec, tt.want)
			}
		})
	}
}

func TestParsedRecordIsKept(t *testing.T) {
	for _, tt := range []struct {
		name, txt string
		kept      bool
	}{
		{name: "a usual record is parsed once", txt: "v=spf1 include:_spf.example.net ip4:192.0.2.0/24 exists:%{ir}.%{v}.%{d2} -all", kept: true},
		{name: "a long list of networks is parsed once", txt: "v=spf1" + strings.Repeat(" ip4:192.0.2.0/24", 400) + " -all", kept: true},
		{name: "thousands of tiny terms are not kept", txt: "v=spf1" + strings.Repeat(" a", 4000)},
		{name: "thousands of macros are not kept", txt: "v=spf1 a:" + strings.Repeat("%{d}", 2000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &resolver.Answer{TXT: []string{tt.txt}}
			first, second := selected(a), selected(a)
			if first.err != nil || first.record == nil || (first.record == second.record) != tt.kept {
				t.Errorf("records %p and %p, %v; kept should be %v", first.record, second.record, first.err, tt.kept)
			}
		})
	}
}

// equal compares what two records mean: everything but the spelling.
func equal(a, b *Record) bool {
	if len(a.Terms) != len(b.Terms) {
		return false
	}
	for i := range a.Terms {
		x, y := a.Terms[i], b.Terms[i]
		x.Text, y.Text = "", ""
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

func FuzzParseRecord(f *testing.F) {
	for _, seed := range []string{
		"v=spf1", "v=spf1 -all", "v=spf1 a mx ptr include:example.com ~all",
		"v=spf1 a:foo:bar/baz.example.com/24//64 mx//0 ?exists:%{ir}.%{l1r-}._spf.%{d} -all",
		"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip6:::ffff:1.2.3.4 redirect=_spf.example.com",
		"v=spf1 exp=explain.%{d} moo.cow-far_out=man:dog/cat -ptr:example.com.",
		"v=spf1 a:%%%_%- exists:%{S127R.-+,/_=}", "v=spf1 all=x redirect:x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, txt string) {
		rec, err := ParseRecord(txt)
		if err != nil {
			return
		}
		if !isASCII(txt) {
			t.Fatalf("%q: accepted an octet above 0x7F", txt)
		}
		again, err := ParseRecord(rec.String())
		if err != nil || !equal(rec, again) {
			t.Fatalf("%q: printed %q, read back %v, %v", txt, rec, again, err)
		}
	})
}
