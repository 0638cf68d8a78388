// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID in the guest: the table user space set, what lies outside of it, and the bits that follow live state.
 */
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

enum { LEAVES = 24 };

struct query {
	uint32_t function, index;
	uint32_t a, b, c, d;
};

static struct query queries[LEAVES];
static volatile int query_count;

static void guest_query(void)
{
	for (;;) {
		for (int i = 0; i < query_count; i++) {
			struct query *q = &queries[i];
			uint64_t rax = 0xdead0000ull << 32 | q->function, rbx = -1ull, rcx = -1ull << 32 | q->index, rdx = -1ull;

			asm volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
			/* The upper halves are cleared. */
			GUEST_EXPECT_EQ((rax | rbx | rcx | rdx) >> 32, 0);
			q->a = rax;
			q->b = rbx;
			q->c = rcx;
			q->d = rdx;
		}
		guest_stage(1);
	}
}

static struct kvirt_cpuid2 *table_of(const struct kvirt_cpuid_entry2 *entries, uint32_t count)
{
	struct kvirt_cpuid2 *table = calloc(1, sizeof(*table) + count * sizeof(*entries));

	table->nent = count;
	memcpy(table->entries, entries, count * sizeof(*entries));
	return table;
}

/* Asks for the leaves of @want, and has each answer as @want does. */
static void expect_leaves(struct vcpu *vcpu, const struct query *want, int count)
{
	struct query *asked = vm_var(vcpu->vm, queries[0]);

	ASSERT(count <= LEAVES);
	*vm_var(vcpu->vm, query_count) = count;
	for (int i = 0; i < count; i++) {
		const struct query *w = &want[i];

		asked[i] = (struct query){ w->function, w->index, ~w->a, ~w->b, ~w->c, ~w->d };
	}
	vcpu_expect_stage(vcpu, 1);
	for (int i = 0; i < count; i++) {
		const struct query *q = &asked[i], *w = &want[i];

		if (memcmp(q, w, sizeof(*q)))
			test_fail(__FILE__, __LINE__, "leaf %#x.%x: %#x %#x %#x %#x, not %#x %#x %#x %#x", q->function, q->index,
				  q->a, q->b, q->c, q->d, w->a, w->b, w->c, w->d);
	}
}

#define SUB	KVIRT_CPUID_FLAG_SIGNIFCANT_INDEX
#define INTEL	0x756e6547, 0x6c65746e, 0x49656e69
#define AMD	0x68747541, 0x444d4163, 0x69746e65

static void no_table_gives_zeros(void)
{
	static const struct query want[] = {
		{ 0, 0 },
		{ 1, 0 },
		{ 0x40000000, 0 },
		{ 0x80000000, 0 },
	};
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);

	vcpu_long_mode(vcpu, (uintptr_t)guest_query);
	expect_leaves(vcpu, want, COUNT(want));
}

/* The middle of every table here; leaf 3 has two subleaves, leaf 4 ignores the index. */
#define LEAVES_OF_ALL								\
	{ 2, 0, 0, 0x21, 0x22, 0x23, 0x24 },					\
	{ 3, 0, SUB, 0x31, 0x32, 0x33, 0x34 },					\
	{ 3, 5, SUB, 0x35, 0x36, 0x37, 0x38 },					\
	{ 4, 0, 0, 0x41, 0x42, 0x43, 0x44 },					\
	{ 6, 0, 0, 0x61, 0x62, 0x63, 0x64 },					\
	{ 0x40000000, 0, 0, 0x40000001, 0x4d564b4b, 0x564b4d56, 0x4d },		\
	{ 0x40000001, 0, 0, 0x71, 0x72, 0x73, 0x74 },				\
	{ 0x80000000, 0, 0, 0x80000002, 0x82, 0x83, 0x84 },			\
	{ 0x80000002, 0, 0, 0x91, 0x92, 0x93, 0x94 }

static struct vcpu *with_table(const struct kvirt_cpuid_entry2 *entries, uint32_t count)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct kvirt_cpuid2 *table = table_of(entries, count);

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_CPUID2, table));
	vcpu_long_mode(vcpu, (uintptr_t)guest_query);
	return vcpu;
}

