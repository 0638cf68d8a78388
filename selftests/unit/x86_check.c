// SPDX-License-Identifier: GPL-2.0
/*
 * The checks before VM entry: states that CPUs start in and that boot loaders leave pass,
 * and each wrong change to one of them is refused. Reset values, too.
 */
#include <string.h>

#include "../../kmod/x86/check.h"
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
	s.rflags |= X86_RFLAGS_IF;
	return s;
}

static void valid_states(void)
{
	struct x86_guest_features f = features();
	struct x86_state s;
	const char *wrong;
	unsigned int i;

	s = real();
	wrong = x86_check_state(&s, &f);
	if (wrong)
		test_fail(__FILE__, __LINE__, "reset: %s", wrong);
	s = flat();
	wrong = x86_check_state(&s, &f);
	if (wrong)
		test_fail(__FILE__, __LINE__, "protected mode: %s", wrong);
	s = linux64();
	wrong = x86_check_state(&s, &f);
	if (wrong)
		test_fail(__FILE__, __LINE__, "long mode: %s", wrong);

	s.seg[X86_CS] = (struct x86_segment){ .limit = ~0u, .selector = 0x33, .attributes = 0xa0fb };
	s.seg[X86_SS] = (struct x86_segment){ .limit = ~0u, .selector = 0x2b, .attributes = 0xc0f3 };
	s.seg[X86_DS] = s.seg[X86_ES] = (struct x86_segment){ .unusable = true };
	s.rip = 0x401000;
	wrong = x86_check_state(&s, &f);
	if (wrong)
		test_fail(__FILE__, __LINE__, "user mode: %s", wrong);

	s = flat();			/* virtual-8086 mode */
	s.rflags |= X86_RFLAGS_VM;
	for (i = X86_ES; i <= X86_GS; i++)
		s.seg[i] = (struct x86_segment){ .limit = 0xffff, .selector = 0x1000 * i,
						 .base = 0x10000 * i, .attributes = 0xf3 };
	wrong = x86_check_state(&s, &f);
	if (wrong)
		test_fail(__FILE__, __LINE__, "virtual-8086 mode: %s", wrong);

	s = flat();			/* PAE paging */
	s.cr0 |= X86_CR0_PG;
	s.cr4 = X86_CR4_PAE;
	s.pdptr[2] = 0x2001;
	EXPECT(!x86_check_state(&s, &f));
	s.pdptr[3] = 0x2003;
	EXPECT(x86_check_state(&s, &f));
}

/* One change, which must be refused. */
#define REFUSED(base, change)							\
	do {									\
		struct x86_state s = base();					\
		change;								\
		if (!x86_check_state(&s, &f))					\
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
	REFUSED(flat, s.cr4 |= X86_CR4_PCIDE);
	REFUSED(linux64, s.cr3 |= 1ULL << 40);
	REFUSED(linux64, s.cr3 |= 1ULL << 63);
	REFUSED(real, s.cr3 |= 1ULL << 52);
	REFUSED(linux64, s.cr8 = 16);
	REFUSED(linux64, s.efer |= 1 << 12);
	REFUSED(linux64, s.efer &= ~X86_EFER_LME_BIT);
	REFUSED(linux64, s.efer &= ~X86_EFER_LMA_BIT);
	REFUSED(flat, s.efer |= X86_EFER_LMA_BIT);
	REFUSED(linux64, s.cr0 &= ~X86_CR0_PG);
}

