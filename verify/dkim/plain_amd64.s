#include "textflag.h"

// func plainAVX2(p []byte) int
//
// Y3, Y4 and Y5 hold CR, space and TAB in all places, Y0 the 32 octets looked
// at, Y1 those from one octet further on. Moves are VEX-coded throughout: others
// cost a change of state each, 500 ns a line when it was measured.
TEXT ·plainAVX2(SB), NOSPLIT, $0-32
	MOVQ p_base+0(FP), SI
	MOVQ p_len+8(FP), CX
	XORQ AX, AX
	MOVQ $0x0d0d0d0d0d0d0d0d, R8
	VMOVQ R8, X3
	VPBROADCASTQ X3, Y3
	MOVQ $0x2020202020202020, R8
	VMOVQ R8, X4
	VPBROADCASTQ X4, Y4
	MOVQ $0x0909090909090909, R8
	VMOVQ R8, X5
	VPBROADCASTQ X5, Y5

next:
	LEAQ 34(AX), DX
	CMPQ DX, CX
	JA   done
	VMOVDQU (SI)(AX*1), Y0
	VMOVDQU 1(SI)(AX*1), Y1

	// A space before white space or CR.
	VPCMPEQB Y4, Y1, Y6
	VPCMPEQB Y5, Y1, Y7
	VPOR     Y6, Y7, Y6
	VPCMPEQB Y3, Y1, Y7
	VPOR     Y6, Y7, Y6
	VPCMPEQB Y4, Y0, Y7
	VPAND    Y6, Y7, Y6

	// A TAB.
	VPCMPEQB Y5, Y0, Y7
	VPOR     Y6, Y7, Y6

	// A CR two octets before another.
	VPCMPEQB Y3, Y0, Y7
	VPCMPEQB 2(SI)(AX*1), Y3, Y8
	VPAND    Y7, Y8, Y7
	VPOR     Y6, Y7, Y6

	VPMOVMSKB Y6, DX
	TESTL     DX, DX
	JNZ       found
	ADDQ      $32, AX
	JMP       next

found:
	BSFL DX, DX
	ADDQ DX, AX

done:
	VZEROUPPER
	MOVQ AX, ret+24(FP)
	RET
