package dmarc

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/resolver"
)

func TestParseRecord(t *testing.T) {
	tests := []struct {
		name, txt string
		want      string // printed form; "" when it is no record
		use       usability
	}{
		// RFC 9989 sections 4.7, 4.8 and 4.10.1: what is a record, and its policy.
		{name: "a bare version is a record without policy", txt: "v=DMARC1", want: "v=DMARC1", use: absent},
		{name: "a semicolon may follow the version", txt: "v=DMARC1;", want: "v=DMARC1", use: absent},
		{name: "white space stands around the tokens, words have no case", txt: "v = DMARC1 ; P = Reject", want: "v=DMARC1; p=reject", use: usable},
		{name: "a tab is white space", txt: "v\t=\tDMARC1\t;\tp\t=\tnone\t", want: "v=DMARC1; p=none", use: usable},
		{name: "the name of the version tag has no case", txt: "V=DMARC1;p=none", want: "v=DMARC1; p=none", use: usable},
		{name: "the order behind the version is free", txt: "v=DMARC1; rua=mailto:a@x.example; p=reject",
			want: "v=DMARC1; p=reject; rua=mailto:a@x.example", use: usable},
		{name: "an invalid sp with a reporting address makes all policies none",
			txt:  "v=DMARC1; p=reject; sp=bogus; rua=mailto:a@x.example",
			want: "v=DMARC1; p=reject; sp=invalid; rua=mailto:a@x.example", use: asNone},
		{name: "an invalid sp without a reporting address ends processing", txt: "v=DMARC1; p=reject; sp=bogus",
			want: "v=DMARC1; p=reject; sp=invalid", use: malformed},
		{name: "an invalid np counts like an invalid sp", txt: "v=DMARC1; p=reject; np=bogus", want: "v=DMARC1; p=reject; np=invalid", use: malformed},
		{name: "a comma does not end a tag", txt: "v=DMARC1; p=none, rua=mailto:a@x.example", want: "v=DMARC1; p=invalid", use: malformed},
		{name: "unknown tags are ignored", txt: "v=DMARC1; p=quarantine; foo=bar; adkim=S", want: "v=DMARC1; p=quarantine; adkim=s", use: usable},
		{name: "the obsolete size is cut and other schemes get no reports",
			txt:  "v=DMARC1; p=reject; rua=mailto:a@x.example!10m,https://x.example/r",
			want: "v=DMARC1; p=reject; rua=mailto:a@x.example,https://x.example/r", use: usable},
		{name: "pct is kept", txt: "v=DMARC1; p=reject; pct=50", want: "v=DMARC1; p=reject; pct=50", use: usable},
		{name: "no p with a reporting address acts as none", txt: "v=DMARC1; rua=mailto:a@x.example",
			want: "v=DMARC1; rua=mailto:a@x.example", use: asNone},
		{name: "no p but sp with a reporting address acts as none", txt: "v=DMARC1; sp=reject; rua=mailto:a@x.example",
			want: "v=DMARC1; sp=reject; rua=mailto:a@x.example", use: asNone},
		{name: "an address of another scheme is a valid reporting address", txt: "v=DMARC1; p=bogus; rua=https://x.example/r",
			want: "v=DMARC1; p=invalid; rua=https://x.example/r", use: asNone},
		{name: "an invalid reporting address is none", txt: "v=DMARC1; p=bogus; rua=a@x.example", want: "v=DMARC1; p=invalid", use: malformed},
		{name: "ruf is no reporting address for the rule", txt: "v=DMARC1; p=bogus; ruf=mailto:a@x.example",
			want: "v=DMARC1; p=invalid; ruf=mailto:a@x.example", use: malformed},

		{name: "another version is no record", txt: "v=DMARC10; p=none"},
		{name: "the value of the version has its case", txt: "v=dmarc1; p=none"},
		{name: "the version is first", txt: " p=none; v=DMARC1"},
		{name: "nothing stands before the version", txt: " v=DMARC1; p=none"},
		{name: "a space does not end the version", txt: "v=DMARC1 p=none"},
		{name: "an empty text is no record"},
		{name: "an SPF record is no record", txt: "v=spf1 -all"},

		// Section 4.8: errors fall back to the default or are ignored.
		{name: "empty pieces are skipped", txt: "v=DMARC1;;; p=none;;", want: "v=DMARC1; p=none", use: usable},
		{name: "a piece without equals sign is dropped", txt: "v=DMARC1; junk; p=none", want: "v=DMARC1; p=none", use: usable},
		{name: "a tag without value is dropped", txt: "v=DMARC1; p=none; adkim=", want: "v=DMARC1; p=none", use: usable},
		{name: "a tag with octets outside of US-ASCII is dropped", txt: "v=DMARC1; p=none; aspf=\xc3\xa9", want: "v=DMARC1; p=none", use: usable},
		{name: "but a policy without value is one that is not valid", txt: "v=DMARC1; p=reject; np=; rua=mailto:a@x.example",
			want: "v=DMARC1; p=reject; np=invalid; rua=mailto:a@x.example", use: asNone},
		{name: "as is one outside of US-ASCII", txt: "v=DMARC1; p=reject; sp=r\xc3\xa9ject", want: "v=DMARC1; p=reject; sp=invalid", use: malformed},
		{name: "and p itself", txt: "v=DMARC1; p=; rua=mailto:a@x.example", want: "v=DMARC1; p=invalid; rua=mailto:a@x.example", use: asNone},
		{name: "invalid modes are relaxed", txt: "v=DMARC1; p=none; adkim=x; aspf=strict", want: "v=DMARC1; p=none", use: usable},
		{name: "invalid t and psd are the default", txt: "v=DMARC1; p=none; t=maybe; psd=1", want: "v=DMARC1; p=none", use: usable},
		{name: "t=n is told from no t", txt: "v=DMARC1; p=none; t=N", want: "v=DMARC1; p=none; t=n", use: usable},
		{name: "t=y", txt: "v=DMARC1; p=none; t=Y", want: "v=DMARC1; p=none; t=y", use: usable},
		{name: "psd", txt: "v=DMARC1; p=none; psd=Y", want: "v=DMARC1; p=none; psd=y", use: usable},
		{name: "pct above 100 is the default", txt: "v=DMARC1; p=none; pct=101", want: "v=DMARC1; p=none", use: usable},
		{name: "pct with a sign is the default", txt: "v=DMARC1; p=none; pct=+5", want: "v=DMARC1; p=none", use: usable},
		{name: "pct 0", txt: "v=DMARC1; p=none; pct=0", want: "v=DMARC1; p=none; pct=0", use: usable},
		{name: "failure options", txt: "v=DMARC1; p=none; fo=1:D : s; ruf=mailto:a@x.example",
			want: "v=DMARC1; p=none; fo=1:d:s; ruf=mailto:a@x.example", use: usable},
		{name: "fo=0 and fo=1 exclude each other", txt: "v=DMARC1; p=none; fo=0:1", want: "v=DMARC1; p=none", use: usable},
		{name: "an unknown failure option is the default", txt: "v=DMARC1; p=none; fo=z", want: "v=DMARC1; p=none", use: usable},
		{name: "historic tags are ignored", txt: "v=DMARC1; p=none; rf=afrf; ri=3600", want: "v=DMARC1; p=none", use: usable},

		// Our reading of duplicates: RFC 9989 is silent.
		{name: "a second p with another value makes p invalid", txt: "v=DMARC1; p=none; p=reject", want: "v=DMARC1; p=invalid", use: malformed},
		{name: "a third p does not make it valid again", txt: "v=DMARC1; p=none; p=reject; p=reject", want: "v=DMARC1; p=invalid", use: malformed},
		{name: "a second p with the same value is harmless", txt: "v=DMARC1; p=reject; P=Reject", want: "v=DMARC1; p=reject", use: usable},
		{name: "of another duplicate the first counts", txt: "v=DMARC1; p=none; adkim=s; adkim=r", want: "v=DMARC1; p=none; adkim=s", use: usable},

		// Section 4.7 and RFC 8616 section 6: reporting URIs.
		{name: "a bad URI is dropped, the others stay",
			txt:  "v=DMARC1; p=none; rua=mailto:, mailto:a, mailto:a@b c, mailto:@x.example, x:y z, mailto:b@x.example",
			want: "v=DMARC1; p=none; rua=mailto:b@x.example", use: usable},
		{name: "sizes with and without unit are cut", txt: "v=DMARC1; p=none; rua=mailto:a@x.example!5,MAILTO:b@x.example!1G",
			want: "v=DMARC1; p=none; rua=mailto:a@x.example,MAILTO:b@x.example", use: usable},
		{name: "a bare exclamation mark is no URI", txt: "v=DMARC1; p=none; rua=mailto:a!b@x.example", want: "v=DMARC1; p=none", use: usable},
		{name: "a fragment would hide an address before it (RFC 6068 section 2 has none)",
			txt: "v=DMARC1; p=none; rua=mailto:ceo@victim.example#@x.example,mailto:b@x.example", want: "v=DMARC1; p=none; rua=mailto:b@x.example", use: usable},
		{name: "an encoded one is", txt: "v=DMARC1; p=none; rua=mailto:a%21b%2Cc@x.example",
			want: "v=DMARC1; p=none; rua=mailto:a%21b%2Cc@x.example", use: usable},
		{name: "a line break does not hide in an encoded address", txt: "v=DMARC1; p=none; rua=mailto:a%0d%0ab@x.example",
			want: "v=DMARC1; p=none", use: usable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec, err := ParseRecord(tt.txt)
			if err != nil {
				if tt.want != "" || !errors.Is(err, ErrNotRecord) {
					t.Fatalf("ParseRecord(%q): %v, want %q", tt.txt, err, tt.want)
				}
				return
			}
			if got := rec.String(); got != tt.want || rec.usability() != tt.use {
				t.Errorf("ParseRecord(%q) = %q, usability %d; want %q, %d", tt.txt, got, rec.usability(), tt.want, tt.use)
			}
		})
	}
}

