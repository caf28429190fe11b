package dmarc

import (
	"testing"

	"alignd/evidence"
)

// With psl_guard two names below a suffix of the private section of the Public Suffix
// List are aligned only below the one label under it. Everything else is left to
// RFC 9989 section 4.10.2.
func TestGuardOfPrivateSuffixes(t *testing.T) {
	const (
		victim = "victim.uk.com v=DMARC1; p=reject"
		uk     = "uk.com v=DMARC1; p=none; rua=mailto:d@uk.com"
	)
	both := []string{victim, uk}
	guard := Options{PSLGuard: true}
	for _, tt := range []evalCase{
		{name: "a neighbour", author: "victim.uk.com", zone: both, opt: guard, spf: spf("pass", "attacker.uk.com"), want: "fail p:reject at victim.uk.com"},
		{name: "a neighbour's signature", author: "victim.uk.com", zone: both, opt: guard, dkim: sigs("pass x.attacker.uk.com"), want: "fail p:reject at victim.uk.com"},
		{name: "a neighbour whose signature is unresolved", author: "victim.uk.com", zone: both, opt: guard, dkim: sigs("temperror attacker.uk.com"), want: "fail p:reject at victim.uk.com"},
		{name: "a neighbour while the suffix does not answer", author: "victim.uk.com", zone: []string{victim, "uk.com SERVFAIL"}, opt: guard,
			dkim: sigs("pass attacker.uk.com"), want: "fail p:reject at victim.uk.com"},
		{name: "a neighbour by a jumping walk", author: "victim.uk.com", zone: both, opt: guard,
			dkim: sigs("pass a.b.c.d.e.f.g.h.attacker.uk.com"), want: "fail p:reject at victim.uk.com"},
		{name: "a neighbour of an author without own record", author: "mail.victim.uk.com", zone: []string{uk}, opt: guard,
			dkim: sigs("pass attacker.uk.com"), want: "fail p:none at uk.com"},
		{name: "without the guard it is the letter", author: "victim.uk.com", zone: both, spf: spf("pass", "attacker.uk.com"), want: "pass p:reject at victim.uk.com spf"},
		{name: "one label below the suffix", author: "victim.uk.com", zone: both, opt: guard, dkim: sigs("pass mail.victim.uk.com"), want: "pass p:reject at victim.uk.com dkim[0]"},
		{name: "siblings below that label", author: "news.victim.uk.com", zone: both, opt: guard, dkim: sigs("pass mail.victim.uk.com"), want: "pass p:none at uk.com dkim[0]"},
		{name: "the policy is found as before", author: "foo.uk.com", zone: []string{"uk.com v=DMARC1; p=reject"}, opt: guard, want: "fail p:reject at uk.com"},
		{name: "the suffix itself for a name below it", author: "foo.uk.com", zone: []string{uk}, opt: guard, dkim: sigs("pass uk.com"), want: "pass p:none at uk.com dkim[0]"},
		{name: "a name below for the suffix itself", author: "uk.com", zone: []string{uk}, opt: guard, dkim: sigs("pass mail.uk.com"), want: "pass p:none at uk.com dkim[0]"},
		{name: "the suffix itself with psd=y", author: "foo.uk.com", zone: []string{"uk.com v=DMARC1; p=reject; psd=y"}, opt: guard, dkim: sigs("pass uk.com"), want: "fail p:reject at uk.com"},
		{name: "a suffix that says psd=n speaks for itself", author: "a.uk.com", zone: []string{"uk.com v=DMARC1; p=reject; psd=n"}, opt: guard, dkim: sigs("pass b.uk.com"), want: "pass p:reject at uk.com dkim[0]"},

		{name: "a suffix below a suffix", author: "a.al.eu.org", zone: []string{"eu.org v=DMARC1; p=reject", "al.eu.org v=DMARC1; p=none"}, opt: guard,
			dkim: sigs("pass b.al.eu.org", "pass c.eu.org", "pass c.org"), want: "fail p:reject at eu.org"},
		{name: "the upper one's psd=n does not open the lower one", author: "a.al.eu.org", zone: []string{"eu.org v=DMARC1; p=reject; psd=n"}, opt: guard,
			dkim: sigs("pass b.al.eu.org", "pass c.eu.org"), want: "fail p:reject at eu.org"},
		{name: "the lower suffix is below the upper one", author: "al.eu.org", zone: []string{"eu.org v=DMARC1; p=reject"}, opt: guard,
			dkim: sigs("pass c.eu.org"), want: "fail p:reject at eu.org"},
		{name: "below a wildcard of the list", author: "a.east.compute.amazonaws.com", zone: []string{"amazonaws.com v=DMARC1; p=reject"}, opt: guard,
			dkim: sigs("pass b.west.compute.amazonaws.com", "pass b.east.compute.amazonaws.com"), want: "fail p:reject at amazonaws.com"},
		{name: "a customer and another name of the provider", author: "mail.amazonaws.com", zone: []string{"amazonaws.com v=DMARC1; p=reject"}, opt: guard,
			dkim: sigs("pass a.s3.amazonaws.com"), want: "fail p:reject at amazonaws.com"},
		{name: "below a wildcard of the ICANN section", author: "a.x.kawasaki.jp", zone: []string{"kawasaki.jp v=DMARC1; p=reject"}, opt: guard,
			dkim: sigs("pass b.y.kawasaki.jp"), want: "fail p:reject at kawasaki.jp"},
		{name: "an exception of the list is no suffix", author: "a.city.kawasaki.jp", zone: []string{"city.kawasaki.jp v=DMARC1; p=reject"}, opt: guard,
			dkim: sigs("pass b.city.kawasaki.jp"), want: "pass p:reject at city.kawasaki.jp dkim[0]"},
		{name: "by suffix list it was so all along", author: "victim.uk.com", zone: both, opt: Options{Discovery: evidence.PSL},
			dkim: sigs("pass attacker.uk.com", "pass uk.com"), want: "fail p:reject at victim.uk.com"},
	} {
		t.Run(tt.name, tt.run)
	}
}

// What the guard makes narrower than the Organizational Domain is told, for those
// who compare names later.
func TestSiteDomain(t *testing.T) {
	for _, row := range []struct{ name, author, record, want string }{
		{name: "below a private suffix", author: "mail.victim.uk.com", record: "uk.com v=DMARC1; p=none", want: "victim.uk.com"},
		{name: "below two", author: "x.a.al.eu.org", record: "eu.org v=DMARC1; p=none", want: "a.al.eu.org"},
		{name: "a suffix that says psd=n", author: "victim.uk.com", record: "uk.com v=DMARC1; p=none; psd=n"},
		{name: "an organization of its own", author: "x.victim.uk.com", record: "victim.uk.com v=DMARC1; p=none"},
		{name: "no suffix", author: "x.a.example", record: "a.example v=DMARC1; p=none"},
		{name: "the suffix itself", author: "uk.com", record: "uk.com v=DMARC1; p=none"},
	} {
		e := Start(t.Context(), zone(row.record), row.author, Options{PSLGuard: true, Needs: evidence.Needs{OrgDomain: true}})
		if got := e.Finish(t.Context(), Identifiers{}); got.SiteDomain != row.want {
			t.Errorf("%s: site %q below %q, want %q", row.name, got.SiteDomain, got.OrgDomain, row.want)
		}
	}
}
