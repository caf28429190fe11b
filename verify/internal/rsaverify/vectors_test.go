package rsaverify

import (
	"crypto/rsa"
	"math/big"
	"math/rand/v2"
	"testing"
)

// number makes a number of limbs.
func (z *limbs) number() *big.Int {
	n := new(big.Int)
	for i := len(z) - 1; i >= 0; i-- {
		n.Lsh(n, limbBits).Add(n, new(big.Int).SetUint64(z[i]))
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

// FuzzVectors: a product is that of math/big, and below 2n, for odd moduli of
// all sizes and factors below 2n.
func FuzzVectors(f *testing.F) {
	if !hasIFMA {
		f.Skip("the processor has no AVX-512 IFMA, which this way of computing is for")
	}
	for seed := range uint64(3000) {
		f.Add(seed)
	}
	r := new(big.Int).Lsh(big.NewInt(1), 2080)
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		size := uint(2048)
		if seed%2 == 0 {
			size = 2 + random.UintN(2047)
		}
		n := extreme(random, new(big.Int).Lsh(big.NewInt(1), size-1))
		n.SetBit(n.SetBit(n, 0, 1), int(size)-1, 1)
		k := newVectorKey(&rsa.PublicKey{N: n, E: 65537})
		if k == nil {
			t.Fatal("no key")
		}

		var x, y, z limbs
		twice := new(big.Int).Lsh(n, 1)
		x.set(extreme(random, twice).Bytes())
		y.set(extreme(random, twice).Bytes())
		if seed%64 == 0 { // the largest there are
			x.set(twice.Sub(twice, big.NewInt(1)).Bytes())
			y = x
		}
		k.multiply(&z, &x, &y)
		got := z.number()
		if got.Cmp(new(big.Int).Lsh(n, 1)) >= 0 {
			t.Errorf("modulus %x: %x · %x is %x, not below twice the modulus", n, x.number(), y.number(), got)
		}
		want := new(big.Int).ModInverse(r, n)
		want.Mul(want, x.number()).Mul(want, y.number()).Mod(want, n)
		if got.Mod(got, n).Cmp(want) != 0 {
			t.Errorf("modulus %x: %x · %x is %x, want %x", n, x.number(), y.number(), got, want)
		}

		s := extreme(random, n)
		e := new(big.Int).Exp(s, big.NewInt(65537), n)
		octets, power := make([]byte, len(n.Bytes())), make([]byte, len(n.Bytes()))
		s.FillBytes(octets)
		if e.FillBytes(power); !k.raisesTo(octets, power) && e.Sign() != 0 {
			t.Errorf("modulus %x: %x to the power of 65537 is not %x", n, s, power)
		}
		if power[len(power)-1] ^= 1; k.raisesTo(octets, power) {
			t.Errorf("modulus %x: %x to the power of 65537 is also %x", n, s, power)
		}
	})
}

// TestLimbsAreTheNumberTheyWereSetTo: of all lengths that a key can have.
func TestLimbsAreTheNumberTheyWereSetTo(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for size := range 257 {
		octets := make([]byte, size)
		for i := range octets {
			octets[i] = byte(random.Uint32())
		}
		var z limbs
		z.set(octets)
		if want := new(big.Int).SetBytes(octets); z.number().Cmp(want) != 0 {
			t.Errorf("%x: set to %x", octets, z.number())
		}
		for i, limb := range z {
			if limb > limbMask {
				t.Errorf("%x: limb %d is %x", octets, i, limb)
			}
		}
	}
}
