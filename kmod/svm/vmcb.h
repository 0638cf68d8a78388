/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMCB: its layout and control bits by the APM's names (vol. 2, appendix B and C).
 * Nothing here decides anything. Included by svm/ only. It is plain memory: reading it
 * needs no window, but the CPU writes it at each exit.
 */
#ifndef KVIRT_SVM_VMCB_H
#define KVIRT_SVM_VMCB_H

#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/stddef.h>
#include <linux/types.h>

/* intercept_cr, intercept_dr: reads by register number, writes 16 bits higher. */
#define CR_READ(nr)		BIT(nr)
#define CR_WRITE(nr)		BIT(16 + (nr))
#define DR_ALL			0x00ff00ffU

/* intercepts[0], offset 00Ch: bit n is exit code 60h + n. */
#define INTERCEPT_INTR		BIT(0)
#define INTERCEPT_NMI		BIT(1)
#define INTERCEPT_SMI		BIT(2)
#define INTERCEPT_INIT		BIT(3)
#define INTERCEPT_VINTR		BIT(4)
#define INTERCEPT_CR0_SELECTIVE	BIT(5)
#define INTERCEPT_RDPMC		BIT(15)
#define INTERCEPT_CPUID		BIT(18)
#define INTERCEPT_RSM		BIT(19)
#define INTERCEPT_IRET		BIT(20)
#define INTERCEPT_INVD		BIT(22)
#define INTERCEPT_PAUSE		BIT(23)
#define INTERCEPT_HLT		BIT(24)
#define INTERCEPT_INVLPGA	BIT(26)
#define INTERCEPT_IOIO		BIT(27)
#define INTERCEPT_MSR		BIT(28)
#define INTERCEPT_TASK_SWITCH	BIT(29)
#define INTERCEPT_FERR_FREEZE	BIT(30)
#define INTERCEPT_SHUTDOWN	BIT(31)

/* intercepts[1], offset 010h: bit n is exit code 80h + n. */
#define INTERCEPT_VMRUN		BIT(0)
#define INTERCEPT_VMMCALL	BIT(1)
#define INTERCEPT_VMLOAD	BIT(2)
#define INTERCEPT_VMSAVE	BIT(3)
#define INTERCEPT_STGI		BIT(4)
#define INTERCEPT_CLGI		BIT(5)
#define INTERCEPT_SKINIT	BIT(6)
#define INTERCEPT_WBINVD	BIT(9)
#define INTERCEPT_MONITOR	BIT(10)
#define INTERCEPT_MWAIT		BIT(11)
#define INTERCEPT_XSETBV	BIT(13)
#define INTERCEPT_RDPRU		BIT(14)

/* intercepts[2], offset 014h: bit n is exit code A0h + n. */
#define INTERCEPT_INVLPGB	BIT(0)
#define INTERCEPT_INVLPGB_BAD	BIT(1)
#define INTERCEPT_MCOMMIT	BIT(3)
#define INTERCEPT_TLBSYNC	BIT(4)

#define TLB_NOTHING		0
#define TLB_CONTROL_ALL		1	/* every ASID of this CPU */
#define TLB_CONTROL_ASID		3	/* with FlushByAsid: this ASID alone */

#define V_IRQ			BIT(8)
#define V_INTR_PRIO_HIGH	(0xfU << 16)
#define V_IGN_TPR		BIT(20)
#define V_INTR_MASKING		BIT(24)

#define INT_SHADOW		BIT(0)
#define NP_ENABLE		BIT(0)
#define LBR_ENABLE		BIT(0)

#define EVENT_VECTOR		0xffU
#define EVENT_TYPE_SHIFT	8
#define EVENT_TYPE		(7U << EVENT_TYPE_SHIFT)
#define EVENT_ERROR_VALID	BIT(11)
#define EVENT_VALID		BIT(31)

/* Clean bits: what the CPU may take from its cache of this VMCB. */
#define CLEAN_INTERCEPTS	BIT(0)	/* and TSC offset, PAUSE filter */
#define CLEAN_ASID		BIT(2)
#define CLEAN_INT_CTL		BIT(3)
#define CLEAN_CR		BIT(5)	/* CR0, CR3, CR4, EFER */
#define CLEAN_DR		BIT(6)
#define CLEAN_TABLES		BIT(7)
#define CLEAN_SEGMENTS		BIT(8)	/* CS DS SS ES, CPL */
#define CLEAN_CR2		BIT(9)
#define CLEAN_LBR		BIT(10)
#define CLEAN_NESTED		BIT(4)	/* nCR3, PAT */
#define CLEAN_ALL		0x7ffU

