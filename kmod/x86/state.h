/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The register file of one virtual CPU: the only one that neutral code touches.
 * Registers are moved by groups between here and the hardware's control block;
 * vm/vcpu.h says when a group is valid and how it becomes dirty. What the
 * architecture calls each register is its name here (Intel SDM vol. 3, AMD APM vol. 2).
 *
 * Pure: no kernel call, no hardware control block, compiled in user space too.
 */
#ifndef KVIRT_X86_STATE_H
#define KVIRT_X86_STATE_H

#include "types.h"

/* General registers by their encoding number; the world switch indexes by these. */
enum x86_gpr {
	X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
	X86_NR_GPR
};

/* Segment registers: the first six by their encoding number. */
enum x86_seg {
	X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_LDTR, X86_TR,
	X86_NR_SEG
};

/* Attributes as bits 8 to 23 of a descriptor's second word have them (limit bits zero). */
#define X86_SEG_TYPE		0x000f
#define X86_SEG_S		0x0010
#define X86_SEG_DPL		0x0060
#define X86_SEG_DPL_SHIFT	5
#define X86_SEG_P		0x0080
#define X86_SEG_AVL		0x1000
#define X86_SEG_L		0x2000
#define X86_SEG_DB		0x4000
#define X86_SEG_G		0x8000

struct x86_segment {
	u64 base;
	u32 limit;		/* in bytes, granularity applied */
	u16 selector;
	u16 attributes;		/* X86_SEG_* */
	bool unusable;
};

struct x86_table {		/* GDTR, IDTR */
	u64 base;
	u16 limit;
};

/* Bits of CR0, CR4 and RFLAGS (X86_EFLAGS_*) have their names in <asm/processor-flags.h>. */
#define X86_CR0_DEFINED	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
			 X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | \
			 X86_CR0_PG)

#define X86_CR3_PDPT		0xffffffe0ULL	/* under PAE paging: where the four entries are */

#define X86_EFER_SCE_BIT	BIT_ULL(0)
#define X86_EFER_LME_BIT	BIT_ULL(8)
#define X86_EFER_LMA_BIT	BIT_ULL(10)
#define X86_EFER_NX_BIT		BIT_ULL(11)
#define X86_EFER_FFXSR_BIT	BIT_ULL(14)

#define X86_DR6_FIXED		0xffff0ff0ULL	/* bits that read as one */
#define X86_DR6_BS		BIT_ULL(14)
#define X86_DR6_BD		BIT_ULL(13)
#define X86_DR7_FIXED		0x400ULL
#define X86_DR7_ENABLED		0xffULL		/* L0 to G3 */
#define X86_DR7_GD		BIT_ULL(13)

/* Exception vectors (SDM vol. 3, table 6-1). */
enum x86_vector {
	X86_DE = 0, X86_DB = 1, X86_NMI = 2, X86_BP = 3, X86_OF = 4, X86_BR = 5,
	X86_UD = 6, X86_NM = 7, X86_DF = 8, X86_TS = 10, X86_NP = 11, X86_SSF = 12,
	X86_GP = 13, X86_PF = 14, X86_MF = 16, X86_AC = 17, X86_MC = 18, X86_XM = 19,
};

/* Those that push an error code. */
#define X86_ERROR_CODE_VECTORS	(BIT(X86_DF) | BIT(X86_TS) | BIT(X86_NP) | BIT(X86_SSF) | \
				 BIT(X86_GP) | BIT(X86_PF) | BIT(X86_AC))

/* Instructions after which the CPU holds back interrupts for one more (SDM vol. 3, 25.4.2). */
#define X86_SHADOW_STI		BIT(0)
#define X86_SHADOW_MOV_SS	BIT(1)

