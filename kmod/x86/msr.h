/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Model-specific registers: one row says where an MSR lives and what may be written.
 * What has effects beyond its value (TSC, APIC_BASE, kvm-clock ...) is EMULATED: the row
 * only checks it, and neutral code acts. Called by run/ (RDMSR, WRMSR) and api/ (KVM_GET_MSRS,
 * KVM_SET_MSRS). The x2APIC's range 0x800 to 0x8ff is irq/'s and has no rows.
 *
 * Sources: SDM vol. 4; APM vol. 2 appendix A; Documentation/virt/kvm/x86/msr.rst.
 */
#ifndef KVIRT_X86_MSR_H
#define KVIRT_X86_MSR_H

#include "cpuid.h"

enum x86_msr_kind {
	X86_MSR_STATE,		/* a u64 of struct x86_state, moved with a group */
	X86_MSR_STORED,		/* a u64 of struct x86_msr_store, no effect by itself */
	X86_MSR_CONST,		/* reads as reset; a guest's write is #GP */
	X86_MSR_DROP,		/* reads as reset; writes are checked and dropped */
	X86_MSR_EMULATED,	/* neutral code reads and writes it */
};

#define X86_MSR_LISTED		BIT(0)	/* in KVM_GET_MSR_INDEX_LIST */
#define X86_MSR_FEATURE		BIT(1)	/* in KVM_GET_MSR_FEATURE_INDEX_LIST */

/* Indices with a meaning in code outside msr.c. */
#define X86_MSR_TSC			0x10
#define X86_MSR_KVM_WALL_CLOCK		0x11
#define X86_MSR_KVM_SYSTEM_TIME		0x12
#define X86_MSR_APIC_BASE		0x1b
#define X86_MSR_TSC_ADJUST		0x3b
#define X86_MSR_SPEC_CTRL		0x48
#define X86_MSR_PRED_CMD		0x49
#define X86_MSR_PLATFORM_INFO		0xce
#define X86_MSR_FLUSH_CMD		0x10b
#define X86_MSR_TSC_DEADLINE		0x6e0
#define X86_MSR_X2APIC_FIRST		0x800
#define X86_MSR_X2APIC_LAST		0x8ff
#define X86_MSR_EFER			0xc0000080
#define X86_MSR_KVM_WALL_CLOCK_NEW	0x4b564d00
#define X86_MSR_KVM_SYSTEM_TIME_NEW	0x4b564d01
#define X86_MSR_KVM_STEAL_TIME		0x4b564d03
#define X86_MSR_KVM_PV_EOI		0x4b564d04

#define X86_MCE_BANKS		32
#define X86_NR_MSR_SLOTS	(48 + 4 * X86_MCE_BANKS)
#define X86_SLOT_MISC_FEATURES	0	/* bit 0: CPUID faults at CPL > 0 */
#define X86_SLOT_POLL_CONTROL	1	/* bit 0: the host may poll when the guest halts */
#define X86_SLOT_MISC_ENABLE	2	/* bit 18: MONITOR and MWAIT are there */

struct x86_msr {
	u32 index;
	u8 kind;		/* enum x86_msr_kind */
	u8 more;		/* MSRs behind it that are as it is, each with its own slot */
	u16 where;		/* STATE: byte offset in struct x86_state; STORED: slot */
	u16 flags;		/* X86_MSR_LISTED, _FEATURE, and what msr.c checks */
	u32 group;		/* STATE: enum x86_group to pull before, to mark dirty after */
	u64 needs;		/* a guest sees it with any of these X86_HAS_*; 0: always */
	u64 reserved;		/* these bits must be as in reset */
	u64 readonly;		/* a guest that changes one of these gets #GP */
	u64 ignored;		/* a guest's write does not change these */
	u64 reset;
};

/* Values of the STORED rows of one vCPU. */
struct x86_msr_store {
	u64 value[X86_NR_MSR_SLOTS];
};

/* What reads and writes act on. */
struct x86_msr_file {
	struct x86_state *state;
	struct x86_msr_store *store;
	const struct x86_guest_features *features;
	u32 index;		/* of the MSR: some rows stand for a range */
};

/* User space sets what a guest only reads, and before it has said what the guest has. */
enum x86_msr_by { X86_MSR_BY_GUEST, X86_MSR_BY_USER };

enum x86_msr_verdict {
	X86_MSR_OK,
	X86_MSR_FAULT,		/* #GP for the guest; KVM_{GET,SET}_MSRS end here */
	X86_MSR_EMULATE,	/* checked: neutral code goes on */
};

/* x86_msr_find() - the row of an MSR, or NULL: unknown. */
const struct x86_msr *x86_msr_find(u32 index);

/*
 * x86_msr_read(), x86_msr_write() - do what can be done with values alone.
 * A STATE row needs its group valid in file->state; after a write the caller marks it dirty.
 */
enum x86_msr_verdict x86_msr_read(const struct x86_msr *row, const struct x86_msr_file *file,
				  enum x86_msr_by by, u64 *value);
enum x86_msr_verdict x86_msr_write(const struct x86_msr *row, const struct x86_msr_file *file,
				   enum x86_msr_by by, u64 value);

/*
 * x86_msr_reset() - values after power-up of all STORED rows. What depends on the host
 * (UCODE_REV, ARCH_CAPABILITIES) is 0 and the caller's to fill in.
 */
void x86_msr_reset(struct x86_msr_store *store);

/*
 * x86_mce_setup() - MCG_CAP, and all errors enabled; false: refused. x86_mce_report() - log an
 * error as the CPU would (SDM vol. 3, 15.3.2), and what else it would do.
 */
#define X86_MCE_SUPPORTED	(BIT(8) | BIT(24))	/* MCG_CTL_P, MCG_SER_P */
struct x86_mce_error {		/* as the ABI's */
	u64 status, addr, misc, mcg_status;
	u8 bank;
};

enum x86_mce_vendor { X86_MCE_INTEL, X86_MCE_AMD };
enum x86_mce_verdict { X86_MCE_REFUSED, X86_MCE_LOGGED, X86_MCE_RAISE, X86_MCE_SHUTDOWN };

bool x86_mce_setup(struct x86_msr_store *store, u64 cap, enum x86_mce_vendor vendor);
enum x86_mce_verdict x86_mce_report(struct x86_msr_store *store, const struct x86_mce_error *error,
				    u64 cr4);

/* x86_msr_list() - the @i-th row with any of @flags (X86_MSR_LISTED, _FEATURE), or NULL. */
const struct x86_msr *x86_msr_list(unsigned int i, u16 flags);

#endif
