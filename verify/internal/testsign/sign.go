package testsign

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"embed"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

//go:embed keys/*.pem
var files embed.FS

// Key is a private key for tests.
type Key struct {
	rsa     *rsa.PrivateKey
	ed25519 ed25519.PrivateKey
}

// RSA returns the test key of that size: 512, 1024 or 2048 bits.
func RSA(bits int) *Key {
	text, err := files.ReadFile(fmt.Sprintf("keys/rsa%d.pem", bits))
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return &Key{rsa: key}
}

// RareRSA makes a new key with an exponent of choice, which crypto/rsa would not
// generate.
func RareRSA(bits int, e int64) *rsa.PrivateKey {
	one := big.NewInt(1)
	for {
		p, errP := rand.Prime(rand.Reader, bits/2)
		q, errQ := rand.Prime(rand.Reader, bits-bits/2)
		if err := errors.Join(errP, errQ); err != nil {
			panic(err)
		}
		n := new(big.Int).Mul(p, q)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(big.NewInt(e), phi)
		if n.BitLen() == bits && d != nil {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e)}, D: d}
		}
	}
}

// Ed25519 returns the test key made from a one-octet seed.
func Ed25519(seed byte) *Key {
	return &Key{ed25519: ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed&0x7f)), 32)))}
}

// Signer is the key for signers from elsewhere.
func (k *Key) Signer() crypto.Signer {
	if k.rsa != nil {
		return k.rsa
	}
	return k.ed25519
}

// Algorithm is what belongs in a=.
func (k *Key) Algorithm() string {
	if k.rsa != nil {
		return "rsa-sha256"
	}
	return "ed25519-sha256"
}

// Public is what belongs in p= of the key record.
func (k *Key) Public() string {
	if k.rsa == nil {
		return base64.StdEncoding.EncodeToString(k.ed25519.Public().(ed25519.PublicKey))
	}
	der, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// PublicPKCS1 is the other form of an RSA key in p=.
func (k *Key) PublicPKCS1() string {
	return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey))
}

// Record is the key record.
func (k *Key) Record() string {
	if k.rsa == nil {
		return "v=DKIM1; k=ed25519; p=" + k.Public()
	}
	return "v=DKIM1; k=rsa; p=" + k.Public()
}

// sign returns the signature of a text in base64.
func (k *Key) sign(text string) string {
	sum := sha256.Sum256([]byte(text))
	if k.rsa == nil {
		return base64.StdEncoding.EncodeToString(ed25519.Sign(k.ed25519, sum[:]))
	}
	size := k.rsa.Size()
	info := "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20" + string(sum[:])
	padded := "\x00\x01" + strings.Repeat("\xff", size-3-len(info)) + "\x00" + info
	m := new(big.Int).SetBytes([]byte(padded))
	return base64.StdEncoding.EncodeToString(m.Exp(m, k.rsa.D, k.rsa.N).FillBytes(make([]byte, size)))
}

// Split cuts a message with CRLF line ends into raw fields and body.
func Split(msg string) (fields []string, body string) {
	head, body, ok := strings.Cut("\r\n"+msg, "\r\n\r\n")
	if !ok {
		head = strings.TrimSuffix(head, "\r\n")
	}
	for _, line := range strings.Split(head, "\r\n")[1:] {
		if len(fields) > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			fields[len(fields)-1] += "\r\n" + line
		} else {
			fields = append(fields, line)
		}
	}
	return fields, body
}

// value finds a tag in a template; the first one counts.
func value(template, tag string) (string, bool) {
	m := regexp.MustCompile(`(?s)(?:^|[;:])\s*` + tag + `\s*=([^;]*)`).FindStringSubmatch(template)
	if m == nil {
		return "", false
	}
	return strings.TrimSpace(m[1]), true
}

// BodyHash is what belongs in bh= of a template.
func BodyHash(body, template string) string {
	c, _ := value(template, "c")
	if _, how, _ := strings.Cut(c, "/"); strings.EqualFold(strings.TrimSpace(how), "relaxed") {
		body = RelaxedBody(body)
	} else {
		body = SimpleBody(body)
	}
	if l, ok := value(template, "l"); ok {
		if n, err := strconv.Atoi(l); err == nil && n < len(body) {
			body = body[:n]
		}
	}
	sum := sha256.Sum256([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// blank finds b=: its value goes with all surrounding white space (RFC 6376
// section 3.5).
var blank = regexp.MustCompile(`=\s*\$b\s*`)

// Field signs a message and returns the signature field without CRLF. template
// is the whole field, in which $bh and $b stand for the two hashes. A template
// that ends in $relaxed is relaxed/relaxed without saying so.
func Field(msg string, key *Key, template string) string {
	fields, body := Split(msg)
	c, _ := value(template, "c")
	if plain, ok := strings.CutSuffix(template, "$relaxed"); ok {
		c, template = "relaxed/relaxed", plain
		template = strings.ReplaceAll(template, "$bh", BodyHash(body, "c="+c))
	}
	template = strings.ReplaceAll(template, "$bh", BodyHash(body, template))
	relaxed := strings.HasPrefix(strings.ToLower(c), "relaxed")
	h, _ := value(template, "h")
	var input strings.Builder
	used := make([]bool, len(fields))
	for _, name := range strings.Split(h, ":") {
		for i := len(fields) - 1; i >= 0; i-- {
			got, _, _ := strings.Cut(fields[i], ":")
			if used[i] || !strings.EqualFold(strings.TrimSpace(got), strings.TrimSpace(name)) {
				continue
			}
			used[i] = true
			input.WriteString(canonical(fields[i], relaxed) + "\r\n")
			break
		}
	}
	input.WriteString(canonical(blank.ReplaceAllString(template, "="), relaxed))
	return strings.Replace(template, "$b", key.sign(input.String()), 1)
}

func canonical(field string, relaxed bool) string {
	if relaxed {
		return RelaxedField(field)
	}
	return field
}

// DKIM puts a DKIM-Signature made from the tags of a template on top.
func DKIM(msg string, key *Key, tags string) string {
	return Field(msg, key, "DKIM-Signature: "+tags) + "\r\n" + msg
}
