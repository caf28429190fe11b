package rsaverify

import (
	"crypto/rsa"
	"math/big"
	"math/rand/v2"
	"testing"
)

// vectorsFor returns each raiser for pub that this processor can use, by name:
// also those that newVectors passes over for what is quicker.
func vectorsFor(pub *rsa.PublicKey) map[string]raiser {
	raisers := make(map[string]raiser)
	if fitsVectors(pub) {
		if hasIFMA {
			raisers["ifma"] = newIFMAKey(pub)
		}
		if hasAVX2 {
			raisers["avx2"] = newAVX2Key(pub)
		}
	}
	return raisers
}

// joined makes a number of its digits, the lowest first.
func joined(digits []uint64, bits uint) *big.Int {
	n := new(big.Int)
	for i := len(digits) - 1; i >= 0; i-- {
		n.Lsh(n, bits).Add(n, new(big.Int).SetUint64(digits[i]))
	}
	return n
}

// extreme makes numbers below limit with long runs of ones and zeros, where
// carries go far.
func extreme(random *rand.Rand, limit *big.Int) *big.Int {
	n, one := new(big.Int), big.NewInt(1)
	for range 1 + random.IntN(6) {
		run := new(big.Int).Lsh(one, uint(random.IntN(limit.BitLen())))
		run.Sub(run, one).Lsh(run, uint(random.IntN(limit.BitLen())))
		n.Xor(n, run)
	}
	return n.Mod(n, limit)
}

// multiplyIFMABig is multiply of an ifmaKey in terms of math/big, to be called
// with numbers below 2n.
func multiplyIFMABig(pub *rsa.PublicKey, x, y *big.Int) *big.Int {
	var a, b, z limbs
	a.set(x.Bytes())
	b.set(y.Bytes())
	newIFMAKey(pub).multiply(&z, &a, &b)
	return joined(z[:], limbBits)
}

// multiplyAVX2Big is the same for an avx2Key. It squares where x is y.
func multiplyAVX2Big(pub *rsa.PublicKey, x, y *big.Int) *big.Int {
	var a, b, z digits
	var w workspace
	for i := range w {
		w[i] = 1<<64 - 1 // what it holds does not matter
	}
	a.set(x.Bytes())
	b.set(y.Bytes())
	if k := newAVX2Key(pub); x == y {
		k.squared(&z, &a, &w)
	} else {
		k.multiply(&z, &a, &b, &w)
	}
	return joined(z[:], digitBits)
}

// FuzzVectors: a product is that of math/big, and below 2n, for odd moduli of
// all sizes and factors below 2n; and so is the power.
func FuzzVectors(f *testing.F) {
	type way struct {
		r        *big.Int
		multiply func(pub *rsa.PublicKey, x, y *big.Int) *big.Int
	}
	ways := make(map[string]way)
	if hasIFMA {
		ways["ifma"] = way{new(big.Int).Lsh(big.NewInt(1), 2080), multiplyIFMABig}
	} else {
		f.Log("the processor has no AVX-512 IFMA: left out")
	}
	if hasAVX2 {
		ways["avx2"] = way{new(big.Int).Lsh(big.NewInt(1), 2128), multiplyAVX2Big}
	} else {
		f.Log("the processor has no AVX2: left out")
	}
	for seed := range uint64(3000) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		size := uint(2048)
		if seed%2 == 0 {
			size = 2 + random.UintN(2047)
		}
		n := extreme(random, new(big.Int).Lsh(big.NewInt(1), size-1))
		n.SetBit(n.SetBit(n, 0, 1), int(size)-1, 1)
		pub := &rsa.PublicKey{N: n, E: 65537}

		twice := new(big.Int).Lsh(n, 1)
		x, y := extreme(random, twice), extreme(random, twice)
		if seed%64 == 0 { // the largest there are
			x = new(big.Int).Sub(twice, big.NewInt(1))
		}
		if seed%3 == 0 {
			y = x
		}
		for name, way := range ways {
			z := way.multiply(pub, x, y)
			if z.Cmp(twice) >= 0 {
				t.Errorf("%s, modulus %x: %x · %x is %x, not below twice the modulus", name, n, x, y, z)
			}
			want := new(big.Int).ModInverse(way.r, n)
			want.Mul(want, x).Mul(want, y).Mod(want, n)
			if z.Mod(z, n).Cmp(want) != 0 {
				t.Errorf("%s, modulus %x: %x · %x is %x, want %x", name, n, x, y, z, want)
			}
		}

		s := extreme(random, n)
		e := new(big.Int).Exp(s, big.NewInt(65537), n)
		octets, power := make([]byte, len(n.Bytes())), make([]byte, len(n.Bytes()))
		s.FillBytes(octets)
		for name, k := range vectorsFor(pub) {
			if e.FillBytes(power); !k.raisesTo(octets, power) && e.Sign() != 0 {
				t.Errorf("%s, modulus %x: %x to the power of 65537 is not %x", name, n, s, power)
			}
			if power[len(power)-1] ^= 1; k.raisesTo(octets, power) {
				t.Errorf("%s, modulus %x: %x to the power of 65537 is also %x", name, n, s, power)
			}
		}
	})
}

// TestDigitsAreTheNumberTheyWereSetTo: of all lengths that a key can have.
func TestDigitsAreTheNumberTheyWereSetTo(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for size := range 257 {
		octets := make([]byte, size)
		for i := range octets {
			octets[i] = byte(random.Uint32())
		}
		check := func(digits []uint64, bits uint) {
			t.Helper()
			if want := new(big.Int).SetBytes(octets); joined(digits, bits).Cmp(want) != 0 {
				t.Errorf("%x: set to %x", octets, joined(digits, bits))
			}
			for i, digit := range digits {
				if digit >= 1<<bits {
					t.Errorf("%x: digit %d is %x", octets, i, digit)
				}
			}
		}
		var l limbs
		l.set(octets)
		check(l[:], limbBits)
		var d digits
		d.set(octets)
		check(d[:], digitBits)
	}
}
