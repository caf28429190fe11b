package dmarc

import (
	"slices"
	"strings"
	"testing"
)

// The names of RFC 9989 section 4.10, from the examples of its appendix.
func TestWalkNames(t *testing.T) {
	tests := []struct{ start, want string }{
		{start: "com", want: "com"},
		{start: "localhost", want: "localhost"},
		{start: "example.com", want: "example.com com"},
		{start: "a.mail.example.com", want: "a.mail.example.com mail.example.com example.com com"},
		{start: "a.b.c.d.e.example.com", want: "a.b.c.d.e.example.com b.c.d.e.example.com c.d.e.example.com d.e.example.com e.example.com example.com com"},
		{start: "a.b.c.d.e.f.example.com",
			want: "a.b.c.d.e.f.example.com b.c.d.e.f.example.com c.d.e.f.example.com d.e.f.example.com e.f.example.com f.example.com example.com com"},
		{start: "a.b.c.d.e.f.g.example.com",
			want: "a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com e.f.g.example.com f.g.example.com g.example.com example.com com"},
		{start: "a.b.c.d.e.f.g.h.i.j.mail.example.com",
			want: "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com mail.example.com example.com com"},
		{start: "mail.a.b.c.d.e.f.g.example.com",
			want: "mail.a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com e.f.g.example.com f.g.example.com g.example.com example.com com"},
	}
	for _, tt := range tests {
		dns := zone()
		w := &treeWalk{asker: &asker{lk: dns}}
		org, err := w.orgDomain(t.Context(), tt.start)
		if got := strings.Join(dns.questions(), " "); got != tt.want || err != nil || org != tt.start {
			t.Errorf("%s: asked %s, org %q, %v\nwant %s", tt.start, got, org, err, tt.want)
		}
	}
}

