// SPDX-License-Identifier: GPL-2.0
/*
 * Machine checks: X86_GET_MCE_CAP_SUPPORTED, X86_SETUP_MCE, X86_SET_MCE, and their registers from both sides. Also that every
 * listed MSR can be got and set.
 */
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)
#define MC		18
#define GP		13

enum { MCG_CAP = 0x179, MCG_STATUS = 0x17a, MCG_CTL = 0x17b, MC0_CTL = 0x400, MC0_STATUS, MC0_ADDR, MC0_MISC, MC0_CTL2 = 0x280,
       HWCR = 0xc0010015 };

#define CTL_P		(1ull << 8)
#define SER_P		(1ull << 24)
#define VAL		(1ull << 63)
#define OVER		(1ull << 62)
#define UC		(1ull << 61)
#define EN		(1ull << 60)
#define PCC		(1ull << 57)
#define ALL		(~0ull)

static struct vcpu *fresh(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);

	vcpu_cpuid(vcpu);
	return vcpu;
}

static uint64_t get(struct vcpu *vcpu, uint32_t index)
{
	uint64_t v = 0xdead;

	if (!EXPECT_EQ(vcpu_get_msr(vcpu, index, &v), 1))
		test_note("register %#x", index);
	return v;
}

static int setup(struct vcpu *vcpu, uint64_t cap)
{
	return ioctl(vcpu->fd, KVIRT_X86_SETUP_MCE, &cap);
}

static int report(struct vcpu *vcpu, uint8_t bank, uint64_t status, uint64_t mcg_status)
{
	struct kvirt_x86_mce mce = {
		.status = status, .addr = 0xadd0 + bank, .misc = 0x3150 + bank, .mcg_status = mcg_status, .bank = bank,
	};

	return ioctl(vcpu->fd, KVIRT_X86_SET_MCE, &mce);
}

static void supported(void)
{
	int dev = dev_open();
	uint64_t cap = 0;

	EXPECT_EQ(dev_cap(KVIRT_CAP_MCE), 32);
	EXPECT_OK(ioctl(dev, KVIRT_X86_GET_MCE_CAP_SUPPORTED, &cap));
	EXPECT_EQ(cap & (CTL_P | SER_P), CTL_P | SER_P);
	/* KVM has LMCE and CMCI on Intel, too. */
	EXPECT_EQ(cap & ~(CTL_P | SER_P | 1 << 27 | 1 << 10), 0);
	EXPECT_ERRNO(ioctl(dev, KVIRT_X86_GET_MCE_CAP_SUPPORTED, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(dev, KVIRT_X86_GET_MCE_CAP_SUPPORTED, BAD_POINTER), EFAULT);
}

static void setup_mce(void)
{
	struct vcpu *vcpu = fresh();
	uint64_t v;

	EXPECT_EQ(get(vcpu, MCG_CAP), 32);
	EXPECT_EQ(get(vcpu, MCG_CTL), 0);
	EXPECT_EQ(get(vcpu, MC0_CTL), 0);
	EXPECT_ERRNO(setup(vcpu, 0), EINVAL);
	EXPECT_ERRNO(setup(vcpu, CTL_P), EINVAL);
	EXPECT_ERRNO(setup(vcpu, 33), EINVAL);
	EXPECT_ERRNO(setup(vcpu, 10 | 1 << 9), EINVAL);
	EXPECT_ERRNO(setup(vcpu, 10 | 1ull << 25), EINVAL);
	EXPECT_ERRNO(setup(vcpu, 10 | 1ull << 32), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_X86_SETUP_MCE, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_X86_SETUP_MCE, BAD_POINTER), EFAULT);
	EXPECT_EQ(get(vcpu, MCG_CAP), 32);
	EXPECT_OK(setup(vcpu, 10 | CTL_P | SER_P | 0xff0000));
	/* AMD's has a count and CTL_P. */
	EXPECT_EQ(get(vcpu, MCG_CAP), cpu_is_amd() ? 10 | CTL_P : 10 | CTL_P | SER_P | 0xff0000);
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_CAP, 10 | CTL_P), 0);
	EXPECT_EQ(get(vcpu, MCG_CTL), ALL);
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(get(vcpu, MC0_CTL + 4 * i), ALL);
		EXPECT_EQ(get(vcpu, MC0_STATUS + 4 * i), 0);
		EXPECT_EQ(get(vcpu, MC0_CTL2 + i), 0);
	}
	EXPECT_EQ(vcpu_get_msr(vcpu, MC0_CTL + 4 * 10, &v), 0);
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL + 4 * 10, 0), 0);
	EXPECT_EQ(vcpu_get_msr(vcpu, MC0_MISC + 4 * 31, &v), 0);
	/* Without MCG_CTL: user space may say so. */
	EXPECT_OK(setup(vcpu, 32));
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_CTL, ALL), 0);
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_CTL, 0), 1);
	EXPECT_EQ(get(vcpu, MC0_MISC + 4 * 31), 0);
}

