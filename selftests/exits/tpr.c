// SPDX-License-Identifier: GPL-2.0
/*
 * The task priority as old guests' hypervisors share it: TPR_ACCESS_REPORTING with its exit, and SET_VAPIC_ADDR, by which the guest keeps
 * its TPR in memory.
 */
#include <signal.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

#define BAD_POINTER	((void *)0x10ul)
#define VAPIC		(GUEST_SCRATCH + 0x100)
#define VECTOR		0x55

static void guest_accesses(void)
{
	xapic_write(APIC_TPR, 0x10);		/* not reported yet */
	guest_stage(1);
	asm volatile(".globl tpr_write; tpr_write: movl %0, (%1); .globl tpr_after; tpr_after:" : : "r"(0x20), "r"(APIC_MMIO + APIC_TPR) : "memory");
	asm volatile(".globl tpr_read; tpr_read: movl (%0), %%eax" : : "r"(APIC_MMIO + APIC_TPR) : "rax", "memory");
	GUEST_EXPECT_EQ(xapic_read(APIC_TPR), 0x20);
	/* Other registers, CR8: nobody's concern. */
	xapic_read(APIC_PPR);
	xapic_write(APIC_SVR, 0x1ff);
	WRITE_REGISTER(cr8, 3);
	GUEST_EXPECT_EQ(READ_REGISTER(cr8), 3);
	guest_stage(2);
	GUEST_EXPECT_EQ(xapic_read(APIC_TPR), 0x30);
	guest_done();
}

extern const uint8_t tpr_write[], tpr_read[], tpr_after[];

static int reporting(struct vcpu *vcpu, uint32_t enabled, uint32_t flags)
{
	struct kvirt_tpr_access_ctl ctl = { .enabled = enabled, .flags = flags };

	return ioctl(vcpu->fd, KVIRT_TPR_ACCESS_REPORTING, &ctl);
}

static void accesses_are_reported(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_accesses);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_ERRNO(reporting(vcpu, 1, 1), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_TPR_ACCESS_REPORTING, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_TPR_ACCESS_REPORTING, BAD_POINTER), EFAULT);
	ASSERT_OK(reporting(vcpu, 1, 0));
	vcpu_expect_exit(vcpu, KVIRT_EXIT_TPR_ACCESS);
	EXPECT_EQ(vcpu->run->tpr_access.rip, (uintptr_t)tpr_write);
	EXPECT_EQ(vcpu->run->tpr_access.is_write, 1);
	/* It is done, and the guest is behind it. */
	EXPECT_EQ(vcpu_regs(vcpu).rip, (uintptr_t)tpr_after);
	EXPECT_EQ(vcpu->run->cr8, 2);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_TPR_ACCESS);
	EXPECT_EQ(vcpu->run->tpr_access.rip, (uintptr_t)tpr_read);
	EXPECT_EQ(vcpu->run->tpr_access.is_write, 0);
	EXPECT_EQ(vcpu_regs(vcpu).rax, 0x20);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_TPR_ACCESS);
	vcpu_expect_stage(vcpu, 2);
	ASSERT_OK(reporting(vcpu, 0, 0));
	vcpu_finish(vcpu);
}

static void guest_moves(void)
{
	guest_stage(1);
	asm volatile("movsl" : : "S"(GUEST_HOLE), "D"(APIC_MMIO + APIC_TPR) : "memory");
	guest_done();
}

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	ASSERT_OK(clock_gettime(clock, &t));
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void set_mp_state(struct vcpu *vcpu, uint32_t state)
{
	struct kvirt_mp_state mp = { state };

	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_MP_STATE, &mp));
}

/* An access finished by a KVM_RUN that does not enter: its report waits, and so does a vCPU without INIT. */
static void report_waits_asleep(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct sigaction action = { .sa_handler = vcpu_interrupt };
	struct itimerspec once = { .it_value = { 0, 50000000 } };
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_moves);
	uint64_t began, worked;
	timer_t timer;

	ASSERT_OK(sigaction(SIGUSR1, &action, NULL));
	ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(reporting(vcpu, 1, 0));
	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	vcpu->run->mmio.data[0] = 0x20;
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
	EXPECT_EQ(vcpu->run->cr8, 2);
	set_mp_state(vcpu, KVIRT_MP_STATE_UNINITIALIZED);
	began = now(CLOCK_MONOTONIC);
	worked = now(CLOCK_THREAD_CPUTIME_ID);
	ASSERT_OK(timer_settime(timer, 0, &once, NULL));
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	worked = now(CLOCK_THREAD_CPUTIME_ID) - worked;
	EXPECT(worked < (now(CLOCK_MONOTONIC) - began) / 2);
	ASSERT_OK(timer_delete(timer));
	set_mp_state(vcpu, KVIRT_MP_STATE_RUNNABLE);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_TPR_ACCESS);
	EXPECT_EQ(vcpu->run->tpr_access.is_write, 1);
	vcpu_finish(vcpu);
}