static void in_the_table(struct vcpu *vcpu)
{
	static const struct query want[] = {
		{ 2, 0, 0x21, 0x22, 0x23, 0x24 },
		{ 2, 7, 0x21, 0x22, 0x23, 0x24 },
		{ 3, 0, 0x31, 0x32, 0x33, 0x34 },
		{ 3, 5, 0x35, 0x36, 0x37, 0x38 },
		{ 4, 9, 0x41, 0x42, 0x43, 0x44 },
		{ 0x40000001, 0, 0x71, 0x72, 0x73, 0x74 },
		{ 0x80000002, 0, 0x91, 0x92, 0x93, 0x94 },
		{ 0x40000000, 0, 0x40000001, 0x4d564b4b, 0x564b4d56, 0x4d },
	};

	expect_leaves(vcpu, want, COUNT(want));
}

/* Beyond the highest leaf of its range, an Intel CPU answers with its highest basic leaf; holes are zeros. */
static void intel_redirects_beyond_the_end(void)
{
	static const struct kvirt_cpuid_entry2 entries[] = { { 0, 0, 0, 6, INTEL }, LEAVES_OF_ALL };
	static const struct query want[] = {
		{ 5, 0, 0, 0, 0, 0 },
		{ 3, 1, 0, 0, 0, 0 },
		{ 7, 0, 0x61, 0x62, 0x63, 0x64 },
		{ 0x1234, 0, 0x61, 0x62, 0x63, 0x64 },
		{ 0x80000001, 0, 0, 0, 0, 0 },
		{ 0x80000003, 0, 0x61, 0x62, 0x63, 0x64 },
		{ 0x40000002, 0, 0x61, 0x62, 0x63, 0x64 },
		{ 0x40000100, 0, 0x61, 0x62, 0x63, 0x64 },
	};
	struct vcpu *vcpu = with_table(entries, COUNT(entries));

	in_the_table(vcpu);
	expect_leaves(vcpu, want, COUNT(want));
}

static void amd_gives_zeros_beyond_the_end(void)
{
	static const struct kvirt_cpuid_entry2 entries[] = { { 0, 0, 0, 6, AMD }, LEAVES_OF_ALL };
	static const struct query want[] = {
		{ 5, 0 },
		{ 7, 0 },
		{ 0x1234, 0 },
		{ 0x80000001, 0 },
		{ 0x80000003, 0 },
		{ 0x40000002, 0 },
	};
	struct vcpu *vcpu = with_table(entries, COUNT(entries));

	in_the_table(vcpu);
	expect_leaves(vcpu, want, COUNT(want));
}

/* A topology subleaf that is not there still names itself and this CPU's id, which it takes from subleaf 1. */
static void topology_leaf_names_itself(void)
{
	static const struct kvirt_cpuid_entry2 entries[] = {
		{ 0, 0, 0, 0x1f, INTEL },
		{ 0xb, 0, SUB, 1, 1, 0x100, 0x54 },
		{ 0xb, 1, SUB, 4, 2, 0x201, 0x55 },
		{ 0x1f, 0, SUB, 1, 1, 0x100, 0x64 },
		{ 0x1f, 1, SUB, 4, 2, 0x201, 0x65 },
	};
	static const struct query want[] = {
		{ 0xb, 0, 1, 1, 0x100, 0x54 },
		{ 0xb, 1, 4, 2, 0x201, 0x55 },
		{ 0xb, 2, 0, 0, 2, 0x55 },
		{ 0xb, 0x1ff, 0, 0, 0xff, 0x55 },
		{ 0x1f, 3, 0, 0, 3, 0x65 },
		{ 0x1f, 0x105, 0, 0, 5, 0x65 },
	};
	struct vcpu *vcpu = with_table(entries, COUNT(entries));

	expect_leaves(vcpu, want, COUNT(want));
}

