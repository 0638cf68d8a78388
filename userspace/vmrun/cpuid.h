/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What CPUID tells one vCPU.
 */
#ifndef VMRUN_CPUID_H
#define VMRUN_CPUID_H

#include "kvirt.h"

/*
 * Turns @cpuid, what the accelerator supports, into the table of the vCPU with
 * APIC id @apic_id in a machine of @nr_vcpus: one socket, a core each.
 * Returns 0, or -1 when the table has no room for a leaf that must be added.
 */
int cpuid_build(struct kvirt_cpuid *cpuid, unsigned int apic_id,
		unsigned int nr_vcpus);

/* Whether guests with that table have AVX. */
bool cpuid_has_avx(struct kvirt_cpuid *cpuid);

#endif