static int vapic(struct vcpu *vcpu, uint64_t gpa)
{
	struct kvirt_vapic_addr address = { gpa };

	return ioctl(vcpu->fd, KVIRT_SET_VAPIC_ADDR, &address);
}

static void addresses_are_checked(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_bare(vm, 0), *without = vcpu_bare(vm_new(), 0);

	EXPECT_EQ(dev_cap(KVIRT_CAP_VAPIC), 1);
	EXPECT_ERRNO(vapic(without, 0), EINVAL);
	EXPECT_ERRNO(vapic(without, VAPIC), EINVAL);
	EXPECT_OK(vapic(vcpu, 0));
	EXPECT_OK(vapic(vcpu, VAPIC));
	EXPECT_OK(vapic(vcpu, VAPIC + 1));
	EXPECT_OK(vapic(vcpu, vm->size - 4));
	EXPECT_ERRNO(vapic(vcpu, vm->size - 3), EINVAL);
	EXPECT_ERRNO(vapic(vcpu, GUEST_HOLE), EINVAL);
	EXPECT_ERRNO(vapic(vcpu, -1ull), EINVAL);
	EXPECT_ERRNO(vapic(vcpu, 1ull << 52), EINVAL);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_VAPIC_ADDR, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vcpu->fd, KVIRT_SET_VAPIC_ADDR, BAD_POINTER), EFAULT);
	EXPECT_OK(vm_slot(vm, 5, KVIRT_MEM_READONLY, 0x40000000, 4096, vm->memory));
	EXPECT_ERRNO(vapic(vcpu, 0x40000000), EINVAL);
	EXPECT_OK(vapic(vcpu, 0));
}

static volatile int taken;

static void on_interrupt(struct guest_frame *frame)
{
	taken++;
	xapic_write(APIC_EOI, 0);
}

static volatile uint32_t *shared(void)
{
	return (volatile uint32_t *)VAPIC;
}

static void guest_shares(void)
{
	guest_idt_load();
	guest_handle(VECTOR, on_interrupt);
	xapic_write(APIC_SVR, 0x1ff);
	guest_stage(1);
	/* A priority in memory holds the interrupt back; the other bytes tell what waits. */
	*(volatile uint8_t *)VAPIC = 0x60;
	sti();
	GUEST_EXPECT_EQ(xapic_read(APIC_TPR), 0x60);
	xapic_write(APIC_ICR, 1 << 18 | VECTOR);	/* to itself */
	GUEST_EXPECT_EQ(xapic_read(APIC_IRR + VECTOR / 32 * 16), 1 << VECTOR % 32);
	for (int i = 0; i < 1000; i++)
		cpu_relax();
	guest_stage(2);
	GUEST_EXPECT_EQ(taken, 0);
	GUEST_EXPECT_EQ(*shared(), 0x60 | VECTOR << 24);
	*(volatile uint8_t *)VAPIC = 0x40;
	guest_stage(3);
	GUEST_EXPECT_EQ(taken, 1);
	GUEST_EXPECT_EQ(*shared(), 0x40);
	guest_stage(4);
	*(volatile uint8_t *)VAPIC = 0x70;
	GUEST_EXPECT_EQ(xapic_read(APIC_TPR), 0x40);
	guest_done();
}

static void priority_in_memory(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_split(), 0, guest_shares);

	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(vapic(vcpu, VAPIC));
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(vcpu->run->cr8, 6);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(vcpu->run->cr8, 4);
	vcpu_expect_stage(vcpu, 4);
	ASSERT_OK(vapic(vcpu, 0));
	vcpu_finish(vcpu);
}

static const struct test tests[] = {
	TEST(accesses_are_reported),
	TEST(report_waits_asleep),
	TEST(addresses_are_checked),
	TEST(priority_in_memory),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
