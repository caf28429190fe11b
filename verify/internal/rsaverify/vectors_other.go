//go:build !amd64

package rsaverify

const (
	hasIFMA = false
	hasAVX2 = false
)

func multiplyIFMA(_, _, _, _ *limbs, _ uint64) { panic("no IFMA") }

func multiplyAVX2(_, _, _ *digits, _ *[4][places]uint64, _ *[2]uint64, _ *workspace, _ uint64) {
	panic("no AVX2")
}
