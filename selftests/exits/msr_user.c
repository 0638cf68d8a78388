// SPDX-License-Identifier: GPL-2.0
/*
 * MSRs that user space answers for, and the filter that says which a guest may reach: KVIRT_CAP_X86_USER_SPACE_MSR,
 * KVIRT_X86_SET_MSR_FILTER, the exits X86_RDMSR and X86_WRMSR.
 */
#include <pthread.h>
#include <stdlib.h>

#include "guest.h"
#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)
#define GP		13

enum {
	UNKNOWN = 0x12345678, SYSENTER_CS = 0x174, SYSENTER_EIP = 0x176, EFER = 0xc0000080, STAR = 0xc0000081, LSTAR = 0xc0000082,
	FMASK = 0xc0000084, FS_BASE = 0xc0000100, GS_BASE = 0xc0000101, KERNEL_GS_BASE = 0xc0000102, TSC = 0x10, PAT = 0x277,
	X2APIC_TPR = 0x808,
};

enum {
	INVAL = KVIRT_MSR_EXIT_REASON_INVAL, NOT_KNOWN = KVIRT_MSR_EXIT_REASON_UNKNOWN, FILTER = KVIRT_MSR_EXIT_REASON_FILTER,
	READ = KVIRT_MSR_FILTER_READ, WRITE = KVIRT_MSR_FILTER_WRITE, DENY = KVIRT_MSR_FILTER_DEFAULT_DENY,
};

#define TRY_WRMSR(index, value)										\
	GUEST_TRY("wrmsr", "c"(index), "a"((uint32_t)(value)), "d"((uint32_t)((uint64_t)(value) >> 32)) : "memory")
#define TRY_RDMSR(index)	GUEST_TRY("rdmsr", "c"(index) : "rax", "rdx", "memory")

static void expect_msr_exit(struct vcpu *vcpu, bool write, uint32_t reason, uint32_t index, uint64_t data)
{
	uint64_t rip = vcpu_regs(vcpu).rip;

	vcpu_expect_exit(vcpu, write ? KVIRT_EXIT_X86_WRMSR : KVIRT_EXIT_X86_RDMSR);
	EXPECT_EQ(vcpu->run->msr.reason, reason);
	EXPECT_EQ(vcpu->run->msr.index, index);
	EXPECT_EQ(vcpu->run->msr.error, 0);
	if (write)
		EXPECT_EQ(vcpu->run->msr.data, data);
	EXPECT(vcpu_regs(vcpu).rip != rip);
}

/* --- which refusals leave --- */

static void guest_refused(void)
{
	uint64_t efer = rdmsr(EFER);

	guest_idt_load();
	GUEST_EXPECT_EQ(rdmsr(UNKNOWN), 0x1122334455667788);
	wrmsr(UNKNOWN, 0xaabbccddeeff0011);
	guest_stage(1);
	wrmsr(EFER, efer | 1ull << 63);			/* user space says that it is fine */
	GUEST_EXPECT_EQ(rdmsr(EFER), efer);
	guest_stage(2);
	/* And now that it is not. */
	GUEST_EXPECT_EQ(TRY_RDMSR(UNKNOWN), GP);
	GUEST_EXPECT_EQ(guest_catch.error, 0);
	GUEST_EXPECT_EQ(TRY_WRMSR(EFER, efer | 1ull << 63), GP);
	GUEST_EXPECT_EQ(guest_catch.error, 0);
	guest_stage(3);
	/* Asked for no more. */
	GUEST_EXPECT_EQ(TRY_RDMSR(UNKNOWN), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(EFER, efer | 1ull << 63), GP);
	guest_stage(4);
	GUEST_EXPECT_EQ(TRY_RDMSR(UNKNOWN), GP);
	GUEST_EXPECT_EQ(TRY_WRMSR(EFER, efer | 1ull << 63), NO_FAULT);
	guest_done();
}

