package dkim

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"

	"filippo.io/bigmod"
)

// rsaKey is an RSA public key, ready to verify. crypto/rsa prepares the
// modulus anew for each signature; kept with the cached record, that is done
// once for a key, which makes a signature by RSA-2048 cheaper by a third
// (BenchmarkRSAVerify). It also has no lower limit of the size, so keys that
// may not count (MinRSABits) take the same way. Safe for concurrent use.
type rsaKey struct {
	n    *bigmod.Modulus
	e    uint
	size int // octets of n
}

// newRSAKey is for keys with an odd modulus and an exponent of 3 or more.
func newRSAKey(pub *rsa.PublicKey) (*rsaKey, error) {
	n, err := bigmod.NewModulus(pub.N.Bytes())
	if err != nil {
		return nil, err
	}
	return &rsaKey{n: n, e: uint(pub.E), size: pub.Size()}, nil
}

// sha256Prefix is the DER of DigestInfo before a SHA-256 digest (RFC 8017
// section 9.2, note 1).
var sha256Prefix = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// verify is RSASSA-PKCS1-V1_5-VERIFY (RFC 8017 section 8.2.2) with SHA-256.
// Every octet of what the signature decrypts to is compared with what it must
// be; none is interpreted. Nothing here is secret, so time may tell anything.
func (k *rsaKey) verify(digest *[sha256.Size]byte, signature []byte) bool {
	if len(signature) != k.size {
		return false
	}
	s, err := bigmod.NewNat().SetBytes(signature, k.n)
	if err != nil { // not below n
		return false
	}
	got := bigmod.NewNat().ExpShortVarTime(s, k.e, k.n).Bytes(k.n)

	// EMSA-PKCS1-v1_5 (section 9.2): 0x00 0x01 0xff... 0x00 DigestInfo, with
	// at least eight octets 0xff.
	hash, ok := bytes.CutSuffix(got, digest[:])
	if !ok {
		return false
	}
	pad, ok := bytes.CutSuffix(hash, sha256Prefix)
	if !ok || len(pad) < 11 || pad[0] != 0 || pad[1] != 1 || pad[len(pad)-1] != 0 {
		return false
	}
	for _, c := range pad[2 : len(pad)-1] {
		if c != 0xff {
			return false
		}
	}
	return true
}
