package rsaverify

import "golang.org/x/sys/cpu"

var (
	hasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512IFMA && cpu.X86.HasBMI2
	hasAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasBMI2
)

// multiplyIFMA sets z to x·y/2^2080 modulo n, below 2n if x and y are, with
// limbs that may be longer than 52 bits; those of x, y and n must not be. k0 is
// -1/n mod 2^52.
//
//go:noescape
func multiplyIFMA(z, x, y, n *limbs, k0 uint64)

// multiplyAVX2 sets z to x·y/2^2128 modulo n, below 2n if x and y are, with digits
// of at most 28 bits and 2^9, as those of x and y may be. n and k are as in
// avx2Key. square is 1 if y is x, otherwise 0.
//
//go:noescape
func multiplyAVX2(z, x, y *digits, n *[4][places]uint64, k *[2]uint64, w *workspace, square uint64)
