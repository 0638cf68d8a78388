// SPDX-License-Identifier: GPL-2.0
/*
 * Time and signal-mask ioctls: TSC rate, the paravirtual clock of a VM, KVMCLOCK_CTRL, SET_SIGNAL_MASK.
 */
#include <stdlib.h>

#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)

static void tsc_khz(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	int host = ioctl(vcpu->fd, KVIRT_GET_TSC_KHZ, 0);

	EXPECT(host > 10000);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_TSC_KHZ, 0));
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_TSC_KHZ, 0), host);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_TSC_KHZ, host));
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_TSC_KHZ, 0), host);
	if (!dev_cap(KVIRT_CAP_TSC_CONTROL)) {
		/* Slower than the hardware cannot be had without scaling. (KVM's GET tells the refused rate afterwards.) */
		EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_TSC_KHZ, host / 2), EINVAL);
		EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_TSC_KHZ, host));
	} else {
		EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_TSC_KHZ, host / 2));
		EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_TSC_KHZ, 0), host / 2);
	}
	/* The VM's own is there with or without scaling. */
	EXPECT_EQ(ioctl(vm->fd, KVIRT_GET_TSC_KHZ, 0), host);
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_TSC_KHZ, 0));
	EXPECT_EQ(ioctl(vm->fd, KVIRT_GET_TSC_KHZ, 0), host);
}

static void vm_clock(void)
{
	struct vm *vm = vm_bare();
	struct kvirt_clock_data c, d;
	uint32_t known = KVIRT_CLOCK_TSC_STABLE | KVIRT_CLOCK_REALTIME | KVIRT_CLOCK_HOST_TSC;

	memset(&c, 0xff, sizeof(c));
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_CLOCK, &c));
	EXPECT_EQ(c.flags & ~known, 0);
	EXPECT_EQ(c.pad0 | c.pad[0] | c.pad[1] | c.pad[2] | c.pad[3], 0);
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_CLOCK, &d));
	EXPECT(d.clock >= c.clock);
	if (c.flags & KVIRT_CLOCK_REALTIME)
		EXPECT(c.realtime > 1000000000ull * 1000000000ull);
	/* What is set is where it goes on. */
	memset(&c, 0, sizeof(c));
	c.clock = 1ull << 50;
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_CLOCK, &c));
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_CLOCK, &d));
	EXPECT(d.clock >= 1ull << 50 && d.clock < (1ull << 50) + (1ull << 40));
	/* What GET gave, SET takes. */
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_CLOCK, &d));
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_CLOCK, &c));
	EXPECT(c.clock >= d.clock);
	d.flags = 1 << 10;
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_CLOCK, &d), EINVAL);
	d.flags = 1;
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_CLOCK, &d), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_GET_CLOCK, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_CLOCK, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_SET_CLOCK, BAD_POINTER), EFAULT);
}

/* The clock's advance by the time of day since it was read. */
static void vm_clock_with_realtime(void)
{
	struct vm *vm = vm_bare();
	struct kvirt_clock_data c, d;

	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_CLOCK, &c));
	if (!(c.flags & KVIRT_CLOCK_REALTIME)) {
		EXPECT_EQ(c.realtime, 0);
		return;
	}
	d = c;
	d.flags = KVIRT_CLOCK_REALTIME;
	d.clock = 1ull << 50;
	d.realtime -= 1000ull * 1000000000;		/* read 1,000 s ago */
	ASSERT_OK(ioctl(vm->fd, KVIRT_SET_CLOCK, &d));
	ASSERT_OK(ioctl(vm->fd, KVIRT_GET_CLOCK, &c));
	EXPECT(c.clock >= (1ull << 50) + 1000ull * 1000000000);
}

static void kvmclock_ctrl(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);

	vcpu_cpuid(vcpu);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_KVMCLOCK_CTRL, 0), EINVAL);
	EXPECT_EQ(vcpu_set_msr(vcpu, KVIRT_MSR_SYSTEM_TIME_NEW, GUEST_SCRATCH | KVIRT_MSR_ENABLED), 1);
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_KVMCLOCK_CTRL, 0));
	EXPECT_EQ(vcpu_set_msr(vcpu, KVIRT_MSR_SYSTEM_TIME_NEW, 0), 1);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_KVMCLOCK_CTRL, 0), EINVAL);
}

