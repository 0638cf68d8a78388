// SPDX-License-Identifier: GPL-2.0
/*
 * Irqfds that resample, with the whole irqchip in the kernel: the line is held until the guest's EOI, at the I/O APIC or the
 * 8259, and then somebody is told; whose line it is; what goes while it is held.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "eventfd.h"
#include "irq/chips.h"

enum { GSI = 5 };

static int set(struct vm *vm, int fd, int resamplefd, uint32_t gsi, uint32_t flags)
{
	struct kvirt_irqfd i = { .fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resamplefd };

	return ioctl(vm->fd, KVIRT_IRQFD, &i);
}

static int assign(struct vm *vm, int fd, int resamplefd)
{
	return set(vm, fd, resamplefd, GSI, KVIRT_IRQFD_FLAG_RESAMPLE);
}

/* KVM raises the line from a work queue: not before that is a guest to look for it. */
static void signal_line(struct vm *vm, int fd)
{
	struct kvirt_irqchip chip = { .chip_id = KVIRT_IRQCHIP_IOAPIC };

	eventfd_signal(fd);
	for (int tries = 0; tries < 1000; tries++) {
		ASSERT_OK(ioctl(vm->fd, KVIRT_GET_IRQCHIP, &chip));
		if (chip.chip.ioapic.irr & 1u << GSI)
			return;
		usleep(1000);
	}
	ASSERT(!"the line was not raised");
}

static void errors(void)
{
	struct vm *vm = vm_new_irqchip();
	int fd = eventfd_new(0), end = eventfd_new(0);

	EXPECT_EQ(dev_cap(KVIRT_CAP_IRQFD_RESAMPLE), 1);
	EXPECT_ERRNO(assign(vm_new_split(), fd, end), EINVAL);
	EXPECT_ERRNO(assign(vm_bare(), fd, end), EINVAL);
	EXPECT_ERRNO(assign(vm, fd, -1), EBADF);
	EXPECT_ERRNO(assign(vm, fd, vm->fd), EINVAL);
	EXPECT_ERRNO(assign(vm, -1, end), EBADF);
	EXPECT_ERRNO(assign(vm, vm->fd, end), EINVAL);
	EXPECT_OK(assign(vm, fd, end));
	EXPECT_ERRNO(assign(vm, fd, end), EBUSY);
	EXPECT_ERRNO(set(vm, fd, 0, GSI, 0), EBUSY);
	EXPECT_OK(set(vm, fd, -1, GSI, KVIRT_IRQFD_FLAG_DEASSIGN | KVIRT_IRQFD_FLAG_RESAMPLE));
	EXPECT_OK(set(vm, fd, 0, GSI, 0));
	EXPECT_OK(set(vm, fd, 0, GSI, KVIRT_IRQFD_FLAG_DEASSIGN));
	EXPECT_EQ(eventfd_taken(end), 0);
}

static void guest_level(void)
{
	guest_begin();
	ioapic_pin(GSI, LEVEL | VECTOR);
	for (long stage = 1; ; stage++) {
		guest_stage(stage);
		let_in();
		/* What the limit has left in service. */
		if (taken == limit)
			xapic_write(APIC_EOI, 0);
	}
}

static void held_until_eoi(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_level);
	int fd = eventfd_new(0), end = eventfd_new(0), other = eventfd_new(0), other_end = eventfd_new(0);
	volatile uint32_t *got = vm_var(vm, taken);

	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(assign(vm, fd, end));
	signal_line(vm, fd);
	signal_line(vm, fd);
	EXPECT_EQ(eventfd_taken(fd), 0);
	EXPECT_EQ(eventfd_taken(end), 0);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(*got, 1);
	EXPECT_EQ(eventfd_taken(end), 1);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*got, 1);
	signal_line(vm, fd);
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(*got, 2);
	EXPECT_EQ(eventfd_taken(end), 1);
	/* All of a GSI hear of its end, whoever raised it. */
	ASSERT_OK(assign(vm, other, other_end));
	signal_line(vm, other);
	vcpu_expect_stage(vcpu, 5);
	EXPECT_EQ(*got, 3);
	EXPECT_EQ(eventfd_taken(end), 1);
	EXPECT_EQ(eventfd_taken(other_end), 1);
	/* IRQ_LINE's level is apart: it stays, through three ends. */
	*vm_var(vm, limit) = 3 + 4;
	EXPECT_EQ(set_line(vm, GSI, 1), 1);
	signal_line(vm, fd);
	vcpu_expect_stage(vcpu, 6);
	EXPECT_EQ(*got, 7);
	EXPECT_EQ(eventfd_taken(end), 4);
	EXPECT_EQ(eventfd_taken(other_end), 4);
	*vm_var(vm, limit) = 0;
	set_line(vm, GSI, 0);
	vcpu_expect_stage(vcpu, 7);
	vcpu_expect_stage(vcpu, 8);
	eventfd_taken(end);
	eventfd_taken(other_end);
	/* One of two goes while the line is held, then the other: nobody holds it any more. (KVM forgets closed ones later, or here.) */
	*vm_var(vm, limit) = *got + 5;
	signal_line(vm, fd);
	close(other);
	ASSERT_OK(set(vm, fd, -1, GSI, KVIRT_IRQFD_FLAG_DEASSIGN));
	*vm_var(vm, taken) = 0;
	vcpu_expect_stage(vcpu, 9);
	vcpu_expect_stage(vcpu, 10);
	EXPECT_EQ(*got, 1);
	EXPECT_EQ(eventfd_taken(end) + eventfd_taken(other_end), 0);
}

