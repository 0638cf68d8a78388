// SPDX-License-Identifier: GPL-2.0
/*
 * What control registers may hold: states that CPUs start in and that kernels run in pass,
 * and each wrong change to one of them is refused. Reset values, too.
 */
#include <string.h>

#include "../../kmod/x86/cpuid.h"
#include "../lib/ktap.h"

static struct x86_guest_features features(void)
{
	return (struct x86_guest_features){
		.cr4_allowed = 0x7fffff & ~(X86_CR4_VMXE | X86_CR4_LA57),
		.efer_allowed = 0xd01, .xcr0_allowed = 0xe7, .phys_reserved = ~0ULL << 40,
		.maxphyaddr = 40, .linear_bits = 48,
	};
}

static struct x86_state real(void)
{
	struct x86_state s;

	x86_reset(&s, 0x600);
	return s;
}

static struct x86_state flat(void)
{
	struct x86_state s = real();
	unsigned int i;

	s.cr0 |= X86_CR0_PE;
	for (i = X86_ES; i <= X86_GS; i++)
		s.seg[i] = (struct x86_segment){ .limit = ~0u, .selector = 0x10, .attributes = 0xc093 };
	s.seg[X86_CS] = (struct x86_segment){ .limit = ~0u, .selector = 8, .attributes = 0xc09b };
	s.rip = 0x100000;
	return s;
}

/* As Linux runs: 64-bit, paging, kernel addresses. */
static struct x86_state linux64(void)
{
	struct x86_state s = flat();

	s.cr0 |= X86_CR0_PG | X86_CR0_WP | X86_CR0_NE;
	s.cr3 = 0x1000;
	s.cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR;
	s.efer = 0xd01;
	s.seg[X86_CS].attributes = 0xa09b;
	s.seg[X86_LDTR].unusable = true;
	s.seg[X86_TR].base = 0xfffffe0000003000;
	s.seg[X86_TR].limit = 0x4087;
	s.seg[X86_GS].base = 0xffff88807dc00000;
	s.gdtr.base = 0xfffffe0000001000;
	s.rip = 0xffffffff81000000;
	s.lstar = 0xffffffff81800000;
	s.xcr0 = 7;
	s.rflags |= X86_EFLAGS_IF;
	return s;
}

static void valid_states(void)
{
	struct x86_guest_features f = features();
	struct x86_state s = real();

	EXPECT(x86_control_valid(&s, &f));
	s = flat();
	EXPECT(x86_control_valid(&s, &f));
	s.cr0 |= X86_CR0_PG;
	s.cr4 = X86_CR4_PAE;
	EXPECT(x86_control_valid(&s, &f));
	s = linux64();
	EXPECT(x86_control_valid(&s, &f));
	s.seg[X86_CS].attributes = 0xc0fb;		/* compatibility mode */
	EXPECT(x86_control_valid(&s, &f));
}

/* One change, which must be refused. */
#define REFUSED(base, change)							\
	do {									\
		struct x86_state s = base();					\
		change;								\
		if (x86_control_valid(&s, &f))					\
			test_fail(__FILE__, __LINE__, "accepted: " #base ", " #change);	\
	} while (0)

static void refused_control(void)
{
	struct x86_guest_features f = features();

	REFUSED(linux64, s.cr0 |= 1ULL << 32);
	REFUSED(real, s.cr0 |= X86_CR0_PG);
	REFUSED(real, s.cr0 = (s.cr0 & ~X86_CR0_CD) | X86_CR0_NW);
	REFUSED(linux64, s.cr4 |= X86_CR4_VMXE);
	REFUSED(linux64, s.cr4 |= X86_CR4_LA57);
	REFUSED(linux64, s.cr4 |= 1ULL << 40);
	REFUSED(linux64, s.cr4 &= ~X86_CR4_PAE);
	REFUSED(linux64, s.cr3 |= 1ULL << 40);
	REFUSED(linux64, s.cr3 |= 1ULL << 63);
	REFUSED(real, s.cr3 |= 1ULL << 52);
	REFUSED(linux64, s.cr8 = 16);
	REFUSED(linux64, s.efer |= 1 << 12);
	REFUSED(linux64, s.efer &= ~X86_EFER_LME_BIT);
	REFUSED(linux64, s.efer &= ~X86_EFER_LMA_BIT);
	REFUSED(flat, s.efer |= X86_EFER_LMA_BIT);
	REFUSED(linux64, s.cr0 &= ~X86_CR0_PG);
	REFUSED(flat, s.seg[X86_CS].attributes |= X86_SEG_L);
	REFUSED(linux64, s.efer &= ~(X86_EFER_LME_BIT | X86_EFER_LMA_BIT));	/* CS.L stays */
}

static void xcr0(void)
{
	u64 value;

	/* By the rules of SDM vol. 1, 13.3, spelled out. */
	for (value = 0; value < 0x400; value++) {
		bool sse = value & 2, avx = value & 4, want = value & 1;

		want &= !avx || sse;
		want &= !(value & 0xe0) || ((value & 0xe0) == 0xe0 && avx);
		want &= !(value & 0x18) || (value & 0x18) == 0x18;
		EXPECT_EQ(x86_xcr0_valid(value, ~0ULL), want);
		EXPECT_EQ(x86_xcr0_valid(value, 0x2e7), want && !(value & ~0x2e7ULL));
	}
}

static void reset_values(void)
{
	struct x86_state s;

	memset(&s, 0xff, sizeof(s));
	x86_reset(&s, 0x12345);
	EXPECT_EQ(s.gpr[X86_RDX], 0x12345);
	EXPECT_EQ(s.gpr[X86_RSP], 0);
	EXPECT_EQ(s.cr0, 0x60000010);
	EXPECT_EQ(s.rip, 0xfff0);
	EXPECT_EQ(s.seg[X86_CS].base, 0xffff0000);
	EXPECT_EQ(s.seg[X86_CS].selector, 0xf000);
	EXPECT_EQ(s.rflags, 2);
	EXPECT_EQ(s.xcr0, 1);
	EXPECT_EQ(s.lstar, 0);
	EXPECT_EQ(s.dr6, 0xffff0ff0);
	EXPECT_EQ(s.dr7, 0x400);

	s = linux64();			/* INIT keeps what is not in the table */
	s.cr0 &= ~X86_CR0_NW;
	s.cr0 |= X86_CR0_CD;
	s.tsc_offset = 5;
	x86_reset_by_init(&s, 0x600);
	EXPECT_EQ(s.cr0, X86_CR0_CD | X86_CR0_ET);
	EXPECT_EQ(s.xcr0, 7);
	EXPECT_EQ(s.tsc_offset, 5);
	EXPECT_EQ(s.lstar, 0xffffffff81800000);
	EXPECT_EQ(s.efer, 0);
	EXPECT_EQ(s.cr4, 0);
}

static const struct test tests[] = {
	TEST(valid_states), TEST(refused_control), TEST(xcr0), TEST(reset_values),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
