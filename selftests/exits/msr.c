// SPDX-License-Identifier: GPL-2.0
/*
 * RDMSR and WRMSR in the guest: registers that keep what is written, values that raise #GP, registers that are not there,
 * and that guest and user space see the same ones.
 */
#include "guest.h"
#include "vm.h"

enum {
	TSC = 0x10, PLATFORM_INFO = 0xce, SYSENTER_CS = 0x174, SYSENTER_ESP = 0x175, SYSENTER_EIP = 0x176, MISC_ENABLE = 0x1a0, MTRR_CAP = 0xfe,
	MTRR_FIX64K = 0x250, PAT = 0x277, MTRR_DEF_TYPE = 0x2ff, MTRR_BASE0 = 0x200, MTRR_MASK0 = 0x201,
	EFER = 0xc0000080, STAR = 0xc0000081, LSTAR = 0xc0000082, CSTAR = 0xc0000083, FMASK = 0xc0000084,
	FS_BASE = 0xc0000100, GS_BASE = 0xc0000101, KERNEL_GS_BASE = 0xc0000102, TSC_AUX = 0xc0000103,
};

#define GP	13

static const struct {
	uint32_t index;
	uint64_t value;		/* what the guest writes */
	uint64_t other;		/* what user space writes then */
} plain[] = {
	{ SYSENTER_CS, 0x10, 0x18 },
	/* Wider on Intel's CPUs alone. */
	{ SYSENTER_ESP, 0x56789abc, 0x12345678 },
	{ SYSENTER_EIP, 0x12345678, 0x81000000 },
	{ PAT, 0x0007040600070406, 0x0106040500010405 },
	{ STAR, 0x0023001000000000, 0x0033002800000000 },
	{ LSTAR, 0xffffffff81800000, 0x400000 },
	{ CSTAR, 0xffffffff81900000, 0x500000 },
	{ FMASK, 0x47700, 0x200 },
	{ FS_BASE, 0x7f0012345678, 0xffff888000000000 },
	{ KERNEL_GS_BASE, 0xffff888012345678, 0x7ffff000 },
	{ MTRR_DEF_TYPE, 0xc06, 0xc00 },
	{ MTRR_FIX64K, 0x0606060606060606, 0x0506040100060606 },
	{ MTRR_BASE0, 0x80000000, 0x40000006 },
	{ TSC_AUX, 0x1234, 0x89abcdef },
};

static volatile bool amd;

static void guest_plain(void)
{
	for (unsigned int i = 0; i < COUNT(plain); i++) {
		wrmsr(plain[i].index, plain[i].value);
		guest_stage(i);
		GUEST_EXPECT_EQ(rdmsr(plain[i].index), plain[i].other);
	}
	guest_done();
}

static void guest_and_user_space_see_the_same(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_plain);
	uint64_t v;

	for (unsigned int i = 0; i < COUNT(plain); i++) {
		vcpu_expect_stage(vcpu, i);
		if (!EXPECT_EQ(vcpu_get_msr(vcpu, plain[i].index, &v), 1))
			test_note("register %#x", plain[i].index);
		EXPECT_EQ(v, plain[i].value);
		EXPECT_EQ(vcpu_set_msr(vcpu, plain[i].index, plain[i].other), 1);
	}
	vcpu_finish(vcpu);
}