static void registers(void)
{
	struct vcpu *vcpu = fresh();

	ASSERT_OK(setup(vcpu, 32 | CTL_P));
	for (int i = 0; i < 4 * 32; i++)
		if (i % 4)
			EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL + i, 0x123456789abcdef0 + i), 1);
	for (int i = 0; i < 4 * 32; i++)
		EXPECT_EQ(get(vcpu, MC0_CTL + i), i % 4 ? 0x123456789abcdef0 + i : ALL);
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL, 1), 0);
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL, ALL & ~(1 << 10)), 1);
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL, ALL & ~1), 1);
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL, ALL & ~2), 0);
	EXPECT_EQ(get(vcpu, MC0_CTL), ALL & ~1);
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL, 0), 1);
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_CTL, 1), 0);
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_CTL, 0), 1);
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_STATUS, 5), 1);
	EXPECT_EQ(get(vcpu, MCG_STATUS), 5);
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL2, 0), 1);
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL2, 1ull << 40), 0);
}

#define TRY_WRMSR(index, value)										\
	GUEST_TRY("wrmsr", "c"(index), "a"((uint32_t)(value)), "d"((uint32_t)((uint64_t)(value) >> 32)) : "memory")
#define TRY_RDMSR(index)	GUEST_TRY("rdmsr", "c"(index) : "rax", "rdx", "memory")

static volatile bool amd;

static void guest_registers(void)
{
	guest_idt_load();
	GUEST_EXPECT_EQ(rdmsr(MCG_CAP), 10 | CTL_P);
	GUEST_EXPECT_EQ(TRY_WRMSR(MCG_CAP, 10 | CTL_P), GP);
	GUEST_EXPECT_EQ(rdmsr(MCG_CTL), ALL);
	GUEST_EXPECT_EQ(TRY_WRMSR(MCG_CTL, 1), GP);
	wrmsr(MCG_CTL, 0);
	wrmsr(MCG_CTL, ALL);
	wrmsr(MC0_CTL, 0);
	wrmsr(MC0_CTL, ALL);
	GUEST_EXPECT_EQ(TRY_WRMSR(MC0_CTL, 8), GP);
	wrmsr(MC0_STATUS, 0);
	GUEST_EXPECT_EQ(TRY_WRMSR(MC0_STATUS, 1), GP);
	wrmsr(MC0_ADDR, 0x1234);
	GUEST_EXPECT_EQ(rdmsr(MC0_ADDR), 0x1234);
	GUEST_EXPECT_EQ(TRY_RDMSR(MC0_CTL + 40), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MC0_CTL + 40, 0), GP);
	GUEST_EXPECT_EQ(TRY_RDMSR(MC0_CTL2), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MC0_CTL2, 0), GP);
	/* AMD's CPUs let software write a status to test its handler. */
	if (amd) {
		wrmsr(HWCR, 1 << 18);
		wrmsr(MC0_STATUS, VAL | 5);
		GUEST_EXPECT_EQ(rdmsr(MC0_STATUS), VAL | 5);
	}
	guest_stage(1);
	GUEST_EXPECT_EQ(rdmsr(MCG_CAP), 10);
	GUEST_EXPECT_EQ(TRY_RDMSR(MCG_CTL), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(MCG_CTL, 0), GP);
	guest_done();
}

static void registers_in_the_guest(void)
{
	struct vcpu *vcpu;

	amd = cpu_is_amd();
	vcpu = vcpu_new(vm_new(), 0, guest_registers);
	ASSERT_OK(setup(vcpu, 10 | CTL_P));
	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(setup(vcpu, 10));
	vcpu_finish(vcpu);
}

static void expect_bank(struct vcpu *vcpu, int bank, uint64_t status, bool logged)
{
	EXPECT_EQ(get(vcpu, MC0_STATUS + 4 * bank), status);
	EXPECT_EQ(get(vcpu, MC0_ADDR + 4 * bank), logged ? 0xadd0 + bank : 0);
	EXPECT_EQ(get(vcpu, MC0_MISC + 4 * bank), logged ? 0x3150 + bank : 0);
}

static struct kvirt_vcpu_events events(struct vcpu *vcpu)
{
	struct kvirt_vcpu_events e;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_VCPU_EVENTS, &e));
	return e;
}

