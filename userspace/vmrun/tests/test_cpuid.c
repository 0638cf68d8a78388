// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID tables: topology on both vendors, bits a VMM must set, and bounds.
 */
#include <string.h>

#include "../cpuid.h"
#include "ktap.h"

static struct kvirt_cpuid_entry2 *leaf(struct kvirt_cpuid *c, u32 function, u32 index)
{
	u32 i;

	for (i = 0; i < c->nent; i++)
		if (c->entry[i].function == function && c->entry[i].index == index)
			return &c->entry[i];
	return NULL;
}

static void add(struct kvirt_cpuid *c, u32 function, u32 index, u32 eax, u32 ebx,
		u32 ecx, u32 edx)
{
	c->entry[c->nent++] = (struct kvirt_cpuid_entry2){
		.function = function, .index = index, .eax = eax, .ebx = ebx,
		.ecx = ecx, .edx = edx,
	};
}

static struct kvirt_cpuid supported(bool amd)
{
	struct kvirt_cpuid c = { 0 };

	add(&c, 0, 0, amd ? 0x0d : 0x1f, amd ? 0x68747541 : 0x756e6547, 0, 0);
	add(&c, 1, 0, 0x306c3, 0x07100800, 0, 1 << 28);
	add(&c, 4, 0, 0xfc004121, 0, 0, 0);
	add(&c, 4, 1, 0xfc01c163, 0, 0, 0);
	add(&c, 4, 2, 0, 0, 0, 0);
	add(&c, 0x0b, 0, 0, 0, 0, 0);
	add(&c, 0x1f, 0, 0, 0, 0, 0);
	add(&c, 0x80000008, 0, 0x3028, 0, 0x7007, 0);
	add(&c, 0x8000001e, 0, 7, 7, 7, 7);
	return c;
}

static void one_vcpu(void)
{
	struct kvirt_cpuid c = supported(false);

	ASSERT_EQ(cpuid_build(&c, 0, 1), 0);
	EXPECT_EQ(leaf(&c, 1, 0)->ebx, 0x00010800);
	EXPECT_EQ(leaf(&c, 1, 0)->ecx, 1u << 31 | 1 << 24);
	EXPECT_EQ(leaf(&c, 1, 0)->edx >> 28 & 1, 0);
	EXPECT_EQ(leaf(&c, 4, 0)->eax, 0x121);
	EXPECT_EQ(leaf(&c, 4, 1)->eax, 0x163);
	EXPECT_EQ(leaf(&c, 0x0b, 1)->ebx, 1);
	EXPECT_EQ(leaf(&c, 0x0b, 1)->eax, 0);
}

static void five_cores(void)
{
	struct kvirt_cpuid c = supported(false);

	ASSERT_EQ(cpuid_build(&c, 4, 5), 0);
	EXPECT_EQ(leaf(&c, 1, 0)->ebx, 0x04050800);
	EXPECT_EQ(leaf(&c, 1, 0)->edx >> 28 & 1, 1);
	/* Eight ids in the package; L1 is a core's own, L3 everybody's. */
	EXPECT_EQ(leaf(&c, 4, 0)->eax, 7u << 26 | 0x121);
	EXPECT_EQ(leaf(&c, 4, 1)->eax, 7u << 26 | 7 << 14 | 0x163);
	EXPECT_EQ(leaf(&c, 4, 2)->eax, 0);
	EXPECT_EQ(leaf(&c, 0x0b, 0)->eax, 0);
	EXPECT_EQ(leaf(&c, 0x0b, 0)->ebx, 1);
	EXPECT_EQ(leaf(&c, 0x0b, 0)->ecx, 0x100);
	EXPECT_EQ(leaf(&c, 0x0b, 1)->eax, 3);
	EXPECT_EQ(leaf(&c, 0x0b, 1)->ebx, 5);
	EXPECT_EQ(leaf(&c, 0x0b, 1)->ecx, 0x201);
	EXPECT_EQ(leaf(&c, 0x0b, 2)->ebx, 0);
	EXPECT_EQ(leaf(&c, 0x0b, 0)->edx, 4);
	EXPECT(!leaf(&c, 0x1f, 0));
	/* Reserved on Intel: left as the accelerator gave it. */
	EXPECT_EQ(leaf(&c, 0x80000008, 0)->ecx, 0x7007);
}

static void amd_cores(void)
{
	struct kvirt_cpuid c = supported(true);

	ASSERT_EQ(cpuid_build(&c, 2, 4), 0);
	EXPECT_EQ(leaf(&c, 0x80000008, 0)->ecx, 0x2003);
	EXPECT_EQ(leaf(&c, 0x8000001e, 0)->eax, 2);
	EXPECT_EQ(leaf(&c, 0x8000001e, 0)->ebx, 2);
	EXPECT_EQ(leaf(&c, 0x8000001e, 0)->ecx, 0);
	EXPECT_EQ(leaf(&c, 0, 0)->eax, 0x0d);
}

static void most_vcpus(void)
{
	struct kvirt_cpuid c = supported(false);

	ASSERT_EQ(cpuid_build(&c, 254, 255), 0);
	EXPECT_EQ(leaf(&c, 1, 0)->ebx, 0xfeff0800);
	EXPECT_EQ(leaf(&c, 4, 1)->eax, 63u << 26 | 255 << 14 | 0x163);
	EXPECT_EQ(leaf(&c, 0x0b, 1)->eax, 8);
}

static void small_tables_grow_and_full_ones_fail(void)
{
	struct kvirt_cpuid c = { 0 };

	EXPECT_EQ(cpuid_build(&c, 0, 1), -1);
	add(&c, 0, 0, 1, 0, 0, 0);
	ASSERT_EQ(cpuid_build(&c, 0, 1), 0);
	EXPECT_EQ(leaf(&c, 0, 0)->eax, 0x0b);
	while (c.nent < KVIRT_MAX_CPUID)
		add(&c, 0x40000000 + c.nent, 0, 0, 0, 0, 0);
	/* Leaf 0xb makes room for itself when it is there already. */
	EXPECT_EQ(cpuid_build(&c, 0, 1), 0);
	c.entry[KVIRT_MAX_CPUID - 1].function = 2;
	EXPECT_EQ(cpuid_build(&c, 0, 1), -1);
}

static void avx(void)
{
	struct kvirt_cpuid cpuid = { .nent = 2, .entry = { { .function = 0 }, { .function = 1, .ecx = ~BIT(28) } } };

	EXPECT(!cpuid_has_avx(&cpuid));
	cpuid.entry[1].ecx = BIT(28);
	EXPECT(cpuid_has_avx(&cpuid));
	cpuid.nent = 1;
	EXPECT(!cpuid_has_avx(&cpuid));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(one_vcpu),
		TEST(five_cores), TEST(amd_cores), TEST(most_vcpus),
		TEST(small_tables_grow_and_full_ones_fail), TEST(avx),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
