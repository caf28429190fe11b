package domain

import (
	"errors"
	"strings"
	"testing"
)

func TestNormalize(t *testing.T) {
	label := strings.Repeat("a", MaxLabel)
	longest := strings.Repeat("abcdefg.", 31) + "abcde" // 253 octets
	tests := []struct {
		name, in, want string
		err            error
	}{
		{name: "lower case stays", in: "example.com", want: "example.com"},
		{name: "upper case is lowered", in: "Example.COM", want: "example.com"},
		{name: "one trailing dot is dropped", in: "example.com.", want: "example.com"},
		{name: "underscores are legitimate", in: "_dmarc.example.com", want: "_dmarc.example.com"},
		{name: "a single label", in: "localhost", want: "localhost"},
		{name: "hyphens anywhere, as DNS has them", in: "-a-.--x.example", want: "-a-.--x.example"},
		{name: "an A-label is lowered and else kept", in: "XN--BCHER-KVA.example", want: "xn--bcher-kva.example"},
		{name: "a U-label becomes an A-label (RFC 5891)", in: "b\u00fccher.example", want: "xn--bcher-kva.example"},
		{name: "an upper-case U-label too", in: "B\u00dcCHER.Example", want: "xn--bcher-kva.example"},
		{name: "a decomposed U-label too", in: "bu\u0308cher.example", want: "xn--bcher-kva.example"},
		{name: "sharp s is kept, as IDNA2008 has it", in: "stra\u00dfe.example", want: "xn--strae-oqa.example"},
		{name: "full-width letters are mapped", in: "\uff45xample.com", want: "example.com"},
		{name: "an ideographic full stop is a dot", in: "a\u3002example", want: "a.example"},
		{name: "a trailing one too", in: "b\u00fc.example\u3002", want: "xn--b-eha.example"},
		{name: "an invisible character is dropped", in: "ba\u00adnk.example", want: "bank.example"},
		{name: "an underscore beside a U-label", in: "_x.b\u00fccher.example", want: "_x.xn--bcher-kva.example"},
		{name: "the longest label", in: label + ".example", want: label + ".example"},
		{name: "the longest name", in: longest, want: longest},
		{name: "the longest name with its dot", in: longest + ".", want: longest},
		{name: "nothing", in: "", err: errEmpty},
		{name: "a dot", in: ".", err: errEmpty},
		{name: "two trailing dots", in: "example.com..", err: errLabel},
		{name: "an empty label", in: "a..example", err: errLabel},
		{name: "a leading dot", in: ".example", err: errLabel},
		{name: "a label of 64", in: label + "a.example", err: errLabel},
		{name: "a name of 254", in: longest + "f", err: errTooLong},
		{name: "a name without end", in: strings.Repeat("\u00fc.", 1<<16), err: errTooLong},
		{name: "a space", in: "a b.example", err: errCharacter},
		{name: "a control character", in: "a\x00.example", err: errCharacter},
		{name: "an at sign", in: "a@b.example", err: errCharacter},
		{name: "a domain literal", in: "[192.0.2.1]", err: errCharacter},
		{name: "8-bit that is not UTF-8", in: "a\xff.example", err: errCharacter},
		{name: "a character that maps to an at sign", in: "a\uff20b.example", err: errCharacter},
		{name: "a character that maps to a slash", in: "\u2100.example", err: errCharacter},
		{name: "an invisible label", in: "a.\u00ad.example", err: errLabel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Normalize(tt.in)
			if got != tt.want || tt.err != nil && !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("Normalize(%q) = %q, %v; want %q, %v", tt.in, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestIsBelow(t *testing.T) {
	tests := []struct {
		name, parent string
		want         bool
	}{
		{name: "a.example.com", parent: "example.com", want: true},
		{name: "a.example.com", parent: "com", want: true},
		{name: "example.com", parent: "example.com"},
		{name: "badexample.com", parent: "example.com"},
		{name: "com", parent: "example.com"},
		{name: "example.com"},
		{},
	}
	for _, tt := range tests {
		if got := IsBelow(tt.name, tt.parent); got != tt.want {
			t.Errorf("IsBelow(%q, %q) = %v", tt.name, tt.parent, got)
		}
	}
}

func TestParent(t *testing.T) {
	for name, want := range map[string]string{"a.b.c": "b.c", "c": "", "": ""} {
		if got := Parent(name); got != want {
			t.Errorf("Parent(%q) = %q, want %q", name, got, want)
		}
	}
}

// FuzzNormalize: a normalized name is normalized, within the limits, and of
// the characters that DNS names of mail have.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"Example.com.", "b\u00fccher.example", "xn--bcher-kva", "a\u3002b", "\u2100", "_x.-y-.z", "\u05d0.a", "a\u200db.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := Normalize(s)
		if err != nil {
			if name != "" {
				t.Fatalf("%q: %q with %v", s, name, err)
			}
			return
		}
		again, err := Normalize(name)
		if err != nil || again != name || len(name) > MaxLength || name == "" || strings.ToLower(name) != name || strings.Contains(name, "..") {
			t.Fatalf("%q: %q, again %q, %v", s, name, again, err)
		}
		if p := Parent(name); p != "" && !IsBelow(name, p) {
			t.Fatalf("%q is not below its parent %q", name, p)
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	for name, in := range map[string]string{"ascii": "mail.example.com", "upper": "Mail.Example.com.", "ulabel": "b\u00fccher.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Normalize(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestNormalizeAddress(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{name: "the domain is lower case, the local part stays", in: "Bob@Example.COM", want: "Bob@example.com"},
		{name: "a U-label becomes an A-label", in: "bob@bücher.example", want: "bob@xn--bcher-kva.example"},
		{name: "the last at sign divides", in: `"a@b"@Example.com`, want: `"a@b"@example.com`},
		{name: "no domain", in: "postmaster", want: "postmaster"},
		{name: "an unusable domain", in: "bob@[192.0.2.1]", want: "bob@[192.0.2.1]"},
	} {
		if got := NormalizeAddress(row.in); got != row.want {
			t.Errorf("%s: NormalizeAddress(%q) = %q, want %q", row.name, row.in, got, row.want)
		}
	}
}
