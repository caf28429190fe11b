package rsaverify

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"testing"

	"alignd/verify/internal/testsign"
)

// encoded is EMSA-PKCS1-v1_5 (RFC 8017 section 9.2), filled up to size.
func encoded(size int, prefix, digest []byte) []byte {
	em := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(prefix)-len(digest))...)
	return append(append(append(em, 0), prefix...), digest...)
}

// TestVerifyIsThatOfCryptoRSA: on signatures, damaged ones, and encoded
// messages that a lenient reader would take.
func TestVerifyIsThatOfCryptoRSA(t *testing.T) {
	digest := sha256.Sum256([]byte("a header"))
	sha1Prefix := []byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}
	noNull := append([]byte{0x30, 0x2f, 0x30, 0x0b}, append([]byte(sha256Prefix[4:15]), 0x04, 0x20)...)
	for _, c := range []struct {
		bits int
		e    int64
	}{{1024, 65537}, {1024, 3}, {1031, 17}, {1536, 65537}, {2047, 65537}, {2048, 65537}, {2048, 3}, {2049, 257}, {3072, 65537}, {4096, 1<<31 - 1}} {
		t.Run(fmt.Sprintf("%d bits e=%d", c.bits, c.e), func(t *testing.T) {
			priv := testsign.RareRSA(c.bits, c.e)
			key, err := New(&priv.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			size := priv.Size()
			raw := func(em []byte) []byte {
				m := new(big.Int).SetBytes(em)
				return m.Exp(m, priv.D, priv.N).FillBytes(make([]byte, size))
			}
			em := encoded(size, []byte(sha256Prefix), digest[:])
			compare := func(what string, sig []byte, want bool) {
				t.Helper()
				theirs := rsa.VerifyPKCS1v15(&priv.PublicKey, crypto.SHA256, digest[:], sig) == nil
				ours := key.Verify(&digest, sig)
				if ours != want || theirs != want {
					t.Errorf("%s: verified=%v, by crypto/rsa %v, want %v", what, ours, theirs, want)
				}
			}
			good := raw(em)
			compare("good", good, true)
			compare("empty", nil, false)
			compare("one octet short", good[1:], false)
			compare("leading zero", append([]byte{0}, good...), false)
			compare("all zero", make([]byte, size), false)
			one := make([]byte, size)
			one[size-1] = 1
			compare("one", one, false)
			compare("the modulus", priv.N.FillBytes(make([]byte, size)), false)
			if above := new(big.Int).Add(new(big.Int).SetBytes(good), priv.N); above.BitLen() <= 8*size {
				compare("not below the modulus", above.FillBytes(make([]byte, size)), false)
			}
			step := 1
			if c.bits > 2000 {
				step = 13 // the private operation takes its time
			}
			for i := 0; i < len(em); i += step {
				bad := bytes.Clone(em)
				bad[i] ^= 1
				if i > 0 || c.bits%8 == 1 { // the number must stay below the modulus
					compare(fmt.Sprintf("octet %d of the encoded message changed", i), raw(bad), false)
				}
			}
			compare("digest alone", raw(encoded(size, nil, digest[:])), false)
			compare("parameters left out", raw(encoded(size, noNull, digest[:])), false)
			compare("SHA-1", raw(encoded(size, sha1Prefix, digest[:20])), false)
			// Padding cut short and the rest filled with anything, as in the
			// forgeries for small exponents.
			cut := append(append([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, sha256Prefix...), digest[:]...)
			compare("octets after the digest", raw(append(cut, make([]byte, size-len(cut))...)), false)
			for range 20 {
				bad := bytes.Clone(good)
				var at [3]byte
				_, _ = rand.Read(at[:])
				bad[(int(at[0])<<8|int(at[1]))%size] ^= 1 << (at[2] & 7)
				compare("changed signature", bad, false)
			}
		})
	}
}

// TestSmallRSAKeysVerify: crypto/rsa refuses them; here it is for MinRSABits to
// say that they do not count.
func TestSmallRSAKeysVerify(t *testing.T) {
	digest := sha256.Sum256([]byte("a header"))
	for _, bits := range []int{496, 504, 512, 768, 1023} {
		priv := testsign.RareRSA(bits, 65537)
		key, err := New(&priv.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		m := new(big.Int).SetBytes(encoded(priv.Size(), []byte(sha256Prefix), digest[:]))
		sig := m.Exp(m, priv.D, priv.N).FillBytes(make([]byte, priv.Size()))
		if !key.Verify(&digest, sig) {
			t.Errorf("%d bits: a good signature does not verify", bits)
		}
		if digest[0] ^= 1; key.Verify(&digest, sig) {
			t.Errorf("%d bits: another digest verifies", bits)
		}
		digest[0] ^= 1
	}
	// 62 octets leave eight of padding, the least there may be; 61 leave seven.
	priv := testsign.RareRSA(488, 65537)
	key, err := New(&priv.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	m := new(big.Int).SetBytes(encoded(priv.Size(), []byte(sha256Prefix), digest[:]))
	if key.Verify(&digest, m.Exp(m, priv.D, priv.N).FillBytes(make([]byte, priv.Size()))) {
		t.Error("seven octets of padding verify")
	}
	if key, err := New(&rsa.PublicKey{N: big.NewInt(1), E: 3}); err == nil && key.Verify(&digest, []byte{0}) {
		t.Error("the modulus 1 verifies")
	}
}

func BenchmarkVerify(b *testing.B) {
	digest := sha256.Sum256([]byte("a header"))
	for _, bits := range []int{1024, 2048, 4096} {
		priv, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			b.Fatal(err)
		}
		sig, err := rsa.SignPKCS1v15(nil, priv, crypto.SHA256, digest[:])
		if err != nil {
			b.Fatal(err)
		}
		key, err := New(&priv.PublicKey)
		if err != nil {
			b.Fatal(err)
		}
		by := func(name string, verify func() bool) {
			b.Run(fmt.Sprintf("bits=%d/by=%s", bits, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !verify() {
						b.Fatal("not verified")
					}
				}
			})
		}
		by("bigmod", func() bool { return key.Verify(&digest, sig) })
		by("crypto", func() bool { return rsa.VerifyPKCS1v15(&priv.PublicKey, crypto.SHA256, digest[:], sig) == nil })
	}
}