/* The segment bases are the registers themselves: the instructions that use them see what WRMSR wrote. */
static void guest_bases(void)
{
	static uint64_t one = 0x1111, two = 0x2222;
	uint64_t v;

	wrmsr(FS_BASE, (uintptr_t)&one);
	asm volatile("mov %%fs:0, %0" : "=r"(v));
	GUEST_EXPECT_EQ(v, 0x1111);
	wrmsr(GS_BASE, (uintptr_t)&one);
	wrmsr(KERNEL_GS_BASE, (uintptr_t)&two);
	asm volatile("swapgs; mov %%gs:0, %0" : "=r"(v));
	GUEST_EXPECT_EQ(v, 0x2222);
	GUEST_EXPECT_EQ(rdmsr(KERNEL_GS_BASE), (uintptr_t)&one);
	GUEST_EXPECT_EQ(rdmsr(GS_BASE), (uintptr_t)&two);
	/* An exit in between changes nothing. */
	guest_stage(1);
	asm volatile("mov %%gs:0, %0" : "=r"(v));
	GUEST_EXPECT_EQ(v, 0x2222);
	asm volatile("swapgs; mov %%gs:0, %0" : "=r"(v));
	GUEST_EXPECT_EQ(v, 0x1111);
	guest_done();
}

static void segment_bases(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_bases);
	struct kvirt_sregs s;
	uint64_t v;

	vcpu_expect_stage(vcpu, 1);
	s = vcpu_sregs(vcpu);
	EXPECT_EQ(vcpu_get_msr(vcpu, FS_BASE, &v), 1);
	EXPECT_EQ(s.fs.base, v);
	EXPECT_EQ(vcpu_get_msr(vcpu, GS_BASE, &v), 1);
	EXPECT_EQ(s.gs.base, v);
	vcpu_finish(vcpu);
}

#define TRY_WRMSR(index, value)										\
	GUEST_TRY("wrmsr", "c"(index), "a"((uint32_t)(value)), "d"((uint32_t)((uint64_t)(value) >> 32)) : "memory")
#define TRY_RDMSR(index)	GUEST_TRY("rdmsr", "c"(index) : "rax", "rdx", "memory")

static void guest_unknown(void)
{
	static const uint32_t unknown[] = { 0x12345678, 0x4fffffff, 0xc0010fff, 0xc0000200, 0x1fff };

	guest_idt_load();
	for (unsigned int i = 0; i < COUNT(unknown); i++) {
		GUEST_EXPECT_EQ(TRY_RDMSR(unknown[i]), GP);
		GUEST_EXPECT_EQ(guest_catch.error, 0);
		GUEST_EXPECT_EQ(TRY_WRMSR(unknown[i], 0), GP);
		GUEST_EXPECT_EQ(guest_catch.error, 0);
	}
	guest_done();
}

static void unknown_registers_raise_gp(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_unknown);

	vcpu_finish(vcpu);
}

static void guest_refused(void)
{
	uint64_t efer;

	guest_idt_load();
	efer = rdmsr(EFER);
	GUEST_EXPECT_EQ(efer & 0x500, 0x500);
	GUEST_EXPECT_EQ(TRY_WRMSR(EFER, efer | 1ull << 63), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(EFER, efer | 2), GP);
	/* LME cannot change while paging is on. */
	GUEST_EXPECT_EQ(TRY_WRMSR(EFER, efer & ~0x100ull), GP);
	GUEST_EXPECT_EQ(rdmsr(EFER), efer);
	/* LMA is the CPU's own: writing it as zero changes nothing. */
	GUEST_EXPECT_EQ(TRY_WRMSR(EFER, efer & ~0x400ull), NO_FAULT);
	GUEST_EXPECT_EQ(rdmsr(EFER), efer);
	GUEST_EXPECT_EQ(TRY_WRMSR(EFER, efer | 1), NO_FAULT);
	GUEST_EXPECT_EQ(rdmsr(EFER), efer | 1);

	/* Memory type 2 does not exist. */
	GUEST_EXPECT_EQ(TRY_WRMSR(PAT, 0x0007040600070402), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MTRR_FIX64K, 0x0606060602060606), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MTRR_DEF_TYPE, 0xc02), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MTRR_CAP, 0), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1ull << 60), GP);
	/* AMD drops the upper half of TSC_AUX, Intel refuses it. */
	GUEST_EXPECT_EQ(TRY_WRMSR(TSC_AUX, 1ull << 40 | 5), amd ? NO_FAULT : GP);
	GUEST_EXPECT_EQ(rdmsr(TSC_AUX), amd ? 5 : 0);
	guest_done();
}