static void refusals_leave(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_refused);

	ASSERT_OK(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, INVAL | NOT_KNOWN | FILTER));
	expect_msr_exit(vcpu, false, NOT_KNOWN, UNKNOWN, 0);
	vcpu->run->msr.data = 0x1122334455667788;
	expect_msr_exit(vcpu, true, NOT_KNOWN, UNKNOWN, 0xaabbccddeeff0011);
	vcpu_expect_stage(vcpu, 1);
	expect_msr_exit(vcpu, true, INVAL, EFER, vcpu_sregs(vcpu).efer | 1ull << 63);
	vcpu_expect_stage(vcpu, 2);
	expect_msr_exit(vcpu, false, NOT_KNOWN, UNKNOWN, 0);
	vcpu->run->msr.error = 1;
	expect_msr_exit(vcpu, true, INVAL, EFER, vcpu_sregs(vcpu).efer | 1ull << 63);
	vcpu->run->msr.error = 0xff;
	vcpu_expect_stage(vcpu, 3);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, FILTER));
	vcpu_expect_stage(vcpu, 4);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, INVAL));
	expect_msr_exit(vcpu, true, INVAL, EFER, vcpu_sregs(vcpu).efer | 1ull << 63);
	vcpu_finish(vcpu);
}

/* The answer is taken by the next RUN even if the guest is not to run on. */
static void guest_one(void)
{
	GUEST_EXPECT_EQ(rdmsr(UNKNOWN), 0x8000000000000001);
	guest_done();
}

static void answers_count_at_once(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_one);
	struct kvirt_regs at, after;

	ASSERT_OK(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, NOT_KNOWN));
	vcpu_expect_exit(vcpu, KVIRT_EXIT_X86_RDMSR);
	at = vcpu_regs(vcpu);
	vcpu->run->msr.data = 0x8000000000000001;
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
	after = vcpu_regs(vcpu);
	EXPECT_EQ(after.rip, at.rip + 2);
	EXPECT_EQ(after.rax, 1);
	EXPECT_EQ(after.rdx, 0x80000000);
	/* The page is of no interest any more. */
	vcpu->run->msr.data = 0;
	vcpu->run->msr.error = 1;
	vcpu_finish(vcpu);
}

static void wrong_reasons(void)
{
	struct vm *vm = vm_bare();

	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, 8), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, 1ull << 32), EINVAL);
	EXPECT_ERRNO(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, -1ull), EINVAL);
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, 0));
	EXPECT_OK(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, 7));
}

/* --- the filter --- */

static uint64_t none[192], all[192];	/* 1536 bytes: 12288 registers */

static int set_filter(struct vm *vm, const struct kvirt_msr_filter *f)
{
	return ioctl(vm->fd, KVIRT_X86_SET_MSR_FILTER, f);
}

/* Deny @n registers from @base for @access, allow all others. */
static void deny(struct vm *vm, uint32_t access, uint32_t base, uint32_t n)
{
	struct kvirt_msr_filter f = { .ranges = { { access, n, base, (uint8_t *)none } } };

	ASSERT_OK(set_filter(vm, &f));
}

static void wrong_filters(void)
{
	struct vm *vm = vm_bare();
	struct kvirt_msr_filter f = { 0 };
	struct kvirt_msr_filter_range r = { READ, 1, 0, (uint8_t *)none };

	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_X86_SET_MSR_FILTER, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_X86_SET_MSR_FILTER, BAD_POINTER), EFAULT);
	EXPECT_OK(set_filter(vm, &f));
	f.flags = DENY;
	EXPECT_ERRNO(set_filter(vm, &f), EINVAL);
	/* A range without registers is none, whatever else it says. */
	f.ranges[0] = (struct kvirt_msr_filter_range){ ~0u, 0, ~0u, BAD_POINTER };
	EXPECT_ERRNO(set_filter(vm, &f), EINVAL);
	f.flags = 0;
	EXPECT_OK(set_filter(vm, &f));
	f.flags = 2;
	EXPECT_ERRNO(set_filter(vm, &f), EINVAL);
	f.flags = 0;
	for (int i = 0; i < 16; i += 15) {
		memset(&f, 0, sizeof(f));
		f.ranges[i] = r;
		EXPECT_OK(set_filter(vm, &f));
		f.ranges[i].flags = 0;
		EXPECT_ERRNO(set_filter(vm, &f), EINVAL);
		f.ranges[i].flags = 4 | READ;
		EXPECT_ERRNO(set_filter(vm, &f), EINVAL);
		f.ranges[i] = r;
		f.ranges[i].nmsrs = 12289;
		EXPECT_ERRNO(set_filter(vm, &f), EINVAL);
		f.ranges[i].nmsrs = ~0u;
		EXPECT_ERRNO(set_filter(vm, &f), EINVAL);
		f.ranges[i].nmsrs = 12288;
		EXPECT_OK(set_filter(vm, &f));
		f.ranges[i].base = ~0u;
		EXPECT_OK(set_filter(vm, &f));
		f.ranges[i].bitmap = BAD_POINTER;
		EXPECT_ERRNO(set_filter(vm, &f), EFAULT);
	}
	/* Overlapping ranges, all of them at their largest. */
	for (int i = 0; i < 16; i++)
		f.ranges[i] = (struct kvirt_msr_filter_range){ READ | WRITE, 12288, i * 100, (uint8_t *)all };
	EXPECT_OK(set_filter(vm, &f));
}

