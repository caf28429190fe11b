package dkim_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

func TestWhatASignatureFailedOn(t *testing.T) {
	const relaxed, simple = "relaxed/relaxed", "simple/simple"
	body := func(s string) string { return s + "more\r\n" }
	subject := func(s string) string { return strings.Replace(s, "Subject:", "Subject: [x]", 1) }
	for _, row := range []struct {
		name   string
		tags   string
		change func(string) string
		key    testsign.DNS // default: the right one
		opt    dkim.Options
		want   evidence.Failure
	}{
		{name: "nothing", tags: tags, want: evidence.FailedNothing},
		{name: "a field that is no tag list", tags: tags + "; d=example.com", want: evidence.FailedSyntax},
		{name: "an algorithm that nobody may use (RFC 8301 3.1)", tags: with("rsa-sha256", "rsa-sha1"), want: evidence.FailedSyntax},
		{name: "From left out (5.4)", tags: with("h=from:to", "h=to"), want: evidence.FailedCoverage},
		{name: "octets behind l= (8.2)", tags: tags + "; l=27", want: evidence.FailedCoverage},
		{name: "a changed body", tags: tags, change: body, want: evidence.FailedBody},
		{name: "a changed body and field", tags: tags, change: func(s string) string { return body(subject(s)) }, want: evidence.FailedBody},
		{name: "a changed field", tags: tags, change: subject, want: evidence.FailedHeader},
		{name: "another key than that of the signer", tags: tags, key: keyFor(testsign.RSA(1024).Record()), want: evidence.FailedHeader},
		{name: "an expired signature (3.5)", tags: tags + "; t=1; x=2", want: evidence.FailedTime},
		{name: "no key", tags: tags, key: testsign.DNS{}, want: evidence.FailedKey},
		{name: "a revoked key (3.6.1)", tags: tags, key: keyFor("v=DKIM1; p="), want: evidence.FailedKey},
		{name: "a key of another kind", tags: tags, key: keyFor(testsign.Ed25519('a').Record()), want: evidence.FailedKey},
		{name: "a changed field, simple", tags: with(relaxed, simple), change: subject, want: evidence.FailedHeader},
		{name: "a simple signature whose white space the MTA did not hand on (3.4.1)", tags: with(relaxed, simple), change: subject,
			opt: dkim.Options{LeadingSpaceLost: true}, want: evidence.FailedTransport},
		{name: "a relaxed one needs no white space", tags: tags, change: subject, opt: dkim.Options{LeadingSpaceLost: true}, want: evidence.FailedHeader},
		{name: "a changed body is that", tags: with(relaxed, simple), change: body, opt: dkim.Options{LeadingSpaceLost: true}, want: evidence.FailedBody},
	} {
		t.Run(row.name, func(t *testing.T) {
			signed := testsign.DKIM(message, rsaKey, row.tags)
			if row.change != nil {
				signed = row.change(signed)
			}
			if row.key == nil {
				row.key = keyFor(rsaKey.Record())
			}
			sigs, _ := verify(t, signed, row.key, row.opt, 0)
			if s := sigs[0]; s.FailedOn != row.want || (s.Result == evidence.Pass) != (row.want == evidence.FailedNothing) {
				t.Errorf("got %s (%s), failed on %q, want %q", s.Result, s.Reason, s.FailedOn, row.want)
			}
		})
	}
}

func TestEvidenceTellsTheKey(t *testing.T) {
	record := rsaKey.Record()
	sigs, _ := verify(t, testsign.DKIM(message, rsaKey, tags), keyFor(record), dkim.Options{}, 0)
	if want := sha256.Sum256([]byte(record)); sigs[0].KeyHash != want {
		t.Errorf("the hash of the key's text is %x, want %x", sigs[0].KeyHash, want)
	}
	sigs, _ = verify(t, testsign.DKIM(message, rsaKey, tags), testsign.DNS{}, dkim.Options{}, 0)
	if sigs[0].KeyHash != ([sha256.Size]byte{}) {
		t.Error("a key that is not there has a hash")
	}
	ed := testsign.Ed25519('a')
	signed := testsign.DKIM(message, ed, with("rsa-sha256", "ed25519-sha256"))
	for name, last := range map[string]string{"": "pass", "; ": "permerror"} { // without the key the names are told too
		zone, err := resolver.ParseZone(strings.NewReader("sel._domainkey.example.com CNAME k1.example.net\n"+
			"k1.example.net CNAME k2.example.org\n"+name+"k2.example.org TXT \""+ed.Record()+"\"\n"), "zone")
		if err != nil {
			t.Fatal(err)
		}
		sigs, _ := verify(t, signed, zone, dkim.Options{}, 0)
		if want := []string{"k1.example.net", "k2.example.org"}; !slices.Equal(sigs[0].KeyCNAMEs, want) || string(sigs[0].Result) != last {
			t.Errorf("%s with aliases %v, want %s with %v", sigs[0].Result, sigs[0].KeyCNAMEs, last, want)
		}
	}
}