// RFC 9989 sections 4.10.1 and 4.10.2: Organizational Domain and policy record.
func TestTreeWalkDiscovery(t *testing.T) {
	const p, y, n = " v=DMARC1; p=none", " v=DMARC1; p=none; psd=y", " v=DMARC1; p=none; psd=n"
	tests := []struct {
		name, author string
		zone         []string
		guard        bool
		org, policy  string
		asked        string // by discovery, before the Organizational Domain is asked for
	}{
		{name: "the domain's own record needs one question", author: "example.com",
			zone: []string{"example.com" + p}, org: "example.com", policy: "example.com", asked: "example.com"},
		{name: "a subdomain uses the record of its Organizational Domain", author: "news.example.com",
			zone: []string{"example.com" + p}, org: "example.com", policy: "example.com", asked: "news.example.com example.com com"},
		{name: "the shortest name with a record, not the nearest", author: "a.mail.example.com",
			zone: []string{"mail.example.com" + p, "example.com" + p}, org: "example.com", policy: "example.com",
			asked: "a.mail.example.com mail.example.com example.com com"},
		{name: "psd=n ends the walk", author: "a.mail.example.com",
			zone: []string{"mail.example.com" + n, "example.com" + p}, org: "mail.example.com", policy: "mail.example.com",
			asked: "a.mail.example.com mail.example.com"},
		{name: "the own record is the policy though the Organizational Domain has one", author: "a.mail.example.com",
			zone: []string{"a.mail.example.com" + p, "example.com" + p}, org: "example.com", policy: "a.mail.example.com", asked: "a.mail.example.com"},
		{name: "a top level domain as PSD gives the policy", author: "a.mail.example.com",
			zone: []string{"com" + y}, org: "example.com", policy: "com", asked: "a.mail.example.com mail.example.com example.com com"},
		{name: "below a PSD the own record counts", author: "giant.bank.example",
			zone: []string{"giant.bank.example" + p, "bank.example" + y}, org: "giant.bank.example", policy: "giant.bank.example", asked: "giant.bank.example"},
		{name: "below a PSD without own record the PSD's counts", author: "mega.bank.example",
			zone: []string{"bank.example" + y}, org: "mega.bank.example", policy: "bank.example", asked: "mega.bank.example bank.example"},
		{name: "a record between author and Organizational Domain is skipped", author: "x.mail.giant.bank.example",
			zone: []string{"mail.giant.bank.example" + p, "bank.example" + y}, org: "giant.bank.example", policy: "bank.example",
			asked: "x.mail.giant.bank.example mail.giant.bank.example giant.bank.example bank.example"},
		{name: "the PSD's record is not used where the Organizational Domain has one", author: "x.giant.bank.example",
			zone: []string{"giant.bank.example" + p, "bank.example" + y}, org: "giant.bank.example", policy: "giant.bank.example",
			asked: "x.giant.bank.example giant.bank.example bank.example"},
		{name: "mail from the PSD itself", author: "bank.example",
			zone: []string{"bank.example" + y}, org: "bank.example", policy: "bank.example", asked: "bank.example"},
		{name: "a subdomain alone is its own Organizational Domain", author: "sub.example.com",
			zone: []string{"sub.example.com" + p}, org: "sub.example.com", policy: "sub.example.com", asked: "sub.example.com"},
		{name: "a single label is asked once", author: "localhost", org: "localhost", asked: "localhost"},
		{name: "no record anywhere", author: "a.example.com", org: "a.example.com", asked: "a.example.com example.com com"},
		{name: "several records count as none and the walk goes on", author: "example.com",
			zone: []string{"example.com" + p, "example.com" + n, "com" + y}, org: "example.com", policy: "com", asked: "example.com com"},
		{name: "a record with unusable policy is a record", author: "a.example.com",
			zone: []string{"example.com v=DMARC1; p=bogus"}, org: "example.com", policy: "example.com", asked: "a.example.com example.com com"},
		{name: "a psd=n record that the jump skips is never seen", author: "mail.a.b.c.d.e.f.g.example.com",
			zone: []string{"b.c.d.e.f.g.example.com" + n, "example.com" + p}, org: "example.com", policy: "example.com",
			asked: "mail.a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com e.f.g.example.com f.g.example.com g.example.com example.com com"},
		{name: "an Organizational Domain in the jump has no record of its own", author: "mail.a.b.c.d.e.f.g.example.com",
			zone: []string{"c.d.e.f.g.example.com" + y}, org: "b.c.d.e.f.g.example.com", policy: "c.d.e.f.g.example.com",
			asked: "mail.a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com"},

		// Section 11.8 and the guard against it.
		{name: "to the letter a top level domain that forgot psd=y is everyone's Organizational Domain", author: "a.example.com",
			zone: []string{"com" + p}, org: "com", policy: "com", asked: "a.example.com example.com com"},
		{name: "the guard reads it as psd=y", author: "a.example.com", guard: true,
			zone: []string{"com" + p}, org: "example.com", policy: "com", asked: "a.example.com example.com com"},
		{name: "the guard knows longer suffixes", author: "a.example.co.uk", guard: true,
			zone: []string{"co.uk" + p}, org: "example.co.uk", policy: "co.uk", asked: "a.example.co.uk example.co.uk co.uk"},
		{name: "the guard does not let a PSD make a suffix an Organizational Domain", author: "a.example.co.uk", guard: true,
			zone: []string{"uk" + y}, org: "example.co.uk", policy: "uk", asked: "a.example.co.uk example.co.uk co.uk uk"},
		{name: "to the letter it does", author: "a.example.co.uk",
			zone: []string{"uk" + y}, org: "co.uk", policy: "uk", asked: "a.example.co.uk example.co.uk co.uk uk"},
		{name: "the guard leaves an explicit psd=n alone", author: "a.example", guard: true,
			zone: []string{"example" + n}, org: "example", policy: "example", asked: "a.example example"},
		{name: "the guard leaves the private section alone", author: "foo.github.io", guard: true,
			zone: []string{"github.io" + p}, org: "github.io", policy: "github.io", asked: "foo.github.io github.io io"},
		{name: "a guarded suffix as author is its own Organizational Domain", author: "co.uk", guard: true,
			zone: []string{"co.uk" + p}, org: "co.uk", policy: "co.uk", asked: "co.uk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dns := zone(tt.zone...)
			w := &treeWalk{asker: &asker{lk: dns}, guard: tt.guard}
			d := w.discover(t.Context(), tt.author)
			asked := strings.Join(dns.questions(), " ")
			org, err := w.orgDomain(t.Context(), tt.author)
			if d.err != nil || err != nil || d.domain != tt.policy || org != tt.org || d.org != "" && d.org != org {
				t.Errorf("policy of %q, org %q (first %q), %v, %v; want %q, %q", d.domain, org, d.org, d.err, err, tt.policy, tt.org)
			}
			if asked != tt.asked {
				t.Errorf("asked %s, want %s", asked, tt.asked)
			}
			if all := dns.questions(); len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
				t.Errorf("a name was asked twice: %q", all)
			}
		})
	}
}

