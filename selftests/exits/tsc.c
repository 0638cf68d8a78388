// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's TSC at another rate than the host's, where the CPU scales it: what the guest and user space read, kvm-clock and
 * the deadline timer. For machines that scale: abi/time has what the others answer.
 */
#include "guest.h"
#include "vm.h"

enum { VECTOR = 0x50 };

static struct kvirt_pvclock_time_info page __attribute__((aligned(64)));
static volatile uint64_t khz, tsc, late[2];
static volatile uint32_t count;

static void guest_reads(void)
{
	wrmsr(KVIRT_MSR_SYSTEM_TIME_NEW, (uint64_t)&page | KVIRT_MSR_ENABLED);
	for (int stage = 1; stage <= 3; stage++) {
		tsc = rdtsc();
		guest_stage(stage);
		/* The exit to RDMSR goes by another way than the instruction. */
		tsc = rdmsr(MSR_TSC);
		guest_stage(stage);
	}
	guest_done();
}

static uint64_t host_tsc(void)
{
	asm volatile("mfence; lfence" : : : "memory");
	return rdtsc();
}

/* host * to / from; the hardware's ratio has 32 bits or more after the point. */
static uint64_t scaled(uint64_t host, uint64_t to, uint64_t from)
{
	return (__uint128_t)host * to / from;
}

static uint64_t tsc_offset(struct vcpu *vcpu)
{
	uint64_t offset = 0;
	struct kvirt_device_attr attr = {
		.group = KVIRT_VCPU_TSC_CTRL, .attr = KVIRT_VCPU_TSC_OFFSET, .addr = (uintptr_t)&offset,
	};

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_DEVICE_ATTR, &attr));
	return offset;
}

static void expect_between(uint64_t value, uint64_t before, uint64_t after, struct vcpu *vcpu, uint64_t rate, uint64_t host)
{
	uint64_t offset = tsc_offset(vcpu), slack = (after >> 30) + 2;

	EXPECT(value - offset + slack >= scaled(before, rate, host));
	EXPECT(value - offset <= scaled(after, rate, host) + slack);
}

static void at_rate(uint64_t rate, uint64_t host)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_reads);
	uint64_t before, after, clock_before, clock_after, time, value;

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_TSC_KHZ, rate));
	EXPECT_EQ(ioctl(vcpu->fd, KVIRT_GET_TSC_KHZ, 0), rate);
	for (int i = 0; i < 6; i++) {
		clock_before = vm_read_clock(vm);
		before = host_tsc();
		vcpu_expect_stage(vcpu, i / 2 + 1);
		after = host_tsc();
		clock_after = vm_read_clock(vm);
		value = *vm_var(vm, tsc);
		expect_between(value, before, after, vcpu, rate, host);
		/* Both are rounded to the kHz: a nanosecond in a millisecond at most. */
		time = pvclock_at(vm_var(vm, page), value);
		EXPECT(time + (clock_after >> 20) + 1000 >= clock_before);
		EXPECT(time <= clock_after + (clock_after >> 20) + 1000);
		before = host_tsc();
		ASSERT_EQ(vcpu_get_msr(vcpu, MSR_TSC, &value), 1);
		expect_between(value, before, host_tsc(), vcpu, rate, host);
	}
	vcpu_expect_stage(vcpu, STAGE_DONE);
	vcpu_free(vcpu);
	vm_free(vm);
}

/* The host's rate: a VM's before it is set. */
static uint64_t host_khz(void)
{
	struct vm *vm = vm_bare();
	uint64_t khz = ioctl(vm->fd, KVIRT_GET_TSC_KHZ, 0);

	ASSERT(dev_cap(KVIRT_CAP_TSC_CONTROL) > 0 && dev_cap(KVIRT_CAP_VM_TSC_CONTROL) > 0);
	vm_free(vm);
	return khz;
}

static void rates(void)
{
	uint64_t host = host_khz();

	at_rate(host / 2, host);
	at_rate(host * 3, host);
	at_rate(host / 7 + 1, host);
	at_rate(host, host);
}

static void on_interrupt(struct guest_frame *frame)
{
	count++;
	apic_write(APIC_EOI, 0);
}

/* A deadline that is 100 ms off by the guest's clock: in HLT, then spinning. */
static void guest_deadlines(void)
{
	uint64_t deadline;

	guest_idt_load();
	guest_handle(VECTOR, on_interrupt);
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_LVT_TIMER, 0x40000 | VECTOR);
	deadline = rdtsc() + khz * 100;
	wrmsr(MSR_TSC_DEADLINE, deadline);
	sti_hlt_cli();
	late[0] = rdtsc() - deadline;
	GUEST_EXPECT_EQ(count, 1);
	deadline = rdtsc() + khz * 20;
	wrmsr(MSR_TSC_DEADLINE, deadline);
	sti();
	while (count < 2)
		cpu_relax();
	cli();
	late[1] = rdtsc() - deadline;
	GUEST_EXPECT_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	guest_done();
}

static void deadlines(void)
{
	uint64_t host = host_khz(), rate[] = { host / 2, host * 3, host };

	for (unsigned int i = 0; i < COUNT(rate); i++) {
		struct vm *vm = vm_new_split();
		struct vcpu *vcpu = vcpu_new(vm, 0, guest_deadlines);

		ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_TSC_KHZ, rate[i]));
		*vm_var(vm, khz) = rate[i];
		vcpu_finish(vcpu);
		/* Not before it, and not by the host's rate: that is 10 ms apart or more. */
		for (int j = 0; j < 2; j++) {
			uint64_t ticks = (*vm_var(vm, late))[j];

			EXPECT(ticks < rate[i] * 5);
		}
		vcpu_free(vcpu);
		vm_free(vm);
	}
}

/* The VM's rate is that of its vCPUs, and every vCPU's TSC is where the first's is. */
static void guest_two(void)
{
	tsc = rdtsc();
	guest_stage(1);
	guest_done();
}

static void of_the_vm(void)
{
	struct vm *vm = vm_new();
	struct vcpu *first, *second;
	uint64_t host = host_khz(), one;

	ASSERT_OK(ioctl(vm->fd, KVIRT_SET_TSC_KHZ, host / 4));
	EXPECT_EQ(ioctl(vm->fd, KVIRT_GET_TSC_KHZ, 0), host / 4);
	first = vcpu_new(vm, 0, guest_two);
	second = vcpu_new(vm, 1, guest_two);
	EXPECT_EQ(ioctl(second->fd, KVIRT_GET_TSC_KHZ, 0), host / 4);
	vcpu_expect_stage(first, 1);
	one = *vm_var(vm, tsc);
	vcpu_expect_stage(second, 1);
	EXPECT(*vm_var(vm, tsc) > one);
	EXPECT(*vm_var(vm, tsc) - one < host / 4 * 100);
	EXPECT_EQ(tsc_offset(first), tsc_offset(second));
	/* What the hardware cannot multiply by. */
	EXPECT_ERRNO(ioctl(first->fd, KVIRT_SET_TSC_KHZ, 0x7fffffffu), EINVAL);
	EXPECT_EQ(ioctl(first->fd, KVIRT_GET_TSC_KHZ, 0), host / 4);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(rates),
	TEST(deadlines),
	TEST(of_the_vm),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
