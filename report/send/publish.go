package send

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// KeyText is the record of a key (RFC 6376 section 3.6.1, RFC 8463 section 4).
func KeyText(key crypto.PublicKey) (string, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key), nil
	case *rsa.PublicKey:
		data, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return "", err
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(data), nil
	}
	return "", errors.New("it is neither RSA nor Ed25519")
}

// maxString is how many octets one string of a TXT record has (RFC 1035 section 3.3.14).
const maxString = 255

// ZoneLine is a TXT record as a zone file has it (RFC 1035 section 5.1), of strings that
// are not too long; readers of the record join them.
func ZoneLine(name, text string) string {
	var pieces []string
	for first := true; text != "" || first; first = false {
		n := min(len(text), maxString)
		var b strings.Builder
		for _, c := range []byte(text[:n]) {
			switch {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, `\%03d`, c)
			default:
				b.WriteByte(c)
			}
		}
		pieces = append(pieces, `"`+b.String()+`"`)
		text = text[n:]
	}
	if len(pieces) == 1 {
		return name + ". IN TXT " + pieces[0]
	}
	return name + ". IN TXT ( " + strings.Join(pieces, "\n        ") + " )"
}
