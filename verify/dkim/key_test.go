package dkim_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
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
	oid := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	positive, exponent := append([]byte{0}, modulus(t).Bytes()...), []byte{1, 0, 1}
	der := func(b []byte) string { return "p=" + base64.StdEncoding.EncodeToString(b) }
	ed := testsign.Ed25519('a')
	small := testsign.RSA(512)
	other := testsign.RSA(1024).Record()
	large := func(bits int, e *big.Int) string {
		n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
		return der(spki(t, oid, asn1.NullRawValue, append([]byte{0}, n.Bytes()...), e.Bytes()))
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
		{name: "against 3.6.1, v= may stand in the middle", records: []string{"k=rsa; v=DKIM1; " + p}, want: evidence.Pass},
		{name: "and at the end", records: []string{"k=rsa; " + p + "; v=DKIM1"}, want: evidence.Pass},
		{name: "another version", records: []string{"v=DKIM2; " + p}, want: evidence.PermError, reason: "key record unreadable: version is not DKIM1"},
		{name: "another version at the end", records: []string{p + "; v=DKIM2"}, want: evidence.PermError, reason: "key record unreadable: version is not DKIM1"},
		{name: "the version is case-sensitive", records: []string{"v=dkim1; " + p}, want: evidence.PermError},
		{name: "no record", records: nil, want: evidence.PermError, reason: "no key"},
		{name: "a record of something else", records: []string{"v=spf1 -all"}, want: evidence.PermError, reason: "no key record among the TXT records"},
		{name: "white space in p=", records: []string{"v=DKIM1; p=" + rsaKey.Public()[:70] + " \r\n\t" + rsaKey.Public()[70:] + " ;"}, want: evidence.Pass},
		{name: "a bare RSAPublicKey", records: []string{"p=" + rsaKey.PublicPKCS1()}, want: evidence.Pass},
		{name: "against 3.6.1, octets behind a SubjectPublicKeyInfo are stepped over", records: []string{"p=" + base64.StdEncoding.EncodeToString(append(publicDER(t, &rsa.PublicKey{N: modulus(t), E: 65537}), 0))}, want: evidence.Pass},
		{name: "and behind a bare RSAPublicKey", records: []string{"p=" + base64.StdEncoding.EncodeToString(append(x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: modulus(t), E: 65537}), "more"...))}, want: evidence.Pass},
		{name: "against RFC 3279 2.3.1, no parameters instead of NULL", records: []string{der(spki(t, oid, asn1.RawValue{}, positive, exponent))}, want: evidence.Pass},
		{name: "an empty list of parameters", records: []string{der(spki(t, oid, asn1.RawValue{FullBytes: []byte{0x30, 0}}, positive, exponent))}, want: evidence.Pass},
		{name: "the algorithm that X.500 calls rsa", records: []string{der(spki(t, asn1.ObjectIdentifier{2, 5, 8, 1, 1}, asn1.NullRawValue, positive, exponent))}, want: evidence.Pass},
		{name: "the algorithm of RSASSA-PSS only", records: []string{der(spki(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, asn1.RawValue{}, positive, exponent))}, want: evidence.PermError, reason: "key is not an RSA key"},
		{name: "a modulus without the zero that makes it positive", records: []string{der(spki(t, oid, asn1.NullRawValue, positive[1:], exponent))}, want: evidence.Pass},
		{name: "integers with more zeros than DER has", records: []string{der(spki(t, oid, asn1.NullRawValue, append([]byte{0, 0}, positive...), append([]byte{0}, exponent...)))}, want: evidence.Pass},
		{name: "the same as a bare RSAPublicKey", records: []string{der(numbers(t, positive[1:], append([]byte{0}, exponent...)))}, want: evidence.Pass},
		{name: "an integer without octets", records: []string{der(numbers(t, nil, exponent))}, want: evidence.PermError, reason: "key is not an RSA key"},
		{name: "octet strings instead of integers", records: []string{der(bytes.ReplaceAll(numbers(t, []byte{5}, []byte{3}), []byte{2, 1}, []byte{4, 1}))}, want: evidence.PermError, reason: "key is not an RSA key"},
		{name: "quotation marks of a zone file in the key", records: []string{"v=DKIM1; p=" + rsaKey.Public()[:70] + "\" \"" + rsaKey.Public()[70:] + "\""}, want: evidence.Pass},
		{name: "and a backslash at its end", records: []string{"v=DKIM1; " + p + "\\"}, want: evidence.Pass},
		{name: "quotation marks alone are no key", records: []string{`v=DKIM1; p=""`}, want: evidence.PermError},
		{name: "p= empty is revoked", records: []string{"v=DKIM1; p="}, want: evidence.PermError, reason: "key is revoked"},
		{name: "p= absent", records: []string{"v=DKIM1; k=rsa"}, want: evidence.PermError, reason: "key record has no p= tag"},
		{name: "p= is not base64", records: []string{"p=%%%%"}, want: evidence.PermError},
		{name: "p= without padding (2.10)", records: []string{"p=" + strings.TrimRight(testsign.RSA(1024).PublicPKCS1(), "=")}, key: testsign.RSA(1024), want: evidence.Pass},
		{name: "p= with too much padding", records: []string{p + "==="}, want: evidence.PermError},
		{name: "p= is no key", records: []string{"p=AAAA"}, want: evidence.PermError, reason: "key is not an RSA key"},
		{name: "duplicate tags in the record (3.2, 6.1.2 step 5)", records: []string{p + "; " + p}, want: evidence.PermError, reason: "key record unreadable: duplicate tag p"},
		{name: "v= twice", records: []string{"v=DKIM1; v=DKIM1; " + p}, want: evidence.PermError, reason: "key record unreadable: duplicate tag v"},
		{name: "of two faulty records that of the key is told", records: []string{"v=spf1 -all", "v=DKIM1; k; " + p}, want: evidence.PermError, reason: "key record unreadable: no = behind a tag's name"},
		{name: "a tag without a name", records: []string{"v=DKIM1; =; " + p}, want: evidence.PermError, reason: "key record unreadable: a tag without a name"},
		{name: "a faulty record beside a good one", records: []string{"v=DKIM1; " + p + "; " + p, p}, want: evidence.Pass},
		{name: "against 3.2, an empty tag-spec is stepped over", records: []string{"v=DKIM1;; " + p + ";;"}, want: evidence.Pass},
		{name: "and in front", records: []string{" ; ;v=DKIM1; " + p}, want: evidence.Pass},
		{name: "against 3.2, a tag name may have a hyphen", records: []string{"v=DKIM1; x-note=1; " + p}, want: evidence.Pass},
		{name: "or begin with a digit", records: []string{"v=DKIM1; 1st=1; " + p}, want: evidence.Pass},
		{name: "or with a space that is none in US-ASCII", records: []string{"v=DKIM1;\u00a0k=rsa; " + p}, want: evidence.Pass},
		{name: "against 2.8, a bare LF is white space: behind the record", records: []string{"v=DKIM1; " + p + "\n"}, want: evidence.Pass},
		{name: "in the key", records: []string{"v=DKIM1; p=" + rsaKey.Public()[:70] + "\n" + rsaKey.Public()[70:]}, want: evidence.Pass},
		{name: "between tags, and a CR", records: []string{"\nv=DKIM1;\n k=rsa\r;\r" + p + "\r\n"}, want: evidence.Pass},
		{name: "but other control characters are none", records: []string{"v=DKIM1; " + p + "\x00"}, want: evidence.PermError, reason: "key record unreadable: a control character in a tag's value"},
		{name: "unknown tags and notes are ignored", records: []string{"v=DKIM1; n=a=20note; g=*; foo=bar; " + p}, want: evidence.Pass},
		{name: "k=RSA", records: []string{"k=RSA; " + p}, want: evidence.Pass},
		{name: "an unknown key type", records: []string{"k=dsa; " + p}, want: evidence.PermError, reason: "unknown key type"},
		{name: "h= lists sha256", records: []string{"h=sha1 : sha256; " + p}, want: evidence.Pass},
		{name: "h= lacks sha256", records: []string{"h=sha1; " + p}, want: evidence.PermError, reason: "key does not allow sha256"},
		{name: "against 3.6.1, an empty h= is as absent", records: []string{"h=; " + p}, want: evidence.Pass},
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
		{name: "records beyond the limit are not tried", records: []string{other, other, other, other, p}, want: evidence.Fail},
		{name: "keys that serve no signature do not count", records: []string{"p=", "p=", "p=", "p=", p}, want: evidence.Pass},
		{name: "a look-up that fails is temporary (6.1.2)", records: []string{testsign.ServFail}, want: evidence.TempError},
		{name: "a spent budget is not", records: []string{testsign.Budget}, want: evidence.PermError},

		{name: "1024 bits pass (RFC 8301 3.2)", records: []string{testsign.RSA(1024).Record()}, key: testsign.RSA(1024), want: evidence.Pass},
		{name: "512 bits verify and are refused (RFC 8301 3.2)", records: []string{small.Record()}, key: small, want: evidence.Policy, reason: "RSA key below 1024 bits"},
		{name: "512 bits that do not verify fail", records: []string{small.Record()}, key: rsaKey, want: evidence.Fail, reason: "signature did not verify"},
		{name: "a key beside them is tried", records: []string{small.Record(), p}, want: evidence.Pass},
		{name: "and its failure told", records: []string{small.Record(), other}, want: evidence.Fail, reason: "signature did not verify"},
		{name: "more than 4096 bits are not computed (RFC 8301 3.2)", records: []string{large(4097, big.NewInt(65537))}, want: evidence.Policy, reason: "RSA key above 4096 bits"},
		{name: "4096 bits are", records: []string{large(4096, big.NewInt(65537))}, want: evidence.Fail, reason: "signature did not verify"},
		{name: "a rare exponent is not computed above 2048 bits", records: []string{large(2049, big.NewInt(65539))}, want: evidence.Policy, reason: "RSA exponent above 65537 with more than 2048 bits"},
		{name: "nor one that crypto/rsa cannot hold", records: []string{large(4096, new(big.Int).Lsh(big.NewInt(1), 70))}, want: evidence.Policy, reason: "RSA exponent above 65537 with more than 2048 bits"},
		{name: "it is up to 2048 bits", records: []string{large(2048, big.NewInt(1<<31-1))}, want: evidence.Fail, reason: "signature did not verify"},
		{name: "and a small one is above", records: []string{large(4096, big.NewInt(3))}, want: evidence.Fail, reason: "signature did not verify"},
		{name: "an exponent beyond 31 bits", records: []string{large(2048, big.NewInt(1<<31+1))}, want: evidence.PermError, reason: "key is not an RSA key"},
		{name: "an even exponent", records: []string{large(2048, big.NewInt(65536))}, want: evidence.PermError, reason: "key is not an RSA key"},
		{name: "a key that is too large beside one that verifies", records: []string{large(8192, big.NewInt(3)), p}, want: evidence.Pass},

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

// modulus is that of rsaKey.
func modulus(t *testing.T) *big.Int {
	t.Helper()
	pub, ok := rsaKey.Signer().Public().(*rsa.PublicKey)
	if !ok {
		t.Fatal("not an RSA key")
	}
	return pub.N
}

func publicDER(t *testing.T, pub *rsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// numbers is an RSAPublicKey whose integers have these octets.
func numbers(t *testing.T, n, e []byte) []byte {
	t.Helper()
	integer := func(b []byte) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagInteger, Bytes: b} }
	der, err := asn1.Marshal([]asn1.RawValue{integer(n), integer(e)})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// spki is a SubjectPublicKeyInfo of any numbers; parameters are left out if zero.
func spki(t *testing.T, oid asn1.ObjectIdentifier, parameters asn1.RawValue, n, e []byte) []byte {
	t.Helper()
	bits := numbers(t, n, e)
	der, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{
		pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: parameters},
		asn1.BitString{Bytes: bits, BitLength: 8 * len(bits)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
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
