#include "textflag.h"

// func multiplyIFMA(z, x, y, n *limbs, k0 uint64)
//
// Montgomery multiplication, a limb of y a round: a sum of 40 columns gets x
// times that limb, and the multiple of n that clears its lowest column, and moves
// down by a column. A column has 64 bits for 40 rounds of four numbers of 52 bits.
//
// What is to be cleared depends on the lowest column, so each round waits for it.
// It is therefore kept apart in R8, carries included, and the one above it, which
// comes next, is added up in R14 from what it was before the round. For the same
// reason there are two sums, which need not wait for each other: Z0 to Z4 have the
// multiples of x and Z12 to Z16 those of n. A single one, with the lowest column
// taken from the vectors, costs a signature 5.6 µs instead of 4.8.
TEXT ·multiplyIFMA(SB), NOSPLIT, $0-40
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DI
	MOVQ n+24(FP), BX
	MOVQ k0+32(FP), R11

	VMOVDQU64 (SI), Z20
	VMOVDQU64 64(SI), Z21
	VMOVDQU64 128(SI), Z22
	VMOVDQU64 192(SI), Z23
	VMOVDQU64 256(SI), Z24
	VMOVDQU64 (BX), Z25
	VMOVDQU64 64(BX), Z26
	VMOVDQU64 128(BX), Z27
	VMOVDQU64 192(BX), Z28
	VMOVDQU64 256(BX), Z29
	MOVQ (SI), R12
	MOVQ 8(SI), SI
	MOVQ (BX), R13
	MOVQ 8(BX), BX

	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	VPXORQ Z5, Z5, Z5
	VPXORQ Z12, Z12, Z12
	VPXORQ Z13, Z13, Z13
	VPXORQ Z14, Z14, Z14
	VPXORQ Z15, Z15, Z15
	VPXORQ Z16, Z16, Z16
	XORQ   R8, R8
	MOVQ   $0xfffffffffffff, R10
	MOVQ   $40, CX

round:
	VPADDQ  X0, X12, X6
	VPEXTRQ $1, X6, R14

	// Lower halves of x times the limb.
	VPBROADCASTQ (DI), Z10
	VPMADD52LUQ Z20, Z10, Z0
	VPMADD52LUQ Z21, Z10, Z1
	VPMADD52LUQ Z22, Z10, Z2
	VPMADD52LUQ Z23, Z10, Z3
	VPMADD52LUQ Z24, Z10, Z4

	// The lowest column is R9:R8 in between, what clears it DX and Z11; SI and BX
	// are the second limbs of x and n, of which the next column gets its part.
	MOVQ  (DI), DX
	MULXQ R12, AX, R9
	ADDQ  AX, R8
	ADCQ  $0, R9
	IMULQ SI, DX
	ANDQ  R10, DX
	ADDQ  DX, R14
	MOVQ  R11, DX
	IMULQ R8, DX
	ANDQ  R10, DX
	VPBROADCASTQ DX, Z11
	MOVQ  BX, AX
	IMULQ DX, AX
	ANDQ  R10, AX
	ADDQ  AX, R14
	MULXQ R13, AX, DX
	ADDQ  AX, R8
	ADCQ  DX, R9
	SHRQ  $52, R9, R8
	ADDQ  R14, R8

	// Lower halves of n times what clears.
	VPMADD52LUQ Z25, Z11, Z12
	VPMADD52LUQ Z26, Z11, Z13
	VPMADD52LUQ Z27, Z11, Z14
	VPMADD52LUQ Z28, Z11, Z15
	VPMADD52LUQ Z29, Z11, Z16

	// Down by a column.
	VALIGNQ $1, Z0, Z1, Z0
	VALIGNQ $1, Z1, Z2, Z1
	VALIGNQ $1, Z2, Z3, Z2
	VALIGNQ $1, Z3, Z4, Z3
	VALIGNQ $1, Z4, Z5, Z4
	VALIGNQ $1, Z12, Z13, Z12
	VALIGNQ $1, Z13, Z14, Z13
	VALIGNQ $1, Z14, Z15, Z14
	VALIGNQ $1, Z15, Z16, Z15
	VALIGNQ $1, Z16, Z5, Z16

	// Upper halves of both.
	VPMADD52HUQ Z20, Z10, Z0
	VPMADD52HUQ Z21, Z10, Z1
	VPMADD52HUQ Z22, Z10, Z2
	VPMADD52HUQ Z23, Z10, Z3
	VPMADD52HUQ Z24, Z10, Z4
	VPMADD52HUQ Z25, Z11, Z12
	VPMADD52HUQ Z26, Z11, Z13
	VPMADD52HUQ Z27, Z11, Z14
	VPMADD52HUQ Z28, Z11, Z15
	VPMADD52HUQ Z29, Z11, Z16

	ADDQ $8, DI
	DECQ CX
	JNZ  round

	VPADDQ Z12, Z0, Z0
	VPADDQ Z13, Z1, Z1
	VPADDQ Z14, Z2, Z2
	VPADDQ Z15, Z3, Z3
	VPADDQ Z16, Z4, Z4
	MOVQ z+0(FP), DI
	VMOVDQU64 Z0, (DI)
	VMOVDQU64 Z1, 64(DI)
	VMOVDQU64 Z2, 128(DI)
	VMOVDQU64 Z3, 192(DI)
	VMOVDQU64 Z4, 256(DI)
	MOVQ R8, (DI)
	VZEROUPPER
	RET
