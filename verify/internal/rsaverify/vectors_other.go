//go:build !amd64

package rsaverify

const hasIFMA = false

func multiplyIFMA(_, _, _, _ *limbs, _ uint64) { panic("no IFMA") }