func TestParseProblemsAreKept(t *testing.T) {
	rec, err := ParseRecord("v=DMARC1; p=none; sp=\xff; adkim=x; t=1; fo=9; rua=x")
	if err != nil || len(rec.Errors) != 5 {
		t.Errorf("got %q, %v; want 5 problems", rec.Errors, err)
	}
	rec, _ = ParseRecord("v=DMARC1; " + strings.Repeat("?;", 1000))
	if len(rec.Errors) != maxErrors {
		t.Errorf("%d problems kept, want %d", len(rec.Errors), maxErrors)
	}
	for _, e := range rec.Evidence().Errors {
		if strings.Trim(e, "abcdefghijklmnopqrstuvwxyz\"? ") != "" {
			t.Errorf("problem %q is not plain", e)
		}
	}
}

func TestNumberOfURIsIsBounded(t *testing.T) {
	rec, _ := ParseRecord("v=DMARC1; p=none; rua=" + strings.Repeat("mailto:a@x.example,", 1000) + "mailto:a@x.example")
	if len(rec.RUA) != maxURIs {
		t.Errorf("%d URIs kept, want %d", len(rec.RUA), maxURIs)
	}
}

func TestEvidenceShowsInvalidPolicyAsAbsent(t *testing.T) {
	rec, _ := ParseRecord("v=DMARC1; p=reject; sp=x; np=none; psd=n; pct=7; aspf=s; t=y; fo=1; ruf=mailto:a@x.example")
	got := rec.Evidence()
	if got.P != evidence.PolicyReject || got.SP != evidence.PolicyAbsent || got.NP != evidence.PolicyNone ||
		got.PSD != "n" || got.Pct != 7 || !got.StrictSPF || got.StrictDKIM || !got.Testing || !got.HasTesting ||
		got.FailureOpts != "1" || len(got.RUF) != 1 || len(got.Errors) != 1 {
		t.Errorf("got %+v", got)
	}
}