static void guest_pic(void)
{
	guest_begin();
	pic_init(1, (uint8_t)~(1 << GSI), 0xff);
	for (long stage = 1; ; stage++) {
		guest_stage(stage);
		let_in();
	}
}

static void through_the_8259(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_pic);
	int fd = eventfd_new(0), end = eventfd_new(0);
	volatile uint32_t *got = *vm_var(vm, lines_taken);

	ASSERT_OK(assign(vm, fd, end));
	vcpu_expect_stage(vcpu, 1);
	for (long n = 1; n < 5; n++) {
		signal_line(vm, fd);
		vcpu_expect_stage(vcpu, n + 1);
		EXPECT_EQ(got[GSI], n);
		EXPECT_EQ(eventfd_taken(end), 1);
	}
}

/* --- while it runs --- */

static volatile uint32_t ready;
static void guest_halts(void)
{
	guest_begin();
	ioapic_pin(GSI, LEVEL | VECTOR);
	ready = 1;
	for (;;)
		sti_hlt_cli();
}

/* A device that asks again as soon as it hears, while others come and go on the same line. */
static void ask_again(void)
{
	struct sigaction action = { .sa_handler = vcpu_interrupt };
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_halts);
	int fd = eventfd_new(0), end = eventfd_new(0);
	struct pollfd p = { .fd = end, .events = POLLIN };
	pthread_t thread;
	void *failed;

	sigaction(SIGUSR1, &action, NULL);
	ASSERT_OK(assign(vm, fd, end));
	ASSERT_EQ(pthread_create(&thread, NULL, vcpu_run_on, vcpu), 0);
	for (int i = 0; i < 10000 && !*vm_var(vm, ready); i++)
		usleep(100);
	ASSERT(*vm_var(vm, ready));
	for (uint32_t n = 1; n <= 100; n++) {
		int guest = eventfd_new(0), its_end = eventfd_new(0);

		if (n % 4 == 0)
			ASSERT_OK(assign(vm, guest, its_end));
		eventfd_signal(fd);
		ASSERT_EQ(poll(&p, 1, 20000), 1);
		ASSERT(eventfd_taken(end) >= 1);
		EXPECT_EQ(*(volatile uint32_t *)vm_var(vm, taken), n);
		if (n % 8 == 0)
			ASSERT_OK(set(vm, guest, -1, GSI, KVIRT_IRQFD_FLAG_DEASSIGN));
		close(guest);
		close(its_end);
	}
	vcpus_stop = true;
	vcpu->run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &failed);
	EXPECT(!failed);
}

static void run_with_lines_held(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_halts);

	for (int n = 0; n < 20; n++) {
		int fd = eventfd_new(0), end = eventfd_new(0);

		/* It hears itself: the line never rests. */
		ASSERT_OK(assign(vm, fd, n % 2 ? end : fd));
		eventfd_signal(fd);
	}
	vcpu_run_on(vcpu);
}

static void sudden_death(void)
{
	for (int i = 0; i < 4; i++)
		process_killed(run_with_lines_held, 30000);
}

static const struct test tests[] = {
	TEST(errors), TEST(held_until_eoi), TEST(through_the_8259), TEST(ask_again), TEST(sudden_death),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
