package dkim

import (
	"crypto/rsa"
	"encoding/asn1"
	"math"
	"math/big"
)

// readRSA takes a SubjectPublicKeyInfo, which everybody publishes, or an
// RSAPublicKey, which RFC 6376 section 3.6.1 asks for.
func (k *key) readRSA(der []byte) *Problem {
	n, e := rsaNumbers(der)
	switch {
	case n == nil:
		return badKey("key is not an RSA key")
	case n.BitLen() > maxRSABits:
		k.bits = n.BitLen()
		return barredKey("RSA key above 4096 bits")
	case n.BitLen() > maxBitsRareExponent && e.Cmp(big.NewInt(commonExponent)) > 0:
		return barredKey("RSA exponent above 65537 with more than 2048 bits")
	case n.BitLen() < 2 || n.Bit(0) == 0 || e.Cmp(big.NewInt(3)) < 0 || e.Bit(0) == 0 || e.Cmp(big.NewInt(math.MaxInt32)) > 0:
		return badKey("key is not an RSA key")
	}
	k.bits = n.BitLen()
	k.public = &rsa.PublicKey{N: n, E: int(e.Int64())}
	return nil
}

// The algorithms of a SubjectPublicKeyInfo that is an RSA key: rsaEncryption (RFC
// 3279 section 2.3.1), and rsa of X.500, which preceded it.
var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidX500RSA = asn1.ObjectIdentifier{2, 5, 8, 1, 1}
)

// rsaNumbers reads modulus and exponent; they are nil where there are none. The key
// is the same, and most verifiers take it, with octets behind it, with other
// parameters than NULL, and with integers that DER would write otherwise: padded with
// zeros, or a modulus without the zero that makes it positive.
func rsaNumbers(der []byte) (n, e *big.Int) {
	var info struct {
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Key asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err == nil {
		if !info.Algorithm.OID.Equal(oidRSA) && !info.Algorithm.OID.Equal(oidX500RSA) {
			return nil, nil
		}
		der = info.Key.RightAlign()
	}
	var numbers struct{ N, E asn1.RawValue }
	if _, err := asn1.Unmarshal(der, &numbers); err != nil || !isInteger(numbers.N) || !isInteger(numbers.E) {
		return nil, nil
	}
	return new(big.Int).SetBytes(numbers.N.Bytes), new(big.Int).SetBytes(numbers.E.Bytes)
}

func isInteger(v asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger && !v.IsCompound && len(v.Bytes) > 0
}
