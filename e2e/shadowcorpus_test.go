package e2e

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
)

// shadowMessage is one of the corpus: an author of a domain of its own, so that no cache
// of a peer has it already.
type shadowMessage struct {
	name   string
	domain string
	from   string // the From field, with {d} for the domain; empty: a@{d}
	front  string // fields in front
	sign   func(d string, message []byte) []byte
	zone   string // with {d} for the domain
	client string // where it does not come from 192.0.2.1
	// The differences that are planted in it, "rule theirs/ours": to opendkim and
	// opendmarc, and to rspamd.
	open, rspamd []string
}

const shadowClient = "192.0.2.1"

const (
	goodSPF    = "{d} TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
	noSPF      = "{d} TXT \"v=spf1 -all\"\n"
	goodPolicy = "_dmarc.{d} TXT \"v=DMARC1; p=reject\"\n"
)

func shadowCorpus(t *testing.T) []shadowMessage {
	strong, strongKey := rsaKey(t, 2048)
	weak, weakKey := rsaKey(t, 512)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edKey := "s._domainkey.{d} TXT \"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public) + "\"\n"
	lookups := "{d} TXT \"v=spf1"
	var more string
	for i := range 11 {
		lookups += fmt.Sprintf(" include:i%d.{d}", i)
		more += fmt.Sprintf("i%d.{d} TXT \"v=spf1 ip4:198.51.100.%d -all\"\n", i, i)
	}
	lookups += " ip4:192.0.2.1 -all\"\n" + more
	return []shadowMessage{
		{name: "both pass", domain: "agree.example.com", sign: signer(strong, 0), zone: goodSPF + goodPolicy + strongKey},
		{name: "a spoof", domain: "spoof.example.com", zone: goodSPF + goodPolicy, client: "198.51.100.66"},
		{name: "a key of 512 bits", domain: "weak.example.com", sign: signer(weak, 0), zone: noSPF + goodPolicy + weakKey,
			rspamd: []string{"dkim-key-bits pass/policy", "follows-dkim-key-bits pass/fail"}},
		{name: "ed25519", domain: "edwards.example.com", sign: signer(private, 0), zone: noSPF + goodPolicy + edKey},
		{name: "more than 10 lookups", domain: "lookups.example.com", zone: lookups + goodPolicy,
			open:   []string{"spf-lookups fail/permerror"},
			rspamd: []string{"spf-lookups pass/permerror", "follows-spf-lookups pass/fail"}},
		{name: "void lookups", domain: "voids.example.com", zone: "{d} TXT \"v=spf1 a:v1.{d} a:v2.{d} a:v3.{d} a:v4.{d} ip4:192.0.2.1 -all\"\n" + goodPolicy,
			open:   []string{"spf-voids pass/permerror", "follows-spf-voids pass/fail"},
			rspamd: []string{"spf-voids pass/permerror", "follows-spf-voids pass/fail"}},
		{name: "two authors", domain: "two.example.com", from: "a@{d}, b@agree.example.com", zone: goodSPF + goodPolicy,
			rspamd: []string{"from-several none/fail"}},
		{name: "an author in a group", domain: "group.example.com", from: "Friends: a@{d};", zone: goodSPF + goodPolicy},
		{name: "a record between author and organization", domain: "example.org", from: "a@deep.mid.{d}", zone: goodSPF + "_dmarc.mid.{d} TXT \"v=DMARC1; p=reject; aspf=s\"\n",
			open:   []string{"dmarc-tree-walk none/fail"},
			rspamd: []string{"dmarc-tree-walk none/fail"}},
		{name: "strict alignment", domain: "example.net", from: "a@sub.{d}", zone: goodSPF + "_dmarc.{d} TXT \"v=DMARC1; p=reject; aspf=s; adkim=s\"\n",
			rspamd: []string{"from-of-policy example.net/sub.example.net"}},
		{name: "a policy without p", domain: "nop.example.com", zone: goodSPF + "_dmarc.{d} TXT \"v=DMARC1; rua=mailto:x@{d}\"\n",
			open: []string{"dmarc-no-p permerror/pass"}},
		{name: "two SPF records", domain: "twice.example.com", zone: goodSPF + goodSPF[:len(goodSPF)-6] + "~all\"\n" + goodPolicy,
			open:   []string{"spf-several-records fail/permerror"},
			rspamd: []string{"spf-several-records pass/permerror", "follows-spf-several-records pass/fail"}},
		{name: "an SPF record with a wrong term behind the match", domain: "syntax.example.com", zone: "{d} TXT \"v=spf1 ip4:192.0.2.1 ipv4:192.0.2.2 -all\"\n" + goodPolicy,
			open:   []string{"spf-syntax fail/permerror"},
			rspamd: []string{"spf-syntax pass/permerror", "follows-spf-syntax pass/fail"}},
		{name: "a body changed on the way", domain: "changed.example.com", sign: signer(strong, 1), zone: noSPF + goodPolicy + strongKey},
		{name: "an SPF record that is not answered", domain: "servfail.example.com", zone: "{d} SERVFAIL\n" + goodPolicy,
			open: []string{"spf-temporary fail/temperror", "dmarc-temporary fail/temperror"}},
		{name: "a signature with a key that is not there", domain: "nokey.example.com", sign: signer(strong, 0), zone: noSPF + goodPolicy,
			open: []string{"dkim-word fail/permerror"}, rspamd: []string{"dkim-untried none/permerror"}},
		{name: "a forged field", domain: "forged.example.com", front: "Authentication-Results: mx.here.test; dkim=pass header.d={d}; spf=pass smtp.mailfrom={d}; dmarc=pass header.from={d}\n",
			zone: goodSPF + goodPolicy, client: "198.51.100.66"},
	}
}

