package dkim

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/big"
	"testing"

	"alignd/verify/internal/testsign"
)

// TestForgedEncodings: only one encoded message is the right one (RFC 8017 section
// 8.2.2), whatever a lenient reader of its padding or DER would take.
func TestForgedEncodings(t *testing.T) {
	const (
		sha256Prefix = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
		noParameters = "\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20"
		sha1Prefix   = "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"
	)
	digest := sha256.Sum256([]byte("a header"))
	hash := string(digest[:])
	changed := hash[:31] + string([]byte{hash[31] ^ 1})
	padded := func(size int, info string) string { // section 9.2
		return "\x00\x01" + string(bytes.Repeat([]byte{0xff}, size-3-len(info))) + "\x00" + info
	}
	for _, kind := range []struct {
		bits int
		e    int64
	}{{1024, 65537}, {1024, 3}, {1031, 17}, {2048, 65537}, {2048, 3}, {2049, 257}, {2048, 1<<31 - 1}} {
		t.Run(fmt.Sprintf("%d bits e=%d", kind.bits, kind.e), func(t *testing.T) {
			priv := testsign.RareRSA(kind.bits, kind.e)
			k, size := &key{public: &priv.PublicKey}, priv.Size()
			fill := func(start string) string { return start + string(make([]byte, size-len(start))) }
			good := padded(size, sha256Prefix+hash)
			for _, tt := range []struct {
				name, message string
				want          bool
			}{
				{name: "the right one", message: good, want: true},
				{name: "another digest", message: padded(size, sha256Prefix+changed)},
				{name: "the digest alone", message: padded(size, hash)},
				{name: "parameters left out", message: padded(size, noParameters+hash)},
				{name: "another hash", message: padded(size, sha1Prefix+hash[:20])},
				{name: "type 2", message: "\x00\x02" + good[2:]},
				{name: "a gap in the padding", message: good[:20] + "\x00" + good[21:]},
				{name: "octets behind, after a short padding", message: fill("\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x00" + sha256Prefix + hash)},
				{name: "octets behind, after none", message: fill("\x00\x01\x00" + sha256Prefix + hash)},
				{name: "nothing", message: fill("")},
			} {
				m := new(big.Int).SetBytes([]byte(tt.message))
				sig := m.Exp(m, priv.D, priv.N).FillBytes(make([]byte, size))
				if got := k.verify(&digest, sig); got != tt.want {
					t.Errorf("%s: verified=%v, want %v", tt.name, got, tt.want)
				}
				if !tt.want {
					continue
				}
				longer := append([]byte{0}, sig...)
				above := new(big.Int).Add(new(big.Int).SetBytes(sig), priv.N)
				for name, bad := range map[string][]byte{
					"empty": nil, "one octet short": sig[1:], "a leading zero": longer, "not below the modulus": above.Bytes(),
				} {
					if k.verify(&digest, bad) {
						t.Errorf("%s verifies", name)
					}
				}
			}
		})
	}
}

// BenchmarkSignature is the arithmetic of one signature.
func BenchmarkSignature(b *testing.B) {
	var digest [sha256.Size]byte
	for _, bits := range []int{1024, 2048} {
		k, why := parseKey([]byte(testsign.RSA(bits).Record()))
		if why != "" {
			b.Fatal(why)
		}
		sig := bytes.Repeat([]byte{1}, bits/8)
		b.Run(fmt.Sprintf("rsa=%d", bits), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.verify(&digest, sig)
			}
		})
	}
}
