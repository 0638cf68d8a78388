/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Values and combinations of control registers that raise #GP or fail VM entry. The rest of a
 * state is checked by the CPU, as it enters: a guest that cannot be entered is FAIL_ENTRY.
 */
#ifndef KVIRT_X86_CHECK_H
#define KVIRT_X86_CHECK_H

#include "cpuid.h"

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