/* Register groups: what is moved together, and how it is named in valid and dirty masks. */
enum x86_group {
	X86_GROUP_RIP		= BIT(0),	/* rip */
	X86_GROUP_RFLAGS	= BIT(1),	/* rflags */
	X86_GROUP_SHADOW	= BIT(2),	/* shadow (interruptibility) */
	X86_GROUP_NMI_MASK	= BIT(3),	/* nmi_masked */
	X86_GROUP_RSP		= BIT(4),	/* gpr[RSP], held by both control blocks */
	X86_GROUP_SEGMENTS	= BIT(5),	/* seg[] but CS and SS */
	X86_GROUP_TABLES	= BIT(6),	/* gdtr, idtr */
	X86_GROUP_CR0		= BIT(7),	/* cr0 */
	X86_GROUP_CR3		= BIT(8),	/* cr3, pdptr[] */
	X86_GROUP_CR4		= BIT(9),	/* cr4 */
	X86_GROUP_EFER		= BIT(10),	/* efer */
	X86_GROUP_CR2		= BIT(11),	/* cr2: not in the VT-x block, in the AMD-V one */
	X86_GROUP_SYSENTER	= BIT(12),	/* sysenter_* */
	X86_GROUP_SYSCALL	= BIT(13),	/* star to sfmask, kernel_gs_base, tsc_aux */
	X86_GROUP_PAT		= BIT(14),	/* pat */
	X86_GROUP_DEBUG		= BIT(15),	/* dr7 or the debugger's, exceptions that exit */
	X86_GROUP_TSC		= BIT(16),	/* tsc_ratio, tsc_offset */
	X86_GROUP_DEBUGCTL	= BIT(17),	/* debugctl */
	X86_GROUP_MODE		= BIT(18),	/* attributes of seg[CS], seg[SS]: mode and CPL */
	X86_GROUP_CODE		= BIT(19) | X86_GROUP_MODE,	/* both whole; set whole */
};

#define X86_GROUPS_ALL		(BIT(20) - 1)
/* No register: what VT-x makes of vcpu->guest, only ever pushed. */
#define X86_GROUP_CONTROLS	BIT(20)
/* What only neutral code writes: never pulled, always valid. */
#define X86_GROUPS_OWN		(X86_GROUP_TSC | X86_GROUP_DEBUGCTL | X86_GROUP_EFER | \
				 X86_GROUP_DEBUG | X86_GROUP_PAT)

/*
 * All registers of a virtual CPU. gpr[] comes first: the world switch reaches it
 * by offset 0. Vector state lives in the XSAVE area (host/fpu.h), not here.
 */
struct x86_state {
	u64 gpr[X86_NR_GPR];
	u64 rip;
	u64 rflags;
	u64 cr0, cr2, cr3, cr4, efer;
	u64 cr8;			/* without in-kernel LAPIC; every access exits */
	u64 pdptr[4];			/* PAE paging's four entries, as CR3 load found them */
	struct x86_segment seg[X86_NR_SEG];
	struct x86_table gdtr, idtr;
	u64 dr[4], dr6, dr7;
	u64 debugctl;
	u8 shadow;			/* X86_SHADOW_* */
	bool nmi_masked;		/* between an NMI's delivery and its IRET */
	/* What survives an INIT, from here to the end. */
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
	u64 pat;
	/* Guest TSC = host TSC * tsc_ratio + tsc_offset; the ratio in hardware's fixed point. */
	u64 tsc_ratio, tsc_offset;
	u64 xcr0;
	u64 spec_ctrl;
};

static_assert(offsetof(struct x86_state, gpr) == 0);

/*
 * x86_reset() - give @s the values that the SDM's table 9-1 has after power-up or
 * RESET, or after INIT (XCR0, TSC, vector state and most MSRs survive an INIT).
 * @family: EAX of CPUID leaf 1, which RESET and INIT leave in RDX.
 */
void x86_reset(struct x86_state *s, u32 family);
void x86_reset_by_init(struct x86_state *s, u32 family);

static inline u64 x86_sign_extend(u64 value, unsigned int bits)
{
	return (u64)((s64)(value << (64 - bits)) >> (64 - bits));
}

/* A linear address is canonical for @bits (48 or 57) of virtual address. */
static inline bool x86_canonical(u64 address, unsigned int bits)
{
	return x86_sign_extend(address, bits) == address;
}

static inline bool x86_long_mode(const struct x86_state *s)
{
	return s->efer & X86_EFER_LMA_BIT;
}

/* PAE paging outside long mode: CR3 loads four entries into the CPU (SDM vol. 3, 4.4.1). */
static inline bool x86_pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & X86_EFER_LME_BIT);
}

/* The group that moves segment register @i whole. */
static inline u32 x86_segment_group(int i)
{
	return i == X86_CS || i == X86_SS ? X86_GROUP_CODE & ~X86_GROUP_MODE : X86_GROUP_SEGMENTS;
}

/* 64-bit mode proper: long mode with CS.L. Needs EFER and MODE valid. */
static inline bool x86_64bit_mode(const struct x86_state *s)
{
	return x86_long_mode(s) && (s->seg[X86_CS].attributes & X86_SEG_L);
}

/* CPL is SS.DPL on both vendors. Needs MODE and CR0 valid. */
static inline unsigned int x86_cpl(const struct x86_state *s)
{
	if (!(s->cr0 & X86_CR0_PE))
		return 0;
	return (s->seg[X86_SS].attributes & X86_SEG_DPL) >> X86_SEG_DPL_SHIFT;
}

#endif
