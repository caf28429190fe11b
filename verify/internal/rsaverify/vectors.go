package rsaverify

import "crypto/rsa"

// A raiser knows a key and can raise a signature to its power with the vector
// instructions of a processor.
type raiser interface {
	// raisesTo reports whether signature to the power of the key is want.
	raisesTo(signature, want []byte) bool
}

// newVectors returns the quickest raiser that this processor has for the key, or
// nil if bigmod is quicker: raisers take the same time for all keys that they are
// for, which have up to 2048 bits and the exponent that all signers use.
func newVectors(pub *rsa.PublicKey) raiser {
	switch {
	case !fitsVectors(pub):
	case hasIFMA:
		return newIFMAKey(pub)
	case hasAVX2 && pub.N.BitLen() > 1600:
		return newAVX2Key(pub)
	}
	return nil
}

func fitsVectors(pub *rsa.PublicKey) bool {
	return pub.E == 65537 && pub.N.BitLen() <= 2048 && pub.N.Bit(0) == 1
}
