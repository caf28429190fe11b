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
		{"a bare version is a record without policy", "v=DMARC1", "v=DMARC1", absent},
		{"a semicolon may follow the version", "v=DMARC1;", "v=DMARC1", absent},
		{"white space stands around the tokens, words have no case", "v = DMARC1 ; P = Reject", "v=DMARC1; p=reject", usable},
		{"a tab is white space", "v\t=\tDMARC1\t;\tp\t=\tnone\t", "v=DMARC1; p=none", usable},
		{"the name of the version tag has no case", "V=DMARC1;p=none", "v=DMARC1; p=none", usable},
		{"the order behind the version is free", "v=DMARC1; rua=mailto:a@x.example; p=reject", "v=DMARC1; p=reject; rua=mailto:a@x.example", usable},
		{"an invalid sp with a reporting address makes all policies none", "v=DMARC1; p=reject; sp=bogus; rua=mailto:a@x.example", "v=DMARC1; p=reject; sp=invalid; rua=mailto:a@x.example", asNone},
		{"an invalid sp without a reporting address ends processing", "v=DMARC1; p=reject; sp=bogus", "v=DMARC1; p=reject; sp=invalid", malformed},
		{"an invalid np counts like an invalid sp", "v=DMARC1; p=reject; np=bogus", "v=DMARC1; p=reject; np=invalid", malformed},
		{"a comma does not end a tag", "v=DMARC1; p=none, rua=mailto:a@x.example", "v=DMARC1; p=invalid", malformed},
		{"unknown tags are ignored", "v=DMARC1; p=quarantine; foo=bar; adkim=S", "v=DMARC1; p=quarantine; adkim=s", usable},
		{"the obsolete size is cut and other schemes get no reports", "v=DMARC1; p=reject; rua=mailto:a@x.example!10m,https://x.example/r", "v=DMARC1; p=reject; rua=mailto:a@x.example,https://x.example/r", usable},
		{"pct is kept", "v=DMARC1; p=reject; pct=50", "v=DMARC1; p=reject; pct=50", usable},
		{"no p with a reporting address acts as none", "v=DMARC1; rua=mailto:a@x.example", "v=DMARC1; rua=mailto:a@x.example", asNone},
		{"no p but sp with a reporting address acts as none", "v=DMARC1; sp=reject; rua=mailto:a@x.example", "v=DMARC1; sp=reject; rua=mailto:a@x.example", asNone},
		{"an address of another scheme is a valid reporting address", "v=DMARC1; p=bogus; rua=https://x.example/r", "v=DMARC1; p=invalid; rua=https://x.example/r", asNone},
		{"an invalid reporting address is none", "v=DMARC1; p=bogus; rua=a@x.example", "v=DMARC1; p=invalid", malformed},
		{"ruf is no reporting address for the rule", "v=DMARC1; p=bogus; ruf=mailto:a@x.example", "v=DMARC1; p=invalid; ruf=mailto:a@x.example", malformed},

		{"another version is no record", "v=DMARC10; p=none", "", 0},
		{"the value of the version has its case", "v=dmarc1; p=none", "", 0},
		{"the version is first", " p=none; v=DMARC1", "", 0},
		{"nothing stands before the version", " v=DMARC1; p=none", "", 0},
		{"a space does not end the version", "v=DMARC1 p=none", "", 0},
		{"an empty text is no record", "", "", 0},
		{"an SPF record is no record", "v=spf1 -all", "", 0},

		// Section 4.8: errors fall back to the default or are ignored.
		{"empty pieces are skipped", "v=DMARC1;;; p=none;;", "v=DMARC1; p=none", usable},
		{"a piece without equals sign is dropped", "v=DMARC1; junk; p=none", "v=DMARC1; p=none", usable},
		{"a tag without value is dropped", "v=DMARC1; p=none; adkim=", "v=DMARC1; p=none", usable},
		{"a tag with octets outside of US-ASCII is dropped", "v=DMARC1; p=none; aspf=\xc3\xa9", "v=DMARC1; p=none", usable},
		{"but a policy without value is one that is not valid", "v=DMARC1; p=reject; np=; rua=mailto:a@x.example", "v=DMARC1; p=reject; np=invalid; rua=mailto:a@x.example", asNone},
		{"as is one outside of US-ASCII", "v=DMARC1; p=reject; sp=r\xc3\xa9ject", "v=DMARC1; p=reject; sp=invalid", malformed},
		{"and p itself", "v=DMARC1; p=; rua=mailto:a@x.example", "v=DMARC1; p=invalid; rua=mailto:a@x.example", asNone},
		{"invalid modes are relaxed", "v=DMARC1; p=none; adkim=x; aspf=strict", "v=DMARC1; p=none", usable},
		{"invalid t and psd are the default", "v=DMARC1; p=none; t=maybe; psd=1", "v=DMARC1; p=none", usable},
		{"t=n is told from no t", "v=DMARC1; p=none; t=N", "v=DMARC1; p=none; t=n", usable},
		{"t=y", "v=DMARC1; p=none; t=Y", "v=DMARC1; p=none; t=y", usable},
		{"psd", "v=DMARC1; p=none; psd=Y", "v=DMARC1; p=none; psd=y", usable},
		{"pct above 100 is the default", "v=DMARC1; p=none; pct=101", "v=DMARC1; p=none", usable},
		{"pct with a sign is the default", "v=DMARC1; p=none; pct=+5", "v=DMARC1; p=none", usable},
		{"pct 0", "v=DMARC1; p=none; pct=0", "v=DMARC1; p=none; pct=0", usable},
		{"failure options", "v=DMARC1; p=none; fo=1:D : s; ruf=mailto:a@x.example", "v=DMARC1; p=none; fo=1:d:s; ruf=mailto:a@x.example", usable},
		{"fo=0 and fo=1 exclude each other", "v=DMARC1; p=none; fo=0:1", "v=DMARC1; p=none", usable},
		{"an unknown failure option is the default", "v=DMARC1; p=none; fo=z", "v=DMARC1; p=none", usable},
		{"historic tags are ignored", "v=DMARC1; p=none; rf=afrf; ri=3600", "v=DMARC1; p=none", usable},

		// Our reading of duplicates: RFC 9989 is silent.
		{"a second p with another value makes p invalid", "v=DMARC1; p=none; p=reject", "v=DMARC1; p=invalid", malformed},
		{"a third p does not make it valid again", "v=DMARC1; p=none; p=reject; p=reject", "v=DMARC1; p=invalid", malformed},
		{"a second p with the same value is harmless", "v=DMARC1; p=reject; P=Reject", "v=DMARC1; p=reject", usable},
		{"of another duplicate the first counts", "v=DMARC1; p=none; adkim=s; adkim=r", "v=DMARC1; p=none; adkim=s", usable},

		// Section 4.7 and RFC 8616 section 6: reporting URIs.
		{"a bad URI is dropped, the others stay", "v=DMARC1; p=none; rua=mailto:, mailto:a, mailto:a@b c, mailto:@x.example, x:y z, mailto:b@x.example", "v=DMARC1; p=none; rua=mailto:b@x.example", usable},
		{"sizes with and without unit are cut", "v=DMARC1; p=none; rua=mailto:a@x.example!5,MAILTO:b@x.example!1G", "v=DMARC1; p=none; rua=mailto:a@x.example,MAILTO:b@x.example", usable},
		{"a bare exclamation mark is no URI", "v=DMARC1; p=none; rua=mailto:a!b@x.example", "v=DMARC1; p=none", usable},
		{"an encoded one is", "v=DMARC1; p=none; rua=mailto:a%21b%2Cc@x.example", "v=DMARC1; p=none; rua=mailto:a%21b%2Cc@x.example", usable},
		{"a line break does not hide in an encoded address", "v=DMARC1; p=none; rua=mailto:a%0d%0ab@x.example", "v=DMARC1; p=none", usable},
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
		{"other records are passed over", []string{"v=spf1 -all", "v=DMARC1; p=none"}, "v=DMARC1; p=none", false},
		{"two records count as none", []string{"v=DMARC1; p=none", "v=DMARC1; p=reject"}, "", true},
		{"two equal records count as none too", []string{"v=DMARC1; p=none", "v=DMARC1; p=none"}, "", true},
		{"no record", []string{"v=DMARC2", ""}, "", false},
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
		{"v=DMARC1; p=reject", "p reject", "p reject", "p reject", false},
		{"v=DMARC1; p=reject; sp=none", "p reject", "sp none", "sp none", false},
		{"v=DMARC1; p=none; np=reject", "p none", "p none", "np reject", true},
		{"v=DMARC1; p=none; sp=quarantine; np=reject", "p none", "sp quarantine", "np reject", true},
		{"v=DMARC1; p=none; sp=reject; np=reject", "p none", "sp reject", "np reject", false},
		{"v=DMARC1; p=reject; sp=x; np=reject; rua=mailto:a@x.example", "p none", "p none", "p none", false},
		{"v=DMARC1; np=reject; rua=mailto:a@x.example", "p none", "p none", "p none", false},
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
