package send

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/emersion/go-msgauth/dkim"
)

// signedFields are what a signature covers; each once more than it is there, so that
// none can be added.
var signedFields = []string{"From", "From", "To", "To", "Subject", "Subject", "Date", "Date", "Message-Id", "Message-Id",
	"Mime-Version", "Content-Type", "Auto-Submitted"}

// sign puts a signature of each key on top of a mail (RFC 6376).
func sign(mail []byte, domain string, keys []Key) ([]byte, error) {
	signed := mail
	for _, k := range keys {
		var b bytes.Buffer
		err := dkim.Sign(&b, bytes.NewReader(mail), &dkim.SignOptions{
			Domain: domain, Selector: k.Selector, Signer: k.Signer, Hash: crypto.SHA256,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
			HeaderKeys: signedFields,
		})
		if err != nil {
			return nil, fmt.Errorf("signing with selector %s: %w", k.Selector, err)
		}
		signed = append(bytes.TrimSuffix(b.Bytes(), mail), signed...)
	}
	return signed, nil
}

// ReadKey reads a private key, RSA or Ed25519, from a PEM file.
func ReadKey(file string) (crypto.Signer, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM", file)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if signer, ok := key.(crypto.Signer); ok {
		return signer, nil
	}
	return nil, errors.New(file + ": no key that signs")
}
