package rsaverify

import "golang.org/x/sys/cpu"

var hasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512IFMA && cpu.X86.HasBMI2

// multiplyIFMA sets z to x·y/2^2080 modulo n, below 2n if x and y are, with
// limbs that may be longer than 52 bits; those of x, y and n must not be. k0 is
// -1/n mod 2^52.
//
//go:noescape
func multiplyIFMA(z, x, y, n *limbs, k0 uint64)
