package interop

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"
)

// signer makes signatures of example.com with one key.
type signer struct {
	by   string // who signs: msgauth, dkimpy, opendkim
	name string // by, and the kind of key
	key  key
}

// key is a private key in the forms that signers want, and its record.
type key struct {
	algorithm string
	private   crypto.Signer
	pem, seed string
	record    string
}

func rsaKey(t *testing.T, bits int) key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key{
		algorithm: "rsa-sha256", private: private,
		pem:    string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})),
		record: "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public),
	}
}

func ed25519Key(t *testing.T) key {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key{
		algorithm: "ed25519-sha256", private: private,
		pem:    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		seed:   base64.StdEncoding.EncodeToString(private.Seed()),
		record: "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public),
	}
}

// genkey has opendkim-genkey make a key and its record in zone file format.
func genkey(t *testing.T, bits string) key {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("opendkim-genkey", "-b", bits, "-d", "example.com", "-s", "sel", "-D", dir).CombinedOutput(); err != nil {
		t.Fatalf("opendkim-genkey: %v\n%s", err, out)
	}
	private, err := os.ReadFile(filepath.Join(dir, "sel.private"))
	if err != nil {
		t.Fatal(err)
	}
	zone, err := os.ReadFile(filepath.Join(dir, "sel.txt"))
	if err != nil {
		t.Fatal(err)
	}
	p := dns.NewZoneParser(bytes.NewReader(zone), "example.com.", "sel.txt")
	p.SetDefaultTTL(300)
	rr, ok := p.Next()
	txt, isTXT := rr.(*dns.TXT)
	if !ok || !isTXT {
		t.Fatalf("opendkim-genkey made no TXT record: %s", zone)
	}
	return key{algorithm: "rsa-sha256", pem: string(private), record: strings.Join(txt.Txt, "")}
}

// signed is a message with a signature on top.
type signed struct {
	form   *form
	canon  canon
	signer *signer
	field  string // the signature, with CRLF
	// excluded says why this is not expected to pass.
	excluded string
}

func (s *signed) text() string { return s.field + s.form.text() }

// keyName is where the key of every signer is.
const keyName = "sel._domainkey.example.com"

// exclusions are the forms that a signer cannot make. Where it makes something
// all the same, that must not pass, or the exclusion is not needed.
var exclusions = []struct {
	by, why string
	lacks   bool // there is nothing to try
	when    func(s *signer, f *form, c canon) bool
}{
	{by: "msgauth", why: "writes no l=", lacks: true, when: func(_ *signer, f *form, _ canon) bool { return f.length != noLength }},
	{by: "msgauth", why: "writes no z=", lacks: true, when: func(_ *signer, f *form, _ canon) bool { return f.copied }},
	{by: "msgauth", why: "wants an empty line after the header", when: func(_ *signer, f *form, _ canon) bool { return f.noBody }},
	{by: "msgauth", why: "takes a bare LF for a line end",
		when: func(_ *signer, f *form, _ canon) bool { return bareLF.MatchString(f.body) }},
	{by: "msgauth", why: "drops blanks before a bare CR, and one at the end, when relaxed", when: func(_ *signer, f *form, c canon) bool {
		return c.relaxedBody && crAfterBlankOrLast.MatchString(f.body)
	}},
	{by: "msgauth", why: "takes a bare CR in the header for white space, when relaxed", when: func(_ *signer, f *form, c canon) bool {
		return c.relaxedHeader && bareCR.MatchString(f.head)
	}},

	{by: "dkimpy", why: "writes l= for the whole body only", lacks: true,
		when: func(_ *signer, f *form, _ canon) bool { return f.length == partLength }},
	{by: "dkimpy", why: "writes no z=", lacks: true, when: func(_ *signer, f *form, _ canon) bool { return f.copied }},
	{by: "dkimpy", why: "writes no x=", lacks: true, when: func(_ *signer, f *form, _ canon) bool { return f.lifetime }},
	{by: "dkimpy", why: "takes a bare LF for a line end",
		when: func(_ *signer, f *form, _ canon) bool { return bareLF.MatchString(f.body) }},
	{by: "dkimpy", why: "keeps blanks at the end of a last line without line end, when relaxed", when: func(_ *signer, f *form, c canon) bool {
		return c.relaxedBody && lastBlank.MatchString(f.body)
	}},
	{by: "dkimpy", why: "refuses a blank before the colon",
		when: func(_ *signer, f *form, _ canon) bool { return blankBeforeColon.MatchString(f.head) }},

	{by: "opendkim", why: "folds an Ed25519 signature otherwise than it signed it, when the header is simple", when: func(s *signer, _ *form, c canon) bool {
		return s.key.seed != "" && !c.relaxedHeader
	}},
	{by: "opendkim", why: "takes a bare LF for a line end, when simple", when: func(_ *signer, f *form, c canon) bool {
		return !c.relaxedBody && bareLF.MatchString(f.body)
	}},
	{by: "opendkim", why: "drops a bare CR at the end, when simple", when: func(_ *signer, f *form, c canon) bool {
		return !c.relaxedBody && strings.HasSuffix(f.body, "\r")
	}},
	{by: "opendkim", why: "drops a bare CR in a line, when relaxed", when: func(_ *signer, f *form, c canon) bool {
		return c.relaxedBody && crInLine.MatchString(f.body)
	}},
	{by: "opendkim", why: "refuses text without a line end, when relaxed", when: func(_ *signer, f *form, c canon) bool {
		return c.relaxedBody && unendedText(f.body)
	}},
	{by: "opendkim", why: "drops a bare CR in the header, when relaxed", when: func(_ *signer, f *form, c canon) bool {
		return c.relaxedHeader && bareCR.MatchString(f.head)
	}},
	{by: "opendkim", why: "refuses a tab before the colon",
		when: func(_ *signer, f *form, _ canon) bool { return tabBeforeColon.MatchString(f.head) }},
}