/* Whatever user space wrote there: the sizes for this XCR0, and whether the guest switched protection keys on. */
static void live_values_are_not_the_tables(void)
{
	struct kvirt_cpuid_entry2 entries[] = {
		{ 0, 0, 0, 0xd, AMD },
		{ 7, 0, SUB, 0, 0, 1 << 4, 0 },
		{ 0xd, 0, SUB, 7, 0x11, 832, 0 },
		{ 0xd, 1, SUB, 1 << 1, 0x22, 0, 0 },
		{ 0xd, 2, SUB, 256, 576, 0, 0 },
	};
	static const struct query x87_alone[] = { { 0xd, 0, 7, 576, 832, 0 }, { 0xd, 1, 1 << 1, 576, 0, 0 } };
	static const struct query avx[] = { { 0xd, 0, 7, 832, 832, 0 }, { 0xd, 1, 1 << 1, 832, 0, 0 } };
	static const struct query keys = { 7, 0, 0, 0, 0, 0 }, not_compacted = { 0xd, 1, 1, 0x22, 0, 0 };
	struct vcpu *vcpu = with_table(entries, COUNT(entries));
	uint32_t a, b, c, d;

	expect_leaves(vcpu, x87_alone, COUNT(x87_alone));
	/* KVM takes care of OSPKE where the CPU has protection keys. */
	cpuid(7, 0, &a, &b, &c, &d);
	if (strstr(test_dev, "kvirt") || c >> 3 & 1)
		expect_leaves(vcpu, &keys, 1);
	vcpu_set_xcr0(vcpu, 7);
	expect_leaves(vcpu, avx, COUNT(avx));
	/* Without the compacted form there is no such size. */
	entries[3].eax = 1;
	vcpu = with_table(entries, COUNT(entries));
	expect_leaves(vcpu, &not_compacted, 1);
}

static volatile bool has_pku;

static void guest_live(void)
{
	uint32_t a, b, c, d;

	/* OSPKE is CR4.PKE. */
	cpuid(7, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(c >> 4 & 1, 0);
	if (has_pku) {
		WRITE_REGISTER(cr4, READ_REGISTER(cr4) | 1 << 22);
		cpuid(7, 0, &a, &b, &c, &d);
		GUEST_EXPECT_EQ(c >> 4 & 1, 1);
		WRITE_REGISTER(cr4, READ_REGISTER(cr4) & ~(1ull << 22));
	}

	/* OSXSAVE is CR4.OSXSAVE. */
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(c >> 27 & 1, 0);
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | 1 << 18);
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(c >> 27 & 1, 1);

	/* XCR0 is x87 alone after reset: the legacy area and the header. */
	cpuid(0xd, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(b, 576);
	guest_stage(1);
	/* User space has set it to x87, SSE and AVX. */
	cpuid(0xd, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(b, 832);
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) & ~(1ull << 18));
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(c >> 27 & 1, 0);

	/* The APIC's bit is APIC_BASE.EN. */
	GUEST_EXPECT_EQ(d >> 9 & 1, 1);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(1ull << 11));
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(d >> 9 & 1, 0);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 11);
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(d >> 9 & 1, 1);
	guest_done();
}

static void live_bits(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_live);
	struct kvirt_cpuid_entry2 *e = cpuid_find(dev_cpuid(), 7, 0);

	*vm_var(vcpu->vm, has_pku) = e && e->ecx >> 3 & 1;

	vcpu_expect_stage(vcpu, 1);
	vcpu_set_xcr0(vcpu, 7);
	vcpu_finish(vcpu);
}

static void guest_paravirt(void)
{
	uint32_t a, b, c, d;

	cpuid(KVIRT_CPUID_SIGNATURE, 0, &a, &b, &c, &d);
	GUEST_EXPECT_EQ(a, KVIRT_CPUID_FEATURES);
	GUEST_EXPECT_EQ(b, 0x4b4d564b);
	GUEST_EXPECT_EQ(c, 0x564b4d56);
	GUEST_EXPECT_EQ(d, 0x4d);
	guest_done();
}

static void paravirtual_leaves(void)
{
	vcpu_finish(vcpu_new(vm_new(), 0, guest_paravirt));
}

static const struct test tests[] = {
	TEST(no_table_gives_zeros),
	TEST(intel_redirects_beyond_the_end),
	TEST(amd_gives_zeros_beyond_the_end),
	TEST(topology_leaf_names_itself),
	TEST(live_bits),
	TEST(live_values_are_not_the_tables),
	TEST(paravirtual_leaves),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
