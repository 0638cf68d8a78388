/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction decoder: the length of any legacy-encoded instruction, and the
 * operands of those that touch MMIO or are intercepted. VEX, EVEX and XOP are not
 * decoded. It does not judge whether the CPU would execute the instruction: the CPU
 * has done so before it exits.
 *
 * Called by run/ when hardware gives no length, and for MMIO. Source: SDM vol. 2, 2 and
 * appendix A; APM vol. 3, appendix A.
 */
#ifndef KVIRT_X86_DECODE_H
#define KVIRT_X86_DECODE_H

#include "state.h"

#define X86_INSN_MAX	15U

/* CS.D and CS.L decide; real and virtual-8086 mode are 16. */
enum x86_mode { X86_MODE_16, X86_MODE_32, X86_MODE_64 };

enum x86_op {
	X86_OP_OTHER,		/* only the length is known */
	/* executed by execute.c: memory operands */
	X86_OP_ADD, X86_OP_OR, X86_OP_ADC, X86_OP_SBB,	/* in the order of their encoding */
	X86_OP_AND, X86_OP_SUB, X86_OP_XOR, X86_OP_CMP,
	X86_OP_TEST, X86_OP_INC, X86_OP_DEC, X86_OP_NOT, X86_OP_NEG,
	X86_OP_BT, X86_OP_BTS, X86_OP_BTR, X86_OP_BTC,	/* in the order of their encoding */
	X86_OP_MOV, X86_OP_MOVZX, X86_OP_MOVSX, X86_OP_MOVBE,
	X86_OP_XCHG, X86_OP_XADD, X86_OP_CMPXCHG,
	X86_OP_PUSH, X86_OP_POP,
	X86_OP_MOVS, X86_OP_STOS, X86_OP_LODS, X86_OP_CMPS, X86_OP_SCAS,
	X86_OP_INS, X86_OP_OUTS,	/* strings too; intercepted */
	X86_OP_VECTOR,		/* SSE load or store of op_size bytes, register reg */
	/* intercepted */
	X86_OP_VMCALL, X86_OP_VMMCALL,
	X86_OP_CLTS, X86_OP_LMSW, X86_OP_SMSW,	/* operand in rm or memory */
};

enum x86_operand {
	X86_NONE,
	X86_REG,		/* register reg */
	X86_RM,			/* register rm (ModRM.mod is 3) */
	X86_MEM,		/* memory at seg:[base + index * scale + disp] */
	X86_IMM,		/* imm */
	X86_ACC,		/* AL, AX, EAX, RAX */
};

#define X86_NO_REG	0xff
/* Register numbers 16 to 19 are AH, CH, DH, BH: bits 15 to 8 of registers 0 to 3. */
#define X86_HIGH_BYTE	16

struct x86_insn {
	u64 disp;		/* sign-extended; moffs: the address */
	u64 imm;		/* sign-extended to 64 bits */
	u8 len;
	u8 op;			/* enum x86_op */
	u8 mode;		/* enum x86_mode */
	u8 op_size;		/* of the destination, in bytes: 1 to 8, X86_OP_VECTOR to 16 */
	u8 src_size;		/* of the source: differs for MOVZX and MOVSX alone */
	u8 addr_size;		/* 2, 4, 8 */
	u8 dst, src;		/* enum x86_operand */
	u8 reg, rm;		/* register numbers, or X86_NO_REG */
	u8 seg;			/* enum x86_seg of the memory operand, DS if there is none */
	u8 base, index;		/* or X86_NO_REG */
	u8 scale;		/* shift: 0 to 3 */
	u8 rep;			/* 0, 0xf3 (REP, REPE) or 0xf2 (REPNE): the last one given */
	bool rip_relative;	/* disp counts from the instruction's end */
};

enum x86_decode_result {
	X86_DECODE_OK,
	X86_DECODE_MORE,	/* the instruction goes on behind the bytes given */
	X86_DECODE_UNKNOWN,	/* no such opcode, or an encoding not decoded here */
	X86_DECODE_TOO_LONG,	/* more than 15 bytes: the CPU raises #GP */
};

/*
 * x86_decode() - decode the instruction at @bytes, of which @n are there (0 to 15 or more).
 * @insn: written whole on X86_DECODE_OK, undefined otherwise.
 */
enum x86_decode_result x86_decode(struct x86_insn *insn, const u8 *bytes, unsigned int n,
				  enum x86_mode mode);

/* x86_mode_of() - the mode @s executes in. Needs MODE valid; outside long mode CR0, RFLAGS too. */
enum x86_mode x86_mode_of(const struct x86_state *s);

#endif
