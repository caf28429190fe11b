// Package rsaverify verifies RSASSA-PKCS1-v1_5 signatures with SHA-256 (RFC 8017
// section 8.2.2), as DKIM and ARC use them, and keeps with a key what crypto/rsa
// computes anew for each signature. Nothing here is secret, so time may tell
// anything.
//
// The power is computed by filippo.io/bigmod, the arithmetic that crypto/rsa is
// made of.
package rsaverify

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"

	"filippo.io/bigmod"
)

// Key is an RSA public key, ready to verify. It has no lower limit of the size,
// other than crypto/rsa: which keys may count is for the caller to say. Safe for
// concurrent use.
type Key struct {
	n    *bigmod.Modulus
	e    uint
	size int // octets of n
}

// New is for keys with an odd modulus above 1 and an exponent of 3 or more.
func New(pub *rsa.PublicKey) (*Key, error) {
	n, err := bigmod.NewModulus(pub.N.Bytes())
	if err != nil {
		return nil, err
	}
	return &Key{n: n, e: uint(pub.E), size: pub.Size()}, nil
}

// Verify reports whether signature is this key's over what has the digest.
func (k *Key) Verify(digest *[sha256.Size]byte, signature []byte) bool {
	if len(signature) != k.size || k.size < minSize {
		return false
	}
	var space [512]byte // a key of 4096 bits
	want := encode(append(space[:0], make([]byte, k.size)...), digest)
	return k.raisesTo(signature, want)
}

// raisesTo reports whether signature to the power of e is want, modulo n.
func (k *Key) raisesTo(signature, want []byte) bool {
	s, err := bigmod.NewNat().SetBytes(signature, k.n)
	if err != nil { // not below n
		return false
	}
	return bytes.Equal(s.ExpShortVarTime(s, k.e, k.n).Bytes(k.n), want)
}

// sha256Prefix is the DER of DigestInfo before a SHA-256 digest (RFC 8017
// section 9.2, note 1).
const sha256Prefix = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

// minSize is the octets of the shortest key that an encoded message fits in,
// with eight octets of padding.
const minSize = 11 + len(sha256Prefix) + sha256.Size

// encode fills em with EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): 0x00 0x01 0xff...
// 0x00 DigestInfo.
func encode(em []byte, digest *[sha256.Size]byte) []byte {
	hash := len(em) - sha256.Size
	info := hash - len(sha256Prefix)
	for i := range em[:info] {
		em[i] = 0xff
	}
	em[0], em[1], em[info-1] = 0, 1, 0
	copy(em[info:], sha256Prefix)
	copy(em[hash:], digest[:])
	return em
}
