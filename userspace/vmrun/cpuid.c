// SPDX-License-Identifier: GPL-2.0
/*
 * The accelerator says what it can do; who the vCPU is among the others is for
 * the VMM to say. Pure: a table goes in, a table comes out. Called by machine.c
 * once for each vCPU, and by machine_gdb.c. Leaves after the manuals: SDM volume 2A, "CPUID"; APM
 * volume 3, appendix E.
 */
#include <string.h>

#include "cpuid.h"

#define LEAF_EXTENDED_TOPOLOGY	0x0bu
#define LEAF_V2_TOPOLOGY	0x1fu

#define LEAF1_ECX_DEADLINE	BIT(24)
#define LEAF1_ECX_AVX		BIT(28)
#define LEAF1_ECX_HYPERVISOR	BIT(31)
#define LEAF1_EDX_HTT		BIT(28)

enum topology_level { LEVEL_NONE, LEVEL_SMT, LEVEL_CORE };

static struct kvirt_cpuid_entry2 *find(struct kvirt_cpuid *cpuid, u32 function)
{
	u32 i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entry[i].function == function)
			return &cpuid->entry[i];
	return NULL;
}

static void remove_leaf(struct kvirt_cpuid *cpuid, u32 function)
{
	u32 i, kept = 0;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entry[i].function != function)
			cpuid->entry[kept++] = cpuid->entry[i];
	cpuid->nent = kept;
}

static bool is_amd(struct kvirt_cpuid *cpuid)
{
	const struct kvirt_cpuid_entry2 *leaf = find(cpuid, 0);

	/* EBX holds the first four letters: "Auth", "Hygo". */
	return leaf && (leaf->ebx == 0x68747541 || leaf->ebx == 0x6f677948);
}

/* How many bits of the APIC id number the cores. */
static unsigned int core_bits(unsigned int nr_vcpus)
{
	unsigned int bits = 0;

	while ((1u << bits) < nr_vcpus)
		bits++;
	return bits;
}

static int add_topology(struct kvirt_cpuid *cpuid, unsigned int apic_id,
			unsigned int nr_vcpus)
{
	struct kvirt_cpuid_entry2 *basic = find(cpuid, 0);
	u32 level;

	remove_leaf(cpuid, LEAF_EXTENDED_TOPOLOGY);
	remove_leaf(cpuid, LEAF_V2_TOPOLOGY);
	if (!basic || cpuid->nent + 3 > KVIRT_MAX_CPUID)
		return -1;
	if (basic->eax < LEAF_EXTENDED_TOPOLOGY)
		basic->eax = LEAF_EXTENDED_TOPOLOGY;
	for (level = 0; level < 3; level++) {
		struct kvirt_cpuid_entry2 *e = &cpuid->entry[cpuid->nent++];

		memset(e, 0, sizeof(*e));
		e->function = LEAF_EXTENDED_TOPOLOGY;
		e->index = level;
		e->flags = KVIRT_CPUID_FLAG_SIGNIFCANT_INDEX;
		e->ecx = level;
		e->edx = apic_id;
		if (level == 0) {
			e->ebx = 1;
			e->ecx |= LEVEL_SMT << 8;
		} else if (level == 1) {
			e->eax = core_bits(nr_vcpus);
			e->ebx = nr_vcpus;
			e->ecx |= LEVEL_CORE << 8;
		}
	}
	return 0;
}

/* Leaf 4 (Intel) and 0x8000001d (AMD): who shares which cache. */
static void set_cache_sharing(struct kvirt_cpuid_entry2 *e, unsigned int nr_vcpus)
{
	u32 type = e->eax & 0x1f, level = e->eax >> 5 & 7;
	u32 ids = (1u << core_bits(nr_vcpus)) - 1;

	if (!type)
		return;
	e->eax &= e->function == 4 ? 0x3fff : ~0x3ffc000u;
	if (level >= 3)
		e->eax |= ids << 14;
	/* Six bits number the cores of a package; more saturate. */
	if (e->function == 4)
		e->eax |= (ids < 63 ? ids : 63) << 26;
}

static void set_leaf1(struct kvirt_cpuid_entry2 *e, unsigned int apic_id,
		      unsigned int nr_vcpus)
{
	e->ebx = (e->ebx & 0xffff) | nr_vcpus << 16 | apic_id << 24;
	/* kvirt.c has checked that the accelerator has that timer. */
	e->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_DEADLINE;
	if (nr_vcpus > 1)
		e->edx |= LEAF1_EDX_HTT;
	else
		e->edx &= ~LEAF1_EDX_HTT;
}

int cpuid_build(struct kvirt_cpuid *cpuid, unsigned int apic_id,
		unsigned int nr_vcpus)
{
	bool amd = is_amd(cpuid);
	u32 i;

	for (i = 0; i < cpuid->nent; i++) {
		struct kvirt_cpuid_entry2 *e = &cpuid->entry[i];

		switch (e->function) {
		case 1:
			set_leaf1(e, apic_id, nr_vcpus);
			break;
		case 4:
		case 0x8000001d:
			set_cache_sharing(e, nr_vcpus);
			break;
		case 0x80000008:
			/* Intel keeps ECX of this leaf reserved. */
			if (amd)
				e->ecx = (nr_vcpus - 1) | core_bits(nr_vcpus) << 12;
			break;
		case 0x8000001e:
			e->eax = apic_id;
			e->ebx = apic_id & 0xff;
			e->ecx = 0;
			e->edx = 0;
			break;
		}
	}
	return add_topology(cpuid, apic_id, nr_vcpus);
}

bool cpuid_has_avx(struct kvirt_cpuid *cpuid)
{
	const struct kvirt_cpuid_entry2 *leaf = find(cpuid, 1);

	return leaf && leaf->ecx & LEAF1_ECX_AVX;
}