static void errors_that_are_only_logged(void)
{
	struct vcpu *vcpu = fresh();
	struct kvirt_x86_mce mce = { 0 };

	ASSERT_OK(setup(vcpu, 10 | CTL_P));
	EXPECT_ERRNO(report(vcpu, 0, 0, 0), EINVAL);
	EXPECT_ERRNO(report(vcpu, 0, UC | EN, 0), EINVAL);
	EXPECT_ERRNO(report(vcpu, 10, VAL, 0), EINVAL);
	EXPECT_ERRNO(report(vcpu, 255, VAL | UC, 0), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_X86_SET_MCE, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_X86_SET_MCE, BAD_POINTER), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_X86_SET_MCE, &mce), EINVAL);
	expect_bank(vcpu, 0, 0, false);
	/* Corrected: the second overflows. */
	EXPECT_OK(report(vcpu, 1, VAL | 7, 5));
	expect_bank(vcpu, 1, VAL | 7, true);
	EXPECT_EQ(get(vcpu, MCG_STATUS), 0);
	EXPECT_OK(report(vcpu, 1, VAL | 9, 0));
	expect_bank(vcpu, 1, VAL | OVER | 9, true);
	/* Uncorrected, but nothing is to be done: over what was there. */
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_STATUS, 4), 1);
	EXPECT_OK(report(vcpu, 1, VAL | UC | EN | 3, 0));
	expect_bank(vcpu, 1, VAL | UC | EN | 3, true);
	EXPECT_EQ(get(vcpu, MCG_STATUS), 0);
	/* A corrected error does not hide one that was not. */
	EXPECT_OK(report(vcpu, 1, VAL | 9, 0));
	expect_bank(vcpu, 1, VAL | OVER | UC | EN | 3, true);
	/* Reporting is off: in the bank, for all. */
	EXPECT_EQ(vcpu_set_msr(vcpu, MC0_CTL + 4 * 2, 0), 1);
	EXPECT_OK(report(vcpu, 2, VAL | UC | EN | PCC, 5));
	expect_bank(vcpu, 2, 0, false);
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_CTL, 0), 1);
	EXPECT_OK(report(vcpu, 3, VAL | UC | EN | PCC, 5));
	expect_bank(vcpu, 3, 0, false);
	EXPECT_EQ(events(vcpu).exception.injected, 0);
}

static void on_mc(struct guest_frame *frame)
{
	GUEST_EXPECT_EQ(rdmsr(MCG_STATUS), 5);
	GUEST_EXPECT_EQ(rdmsr(MC0_STATUS + 4 * 3), VAL | UC | EN | PCC | 0x135);
	GUEST_EXPECT_EQ(rdmsr(MC0_ADDR + 4 * 3), 0xadd3);
	wrmsr(MC0_STATUS + 4 * 3, 0);
	wrmsr(MCG_STATUS, 0);
	guest_stage(2);
}

static void guest_checked(void)
{
	guest_idt_load();
	guest_handle(MC, on_mc);
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | 1 << 6);
	guest_stage(1);
	guest_stage(3);
	for (;;)
		guest_stage(4);
}

static void errors_that_raise_mc(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_checked);

	ASSERT_OK(setup(vcpu, 10 | CTL_P | SER_P));
	vcpu_expect_stage(vcpu, 1);
	/* The OUT of the stage is over only with the next RUN. */
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
	EXPECT_OK(report(vcpu, 3, VAL | UC | EN | PCC | 0x135, 5));
	EXPECT_EQ(events(vcpu).exception.injected, 1);
	EXPECT_EQ(events(vcpu).exception.nr, MC);
	vcpu_expect_stage(vcpu, 2);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(get(vcpu, MC0_STATUS + 4 * 3), 0);
	/* One machine check in the midst of another is the end. */
	EXPECT_EQ(vcpu_set_msr(vcpu, MCG_STATUS, 4), 1);
	EXPECT_OK(report(vcpu, 3, VAL | UC | EN | PCC, 5));
	vcpu_expect_exit(vcpu, KVIRT_EXIT_SHUTDOWN);
}

static void guest_unchecked(void)
{
	guest_stage(1);
	guest_done();
}

static void no_mc_without_cr4_mce(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_unchecked);

	ASSERT_OK(setup(vcpu, 10 | CTL_P | SER_P));
	vcpu_expect_stage(vcpu, 1);
	EXPECT_OK(report(vcpu, 3, VAL | UC | EN | PCC, 5));
	EXPECT_EQ(get(vcpu, MC0_STATUS + 4 * 3), 0);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_SHUTDOWN);
}

/* QEMU asserts that SET_MSRS does all that it is given: what was got, and into a new vCPU. */
static void listed_registers_can_be_set(struct vcpu *vcpu, struct vcpu *other)
{
	struct kvirt_msr_list *list = calloc(1, sizeof(*list) + 4096 * 4);

	list->nmsrs = 4096;
	ASSERT_OK(ioctl(dev_open(), KVIRT_GET_MSR_INDEX_LIST, list));
	EXPECT(list->nmsrs > 20);
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		uint32_t index = list->indices[i];
		uint64_t v;

		/* KVM lists it without an in-kernel LAPIC too, but takes no value then. */
		if (index == 0x4b564d06)
			continue;
		if (!EXPECT_EQ(vcpu_get_msr(vcpu, index, &v), 1) || !EXPECT_EQ(vcpu_set_msr(vcpu, index, v), 1) ||
		    !EXPECT_EQ(vcpu_set_msr(other, index, v), 1))
			test_note("register %#x", index);
	}
	free(list);
}

static void listed_registers(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_bare(vm, 0);

	listed_registers_can_be_set(fresh(), fresh());
	vcpu_cpuid(vcpu);
	listed_registers_can_be_set(vcpu, fresh());
}

static const struct test tests[] = {
	TEST(supported),
	TEST(setup_mce),
	TEST(registers),
	TEST(registers_in_the_guest),
	TEST(errors_that_are_only_logged),
	TEST(errors_that_raise_mc),
	TEST(no_mc_without_cr4_mce),
	TEST(listed_registers),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
