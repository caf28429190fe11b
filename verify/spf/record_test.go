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
		{"an empty record has no terms (4.5)", "v=spf1", "v=spf1"},
		{"the version is case-insensitive (12)", "V=SpF1 -ALL", "v=spf1 -all"},
		{"spaces may be many, also at the end (4.6.1)", "v=spf1  a   -all  ", "v=spf1 a -all"},
		{"a plus and full prefix lengths say nothing", "v=spf1 +a/32//128 +ip4:192.0.2.1/32", "v=spf1 a ip4:192.0.2.1"},
		{"both prefix lengths are read (5.3)", "v=spf1 mx:example.com/24//64", "v=spf1 mx:example.com/24//64"},
		{"the second prefix length may stand alone (5.3)", "v=spf1 a//64", "v=spf1 a//64"},
		{"a prefix length behind a macro is one", "v=spf1 a:%{d}/24", "v=spf1 a:%{d}/24"},
		{"a slash inside a domain-spec is a literal (7.1)", "v=spf1 a:foo:bar/baz.example.com", "v=spf1 a:foo:bar/baz.example.com"},
		{"a slash may be a delimiter (7.1)", "v=spf1 exists:%{l/}.example.com", "v=spf1 exists:%{l/}.example.com"},
		{"a domain-spec may end in any macro-expand (7.1)", "v=spf1 a:foo%% a:foo%_ a:foo%-", "v=spf1 a:foo%% a:foo%_ a:foo%-"},
		{"a domain-spec may end in a dot (7.1)", "v=spf1 a:example.com.", "v=spf1 a:example.com."},
		{"a top label of digits and a hyphen is one (7.1)", "v=spf1 a:example.1-2", "v=spf1 a:example.1-2"},
		{"a name may start with a dot (7.1)", "v=spf1 a:.com", "v=spf1 a:.com"},
		{"transformers and letters are case-insensitive (12)", "v=spf1 a:%{D2R-}", "v=spf1 a:%{D2R-}"},
		{"127 parts are supported (7.3)", "v=spf1 a:%{d127}", "v=spf1 a:%{d127}"},
		{"a huge number of parts is no overflow (7.3)", "v=spf1 a:%{d99999999999999999999999}", "v=spf1 a:%{d99999999999999999999999}"},
		{"a known mechanism's name with = is an unknown modifier (4.6.1)", "v=spf1 all=x ip4=1.2.3.4 -all", "v=spf1 all=x ip4=1.2.3.4 -all"},
		{"unknown modifiers repeat and may be empty (6)", "v=spf1 x= x= y.z-1_=%{c}", "v=spf1 x= x= y.z-1_=%{c}"},
		{"ip6 keeps an IPv4-mapped network", "v=spf1 ip6:::ffff:1.2.3.4/120", "v=spf1 ip6:::ffff:1.2.3.4/120"},

		{"the version needs a space behind it (4.5)", "v=spf10 -all", ""},
		{"a leading space is no record (4.5)", " v=spf1 -all", ""},
		{"a tab parts nothing (4.6.1)", "v=spf1 a\t-all", ""},
		{"an octet above 0x7E is not allowed (3.1)", "v=spf1 a:ex\x80mple.com", ""},
		{"a non-ASCII unknown modifier is not allowed (3.1)", "v=spf1 x=\xc3\xa9 -all", ""},
		{"a fold of a letter is not that letter", "v=spf1 \u017f:x", ""},
		{"a qualifier alone is no term (4.6.1)", "v=spf1 -", ""},
		{"two qualifiers are one too many (4.6.1)", "v=spf1 --all", ""},
		{"a qualifier on a modifier is an error (4.6.1)", "v=spf1 -redirect=example.com", ""},
		{"redirect is a modifier (4.6.1)", "v=spf1 redirect:example.com", ""},
		{"redirect appears once (6)", "v=spf1 redirect=a.example redirect=a.example", ""},
		{"exp appears once, whatever its case (6)", "v=spf1 exp=a.example EXP=b.example", ""},
		{"exp needs a domain (6.2)", "v=spf1 -all exp=", ""},
		{"exp's domain may not use c (7.2)", "v=spf1 -all exp=%{c}.example.com", ""},
		{"all takes no argument (5.1)", "v=spf1 -all:x", ""},
		{"include needs a domain (5.2)", "v=spf1 include", ""},
		{"include takes no prefix length (5.2)", "v=spf1 include:example.com/24", ""},
		{"ptr takes no prefix length (5.5)", "v=spf1 ptr/24", ""},
		{"exists needs a domain (5.7)", "v=spf1 exists", ""},
		{"a needs a domain behind its colon (5.3)", "v=spf1 a:", ""},
		{"a bare slash is no prefix length (5.3)", "v=spf1 a/", ""},
		{"a leading zero in a prefix length is an error (12)", "v=spf1 a/024", ""},
		{"33 is no IPv4 prefix length (5.6)", "v=spf1 a:example.com/33", ""},
		{"129 is no IPv6 prefix length (5.6)", "v=spf1 mx//129", ""},
		{"one slash parts no IPv6 prefix length (5.3)", "v=spf1 a/24/64", ""},
		{"prefix lengths come IPv4 first (5.3)", "v=spf1 a//64/24", ""},
		{"ip4 takes no IPv6 address (5.6)", "v=spf1 ip4:2001:db8::1", ""},
		{"ip6 takes no IPv4 address (5.6)", "v=spf1 ip6:192.0.2.1", ""},
		{"ip6 takes no zone (5.6)", "v=spf1 ip6:fe80::1%eth0", ""},
		{"ip4 has four numbers (5.6)", "v=spf1 ip4:192.0.2", ""},
		{"ip4's numbers have no leading zero (5.6)", "v=spf1 ip4:192.0.2.01", ""},
		{"ip4 has one prefix length (5.6)", "v=spf1 ip4:192.0.2.0//24", ""},
		{"a single label is no domain-spec (7.1)", "v=spf1 a:localhost", ""},
		{"a dot does not help a single label (7.1)", "v=spf1 a:localhost.", ""},
		{"a top label is not all digits (7.1)", "v=spf1 a:192.0.2.1", ""},
		{"a top label does not start with a hyphen (7.1)", "v=spf1 a:example.-com", ""},
		{"a top label does not end with a hyphen (7.1)", "v=spf1 a:example.com-", ""},
		{"a top label has no underscore (7.1)", "v=spf1 a:example.c_m", ""},
		{"literal text behind a macro needs a top label (7.1)", "v=spf1 a:%{d}com", ""},
		{"a percent sign alone is an error (7.1)", "v=spf1 a:foo%.example.com", ""},
		{"an open brace needs its other (7.1)", "v=spf1 a:%{d", ""},
		{"a macro needs a letter (7.1)", "v=spf1 a:%{}", ""},
		{"x is no macro letter (7.2)", "v=spf1 a:%{x}.example.com", ""},
		{"zero parts are an error (7.3)", "v=spf1 a:%{d0}", ""},
		{"r comes behind the digits (7.1)", "v=spf1 a:%{dr2}", ""},
		{"a letter is no delimiter (7.1)", "v=spf1 a:%{d2x}", ""},
		{"an unknown modifier needs valid macros (6)", "v=spf1 -all foo=%abc", ""},
		{"a modifier's name starts with a letter (12)", "v=spf1 1up=foo", ""},
		{"a record above our limit is refused", "v=spf1 " + strings.Repeat("a ", maxPublished/2), ""},
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
		{"a usual record is parsed once", "v=spf1 include:_spf.example.net ip4:192.0.2.0/24 exists:%{ir}.%{v}.%{d2} -all", true},
		{"a long list of networks is parsed once", "v=spf1" + strings.Repeat(" ip4:192.0.2.0/24", 400) + " -all", true},
		{"thousands of tiny terms are not kept", "v=spf1" + strings.Repeat(" a", 4000), false},
		{"thousands of macros are not kept", "v=spf1 a:" + strings.Repeat("%{d}", 2000), false},
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