/* Exit codes (appendix C). */
enum vmexit {
	VMEXIT_CR0_READ		= 0x000,
	VMEXIT_CR0_WRITE	= 0x010,
	VMEXIT_DR0_READ		= 0x020,
	VMEXIT_DR0_WRITE	= 0x030,
	VMEXIT_EXCEPTION	= 0x040,	/* and vector */
	VMEXIT_INTR		= 0x060,
	VMEXIT_NMI		= 0x061,
	VMEXIT_SMI		= 0x062,
	VMEXIT_INIT		= 0x063,
	VMEXIT_VINTR		= 0x064,
	VMEXIT_CR0_SEL_WRITE	= 0x065,
	VMEXIT_RDPMC		= 0x06f,
	VMEXIT_CPUID		= 0x072,
	VMEXIT_RSM		= 0x073,
	VMEXIT_IRET		= 0x074,
	VMEXIT_INVD		= 0x076,
	VMEXIT_PAUSE		= 0x077,
	VMEXIT_HLT		= 0x078,
	VMEXIT_INVLPGA		= 0x07a,
	VMEXIT_IOIO		= 0x07b,
	VMEXIT_MSR		= 0x07c,
	VMEXIT_TASK_SWITCH	= 0x07d,
	VMEXIT_FERR_FREEZE	= 0x07e,
	VMEXIT_SHUTDOWN		= 0x07f,
	VMEXIT_VMRUN		= 0x080,
	VMEXIT_VMMCALL		= 0x081,
	VMEXIT_VMLOAD		= 0x082,
	VMEXIT_VMSAVE		= 0x083,
	VMEXIT_STGI		= 0x084,
	VMEXIT_CLGI		= 0x085,
	VMEXIT_SKINIT		= 0x086,
	VMEXIT_WBINVD		= 0x089,
	VMEXIT_MONITOR		= 0x08a,
	VMEXIT_MWAIT		= 0x08b,
	VMEXIT_MWAIT_ARMED	= 0x08c,
	VMEXIT_XSETBV		= 0x08d,
	VMEXIT_RDPRU		= 0x08e,
	VMEXIT_INVLPGB		= 0x0a0,
	VMEXIT_INVLPGB_BAD	= 0x0a1,
	VMEXIT_MCOMMIT		= 0x0a3,
	VMEXIT_TLBSYNC		= 0x0a4,
	VMEXIT_NPF		= 0x400,
	VMEXIT_INVALID		= -1,
	VMEXIT_BUSY		= -2,
};

/* EXITINFO1 of IOIO, of MOV CRn with decode assists, of a nested page fault. */
#define IOIO_IN			BIT(0)
#define IOIO_STRING		BIT(2)
#define IOIO_SIZE(info)		(((info) >> 4) & 7)
#define IOIO_PORT_SHIFT		16
#define CR_INFO_MOV		BIT_ULL(63)
#define CR_INFO_GPR		0xf
#define NPF_WRITE		BIT_ULL(1)
#define NPF_RESERVED		BIT_ULL(3)
#define NPF_FETCH		BIT_ULL(4)
#define NPF_WALK		BIT_ULL(33)

struct vmcb_segment {
	u16 selector;
	u16 attributes;		/* bits 40 to 47 and 52 to 55 of a descriptor, packed */
	u32 limit;
	u64 base;
} __packed;

struct vmcb {
	u32 intercept_cr;
	u32 intercept_dr;
	u32 intercept_exceptions;
	u32 intercepts[3];
	u8 reserved_018[0x03c - 0x018];
	u16 pause_threshold;
	u16 pause_count;
	u64 iopm_pa;
	u64 msrpm_pa;
	u64 tsc_offset;
	u32 asid;
	u8 tlb_control;
	u8 reserved_05d[3];
	u32 int_ctl;
	u32 int_vector;
	u64 int_state;
	u64 exit_code;
	u64 exit_info1;
	u64 exit_info2;
	u32 exit_int_info;
	u32 exit_int_error;
	u64 np_control;
	u64 avic_bar;
	u64 ghcb;
	u32 event;
	u32 event_error;
	u64 nested_cr3;
	u64 lbr_control;
	u32 clean;
	u32 reserved_0c4;
	u64 next_rip;
	u8 nr_bytes;
	u8 bytes[15];
	u8 reserved_0e0[0x400 - 0x0e0];

	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 reserved_4a0[0x4cb - 0x4a0];
	u8 cpl;
	u32 reserved_4cc;
	u64 efer;
	u8 reserved_4d8[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 reserved_580[0x5d8 - 0x580];
	u64 rsp;
	u8 reserved_5e0[0x5f8 - 0x5e0];
	u64 rax, star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	u8 reserved_648[0x668 - 0x648];
	u64 pat;
	u64 debugctl;
	u8 reserved_678[0x6e0 - 0x678];
	u64 spec_ctrl;
	u8 reserved_6e8[PAGE_SIZE - 0x6e8];
} __packed;

static_assert(sizeof(struct vmcb) == PAGE_SIZE);
static_assert(offsetof(struct vmcb, iopm_pa) == 0x040);
static_assert(offsetof(struct vmcb, asid) == 0x058);
static_assert(offsetof(struct vmcb, exit_code) == 0x070);
static_assert(offsetof(struct vmcb, exit_int_info) == 0x088);
static_assert(offsetof(struct vmcb, event) == 0x0a8);
static_assert(offsetof(struct vmcb, lbr_control) == 0x0b8);
static_assert(offsetof(struct vmcb, next_rip) == 0x0c8);
static_assert(offsetof(struct vmcb, nr_bytes) == 0x0d0);
static_assert(offsetof(struct vmcb, es) == 0x400);
static_assert(offsetof(struct vmcb, tr) == 0x490);
static_assert(offsetof(struct vmcb, efer) == 0x4d0);
static_assert(offsetof(struct vmcb, rip) == 0x578);
static_assert(offsetof(struct vmcb, rsp) == 0x5d8);
static_assert(offsetof(struct vmcb, rax) == 0x5f8);
static_assert(offsetof(struct vmcb, cr2) == 0x640);
static_assert(offsetof(struct vmcb, pat) == 0x668);
static_assert(offsetof(struct vmcb, debugctl) == 0x670);
static_assert(offsetof(struct vmcb, spec_ctrl) == 0x6e0);

#endif