/* The TSC of a VM begins with its first vCPU, and the others join in. */
static void tsc_begins_at_zero(void)
{
	uint64_t before = __builtin_ia32_rdtsc(), first, second, after;
	struct vm *vm = vm_bare();
	struct vcpu *a = vcpu_bare(vm, 0), *b = vcpu_bare(vm, 1);

	EXPECT_EQ(vcpu_get_msr(a, 0x10, &first), 1);
	EXPECT_EQ(vcpu_get_msr(b, 0x10, &second), 1);
	after = __builtin_ia32_rdtsc();
	EXPECT(first <= after - before);
	EXPECT(second <= after - before && second >= first);
}

static uint64_t offset_of(struct vcpu *vcpu)
{
	uint64_t v = 0;
	struct kvirt_device_attr attr = { .addr = (uintptr_t)&v };

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEVICE_ATTR, &attr));
	return v;
}

/*
 * A TSC that user space writes near the one it wrote last is taken for that one, and 0 always: VMMs write each vCPU's in its turn, and a
 * vCPU that is new has 0. The time between two writes here is far below a second on any host that is not stopped.
 */
static void tsc_writes_are_matched(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *a = vcpu_bare(vm, 0), *b = vcpu_bare(vm, 1);
	uint64_t second = ioctl(a->fd, KVIRT_GET_TSC_KHZ, 0) * 1000ull, at = 1ull << 44, begun = offset_of(a), v;

	EXPECT_EQ(offset_of(b), begun);
	/* Far ahead: its own, whatever the other has. */
	EXPECT_EQ(vcpu_set_msr(a, 0x10, at), 1);
	EXPECT(offset_of(a) != begun);
	EXPECT_EQ(offset_of(b), begun);
	/* 0 joins the others, and starts nothing anew. */
	EXPECT_EQ(vcpu_set_msr(b, 0x10, 0), 1);
	EXPECT_EQ(offset_of(b), offset_of(a));
	EXPECT_EQ(vcpu_get_msr(b, 0x10, &v), 1);
	EXPECT(v >= at);
	EXPECT_EQ(vcpu_set_msr(a, 0x10, 0), 1);
	EXPECT_EQ(offset_of(a), offset_of(b));
	/* It counts as the last write all the same: what was near is far now, and the other way round. */
	EXPECT_EQ(vcpu_set_msr(a, 0x10, second / 2), 1);
	EXPECT_EQ(offset_of(a), offset_of(b));
	EXPECT_EQ(vcpu_set_msr(a, 0x10, at), 1);
	EXPECT(offset_of(a) != offset_of(b));
	/* Half a second ahead of the other and half a second behind that. */
	EXPECT_EQ(vcpu_set_msr(b, 0x10, at + second / 2), 1);
	EXPECT_EQ(offset_of(b), offset_of(a));
	EXPECT_EQ(vcpu_set_msr(b, 0x10, at), 1);
	EXPECT_EQ(offset_of(b), offset_of(a));
	/* More than a second, on either side. */
	EXPECT_EQ(vcpu_set_msr(b, 0x10, at + 8 * second), 1);
	EXPECT(offset_of(b) > offset_of(a));
	EXPECT_EQ(vcpu_set_msr(a, 0x10, at + 6 * second), 1);
	EXPECT(offset_of(a) < offset_of(b));
}

static void signal_mask(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_bare(), 0);
	struct {
		struct kvirt_signal_mask head;
		uint8_t set[16];
	} m = { { 8 } };

	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_SIGNAL_MASK, &m));
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_SET_SIGNAL_MASK, NULL));
	m.head.len = 4;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_SIGNAL_MASK, &m), EINVAL);
	m.head.len = 16;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_SIGNAL_MASK, &m), EINVAL);
	m.head.len = 0;
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_SIGNAL_MASK, &m), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_SIGNAL_MASK, BAD_POINTER), EFAULT);
}

static const struct test tests[] = {
	TEST(tsc_khz),
	TEST(vm_clock),
	TEST(vm_clock_with_realtime),
	TEST(kvmclock_ctrl),
	TEST(tsc_begins_at_zero),
	TEST(tsc_writes_are_matched),
	TEST(signal_mask),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
