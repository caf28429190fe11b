package dkim

import (
	"crypto/rsa"
	"math/big"
	"testing"
)

func TestWork(t *testing.T) {
	of := func(bits, e int) *key {
		return &key{bits: bits, public: &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), bits-1, 1), E: e}}
	}
	for _, tt := range []struct {
		name string
		key  *key
		want int // signatures
	}{
		{name: "common keys: a chain of 50 sets and a half more", key: of(2048, 65537), want: 147},
		{name: "keys of 4096 bits", key: of(4096, 65537), want: 36},
		{name: "keys of 1024 bits", key: of(1024, 65537), want: 625},
		{name: "the largest exponent", key: of(2048, 1<<31-1), want: 41},
		{name: "the smallest key takes something too", key: of(16, 3), want: maxWork},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var w Work
			n := 0
			for w.take(tt.key) {
				n++
			}
			if n != tt.want {
				t.Errorf("%d signatures, want %d", n, tt.want)
			}
			if !w.take(new(key)) {
				t.Error("no room for a key of another kind")
			}
		})
	}
	if !(*Work)(nil).take(of(4096, 65537)) {
		t.Error("nil has a bound")
	}
}

// Ten signatures have room whatever their keys, several of each tried.
func TestTenSignaturesHaveRoom(t *testing.T) {
	var w Work
	for range DefaultMaxSignatures {
		for range maxBitsTried / maxBitsRareExponent {
			if !w.take(&key{bits: maxBitsRareExponent, public: &rsa.PublicKey{N: big.NewInt(15), E: 1<<31 - 1}}) {
				t.Fatalf("no room after %d", w.done)
			}
		}
	}
}
