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

enum intercept_0 {		/* intercepts[0], offset 00Ch: bit n is exit code 60h + n */
	INTERCEPT_INTR = BIT(0), INTERCEPT_NMI = BIT(1), INTERCEPT_SMI = BIT(2),
	INTERCEPT_INIT = BIT(3), INTERCEPT_VINTR = BIT(4), INTERCEPT_CR0_SELECTIVE = BIT(5),
	INTERCEPT_RDPMC = BIT(15), INTERCEPT_CPUID = BIT(18), INTERCEPT_RSM = BIT(19),
	INTERCEPT_IRET = BIT(20), INTERCEPT_INVD = BIT(22), INTERCEPT_PAUSE = BIT(23),
	INTERCEPT_HLT = BIT(24), INTERCEPT_INVLPGA = BIT(26), INTERCEPT_IOIO = BIT(27),
	INTERCEPT_MSR = BIT(28), INTERCEPT_TASK_SWITCH = BIT(29), INTERCEPT_FERR_FREEZE = BIT(30),
	INTERCEPT_SHUTDOWN = BIT(31),
};

enum intercept_1 {		/* offset 010h: 80h + n */
	INTERCEPT_VMRUN = BIT(0), INTERCEPT_VMMCALL = BIT(1), INTERCEPT_VMLOAD = BIT(2),
	INTERCEPT_VMSAVE = BIT(3), INTERCEPT_STGI = BIT(4), INTERCEPT_CLGI = BIT(5),
	INTERCEPT_SKINIT = BIT(6), INTERCEPT_WBINVD = BIT(9), INTERCEPT_MONITOR = BIT(10),
	INTERCEPT_MWAIT = BIT(11), INTERCEPT_XSETBV = BIT(13), INTERCEPT_RDPRU = BIT(14),
};

enum intercept_2 {		/* offset 014h: A0h + n */
	INTERCEPT_INVLPGB = BIT(0), INTERCEPT_INVLPGB_BAD = BIT(1), INTERCEPT_MCOMMIT = BIT(3),
	INTERCEPT_TLBSYNC = BIT(4),
};

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

/* Clean bits: what the CPU may take from its cache of this VMCB. */
enum clean_bit {
	CLEAN_INTERCEPTS = BIT(0),	/* and TSC offset, PAUSE filter */
	CLEAN_MAPS = BIT(1),		/* addresses of the permission maps */
	CLEAN_INT_CTL = BIT(3),
	CLEAN_NESTED = BIT(4),		/* nCR3, PAT */
	CLEAN_CR = BIT(5),		/* CR0, CR3, CR4, EFER */
	CLEAN_DR = BIT(6),
	CLEAN_TABLES = BIT(7),
	CLEAN_SEGMENTS = BIT(8),	/* CS DS SS ES, CPL */
	CLEAN_CR2 = BIT(9),
	CLEAN_LBR = BIT(10),
	CLEAN_ALL = 0x7ff,
};

enum vmexit {			/* exit codes (appendix C) */
	VMEXIT_CR0_READ = 0x000, VMEXIT_CR0_WRITE = 0x010, VMEXIT_DR0_READ = 0x020,
	VMEXIT_DR0_WRITE = 0x030, VMEXIT_EXCEPTION = 0x040, /* and vector */
	VMEXIT_INTR = 0x060, VMEXIT_NMI = 0x061, VMEXIT_SMI = 0x062, VMEXIT_INIT = 0x063,
	VMEXIT_VINTR = 0x064, VMEXIT_CR0_SEL_WRITE = 0x065, VMEXIT_RDPMC = 0x06f,
	VMEXIT_CPUID = 0x072, VMEXIT_RSM = 0x073, VMEXIT_IRET = 0x074, VMEXIT_INVD = 0x076,
	VMEXIT_PAUSE = 0x077, VMEXIT_HLT = 0x078, VMEXIT_INVLPGA = 0x07a, VMEXIT_IOIO = 0x07b,
	VMEXIT_MSR = 0x07c, VMEXIT_TASK_SWITCH = 0x07d, VMEXIT_FERR_FREEZE = 0x07e,
	VMEXIT_SHUTDOWN = 0x07f, VMEXIT_VMRUN = 0x080, VMEXIT_VMMCALL = 0x081,
	VMEXIT_VMLOAD = 0x082, VMEXIT_SKINIT = 0x086, VMEXIT_WBINVD = 0x089,
	VMEXIT_MONITOR = 0x08a, VMEXIT_MWAIT = 0x08b, VMEXIT_MWAIT_ARMED = 0x08c,
	VMEXIT_XSETBV = 0x08d, VMEXIT_RDPRU = 0x08e, VMEXIT_INVLPGB = 0x0a0,
	VMEXIT_INVLPGB_BAD = 0x0a1, VMEXIT_MCOMMIT = 0x0a3, VMEXIT_TLBSYNC = 0x0a4,
	VMEXIT_NPF = 0x400, VMEXIT_INVALID = -1, VMEXIT_BUSY = -2,
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

/* Places in vmcb->seg[]: ES to GS as enum x86_seg, then these. */
enum vmcb_seg { VMCB_GDTR = 6, VMCB_LDTR, VMCB_IDTR, VMCB_TR, VMCB_NR_SEG };

struct vmcb_segment {
	u16 selector;
	u16 attributes;		/* bits 40 to 47 and 52 to 55 of a descriptor, packed */
	u32 limit;
	u64 base;
} __packed;

struct vmcb {
	u32 intercept_cr, intercept_dr, intercept_exceptions, intercepts[3];
	u8 reserved_018[0x03c - 0x018];
	u16 pause_threshold, pause_count;
	u64 iopm_pa, msrpm_pa, tsc_offset;
	u32 asid;
	u8 tlb_control;
	u8 reserved_05d[3];
	u32 int_ctl, int_vector;
	u64 int_state;
	u64 exit_code, exit_info1, exit_info2;
	u32 exit_int_info, exit_int_error;
	u64 np_control;
	u64 reserved_098[2];
	u32 event, event_error;
	u64 nested_cr3, lbr_control;
	u32 clean, reserved_0c4;
	u64 next_rip;
	u8 nr_bytes;
	u8 bytes[15];
	u8 reserved_0e0[0x400 - 0x0e0];

	struct vmcb_segment seg[VMCB_NR_SEG];
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
	u64 pat, debugctl;
	u8 reserved_678[0x6e0 - 0x678];
	u64 spec_ctrl;
	u8 reserved_6e8[PAGE_SIZE - 0x6e8];
} __packed;

static_assert(sizeof(struct vmcb) == PAGE_SIZE);
static_assert(offsetof(struct vmcb, exit_code) == 0x070);
static_assert(offsetof(struct vmcb, next_rip) == 0x0c8);
static_assert(offsetof(struct vmcb, seg) == 0x400);
static_assert(offsetof(struct vmcb, rip) == 0x578);
static_assert(offsetof(struct vmcb, cr2) == 0x640);
static_assert(offsetof(struct vmcb, spec_ctrl) == 0x6e0);

#endif
