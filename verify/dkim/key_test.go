package dkim_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

func TestKeyRecord(t *testing.T) {
	p := "p=" + rsaKey.Public()
	ed := testsign.Ed25519('a')
	small := testsign.RSA(512)
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537}
	hugeDER, err := x509.MarshalPKIXPublicKey(huge)
	if err != nil {
		t.Fatal(err)
	}
	below := with("d=example.com;", "d=example.com; i=@sub.example.com;")
	tests := []struct {
		name    string
		records []string
		tags    string        // default: tags
		key     *testsign.Key // default: rsaKey
		want    evidence.Result
		reason  string
	}{
		{name: "the shortest record (RFC 6376 3.6.1)", records: []string{p}, want: evidence.Pass},
		{name: "v=DKIM1 first", records: []string{"v=DKIM1; k=rsa; " + p}, want: evidence.Pass},
		{name: "v= not first is no key record", records: []string{"k=rsa; v=DKIM1; " + p}, want: evidence.PermError},
		{name: "another version", records: []string{"v=DKIM2; " + p}, want: evidence.PermError},
		{name: "the version is case-sensitive", records: []string{"v=dkim1; " + p}, want: evidence.PermError},
		{name: "no record", records: nil, want: evidence.PermError, reason: "no key"},
		{name: "a record of something else", records: []string{"v=spf1 -all"}, want: evidence.PermError, reason: "no key record among the TXT records"},
		{name: "white space in p=", records: []string{"v=DKIM1; p=" + rsaKey.Public()[:70] + " \r\n\t" + rsaKey.Public()[70:] + " ;"}, want: evidence.Pass},
		{name: "a bare RSAPublicKey", records: []string{"p=" + rsaKey.PublicPKCS1()}, want: evidence.Pass},
		{name: "p= empty is revoked", records: []string{"v=DKIM1; p="}, want: evidence.PermError, reason: "key is revoked"},
		{name: "p= absent", records: []string{"v=DKIM1; k=rsa"}, want: evidence.PermError, reason: "key record has no p= tag"},
		{name: "p= is not base64", records: []string{"p=%%%%"}, want: evidence.PermError},
		{name: "p= without padding (2.10)", records: []string{"p=" + strings.TrimRight(testsign.RSA(1024).PublicPKCS1(), "=")}, key: testsign.RSA(1024), want: evidence.Pass},
		{name: "p= with too much padding", records: []string{p + "==="}, want: evidence.PermError},
		{name: "p= is no key", records: []string{"p=AAAA"}, want: evidence.PermError, reason: "key is not an RSA key"},
		{name: "duplicate tags in the record", records: []string{p + "; " + p}, want: evidence.PermError},
		{name: "unknown tags and notes are ignored", records: []string{"v=DKIM1; n=a=20note; g=*; foo=bar; " + p}, want: evidence.Pass},
		{name: "k=RSA", records: []string{"k=RSA; " + p}, want: evidence.Pass},
		{name: "an unknown key type", records: []string{"k=dsa; " + p}, want: evidence.PermError, reason: "unknown key type"},
		{name: "h= lists sha256", records: []string{"h=sha1 : sha256; " + p}, want: evidence.Pass},
		{name: "h= lacks sha256", records: []string{"h=sha1; " + p}, want: evidence.PermError, reason: "key does not allow sha256"},
		{name: "s=email", records: []string{"s=tlsrpt:email; " + p}, want: evidence.Pass},
		{name: "s=*", records: []string{"s=*; " + p}, want: evidence.Pass},
		{name: "s= of another service", records: []string{"s=tlsrpt; " + p}, want: evidence.PermError, reason: "key is not for email"},
		{name: "t=s and i= equal to d=", records: []string{"t=s; " + p}, want: evidence.Pass},
		{name: "t=s and i= below d=", records: []string{"t=s; " + p}, tags: below, want: evidence.PermError, reason: "key does not allow i= below d="},
		{name: "t=y:s too", records: []string{"t=y:s; " + p}, tags: below, want: evidence.PermError},
		{name: "i= below d= without t=s", records: []string{"t=y; " + p}, tags: below, want: evidence.Pass},
		{name: "t=y changes no result", records: []string{"t=y; " + p}, want: evidence.Pass},
		{name: "unknown flags are ignored", records: []string{"t=x:q; " + p}, want: evidence.Pass},

		{name: "of several records the right one is found", records: []string{"v=spf1 -all", "p=", testsign.RSA(1024).Record(), p}, want: evidence.Pass},
		{name: "of several records none fits", records: []string{"p=", testsign.RSA(1024).Record()}, want: evidence.Fail, reason: "signature did not verify"},
		{name: "records beyond the limit are not tried", records: []string{"k=rsa; p=" + testsign.RSA(1024).Public(), "p=" + testsign.RSA(1024).Public(), "p=" + small.Public(), "k=rsa; p=" + small.Public(), p}, want: evidence.Fail},
		{name: "a look-up that fails is temporary (6.1.2)", records: []string{testsign.ServFail}, want: evidence.TempError},
		{name: "a spent budget is not", records: []string{testsign.Budget}, want: evidence.PermError},

		{name: "1024 bits pass (RFC 8301 3.2)", records: []string{testsign.RSA(1024).Record()}, key: testsign.RSA(1024), want: evidence.Pass},
		{name: "512 bits verify and are refused (RFC 8301 3.2)", records: []string{small.Record()}, key: small, want: evidence.Policy, reason: "RSA key below 1024 bits"},
		{name: "512 bits that do not verify fail", records: []string{small.Record()}, key: rsaKey, want: evidence.Fail},
		{name: "more than 8192 bits are not computed", records: []string{"p=" + base64.StdEncoding.EncodeToString(hugeDER)}, want: evidence.PermError, reason: "RSA key above 8192 bits"},

		{name: "an Ed25519 key", records: []string{ed.Record()}, key: ed, tags: with("rsa-", "ed25519-"), want: evidence.Pass},
		{name: "an Ed25519 key needs k= (RFC 8463 4)", records: []string{"p=" + ed.Public()}, key: ed, tags: with("rsa-", "ed25519-"), want: evidence.PermError},
		{name: "an Ed25519 key of a wrong length", records: []string{"k=ed25519; p=AAAA"}, key: ed, tags: with("rsa-", "ed25519-"), want: evidence.PermError},
		{name: "a= and k= must match: rsa with ed25519", records: []string{ed.Record()}, want: evidence.PermError, reason: "key type does not match a="},
		{name: "a= and k= must match: ed25519 with rsa", records: []string{p}, key: ed, tags: with("rsa-", "ed25519-"), want: evidence.PermError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.key == nil {
				tt.key = rsaKey
			}
			if tt.tags == "" {
				tt.tags = tags
			}
			sigs, _ := verify(t, testsign.DKIM(message, tt.key, tt.tags), keyFor(tt.records...), dkim.Options{}, 0)
			if len(sigs) != 1 || sigs[0].Result != tt.want || tt.reason != "" && sigs[0].Reason != tt.reason {
				t.Fatalf("records %q: got %+v, want %s %q", tt.records, sigs, tt.want, tt.reason)
			}
			if testing := strings.Contains(strings.Join(tt.records, ""), "t=y"); sigs[0].Testing != testing {
				t.Errorf("Testing is %v", sigs[0].Testing)
			}
		})
	}
}

