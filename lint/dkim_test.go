package lint

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
)

// rsaKey is p= of a key with so many bits.
func rsaKey(t *testing.T, bits int) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func TestDKIMFaults(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	const name, at = "s._domainkey.example.test", "s._domainkey.example.test TXT "
	good := "v=DKIM1; k=rsa; p=" + rsaKey(t, 2048)
	ed := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, row := range []struct {
		name, record, zone string
		usable             bool
		want               []finding
	}{
		{name: "no key", zone: "example.test A 192.0.2.1", want: []finding{{level: Fault, text: "there is no key (NXDOMAIN)",
			section: "RFC 6376 section 6.1.2"}}},
		{name: "no answer", zone: name + " TIMEOUT", want: []finding{{level: Fault, text: "temperror", section: "RFC 6376 section 6.1.2"}}},
		{name: "512 bits", record: "v=DKIM1; p=" + rsaKey(t, 512), want: []finding{{level: Fault, text: "512 bits", section: "RFC 8301 section 3.2"}}},
		{name: "1024 bits", record: "v=DKIM1; p=" + rsaKey(t, 1024), usable: true, want: []finding{{level: Warning, text: "1024 bits",
			section: "RFC 8301 section 3.2"}}},
		{name: "8192 bits", record: "v=DKIM1; p=" + wideKey, want: []finding{{level: Fault, text: "8192 bits", section: "RFC 8301 section 3.2"}}},
		{name: "revoked", record: "v=DKIM1; p=", want: []finding{{level: Fault, text: "revoked", section: "RFC 6376 section 3.6.1"}}},
		{name: "no p", record: "v=DKIM1; k=rsa", want: []finding{{level: Fault, text: "no p= tag", section: "RFC 6376 section 6.1.2"}}},
		{name: "not base64", record: "v=DKIM1; p=@@", want: []finding{{level: Fault, text: "not base64", section: "RFC 6376 section 6.1.2"}}},
		{name: "a tag twice", record: "v=DKIM1; p=x; " + good[8:], want: []finding{{level: Fault, text: "duplicate tag p",
			section: "RFC 6376 section 6.1.2"}}},
		{name: "another type", record: strings.Replace(good, "k=rsa", "k=dsa", 1), want: []finding{{level: Fault,
			text: "unknown key type", section: "RFC 6376 section 6.1.2"}}},
		{name: "a type that the key is not of", record: strings.Replace(good, "k=rsa", "k=ed25519", 1), want: []finding{{level: Fault,
			text: "not an Ed25519 key", section: "RFC 6376 section 6.1.2"}}},
		{name: "another text", record: "v=spf1 -all", want: []finding{{level: Fault, section: "RFC 6376 section 6.1.2"}}},
		{name: "testing", record: good + "; t=y", usable: true, want: []finding{{level: Warning, text: "t=y", section: "RFC 6376 section 3.6.1"}}},
		{name: "strict", record: good + "; t=y:s", usable: true, want: []finding{{level: Note, text: "t=s", section: "RFC 6376 section 3.6.1"}}},
		{name: "SHA-1 only", record: good + "; h=sha1", want: []finding{{level: Fault, text: "SHA-1 only", section: "RFC 8301 section 3.1"}}},
		{name: "another service", record: good + "; s=tlsrpt", want: []finding{{level: Fault, text: "does not hold for mail",
			section: "RFC 6376 section 3.6.1"}}},
		{name: "version behind", record: "k=rsa; v=DKIM1; p=" + good[18:], usable: true, want: []finding{{level: Warning,
			text: "v= is not the first tag", section: "RFC 6376 section 3.6.1"}}},
		{name: "granularity", record: good + "; g=ann", usable: true, want: []finding{{level: Warning, text: "g=ann", section: "RFC 6376 appendix E"}}},
		{name: "an unknown tag", record: good + "; q=x", usable: true, want: []finding{{level: Note, text: "unknown tag: q",
			section: "RFC 6376 section 3.6.1"}}},
		{name: "two keys", zone: at + txt(good) + "\n" + at + txt(ed), usable: true, want: []finding{{level: Warning,
			text: "2 TXT records", section: "RFC 6376 section 3.6.2.2"}}},
		{name: "an alias of an alias", zone: name + " CNAME a.test\na.test CNAME b.test\nb.test TXT " + txt(good), usable: true, want: []finding{{level: Note,
			text: "alias (CNAME) of a.test, an alias of b.test"}}},
		{name: "Ed25519", record: ed, usable: true},
	} {
		text := row.zone
		if text == "" {
			text = at + txt(row.record)
		}
		out := CheckDKIM(t.Context(), zone(t, text), name)
		if usable := len(out.Keys) > 0 && out.Keys[0].Usable; usable != row.usable {
			t.Errorf("%s: usable %t: %+v", row.name, usable, out.Keys)
		}
		expect(t, row.name, out.Findings, row.want...)
	}
	if out := CheckDKIM(t.Context(), zone(t, at+txt(good)), name); out.Worst() != Note || !strings.Contains(text(t, out), "rsa, 2048 bits") {
		t.Errorf("a good key: %s", text(t, out))
	}
	if out := CheckDKIM(t.Context(), zone(t, name+" TIMEOUT"), name); out.Known() {
		t.Errorf("a key that does not answer: %+v", out)
	}
}

// txt quotes a record for a zone file.
func txt(record string) string { return `"` + record + `"` }

// wideKey is a modulus of 8192 bits, which takes long to make a real key of.
var wideKey = func() string {
	der := []byte{0x30, 0x82, 0x04, 0x0a, 0x02, 0x82, 0x04, 0x01, 0x00}
	n := make([]byte, 1024)
	for i := range n {
		n[i] = 0xc3
	}
	return base64.StdEncoding.EncodeToString(append(append(der, n...), 0x02, 0x03, 0x01, 0x00, 0x01))
}()
