/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether a CPU would enter a guest in this state: the checks of VM entry (SDM vol. 3,
 * 26.3.1; APM vol. 2, 15.5.1) in neutral form, so that a failed entry is our bug and not
 * user space's. Called before KVM_SET_SREGS takes effect, and once before the first entry
 * after user space or an emulated instruction changed what is checked here.
 */
#ifndef KVIRT_X86_CHECK_H
#define KVIRT_X86_CHECK_H

#include "cpuid.h"

/*
 * x86_check_control() - CR0, CR3, CR4, CR8, EFER and their combinations.
 * x86_check_segments() - all eight segments, GDTR, IDTR; needs valid control registers.
 * x86_check_state() - both, and RIP, RFLAGS, debug registers, MSRs.
 * @f: what this guest's CPUID allows.
 * Return: NULL when valid, else what is wrong, for a message.
 */
const char *x86_check_control(const struct x86_state *s, const struct x86_guest_features *f);
const char *x86_check_segments(const struct x86_state *s, const struct x86_guest_features *f);
const char *x86_check_state(const struct x86_state *s, const struct x86_guest_features *f);

/*
 * x86_segments_normalize() - let segments that user space sets be as a load from a
 * descriptor table leaves them: accessed, unusable when not present.
 */
void x86_segments_normalize(struct x86_state *s);

/* x86_cr0_valid() - may CR0 take this value at all (SDM vol. 3, 2.5)? */
static inline bool x86_cr0_valid(u64 cr0)
{
	return !(cr0 >> 32) &&
	       ((cr0 & X86_CR0_PE) || !(cr0 & X86_CR0_PG)) &&
	       ((cr0 & X86_CR0_CD) || !(cr0 & X86_CR0_NW));
}

/* x86_xcr0_valid() - may XSETBV set this (SDM vol. 1, 13.3)? */
bool x86_xcr0_valid(u64 xcr0, u64 allowed);

/* x86_pat_valid() - each byte a memory type that PAT knows: 0, 1, 4, 5, 6, 7. */
bool x86_pat_valid(u64 pat);

#endif