func TestKeysAreAskedOnlyAfterTheCheapChecks(t *testing.T) {
	before := testsign.Asked.Load()
	verify(t, testsign.DKIM(message, rsaKey, with("v=1", "v=2")), keyFor(rsaKey.Record()), dkim.Options{}, 0)
	verify(t, testsign.DKIM(message, rsaKey, tags+"; x=1"), keyFor(rsaKey.Record()), dkim.Options{}, 0)
	if asked := testsign.Asked.Load() - before; asked != 0 {
		t.Errorf("%d questions for signatures that cannot pass", asked)
	}
}

// RFC 8616 section 5: U-labels in d=, s= and i= are looked up and told as
// A-labels, and hashed as they stand.
func TestInternationalizedNames(t *testing.T) {
	zone := testsign.DNS{"xn--bcher-kva._domainkey.xn--bcher-kva.example": {rsaKey.Record()}}
	for _, d := range []string{"bücher.example", "Bücher.example", "xn--bcher-kva.example", "BÜCHER.EXAMPLE"} {
		sigs, _ := verify(t, testsign.DKIM(message, rsaKey, fmt.Sprintf("v=1; a=rsa-sha256; d=%s; s=%s; i=jörg@mail.bücher.example; h=from; bh=$bh; b=$b", d, "bücher")), zone, dkim.Options{}, 0)
		s := sigs[0]
		if s.Domain != "xn--bcher-kva.example" || s.Selector != "xn--bcher-kva" || s.Identity != "jörg@mail.bücher.example" || s.Result != evidence.Pass {
			t.Errorf("d=%s: got %+v", d, s)
		}
	}
	if sigs, _ := verify(t, testsign.DKIM(message, rsaKey, "v=1; a=rsa-sha256; d=b\xfccher.example; s=s; h=from; bh=$bh; b=$b"), zone, dkim.Options{}, 0); sigs[0].Result != evidence.Neutral {
		t.Errorf("Latin-1 in d=: got %+v", sigs)
	}
}