// RFC 7489 sections 3.2 and 6.6.3.
func TestSuffixListDiscovery(t *testing.T) {
	const p = " v=DMARC1; p=none"
	tests := []struct {
		name, author       string
		zone               []string
		org, policy, asked string
	}{
		{name: "own record", author: "a.example.com", zone: []string{"a.example.com" + p}, org: "example.com", policy: "a.example.com",
			asked: "a.example.com"},
		{name: "record of the Organizational Domain", author: "a.b.example.com", zone: []string{"b.example.com" + p, "example.com" + p},
			org: "example.com", policy: "example.com", asked: "a.b.example.com example.com"},
		{name: "several records end it", author: "a.example.com",
			zone: []string{"a.example.com" + p, "a.example.com" + p, "example.com" + p}, org: "example.com",
			asked: "a.example.com"},
		{name: "psd has no effect", author: "a.b.example.com", zone: []string{"b.example.com" + p + "; psd=n"}, org: "example.com",
			asked: "a.b.example.com example.com"},
		{name: "a long suffix", author: "a.example.co.uk", org: "example.co.uk", asked: "a.example.co.uk example.co.uk"},
		{name: "a suffix is its own Organizational Domain", author: "co.uk", org: "co.uk", asked: "co.uk"},
		{name: "a single label", author: "localhost", org: "localhost", asked: "localhost"},
		{name: "the private section counts", author: "x.foo.github.io", org: "foo.github.io", asked: "x.foo.github.io foo.github.io"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dns := zone(tt.zone...)
			d := suffixList{&asker{lk: dns}}.discover(t.Context(), tt.author)
			if asked := strings.Join(dns.questions(), " "); d.org != tt.org || d.domain != tt.policy || asked != tt.asked || d.err != nil {
				t.Errorf("org %q, policy %q, asked %s, %v; want %q, %q, %s", d.org, d.domain, asked, d.err, tt.org, tt.policy, tt.asked)
			}
		})
	}
}

func TestCommonSuffix(t *testing.T) {
	tests := []struct{ a, b, want string }{
		{a: "example.com", b: "example.com", want: "example.com"},
		{a: "a.example.com", b: "example.com", want: "example.com"},
		{a: "example.com", b: "a.example.com", want: "example.com"},
		{a: "a.example.com", b: "b.example.com", want: "example.com"},
		{a: "badexample.com", b: "example.com", want: "com"},
		{a: "example.com", b: "badexample.com", want: "com"},
		{a: "example.com", b: "example.net"},
		{a: "com", b: "example.com", want: "com"},
		{a: "xcom", b: "com"},
		{a: "a.b", b: "c"},
	}
	for _, tt := range tests {
		if got := commonSuffix(tt.a, tt.b); got != tt.want {
			t.Errorf("commonSuffix(%q, %q) = %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}