/* Registers that a guest without a filter reaches without an exit on one vendor's CPUs or the other's, and some that exit. */
static const uint32_t some[] = { SYSENTER_CS, SYSENTER_EIP, STAR, LSTAR, FMASK, FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC, PAT };

static void guest_filtered(void)
{
	guest_idt_load();
	for (unsigned int i = 0; i < COUNT(some); i++) {
		uint64_t v;

		GUEST_EXPECT_EQ(TRY_RDMSR(some[i]), NO_FAULT);
		v = rdmsr(some[i]);
		guest_stage(i * 8);			/* reads denied */
		GUEST_EXPECT_EQ(TRY_RDMSR(some[i]), GP);
		GUEST_EXPECT_EQ(guest_catch.error, 0);
		GUEST_EXPECT_EQ(TRY_WRMSR(some[i], v), NO_FAULT);
		guest_stage(i * 8 + 1);			/* writes denied */
		GUEST_EXPECT_EQ(TRY_RDMSR(some[i]), NO_FAULT);
		GUEST_EXPECT_EQ(TRY_WRMSR(some[i], v), GP);
		guest_stage(i * 8 + 2);			/* all denied but this one */
		GUEST_EXPECT_EQ(TRY_RDMSR(some[i]), NO_FAULT);
		GUEST_EXPECT_EQ(TRY_WRMSR(some[i], v), NO_FAULT);
		GUEST_EXPECT_EQ(TRY_RDMSR(EFER), GP);
		guest_stage(i * 8 + 3);			/* it leaves */
		GUEST_EXPECT_EQ(rdmsr(some[i]), 0x4711);
		wrmsr(some[i], 0x815);
		guest_stage(i * 8 + 4);			/* no filter any more */
		if (some[i] != TSC)
			GUEST_EXPECT_EQ(rdmsr(some[i]), v);
	}
	guest_done();
}

static void filters(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_filtered);

	for (unsigned int i = 0; i < COUNT(some); i++) {
		struct kvirt_msr_filter only = { DENY, { { READ | WRITE, 1, some[i], (uint8_t *)all } } };
		uint64_t v;

		vcpu_expect_stage(vcpu, i * 8);
		deny(vm, READ, some[i], 1);
		vcpu_expect_stage(vcpu, i * 8 + 1);
		deny(vm, WRITE, some[i], 1);
		vcpu_expect_stage(vcpu, i * 8 + 2);
		ASSERT_OK(set_filter(vm, &only));
		vcpu_expect_stage(vcpu, i * 8 + 3);
		deny(vm, READ | WRITE, some[i], 1);
		/* User space is not filtered. */
		EXPECT_EQ(vcpu_get_msr(vcpu, some[i], &v), 1);
		if (some[i] != TSC)
			EXPECT_EQ(vcpu_set_msr(vcpu, some[i], v), 1);
		ASSERT_OK(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, FILTER));
		expect_msr_exit(vcpu, false, FILTER, some[i], 0);
		vcpu->run->msr.data = 0x4711;
		expect_msr_exit(vcpu, true, FILTER, some[i], 0x815);
		vcpu_expect_stage(vcpu, i * 8 + 4);
		deny(vm, READ, 0, 0);
		ASSERT_OK(vm_enable(vm, KVIRT_CAP_X86_USER_SPACE_MSR, 0));
	}
	vcpu_finish(vcpu);
}

static void guest_ranges(void)
{
	guest_idt_load();
	GUEST_EXPECT_EQ(TRY_RDMSR(SYSENTER_CS), NO_FAULT);	/* the first range that has it allows it */
	GUEST_EXPECT_EQ(TRY_RDMSR(SYSENTER_CS + 1), GP);
	GUEST_EXPECT_EQ(TRY_RDMSR(SYSENTER_EIP), GP);		/* the second does not */
	GUEST_EXPECT_EQ(TRY_WRMSR(SYSENTER_EIP, 0), NO_FAULT);	/* it is about reads alone */
	GUEST_EXPECT_EQ(TRY_RDMSR(PAT), NO_FAULT);		/* in none */
	GUEST_EXPECT_EQ(TRY_RDMSR(STAR), GP);			/* bit 64 of a bitmap */
	GUEST_EXPECT_EQ(TRY_RDMSR(LSTAR), NO_FAULT);		/* bit 65 of a bitmap */
	guest_done();
}

