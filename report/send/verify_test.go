package send

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

// checkSignatures has go-msgauth look at a mail's signatures by the keys of selectors.
func checkSignatures(t *testing.T, mail []byte, keys map[string]any) {
	t.Helper()
	list, err := dkim.VerifyWithOptions(bytes.NewReader(mail), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		selector, _, _ := strings.Cut(name, ".")
		if key, ok := keys[selector].(ed25519.PublicKey); ok {
			return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key)}, nil
		}
		der, err := x509.MarshalPKIXPublicKey(keys[selector])
		return []string{"v=DKIM1; p=" + base64.StdEncoding.EncodeToString(der)}, err
	}})
	if err != nil || len(list) != len(keys) {
		t.Fatalf("%d signatures, %v", len(list), err)
	}
	for _, v := range list {
		if v.Err != nil {
			t.Errorf("%s: %v", v.Identifier, v.Err)
		}
	}
}
