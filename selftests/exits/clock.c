// SPDX-License-Identifier: GPL-2.0
/*
 * The paravirtual clock as a guest uses it: the page it asks for, time that goes on and agrees with the VM's clock, the
 * time of day, and the mark that says it was stopped.
 */
#include <time.h>

#include "guest.h"
#include "vm.h"

static struct kvirt_pvclock_time_info page __attribute__((aligned(64)));
static struct kvirt_pvclock_wall_clock wall __attribute__((aligned(64)));
static volatile uint64_t now;

static uint64_t read_clock(void)
{
	volatile struct kvirt_pvclock_time_info *p = &page;
	uint32_t version;
	uint64_t time;

	do {
		version = p->version;
		asm volatile("lfence" : : : "memory");
		time = pvclock_at(p, rdtsc());
		asm volatile("lfence" : : : "memory");
	} while (version & 1 || version != p->version);
	return time;
}

static void guest_clock(void)
{
	uint64_t last, t;

	wrmsr(KVIRT_MSR_SYSTEM_TIME_NEW, (uint64_t)&page | KVIRT_MSR_ENABLED);
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_SYSTEM_TIME_NEW), (uint64_t)&page | KVIRT_MSR_ENABLED);
	GUEST_EXPECT(page.version != 0);
	GUEST_EXPECT(page.tsc_to_system_mul != 0);
	last = read_clock();
	for (int i = 0; i < 200; i++) {
		t = read_clock();
		GUEST_EXPECT(t >= last);
		last = t;
		if (i % 50 == 0)
			inb(PORT_TEST);
	}
	now = read_clock();
	guest_stage(1);
	now = read_clock();
	guest_stage(2);
	now = read_clock();
	GUEST_EXPECT(page.flags & KVIRT_PVCLOCK_GUEST_STOPPED);
	guest_stage(3);
	wrmsr(KVIRT_MSR_WALL_CLOCK_NEW, (uint64_t)&wall);
	guest_stage(4);
	guest_done();
}

static void run_past_ports(struct vcpu *vcpu, long stage)
{
	long got;

	while ((got = vcpu_go(vcpu)) == OTHER_EXIT)
		ASSERT_EQ(vcpu->run->io.port, PORT_TEST);
	ASSERT_EQ(got, stage);
}

static void time_goes_on(void)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_clock);
	struct kvirt_clock_data c = { 0 };
	uint64_t before = vm_read_clock(vm), after, guest;
	struct kvirt_pvclock_wall_clock *w;
	struct timespec real;

	run_past_ports(vcpu, 1);
	after = vm_read_clock(vm);
	guest = *vm_var(vm, now);
	EXPECT(guest >= before);
	EXPECT(guest <= after);
	/* Set ahead, it is the guest's too. */
	c.clock = after + 1000000000000;
	ASSERT_OK(ioctl(vm->fd, KVIRT_SET_CLOCK, &c));
	run_past_ports(vcpu, 2);
	guest = *vm_var(vm, now);
	EXPECT(guest >= c.clock);
	EXPECT(guest <= vm_read_clock(vm));
	EXPECT_OK(ioctl(vcpu->fd, KVIRT_KVMCLOCK_CTRL, 0));
	run_past_ports(vcpu, 3);
	EXPECT(*vm_var(vm, now) >= guest);
	/* Boot time and system time make the time of day. */
	run_past_ports(vcpu, 4);
	clock_gettime(CLOCK_REALTIME, &real);
	w = vm_var(vm, wall);
	EXPECT_EQ(w->version & 1, 0);
	EXPECT(w->version != 0);
	EXPECT(w->nsec < 1000000000);
	{
		int64_t sum = w->sec + (int64_t)(vm_read_clock(vm) / 1000000000), off = sum - real.tv_sec;

		EXPECT(off >= -2 && off <= 2);
	}
	run_past_ports(vcpu, STAGE_DONE);
}

static void guest_off(void)
{
	uint32_t version;

	wrmsr(KVIRT_MSR_SYSTEM_TIME_NEW, (uint64_t)&page | KVIRT_MSR_ENABLED);
	wrmsr(KVIRT_MSR_SYSTEM_TIME_NEW, 0);
	GUEST_EXPECT_EQ(rdmsr(KVIRT_MSR_SYSTEM_TIME_NEW), 0);
	version = ((volatile struct kvirt_pvclock_time_info *)&page)->version;
	guest_stage(1);
	GUEST_EXPECT_EQ(((volatile struct kvirt_pvclock_time_info *)&page)->version, version);
	/* The old numbers are the same registers. */
	wrmsr(KVIRT_MSR_SYSTEM_TIME, (uint64_t)&page | KVIRT_MSR_ENABLED);
	GUEST_EXPECT(read_clock() > 0);
	guest_done();
}

static void switched_off(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_off);

	vcpu_expect_stage(vcpu, 1);
	vcpu_finish(vcpu);
}

/* A page where no memory is harms nobody. */
static void guest_nowhere(void)
{
	guest_idt_load();
	GUEST_TRY("wrmsr", "c"(KVIRT_MSR_SYSTEM_TIME_NEW), "a"((uint32_t)GUEST_HOLE | 1), "d"(0) : "memory");
	inb(PORT_TEST);
	GUEST_TRY("wrmsr", "c"(KVIRT_MSR_WALL_CLOCK_NEW), "a"((uint32_t)GUEST_HOLE), "d"(0) : "memory");
	guest_done();
}

static void page_without_memory(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_nowhere);

	run_past_ports(vcpu, STAGE_DONE);
}

static const struct test tests[] = {
	TEST(time_goes_on),
	TEST(switched_off),
	TEST(page_without_memory),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