static void ranges_in_their_order(void)
{
	static uint64_t first = 1, last[2] = { 0, 2 };
	struct vm *vm = vm_new();
	struct kvirt_msr_filter f = { 0, {
		{ 0, 0, 0, NULL },
		{ READ, 2, SYSENTER_CS, (uint8_t *)&first },
		{ READ, 12288, 0, (uint8_t *)none },
		{ READ | WRITE, 1, PAT, (uint8_t *)all },
	} };

	f.ranges[2].nmsrs = SYSENTER_EIP + 1;
	f.ranges[15] = (struct kvirt_msr_filter_range){ READ, 66, LSTAR - 65, (uint8_t *)last };
	ASSERT_OK(set_filter(vm, &f));
	/* The vCPU comes after the filter, and what the bitmaps were made of may change. */
	first = 0;
	last[1] = 0;
	vcpu_finish(vcpu_new(vm, 0, guest_ranges));
}

static void guest_x2apic(void)
{
	guest_idt_load();
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 3 << 10);
	guest_stage(1);
	GUEST_EXPECT_EQ(TRY_WRMSR(X2APIC_TPR, 0x20), NO_FAULT);
	GUEST_EXPECT_EQ(rdmsr(X2APIC_TPR), 0x20);
	GUEST_EXPECT_EQ(TRY_RDMSR(MSR_APIC_BASE), GP);
	guest_done();
}

static void x2apic_is_not_filtered(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_x2apic);
	struct kvirt_msr_filter f = { DENY, { { READ | WRITE, 0x1000, 0, (uint8_t *)none } } };

	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(set_filter(vm, &f));
	vcpu_finish(vcpu);
}

/* --- while it runs --- */

static volatile bool over;

static void *change_filters(void *arg)
{
	struct vm *vm = arg;

	for (unsigned int i = 0; !over; i++) {
		struct kvirt_msr_filter f = { i & 1 ? DENY : 0, { { READ | WRITE, 1 + i % 12288, 0, (uint8_t *)(i & 2 ? all : none) } } };

		if (set_filter(vm, &f))
			return (void *)1;
		usleep(1000);
	}
	return NULL;
}

static void guest_hammers(void)
{
	guest_idt_load();
	for (int i = 0; i < 10000; i++) {
		TRY_RDMSR(SYSENTER_EIP);
		TRY_WRMSR(SYSENTER_CS, 0);
		TRY_RDMSR(LSTAR);
	}
	guest_done();
}

static void filters_change_under_a_guest(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_hammers);
	pthread_t thread;
	void *failed;

	ASSERT(!pthread_create(&thread, NULL, change_filters, vm));
	vcpu_finish(vcpu);
	over = true;
	ASSERT(!pthread_join(thread, &failed));
	EXPECT(!failed);
}

/* --- PLATFORM_INFO --- */

static void guest_platform_info(void)
{
	guest_idt_load();
	GUEST_EXPECT_EQ(rdmsr(0xce), 1ull << 31);
	guest_stage(1);
	GUEST_EXPECT_EQ(TRY_RDMSR(0xce), GP);
	guest_stage(2);
	GUEST_EXPECT_EQ(TRY_RDMSR(0xce), NO_FAULT);
	guest_done();
}

static void platform_info_can_be_hidden(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_platform_info);
	uint64_t v;

	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_MSR_PLATFORM_INFO, 0));
	EXPECT_EQ(vcpu_get_msr(vcpu, 0xce, &v), 1);
	EXPECT_EQ(v, 1ull << 31);
	vcpu_expect_stage(vcpu, 2);
	ASSERT_OK(vm_enable(vm, KVIRT_CAP_MSR_PLATFORM_INFO, 1));
	vcpu_finish(vcpu);
}

static const struct test tests[] = {
	TEST(refusals_leave),
	TEST(answers_count_at_once),
	TEST(wrong_reasons),
	TEST(wrong_filters),
	TEST(filters),
	TEST(ranges_in_their_order),
	TEST(x2apic_is_not_filtered),
	TEST(filters_change_under_a_guest),
	TEST(platform_info_can_be_hidden),
};

int main(int argc, char **argv)
{
	memset(all, 0xff, sizeof(all));
	return test_main(argc, argv, tests, COUNT(tests));
}