static void refused_segments(void)
{
	struct x86_guest_features f = features();

	REFUSED(linux64, s.seg[X86_CS].unusable = true);
	REFUSED(linux64, s.seg[X86_CS].attributes = 0xe09b);		/* L and D */
	REFUSED(linux64, s.seg[X86_CS].attributes = 0xa0f3);		/* data, DPL 3 */
	REFUSED(flat, s.seg[X86_CS].attributes = 0xc093; s.seg[X86_SS].attributes = 0xc0f3);
	REFUSED(linux64, s.seg[X86_CS].attributes = 0xa01b);		/* not present */
	REFUSED(linux64, s.seg[X86_CS].attributes = 0xa08b);		/* system */
	REFUSED(linux64, s.seg[X86_CS].attributes = 0xa09a);		/* not accessed */
	REFUSED(linux64, s.seg[X86_CS].attributes = 0xa0fb);		/* DPL 3, SS 0 */
	REFUSED(linux64, s.seg[X86_CS].attributes |= 0x100);
	REFUSED(linux64, s.seg[X86_CS].attributes &= ~X86_SEG_G);	/* 4 GiB in bytes */
	REFUSED(linux64, s.seg[X86_CS].limit = 0xfffffffe);		/* pages, not whole */
	REFUSED(linux64, s.seg[X86_CS].base = 1ULL << 32);
	REFUSED(flat, s.seg[X86_CS].attributes = 0xc0ff);		/* conforming, DPL 3, SS 0 */
	REFUSED(flat, s.cr0 |= X86_CR0_PG; s.seg[X86_CS].attributes |= X86_SEG_L);
	REFUSED(linux64, s.seg[X86_SS].attributes = 0xc09b);
	REFUSED(linux64, s.seg[X86_SS].attributes = 0xc091);
	REFUSED(linux64, s.seg[X86_SS].base = 1ULL << 40);
	REFUSED(real, s.seg[X86_SS].attributes = 0xf3; s.seg[X86_CS].attributes = 0xfb);
	REFUSED(linux64, s.seg[X86_DS].attributes = 0xc092);
	REFUSED(linux64, s.seg[X86_DS].attributes = 0xc099);		/* execute only */
	REFUSED(linux64, s.seg[X86_ES].base = 1ULL << 32);
	REFUSED(linux64, s.seg[X86_FS].base = 1ULL << 47);
	REFUSED(linux64, s.seg[X86_GS].unusable = true; s.seg[X86_GS].base = 1ULL << 63);
	REFUSED(linux64, s.seg[X86_TR].unusable = true);
	REFUSED(linux64, s.seg[X86_TR].attributes = 0x83);		/* 16-bit TSS */
	REFUSED(linux64, s.seg[X86_TR].attributes = 0x89);		/* not busy */
	REFUSED(linux64, s.seg[X86_TR].attributes = 0x9b);
	REFUSED(linux64, s.seg[X86_TR].selector = 4);
	REFUSED(linux64, s.seg[X86_TR].base = 1ULL << 47);
	REFUSED(flat, s.seg[X86_LDTR].attributes = 0x83);
	REFUSED(flat, s.seg[X86_LDTR].base = 1ULL << 50);
	REFUSED(flat, s.seg[X86_LDTR].selector = 4);
	REFUSED(linux64, s.gdtr.base = 1ULL << 47);
	REFUSED(linux64, s.idtr.base = 1ULL << 62);
	REFUSED(flat, s.rflags |= X86_RFLAGS_VM);			/* segments do not fit */
}

static void refused_rest(void)
{
	struct x86_guest_features f = features();

	REFUSED(linux64, s.rflags &= ~2ULL);
	REFUSED(linux64, s.rflags |= 8);
	REFUSED(linux64, s.rflags |= 1ULL << 22);
	REFUSED(linux64, s.rflags |= X86_RFLAGS_VM);
	REFUSED(linux64, s.rip = 1ULL << 47);
	REFUSED(flat, s.rip = 1ULL << 32);
	REFUSED(linux64, s.dr7 |= 1ULL << 32);
	REFUSED(linux64, s.dr6 |= 1ULL << 32);
	REFUSED(linux64, s.shadow = X86_SHADOW_STI | X86_SHADOW_MOV_SS);
	REFUSED(real, s.shadow = X86_SHADOW_STI);			/* IF is clear */
	REFUSED(linux64, s.lstar = 1ULL << 47);
	REFUSED(linux64, s.kernel_gs_base = 1ULL << 47);
	REFUSED(linux64, s.sysenter_esp = 1ULL << 47);
	REFUSED(linux64, s.sfmask = 1ULL << 32);
	REFUSED(linux64, s.tsc_aux = 1ULL << 32);
	REFUSED(linux64, s.pat = 2);
	REFUSED(linux64, s.pat = 3ULL << 56);
	REFUSED(linux64, s.xcr0 = 0);
	REFUSED(linux64, s.xcr0 = 1 << 9 | 1);
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

static void normalized(void)
{
	struct x86_guest_features f = features();
	struct x86_state s = linux64();

	s.seg[X86_DS].attributes = 0xc092;
	s.seg[X86_ES].attributes = 0;
	s.seg[X86_LDTR].unusable = false;
	s.seg[X86_LDTR].attributes = 2;
	EXPECT(x86_check_state(&s, &f));
	x86_segments_normalize(&s);
	EXPECT(!x86_check_state(&s, &f));
	EXPECT_EQ(s.seg[X86_DS].attributes, 0xc093);
	EXPECT(s.seg[X86_ES].unusable && s.seg[X86_LDTR].unusable);
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
	TEST(valid_states), TEST(refused_control), TEST(refused_segments), TEST(refused_rest),
	TEST(xcr0), TEST(normalized), TEST(reset_values),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