// rsaKey is a key of that size, and its record.
func rsaKey(t *testing.T, bits int) (crypto.Signer, string) {
	t.Helper()
	e := big.NewInt(65537)
	var n, d *big.Int
	for {
		p, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		q, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		one := big.NewInt(1)
		n = new(big.Int).Mul(p, q)
		d = new(big.Int).ModInverse(e, new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)))
		if d != nil && n.BitLen() == bits {
			break
		}
	}
	public := &rsa.PublicKey{N: n, E: 65537}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return &textbookRSA{public, d}, "s._domainkey.{d} TXT \"v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der) + "\"\n"
}

// textbookRSA signs with keys of any size: crypto/rsa rightly refuses short ones.
type textbookRSA struct {
	public *rsa.PublicKey
	d      *big.Int
}

func (k *textbookRSA) Public() crypto.PublicKey { return k.public }

// Sign is RSASSA-PKCS1-v1_5 of SHA-256 (RFC 8017 section 9.2).
func (k *textbookRSA) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	prefix := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	size := k.public.Size()
	em := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(prefix)-len(digest))...)
	em = append(append(append(em, 0), prefix...), digest...)
	s := new(big.Int).Exp(new(big.Int).SetBytes(em), k.d, k.public.N)
	return s.FillBytes(make([]byte, size)), nil
}

// signer signs, and then appends lines to the body.
func signer(key crypto.Signer, lines int) func(string, []byte) []byte {
	return func(d string, message []byte) []byte {
		var out bytes.Buffer
		opt := &dkim.SignOptions{Domain: d, Selector: "s", Signer: key, Hash: crypto.SHA256,
			HeaderCanonicalization: "relaxed", BodyCanonicalization: "relaxed", HeaderKeys: []string{"From", "Subject", "Date"}}
		if err := dkim.Sign(&out, bytes.NewReader(message), opt); err != nil {
			panic(err)
		}
		return append(out.Bytes(), bytes.Repeat([]byte("more\r\n"), lines)...)
	}
}

// message is the whole of it.
func (m *shadowMessage) message() []byte {
	from := m.from
	if from == "" {
		from = "a@{d}"
	}
	text := "From: " + from + "\r\nTo: bob@here.test\r\nSubject: " + m.name + "\r\nDate: " + time.Now().UTC().Format(time.RFC1123Z) +
		"\r\nMessage-ID: <1@{d}>\r\n\r\nHello Bob.\r\n"
	b := []byte(strings.ReplaceAll(text, "{d}", m.domain))
	if m.sign != nil {
		b = m.sign(m.domain, b)
	}
	return append([]byte(strings.ReplaceAll(strings.ReplaceAll(m.front, "{d}", m.domain), "\n", "\r\n")), b...)
}