var (
	bareLF             = regexp.MustCompile(`(^|[^\r])\n`)
	bareCR             = regexp.MustCompile(`\r([^\n]|$)`)
	crAfterBlankOrLast = regexp.MustCompile(`[ \t]\r([^\n]|$)|\r$`)
	crInLine           = regexp.MustCompile(`\r[^\r\n]`)
	lastBlank          = regexp.MustCompile(`[ \t]$`)
	blankBeforeColon   = regexp.MustCompile(`(?m)^[!-9;-~]+[ \t]+:`)
	tabBeforeColon     = regexp.MustCompile(`(?m)^[!-9;-~]+[ \t]*\t[ \t]*:`)
)

// unendedText reports whether a body has a last line of more than blanks that
// does not end in CRLF.
func unendedText(body string) bool {
	text := strings.TrimRight(body, " \t")
	return text != "" && !strings.HasSuffix(text, "\r\n")
}

// excluded says why a signer cannot make a form, or ""; lacks, that there is
// nothing to try.
func (s *signer) excluded(f *form, c canon) (why string, lacks bool) {
	for _, e := range exclusions {
		if e.by == s.by && e.when(s, f, c) {
			return s.by + " " + e.why, e.lacks
		}
	}
	return "", false
}

// lifetime is how long forms with x= live.
const lifetime = time.Hour

// msgauth signs with go-msgauth.
func (s *signer) msgauth(f *form, c canon) (field string, err error) {
	opt := &dkim.SignOptions{
		Domain: "example.com", Selector: "sel", Signer: s.key.private, Hash: crypto.SHA256, Identifier: f.identity,
		HeaderCanonicalization: dkim.Canonicalization(word(c.relaxedHeader)), BodyCanonicalization: dkim.Canonicalization(word(c.relaxedBody)),
		HeaderKeys: append(append([]string(nil), f.names...), f.oversign...),
	}
	if f.lifetime {
		opt.Expiration = time.Now().Add(lifetime)
	}
	var out bytes.Buffer
	if err := dkim.Sign(&out, strings.NewReader(f.text()), opt); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), f.text()), nil
}

// job is the same order for peers.py.
func (s *signer) job(f *form, c canon) job {
	j := job{
		Do: "sign", By: s.by, Message: []byte(f.text()), Algorithm: s.key.algorithm, PEM: s.key.pem, Seed: s.key.seed,
		Selector: "sel", Domain: "example.com", Header: word(c.relaxedHeader), Body: word(c.relaxedBody),
		Names: f.names, Oversign: f.oversign, Length: f.octets(c), Identity: f.identity, Copy: f.copied,
	}
	if f.lifetime {
		j.Lifetime = int(lifetime.Seconds())
	}
	return j
}
