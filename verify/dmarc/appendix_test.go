package dmarc

import (
	"testing"

	"alignd/evidence"
)

// The worked examples of RFC 9989 appendix B.1 (Identifier Alignment), B.2
// (records of Domain Owners) and B.4 (the DNS Tree Walk), and those of RFC 7489
// appendix B that still hold.
func TestAppendixB(t *testing.T) {
	const (
		ex      = "example.com v=DMARC1; p=reject"
		signing = "signing.example.com v=DMARC1; p=reject"
		bank    = "bank.example v=DMARC1; p=reject; psd=y"
		giant   = "giant.bank.example v=DMARC1; p=quarantine"
		deep    = "a.b.c.d.e.f.g.h.i.j.k.example.com"
	)
	psl := Options{Discovery: evidence.PSL}
	for _, tt := range []evalCase{
		{name: "B.1.1 example 1: MAIL FROM equals the Author Domain", author: "example.com", zone: []string{ex},
			spf: spf("pass", "example.com"), want: "pass p:reject at example.com spf"},
		{name: "B.1.1 example 2: MAIL FROM is above the Author Domain", author: "child.example.com", zone: []string{ex},
			spf: spf("pass", "example.com"), want: "pass p:reject at example.com spf"},
		{name: "B.1.1 example 2 in strict mode", author: "child.example.com", zone: []string{ex + "; aspf=s"},
			spf: spf("pass", "example.com"), want: "fail p:reject at example.com"},
		{name: "B.1.1 example 3: MAIL FROM of somebody else", author: "child.example.com", zone: []string{ex},
			spf: spf("pass", "example.net"), want: "fail p:reject at example.com"},
		{name: "B.1.2 example 1: the SDID equals the Author Domain", author: "example.com", zone: []string{ex},
			dkim: sigs("pass example.com"), want: "pass p:reject at example.com dkim[0]"},
		{name: "B.1.2 example 2: the SDID is above the Author Domain", author: "child.example.com", zone: []string{ex},
			dkim: sigs("pass example.com"), want: "pass p:reject at example.com dkim[0]"},
		{name: "B.1.2 example 2 in strict mode", author: "child.example.com", zone: []string{ex + "; adkim=s"},
			dkim: sigs("pass example.com"), want: "fail p:reject at example.com"},
		{name: "B.1.2 example 3: the SDID of somebody else", author: "child.example.com", zone: []string{ex},
			dkim: sigs("pass sample.net"), want: "fail p:reject at example.com"},
		{name: "RFC 7489 B.1.1 example 2, by Public Suffix List", author: "child.example.com", zone: []string{ex}, opt: psl,
			spf: spf("pass", "example.com"), want: "pass p:reject at example.com spf", asked: "child.example.com example.com"},
		{name: "RFC 7489 B.1.2 example 2, by Public Suffix List", author: "child.example.com", zone: []string{ex}, opt: psl,
			dkim: sigs("pass example.com"), want: "pass p:reject at example.com dkim[0]"},

		{name: "B.2: a Domain Owner that monitors", author: "example.com",
			zone: []string{"example.com v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com"}, want: "fail p:none at example.com"},
		{name: "B.2: with failure reports too", author: "example.com",
			zone: []string{"example.com v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@example.com"},
			want: "fail p:none at example.com"},
		{name: "B.2: a subdomain in test mode with two addresses", author: "test.example.com",
			zone: []string{"test.example.com v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net; t=y"},
			want: "fail p:none at test.example.com"},
		{name: "RFC 7489 B.2.4: the same by pct, with a size", author: "test.example.com", opt: psl,
			zone: []string{"test.example.com v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net!10m; pct=25"},
			want: "fail p:quarantine at test.example.com"},

		{name: "B.4.1: Author Domain, MAIL FROM and SDID of one organization", author: "example.com", zone: []string{ex, signing},
			spf: spf("pass", "example.com"), dkim: sigs("pass signing.example.com"), want: "pass p:reject at example.com spf dkim[0]"},
		{name: "B.4.2: a deep Author Domain jumps to seven labels", author: deep, zone: []string{ex, signing},
			spf: spf("pass", "example.com"), dkim: sigs("pass signing.example.com"), want: "pass p:reject at example.com spf dkim[0]"},
		{name: "B.4.2: its walk alone", author: deep, zone: []string{ex, signing}, want: "fail p:reject at example.com",
			asked: deep + " g.h.i.j.k.example.com h.i.j.k.example.com i.j.k.example.com j.k.example.com k.example.com example.com com"},
		{name: "B.4.3: below a PSD, SPF of the same registrant and DKIM of another", author: "giant.bank.example", zone: []string{bank, giant},
			spf: spf("pass", "mail.giant.bank.example"), dkim: sigs("pass mail.mega.bank.example"), want: "pass p:quarantine at giant.bank.example spf"},
		{name: "B.4.3: the other registrant alone is not aligned", author: "giant.bank.example", zone: []string{bank, giant},
			dkim: sigs("pass mail.mega.bank.example"), want: "fail p:quarantine at giant.bank.example"},
		{name: "B.4.3: a registrant without record gets the PSD's policy", author: "mega.bank.example", zone: []string{bank, giant},
			dkim: sigs("pass mail.mega.bank.example"), want: "pass p:reject at bank.example dkim[0]"},
	} {
		t.Run(tt.name, tt.run)
	}
}
