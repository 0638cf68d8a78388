/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What control registers may hold. The rest of a state is checked by the CPU, as it enters:
 * a guest that cannot be entered is FAIL_ENTRY with the hardware's own reason.
 */
#ifndef KVIRT_X86_CHECK_H
#define KVIRT_X86_CHECK_H

#include "cpuid.h"

/*
 * x86_control_valid() - CR0, CR3, CR4, CR8, EFER and CS.L together (SDM vol. 3, 26.3.1.1).
 * @f: what this guest's CPUID allows. CR4.PCIDE outside long mode is taken, as KVM does: VT-x then
 * fails the entry; the checks of VMRUN do not name it (APM vol. 2, 15.5.1), and PCIDs have no
 * meaning there.
 */
bool x86_control_valid(const struct x86_state *s, const struct x86_guest_features *f);

/* x86_cr0_valid() - may CR0 take this value at all (SDM vol. 3, 2.5)? */
static inline bool x86_cr0_valid(u64 cr0)
{
	return !(cr0 >> 32) &&
	       ((cr0 & X86_CR0_PE) || !(cr0 & X86_CR0_PG)) &&
	       ((cr0 & X86_CR0_CD) || !(cr0 & X86_CR0_NW));
}

/* x86_xcr0_valid() - may XSETBV set this (SDM vol. 1, 13.3)? */
bool x86_xcr0_valid(u64 xcr0, u64 allowed);

#endif
