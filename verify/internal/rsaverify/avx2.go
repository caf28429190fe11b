package rsaverify

import (
	"bytes"
	"crypto/rsa"
	"encoding/binary"
	"math/big"
	"slices"
)

const (
	digitBits = 28
	digitMask = 1<<digitBits - 1
	places    = 76
)

// digits is a number of up to 2128 bits, 28 in each of 76 digits, the lowest first;
// four zeros follow, which the assembly reads.
type digits [places + 4]uint64

// avx2Key is a key of up to 2048 bits with the exponent 65537, for Montgomery
// multiplication by AVX2: R is 2^2128. On a Zen 3 a signature by RSA-2048 takes
// three fifths of what it takes by bigmod (BenchmarkVerify).
type avx2Key struct {
	bytes  []byte             // n
	n      *[4][places]uint64 // digits of n, and the same one to three places further up
	square digits             // R² mod n
	k      [2]uint64          // -1/n mod 2^112, 56 bits each, the lower ones first
}

// workspace is what the assembly needs besides: 38 vectors of columns, one of
// zeros, a number, and room to align them.
type workspace [38*4 + 4 + len(digits{}) + 4]uint64

func newAVX2Key(pub *rsa.PublicKey) *avx2Key {
	key := &avx2Key{bytes: pub.N.Bytes(), n: new([4][places]uint64)}
	var n digits
	n.set(key.bytes)
	for i := range key.n {
		copy(key.n[i][i:], n[:places])
	}
	square := new(big.Int).Lsh(big.NewInt(1), 2*digitBits*places)
	key.square.set(square.Mod(square, pub.N).Bytes())
	four := new(big.Int).Lsh(big.NewInt(1), 4*digitBits)
	inverse := new(big.Int).ModInverse(pub.N, four)
	var k digits
	k.set(four.Sub(four, inverse).Bytes())
	key.k = [2]uint64{k[0] | k[1]<<digitBits, k[2] | k[3]<<digitBits}
	return key
}

// raisesTo reports whether signature to the power of 65537 is want, modulo n. As
// with ifmaKey, nothing needs to be reduced in between.
func (k *avx2Key) raisesTo(signature, want []byte) bool {
	if bytes.Compare(signature, k.bytes) >= 0 {
		return false
	}
	var s, power, target digits
	var w workspace
	s.set(signature)
	k.multiply(&power, &s, &k.square, &w) // s·R
	for range 16 {
		k.squared(&power, &power, &w)
	}
	k.multiply(&power, &power, &s, &w)
	target.set(want)
	power.carry()
	return power == target
}

// multiply sets z to x·y/R modulo n, below 2n if x and y are. The digits of z may
// be a little longer than 28 bits, and those of x and y too.
func (k *avx2Key) multiply(z, x, y *digits, w *workspace) {
	multiplyAVX2(z, x, y, k.n, &k.k, w, 0)
}

// squared sets z to x·x/R modulo n, in three quarters of the time.
func (k *avx2Key) squared(z, x *digits, w *workspace) {
	multiplyAVX2(z, x, x, k.n, &k.k, w, 1)
}

// set reads a big-endian number of at most 266 octets.
func (z *digits) set(number []byte) {
	var octets [272]byte // two digits are 7 octets; 8 are read at a time
	copy(octets[:], number)
	slices.Reverse(octets[:len(number)])
	for i := 0; i < places; i += 2 {
		two := binary.LittleEndian.Uint64(octets[i/2*7:])
		z[i] = two & digitMask
		z[i+1] = two >> digitBits & digitMask
	}
}

// carry makes each digit one of 28 bits.
func (z *digits) carry() {
	var carry uint64
	for i, digit := range z {
		carry += digit
		z[i] = carry & digitMask
		carry >>= digitBits
	}
}
