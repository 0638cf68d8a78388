/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPUID: what a guest may be offered (from what the host has), what one vCPU's table
 * answers, and what that table allows in control registers. No CPUID instruction is
 * executed here: host/ takes the snapshot.
 *
 * Sources: SDM vol. 2 (CPUID), APM vol. 3 appendix E, Documentation/virt/kvm/x86/cpuid.rst.
 */
#ifndef KVIRT_X86_CPUID_H
#define KVIRT_X86_CPUID_H

#include "state.h"

#define X86_CPUID_MAX		256
#define X86_CPUID_BUCKETS	64
#define X86_CPUID_SUBLEAF	BIT(0)	/* flags: subleaf counts (SIGNIFCANT_INDEX) */

/* The same layout as the ABI's kvm_cpuid_entry2, checked in api/cpuid.c. */
struct x86_cpuid_entry {
	u32 leaf, subleaf, flags;
	union {
		struct {
			u32 eax, ebx, ecx, edx;
		};
		u32 regs[4];
	};
	u32 reserved[3];
};

/* What the host and the back end allow beyond the table of features. */
struct x86_cpuid_policy {
	const struct x86_cpuid_entry *host;	/* raw snapshot, by x86_cpuid_next() */
	unsigned int nr_host;
	u64 xcr0;		/* components that the host has on and the back end switches */
	u32 pv_features;	/* leaf 0x40000001 EAX */
	u8 maxphyaddr;		/* of the host; guest addresses are as wide */
	u8 nested_bits;		/* address width that nested tables translate: 48 or 57 */
	bool rdtscp;		/* RDTSCP and RDPID work in the guest (VT-x: a control) */
	bool invpcid;		/* INVPCID works in the guest (VT-x: a control) */
	bool spec_ctrl;		/* SPEC_CTRL is switched around the guest */
};

/*
 * x86_cpuid_supported() - KVM_GET_SUPPORTED_CPUID's list.
 * Return: the number of entries, at most X86_CPUID_MAX; -E2BIG when that is too few.
 */
int x86_cpuid_supported(const struct x86_cpuid_policy *policy, struct x86_cpuid_entry *out);

/*
 * x86_cpuid_next() - the order in which a snapshot of the host is taken. Begin with @e
 * all zero, execute CPUID for e->leaf and e->subleaf into it, keep a copy, call this.
 * Return: false when e was the last one (at most X86_CPUID_MAX in all).
 */
bool x86_cpuid_next(struct x86_cpuid_entry *e);

/* What a guest's CPUID table says it has; rows of the MSR table name these bits. */
#define X86_HAS_AMD		BIT_ULL(0)	/* AMD or Hygon, by the vendor string */
#define X86_HAS_INTEL		BIT_ULL(1)	/* everyone else */
#define X86_HAS_LM		BIT_ULL(2)
#define X86_HAS_APIC		BIT_ULL(3)
#define X86_HAS_X2APIC		BIT_ULL(4)
#define X86_HAS_TSC_DEADLINE	BIT_ULL(5)
#define X86_HAS_TSC_ADJUST	BIT_ULL(6)
#define X86_HAS_TSC_AUX		BIT_ULL(7)	/* RDTSCP or RDPID */
#define X86_HAS_MCE		BIT_ULL(8)	/* MCE or MCA */
#define X86_HAS_SPEC_CTRL	BIT_ULL(9)	/* any of IBRS, STIBP, SSBD, PSFD */
#define X86_HAS_PRED_CMD	BIT_ULL(10)	/* IBPB */
#define X86_HAS_FLUSH_CMD	BIT_ULL(11)
#define X86_HAS_ARCH_CAP	BIT_ULL(12)
#define X86_HAS_GBPAGES		BIT_ULL(13)
#define X86_HAS_RTM		BIT_ULL(14)
#define X86_HAS_OSVW		BIT_ULL(15)
#define X86_HAS_PV_CLOCK	BIT_ULL(16)	/* MSRs 0x11, 0x12 */
#define X86_HAS_PV_CLOCK2	BIT_ULL(17)	/* MSRs 0x4b564d00, 01 */
#define X86_HAS_PV_ASYNC_PF	BIT_ULL(18)
#define X86_HAS_PV_STEAL_TIME	BIT_ULL(19)
#define X86_HAS_PV_EOI		BIT_ULL(20)
#define X86_HAS_PV_POLL		BIT_ULL(21)
#define X86_HAS_PV_ASYNC_PF_INT	BIT_ULL(22)
#define X86_HAS_PV		GENMASK_ULL(22, 16)