static void bad_values_raise_gp(void)
{
	amd = cpu_is_amd();
	vcpu_finish(vcpu_new(vm_new(), 0, guest_refused));
}

static void guest_canonical(void)
{
	static const uint32_t addresses[] = { LSTAR, CSTAR, FS_BASE, GS_BASE, KERNEL_GS_BASE };

	guest_idt_load();
	for (unsigned int i = 0; i < COUNT(addresses); i++)
		GUEST_EXPECT_EQ(TRY_WRMSR(addresses[i], 1ull << 62), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(SYSENTER_EIP, 1ull << 62), GP);
	wrmsr(SYSENTER_ESP, 0xffff800012345678);
	GUEST_EXPECT_EQ(rdmsr(SYSENTER_ESP), 0xffff800012345678);
	guest_done();
}

static void addresses_are_canonical(void)
{
	/* These registers are the guest's without an exit, and TCG does not check them. */
	if (cpu_is_tcg())
		test_skip("QEMU's TCG does not check addresses in MSRs");
	vcpu_finish(vcpu_new(vm_new(), 0, guest_canonical));
}

static void guest_tsc(void)
{
	uint64_t a = rdtsc(), b = rdmsr(TSC), c = rdtsc();

	GUEST_EXPECT(a < b && b < c);
	wrmsr(TSC, 0x1000000000000);
	a = rdtsc();
	GUEST_EXPECT(a >= 0x1000000000000 && a < 0x1000000000000 + (1ull << 36));
	guest_done();
}

static void time_stamp_counter(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_tsc);
	uint64_t v, w;

	vcpu_finish(vcpu);
	EXPECT_EQ(vcpu_get_msr(vcpu, TSC, &v), 1);
	EXPECT(v >= 0x1000000000000);
	EXPECT_EQ(vcpu_get_msr(vcpu, TSC, &w), 1);
	EXPECT(w > v);
}

static void guest_long_counter(void)
{
	uint64_t before = rdtsc();

	guest_stage(1);
	GUEST_EXPECT(rdtsc() >= before + (1ull << 40));
	guest_done();
}

/* A TSC that user space sets ahead by far is taken as it is. */
static void time_stamp_counter_from_user_space(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_long_counter);
	uint64_t v;

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(vcpu_get_msr(vcpu, TSC, &v), 1);
	EXPECT_EQ(vcpu_set_msr(vcpu, TSC, v + (1ull << 41)), 1);
	vcpu_finish(vcpu);
}

static void guest_platform_info(void)
{
	guest_idt_load();
	GUEST_EXPECT_EQ(rdmsr(PLATFORM_INFO), 1ull << 31);
	guest_stage(1);
	GUEST_EXPECT_EQ(TRY_RDMSR(PLATFORM_INFO), GP);
	guest_stage(2);
	GUEST_EXPECT_EQ(TRY_RDMSR(PLATFORM_INFO), NO_FAULT);
	guest_done();
}

static void platform_info_can_be_hidden(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_platform_info);
	uint64_t v;

	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_MSR_PLATFORM_INFO, 0));
	EXPECT_EQ(vcpu_get_msr(vcpu, PLATFORM_INFO, &v), 1);
	EXPECT_EQ(v, 1ull << 31);
	vcpu_expect_stage(vcpu, 2);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_MSR_PLATFORM_INFO, 1));
	vcpu_finish(vcpu);
}

static const struct test tests[] = {
	TEST(guest_and_user_space_see_the_same),
	TEST(segment_bases),
	TEST(unknown_registers_raise_gp),
	TEST(bad_values_raise_gp),
	TEST(addresses_are_canonical),
	TEST(time_stamp_counter),
	TEST(time_stamp_counter_from_user_space),
	TEST(platform_info_can_be_hidden),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