// RFC 9989 section 4.10, steps 2 and 6.
func TestRecordSelection(t *testing.T) {
	tests := []struct {
		name    string
		txt     []string
		want    string
		several bool
	}{
		{name: "other records are passed over", txt: []string{"v=spf1 -all", "v=DMARC1; p=none"}, want: "v=DMARC1; p=none"},
		{name: "two records count as none", txt: []string{"v=DMARC1; p=none", "v=DMARC1; p=reject"}, several: true},
		{name: "two equal records count as none too", txt: []string{"v=DMARC1; p=none", "v=DMARC1; p=none"}, several: true},
		{name: "no record", txt: []string{"v=DMARC2", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := keep(&resolver.Answer{TXT: tt.txt})
			got := ""
			if k.rec != nil {
				got = k.rec.String()
			}
			if got != tt.want || k.several != tt.several {
				t.Errorf("%q: got %q, several=%v; want %q, %v", tt.txt, got, k.several, tt.want, tt.several)
			}
		})
	}
}

// RFC 9989 section 4.7: which tag applies, before test mode.
func TestPolicyFor(t *testing.T) {
	tests := []struct {
		txt             string
		own, sub, ghost string // tag and policy for the domain, a subdomain, a non-existent one
		matters         bool
	}{
		{txt: "v=DMARC1; p=reject", own: "p reject", sub: "p reject", ghost: "p reject"},
		{txt: "v=DMARC1; p=reject; sp=none", own: "p reject", sub: "sp none", ghost: "sp none"},
		{txt: "v=DMARC1; p=none; np=reject", own: "p none", sub: "p none", ghost: "np reject", matters: true},
		{txt: "v=DMARC1; p=none; sp=quarantine; np=reject", own: "p none", sub: "sp quarantine", ghost: "np reject", matters: true},
		{txt: "v=DMARC1; p=none; sp=reject; np=reject", own: "p none", sub: "sp reject", ghost: "np reject"},
		{txt: "v=DMARC1; p=reject; sp=x; np=reject; rua=mailto:a@x.example", own: "p none", sub: "p none", ghost: "p none"},
		{txt: "v=DMARC1; np=reject; rua=mailto:a@x.example", own: "p none", sub: "p none", ghost: "p none"},
	}
	for _, tt := range tests {
		rec, err := ParseRecord(tt.txt)
		if err != nil {
			t.Fatal(err)
		}
		show := func(sub bool, ex evidence.Existence) string {
			p, tag := rec.policyFor(sub, ex)
			return tag + " " + string(p)
		}
		got := []string{show(false, evidence.Exists), show(true, evidence.Exists), show(true, evidence.NonExistent)}
		if want := []string{tt.own, tt.sub, tt.ghost}; !slices.Equal(got, want) || rec.existenceMatters() != tt.matters {
			t.Errorf("%q: got %q, matters=%v; want %q, %v", tt.txt, got, rec.existenceMatters(), want, tt.matters)
		}
		if unknown := show(true, evidence.ExistenceUnknown); unknown != tt.sub {
			t.Errorf("%q: unknown existence gives %q, want that of an existing subdomain, %q", tt.txt, unknown, tt.sub)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, s := range []string{
		"v=DMARC1", "v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=s; t=y; psd=n; pct=5; fo=1:d:s",
		"v=DMARC1; p=x; rua=mailto:a@x.example!10m,https://x.example/!,mailto:%41@x.example?subject=b; ruf=mailto:a@x.example",
		"v = DMARC1 ;; = ; p = None ; p=none; rua=mailto:a@b.c,,;", "v=DMARC1; rua=mailto://a@b, mailto:/a@b, x:, x:?q, a:b%",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, txt string) {
		rec, err := ParseRecord(txt)
		if err != nil {
			return
		}
		if len(rec.RUA)+len(rec.OtherRUA) > maxURIs || len(rec.RUF) > maxURIs || len(rec.Errors) > maxErrors {
			t.Fatalf("%q: above the limits: %+v", txt, rec)
		}
		printed := rec.String()
		again, err := ParseRecord(printed)
		if err != nil || !again.Equal(rec) || again.String() != printed || again.usability() != rec.usability() {
			t.Fatalf("%q: printed %q, read back %+v, %v; want %+v", txt, printed, again, err, rec)
		}
	})
}

func BenchmarkParseRecord(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRecord("v=DMARC1; p=reject; sp=quarantine; adkim=r; aspf=r; rua=mailto:dmarc@example.com; fo=1"); err != nil {
			b.Fatal(err)
		}
	}
}