/* What one vCPU's table means, computed once when user space sets it. */
struct x86_guest_features {
	u64 has;		/* X86_HAS_* */
	u64 cr4_allowed;	/* CR4 bits the guest may set */
	u64 efer_allowed;
	u64 xcr0_allowed;
	u64 spec_ctrl_allowed;
	u64 phys_reserved;	/* address bits at and above MAXPHYADDR */
	u64 dr6_fixed;		/* DR6 bits that read as one (bit 16 is free with RTM) */
	u32 pv_features;	/* 0x40000001 EAX */
	u32 signature;		/* leaf 1 EAX: in EDX after INIT */
	u8 maxphyaddr;
	u8 linear_bits;		/* at most: 48, or 57 with LA57 */
};

/* One vCPU's table: entries in the order user space gave, found through chains by leaf. */
struct x86_cpuid {
	unsigned int n;
	u16 first[X86_CPUID_BUCKETS], next[X86_CPUID_MAX];	/* n and more: the end */
	struct x86_cpuid_entry entry[X86_CPUID_MAX];
};

/* Registers which CPUID's answer depends on. */
struct x86_cpuid_live {
	u64 cr4, xcr0, apic_base;
	const u64 *misc_enable;	/* NULL: MONITOR is as the table says */
};

/*
 * x86_cpuid_set() - make @t of the first @n (at most X86_CPUID_MAX) of t->entry[], and say
 * in @f what it allows. @host_cr4 (beside what all CPUs have), @host_efer, @host_xcr0: what back
 * end and host can do at most; with an empty table that is what CR4 and EFER may hold.
 */
void x86_cpuid_set(struct x86_cpuid *t, unsigned int n, struct x86_guest_features *f,
		   u64 host_cr4, u64 host_efer, u64 host_xcr0);

/* x86_cpuid_find() - the entry for exactly this leaf and subleaf, or NULL. */
const struct x86_cpuid_entry *x86_cpuid_find(const struct x86_cpuid *t, u32 leaf, u32 subleaf);

/*
 * x86_cpuid() - what the CPUID instruction answers: out-of-range rules of the vendor and
 * bits that follow registers included.
 * @regs: EAX, EBX, ECX, EDX in this order.
 */
void x86_cpuid(const struct x86_cpuid *t, const struct x86_cpuid_live *live, u32 leaf,
	       u32 subleaf, u32 regs[4]);

/* x86_cpuid_follow() - in @regs, those of @e, only the bits that follow registers. */
void x86_cpuid_follow(const struct x86_cpuid *t, const struct x86_cpuid_live *live,
		      const struct x86_cpuid_entry *e, u32 regs[4]);

/*
 * Values and combinations of control registers that raise #GP or fail VM entry. The rest of a
 * state is checked by the CPU, as it enters: a guest that cannot be entered is FAIL_ENTRY.
 */

/* May CR0 take this value at all (SDM vol. 3, 2.5)? */
static inline bool x86_cr0_valid(u64 cr0)
{
	return !(cr0 >> 32) &&
	       ((cr0 & X86_CR0_PE) || !(cr0 & X86_CR0_PG)) &&
	       ((cr0 & X86_CR0_CD) || !(cr0 & X86_CR0_NW));
}

/* May XSETBV set this (SDM vol. 1, 13.3)? */
static inline bool x86_xcr0_valid(u64 xcr0, u64 allowed)
{
	u64 avx512 = xcr0 & GENMASK_ULL(7, 5), mpx = xcr0 & GENMASK_ULL(4, 3);

	if (!(xcr0 & 1) || (xcr0 & ~allowed))
		return false;
	if ((xcr0 & BIT(2)) && !(xcr0 & BIT(1)))
		return false;
	if (avx512 && (avx512 != GENMASK_ULL(7, 5) || !(xcr0 & BIT(2))))
		return false;
	return !mpx || mpx == GENMASK_ULL(4, 3);
}

/*
 * CR0, CR3, CR4, CR8, EFER and CS.L together (SDM vol. 3, 26.3.1.1), where CPUID allows @f.
 * CR4.PCIDE outside long mode is taken, as KVM does: VT-x then fails the entry; the checks of
 * VMRUN do not name it (APM vol. 2, 15.5.1), and PCIDs have no meaning there.
 */
static inline bool x86_control_valid(const struct x86_state *s, const struct x86_guest_features *f)
{
	bool paging = s->cr0 & X86_CR0_PG, lma = s->efer & X86_EFER_LMA_BIT;

	return x86_cr0_valid(s->cr0) && !(s->cr4 & ~f->cr4_allowed) &&
	       !(s->efer & ~f->efer_allowed) && !(s->cr3 & f->phys_reserved) && s->cr8 <= 15 &&
	       lma == (paging && (s->efer & X86_EFER_LME_BIT)) &&
	       (lma ? s->cr4 & X86_CR4_PAE : !(s->seg[X86_CS].attributes & X86_SEG_L));
}

#endif
