#include "textflag.h"

// func multiplyIFMA(z, x, y, n *limbs, k0 uint64)
//
// Montgomery multiplication, a limb of y a round: the sum, which is 40 columns
// in Z0 to Z4, gets x times that limb, and the multiple of n that clears its
// lowest column, and moves down by a column. A column has 64 bits for 40 rounds
// of four numbers of 52 bits.
//
// The lowest column is kept apart in R8, carries included, as what is to be
// cleared depends on it: so each round waits for a few scalar instructions and
// not for the vectors. What Z0 has in its place is not used.
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
	MOVQ (BX), R13

	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	VPXORQ Z5, Z5, Z5
	XORQ   R8, R8
	MOVQ   $0xfffffffffffff, R10
	MOVQ   $40, CX

round:
	// Lower halves of x times the limb.
	VPBROADCASTQ (DI), Z10
	VPMADD52LUQ Z20, Z10, Z0
	VPMADD52LUQ Z21, Z10, Z1
	VPMADD52LUQ Z22, Z10, Z2
	VPMADD52LUQ Z23, Z10, Z3
	VPMADD52LUQ Z24, Z10, Z4

	// The lowest column, R9:R8, and what clears it.
	MOVQ  (DI), DX
	MULXQ R12, AX, R9
	ADDQ  AX, R8
	ADCQ  $0, R9
	MOVQ  R11, DX
	IMULQ R8, DX
	ANDQ  R10, DX
	VPBROADCASTQ DX, Z11
	MULXQ R13, AX, DX
	ADDQ  AX, R8
	ADCQ  DX, R9
	SHRQ  $52, R9, R8

	// Lower halves of n times that.
	VPMADD52LUQ Z25, Z11, Z0
	VPMADD52LUQ Z26, Z11, Z1
	VPMADD52LUQ Z27, Z11, Z2
	VPMADD52LUQ Z28, Z11, Z3
	VPMADD52LUQ Z29, Z11, Z4

	// Down by a column.
	VALIGNQ $1, Z0, Z1, Z0
	VMOVQ   X0, AX
	ADDQ    AX, R8
	VALIGNQ $1, Z1, Z2, Z1
	VALIGNQ $1, Z2, Z3, Z2
	VALIGNQ $1, Z3, Z4, Z3
	VALIGNQ $1, Z4, Z5, Z4

	// Upper halves of both.
	VPMADD52HUQ Z20, Z10, Z0
	VPMADD52HUQ Z21, Z10, Z1
	VPMADD52HUQ Z22, Z10, Z2
	VPMADD52HUQ Z23, Z10, Z3
	VPMADD52HUQ Z24, Z10, Z4
	VPMADD52HUQ Z25, Z11, Z0
	VPMADD52HUQ Z26, Z11, Z1
	VPMADD52HUQ Z27, Z11, Z2
	VPMADD52HUQ Z28, Z11, Z3
	VPMADD52HUQ Z29, Z11, Z4

	ADDQ $8, DI
	DECQ CX
	JNZ  round

	MOVQ z+0(FP), DI
	VMOVDQU64 Z0, (DI)
	VMOVDQU64 Z1, 64(DI)
	VMOVDQU64 Z2, 128(DI)
	VMOVDQU64 Z3, 192(DI)
	VMOVDQU64 Z4, 256(DI)
	MOVQ R8, (DI)
	VZEROUPPER
	RET
