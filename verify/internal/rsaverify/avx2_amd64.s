#include "textflag.h"

// PRODUCTS adds to four columns what four digits, in four vectors all alike,
// contribute from a number: a and its copies shifted up by one to three digits.
#define PRODUCTS(a, a1, a2, a3, d, d1, d2, d3, sum) \
	VPMULUDQ a, d, Y4    \
	VPMULUDQ a1, d1, Y5  \
	VPMULUDQ a2, d2, Y6  \
	VPMULUDQ a3, d3, Y7  \
	VPADDQ   sum, Y4, Y0 \
	VPADDQ   Y5, Y6, Y6  \
	VPADDQ   Y0, Y7, Y0  \
	VPADDQ   Y0, Y6, Y0  \
	VMOVDQU  Y0, sum

// CARRY sets z to limbs of about 28 bits of what has longer ones, in Y0, and
// what was carried from the vector before, in prev. Y15 has 28 ones in each limb.
#define CARRY(prev) \
	VPSRLQ     $28, Y0, Y3         \
	VPAND      Y15, Y0, Y0         \
	VPERM2I128 $0x21, Y3, prev, Y4 \
	VPALIGNR   $8, Y4, Y3, Y4      \
	VPADDQ     Y4, Y0, Y0          \
	VMOVDQA    Y3, prev

// func multiplyAVX2(z, x, y *digits, n *[4][places]uint64, k *[2]uint64, w *workspace, square uint64)
//
// Montgomery multiplication, four digits of y a block: a sum of columns gets x
// times the block, and the multiple of n that clears its four lowest columns, and
// starts four columns further up from there on. A column has 64 bits for 152
// products of two numbers of 28 bits.
//
//	R8   the columns of the present block, R13 what the ones below carry into them
//	R9   x, behind four zeros
//	R10  n
//	R12  32 times the number of the block
//
// To square, a product of two digits is added once and doubled: the n-th block is
// multiplied by the n-th one of x and twice what is above it.
TEXT ·multiplyAVX2(SB), NOSPLIT, $0-56
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), R11
	MOVQ n+24(FP), R10
	MOVQ k+32(FP), R15
	MOVQ w+40(FP), R8
	MOVQ square+48(FP), DI

	// The workspace: 38 vectors of columns, one of zeros, x.
	ADDQ    $31, R8
	ANDQ    $~31, R8
	LEAQ    1248(R8), R9
	VMOVQ   DI, X1
	VPXOR   X15, X15, X15
	VMOVDQU Y15, -32(R9)
	XORQ    CX, CX

copy:
	VMOVDQU (SI)(CX*1), Y0
	VPSLLQ  X1, Y0, Y0
	VMOVDQU Y0, (R9)(CX*1)
	VMOVDQU Y15, (R8)(CX*1)
	ADDQ    $32, CX
	CMPQ    CX, $608
	JB      copy

	XORQ    R12, R12
	XORQ    R13, R13
	TESTQ   DI, DI
	JZ      block
	VMOVDQU (SI), Y0
	VMOVDQU Y0, (R9)

block:
	VPBROADCASTQ (R11)(R12*1), Y8
	VPBROADCASTQ 8(R11)(R12*1), Y9
	VPBROADCASTQ 16(R11)(R12*1), Y10
	VPBROADCASTQ 24(R11)(R12*1), Y11
	XORQ         CX, CX
	TESTQ        DI, DI
	CMOVQNE      R12, CX

product:
	PRODUCTS((R9)(CX*1), -8(R9)(CX*1), -16(R9)(CX*1), -24(R9)(CX*1), Y8, Y9, Y10, Y11, (R8)(CX*1))
	ADDQ $32, CX
	CMPQ CX, $608
	JB   product

	// The topmost digit has one column to itself.
	VMOVQ    584(R9), X3
	VPMULUDQ X11, X3, X3

	// Four columns to two numbers of 56 bits, in DX and BX; times k, which is two as
	// well, they are the two in CX and AX, and these the four digits of the multiple.
	MOVQ  R13, R14
	ADDQ  (R8), R13
	MOVQ  8(R8), BX
	MOVQ  BX, DX
	SHLQ  $28, DX
	ADDQ  R13, DX
	SHRQ  $28, R13
	ADDQ  R13, BX
	SHRQ  $28, BX
	ADDQ  16(R8), BX
	MOVQ  24(R8), CX
	SHLQ  $28, CX
	ADDQ  CX, BX
	MOVQ  DX, AX
	SHLQ  $8, DX
	IMULQ 8(R15), AX
	IMULQ (R15), BX
	MULXQ (R15), CX, DX
	ADDQ  BX, AX
	ADDQ  DX, AX
	SHRQ  $8, CX
	MOVQ  CX, BX
	ANDQ  $0xfffffff, CX
	SHRQ  $28, BX
	MOVQ  AX, DX
	ANDQ  $0xfffffff, DX
	SHRQ  $28, AX
	ANDQ  $0xfffffff, AX
	VMOVQ CX, X12
	VMOVQ BX, X13
	VMOVQ DX, X14
	VMOVQ AX, X15
	VPBROADCASTQ X12, Y12
	VPBROADCASTQ X13, Y13
	VPBROADCASTQ X14, Y14
	VPBROADCASTQ X15, Y15

	// The lowest columns first, as the next block waits for their carry.
	PRODUCTS((R10), 608(R10), 1216(R10), 1824(R10), Y12, Y13, Y14, Y15, (R8))
	MOVQ R14, R13
	ADDQ (R8), R13
	SHRQ $28, R13
	ADDQ 8(R8), R13
	SHRQ $28, R13
	ADDQ 16(R8), R13
	SHRQ $28, R13
	ADDQ 24(R8), R13
	SHRQ $28, R13

	TESTQ   DI, DI
	JZ      rest
	VPXOR   X0, X0, X0
	VMOVDQU Y0, (R9)(R12*1)
	VMOVDQU 32(SI)(R12*1), Y0
	VMOVDQU Y0, 32(R9)(R12*1)

rest:
	MOVQ $32, CX

reduce:
	PRODUCTS((R10)(CX*1), 608(R10)(CX*1), 1216(R10)(CX*1), 1824(R10)(CX*1), Y12, Y13, Y14, Y15, (R8)(CX*1))
	ADDQ $32, CX
	CMPQ CX, $608
	JB   reduce

	VMOVQ    584(R10), X4
	VPMULUDQ X15, X4, X4
	VPADDQ   X3, X4, X3
	VMOVDQU  Y3, 608(R8)

	ADDQ $32, R8
	ADDQ $32, R12
	CMPQ R12, $608
	JB   block

	// Twice, after which limbs may have 28 bits and a little: enough to multiply with.
	MOVQ         z+0(FP), DI
	ADDQ         R13, (R8)
	MOVQ         $0xfffffff, AX
	VMOVQ        AX, X15
	VPBROADCASTQ X15, Y15
	VPXOR        X1, X1, X1
	VPXOR        X2, X2, X2
	XORQ         CX, CX

carry:
	VMOVDQU (R8)(CX*1), Y0
	CARRY(Y1)
	CARRY(Y2)
	VMOVDQU Y0, (DI)(CX*1)
	ADDQ    $32, CX
	CMPQ    CX, $608
	JB      carry

	VZEROUPPER
	RET
