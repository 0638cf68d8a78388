// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_IRQFD with local APICs in the kernel: signalled eventfds become messages by the route their GSI has; each errno; and
 * eventfds, routes and VMs that go while somebody signals.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "eventfd.h"
#include "guest.h"
#include "vm.h"

enum { VECTOR = 0x61, GSI = 5, PORT = PORT_TEST, DEASSIGN = KVIRT_IRQFD_FLAG_DEASSIGN, RESAMPLE = KVIRT_IRQFD_FLAG_RESAMPLE };

static volatile uint32_t taken[4];

static void handle(struct guest_frame *frame)
{
	taken[frame->vector - VECTOR]++;
	xapic_write(APIC_EOI, 0);
}

static void guest_init(void)
{
	guest_idt_load();
	for (int i = 0; i < 4; i++)
		guest_handle(VECTOR + i, handle);
	xapic_write(APIC_SVR, 0x1ff);
}

static void guest_waits(void)
{
	guest_init();
	for (long stage = 1; ; stage++) {
		guest_stage(stage);
		sti();
		cli();
	}
}

static int set(struct vm *vm, int fd, uint32_t gsi, uint32_t flags)
{
	struct kvirt_irqfd i = { .fd = fd, .gsi = gsi, .flags = flags };

	return ioctl(vm->fd, KVIRT_IRQFD, &i);
}

/* GSIs from GSI on to vectors from VECTOR on, @nr of them. */
static void route(struct vm *vm, uint32_t nr, uint32_t vector)
{
	struct kvirt_irq_routing *t = calloc(1, sizeof(*t) + 4 * sizeof(t->entries[0]));

	ASSERT(t && nr <= 4);
	t->nr = nr;
	for (uint32_t i = 0; i < nr; i++) {
		t->entries[i].gsi = GSI + i;
		t->entries[i].type = KVIRT_IRQ_ROUTING_MSI;
		t->entries[i].u.msi.address_lo = 0xfee00000;
		t->entries[i].u.msi.data = vector + i;
	}
	ASSERT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, t));
	free(t);
}

static void errors(void)
{
	struct vm *none = vm_bare(), *vm = vm_new_split();
	int fd = eventfd_new(0), other = eventfd_new(0);
	struct kvirt_irqfd resample = { .fd = other, .gsi = GSI, .flags = RESAMPLE, .resamplefd = eventfd_new(0) };

	EXPECT_EQ(dev_cap(KVIRT_CAP_IRQFD), 1);
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_IRQFD, NULL), EFAULT);
	EXPECT_ERRNO(set(none, fd, GSI, 0), EINVAL);
	EXPECT_ERRNO(set(none, -1, GSI, 0), EINVAL);
	EXPECT_OK(set(none, fd, GSI, DEASSIGN));
	EXPECT_ERRNO(set(vm, fd, GSI, 4), EINVAL);
	EXPECT_ERRNO(set(vm, fd, GSI, 1u << 31 | DEASSIGN), EINVAL);
	EXPECT_ERRNO(set(vm, -1, GSI, 0), EBADF);
	EXPECT_ERRNO(set(vm, 9999, GSI, 0), EBADF);
	EXPECT_ERRNO(set(vm, vm->fd, GSI, 0), EINVAL);
	EXPECT_ERRNO(set(vm, -1, GSI, DEASSIGN), EBADF);
	EXPECT_ERRNO(set(vm, vm->fd, GSI, DEASSIGN), EINVAL);
	/* Resampling needs the whole irqchip in the kernel. */
	EXPECT_ERRNO(ioctl(vm->fd, KVIRT_IRQFD, &resample), EINVAL);
	EXPECT_OK(set(vm, fd, GSI, 0));
	EXPECT_ERRNO(set(vm, fd, GSI, 0), EBUSY);
	EXPECT_ERRNO(set(vm, fd, GSI + 1, 0), EBUSY);
	EXPECT_OK(set(vm, other, GSI, 0));
	/* To take one away that is not there is no error, and takes none away. */
	EXPECT_OK(set(vm, fd, GSI + 1, DEASSIGN));
	EXPECT_ERRNO(set(vm, fd, GSI, 0), EBUSY);
	EXPECT_OK(set(vm, fd, GSI, DEASSIGN));
	EXPECT_OK(set(vm, fd, GSI, DEASSIGN));
	/* A GSI that no table can have leads nowhere. */
	EXPECT_OK(set(vm, fd, -1u, 0));
	eventfd_signal(fd);
	EXPECT_EQ(eventfd_taken(fd), 0);
	EXPECT_OK(set(vm, fd, -1u, DEASSIGN));
	eventfd_signal(fd);
	EXPECT_EQ(eventfd_taken(fd), 1);
}

/* KVM leaves some of it to a thread of its own, which a busy host runs when it likes. What never comes the guest will not have seen. */
static void wait_until_pending(struct vcpu *vcpu, uint32_t vector)
{
	struct kvirt_lapic_state l;

	for (int i = 0; i < 1000; i++) {
		ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_LAPIC, &l));
		if (*(uint32_t *)(l.regs + APIC_IRR + vector / 32 * 16) >> vector % 32 & 1)
			return;
		usleep(1000);
	}
}

static void delivery(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_waits);
	volatile uint32_t *got = *vm_var(vm, taken);
	int a = eventfd_new(0), b = eventfd_new(0), same = eventfd_new(0), full = eventfd_new(3);

	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(set(vm, a, GSI, 0));
	ASSERT_OK(set(vm, b, GSI + 1, 0));
	ASSERT_OK(set(vm, same, GSI, 0));
	/* No route yet: the signal is taken, and lost. */
	eventfd_signal(a);
	EXPECT_EQ(eventfd_taken(a), 0);
	route(vm, 2, VECTOR);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(got[0] + got[1], 0);
	eventfd_signal(a);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(got[0], 1);
	eventfd_signal(b);
	eventfd_signal(same);
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(got[0], 2);
	EXPECT_EQ(got[1], 1);
	/* The routes of the moment count. */
	route(vm, 2, VECTOR + 2);
	eventfd_signal(a);
	vcpu_expect_stage(vcpu, 5);
	EXPECT_EQ(got[2], 1);
	route(vm, 0, 0);
	eventfd_signal(a);
	vcpu_expect_stage(vcpu, 6);
	EXPECT_EQ(got[0] + got[1] + got[2] + got[3], 4);
	route(vm, 2, VECTOR);
	/* What was signalled before is injected at assignment, and not forgotten. */
	ASSERT_OK(set(vm, full, GSI + 1, 0));
	wait_until_pending(vcpu, VECTOR + 1);
	vcpu_expect_stage(vcpu, 7);
	EXPECT_EQ(got[1], 2);
	EXPECT_EQ(eventfd_taken(full), 3);
	/* Gone is gone, and its count with it. */
	ASSERT_OK(set(vm, full, GSI + 1, DEASSIGN));
	eventfd_signal(full);
	vcpu_expect_stage(vcpu, 8);
	EXPECT_EQ(got[1], 2);
	EXPECT_EQ(eventfd_taken(full), 1);
}

/* An eventfd that all have closed takes its irqfd with it. */
static void closed_eventfd(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_waits);
	volatile uint32_t *got = *vm_var(vm, taken);
	int last;

	route(vm, 1, VECTOR);
	vcpu_expect_stage(vcpu, 1);
	for (int i = 0; i < 200; i++) {
		int fd = eventfd_new(0);

		ASSERT_OK(set(vm, fd, GSI, 0));
		close(fd);
	}
	last = eventfd_new(0);
	ASSERT_OK(set(vm, last, GSI, 0));
	eventfd_signal(last);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(got[0], 1);
	/* And one that outlives its VM is an eventfd like any other again. */
	close(vcpu->fd);
	munmap(vcpu->run, vcpu->run_size);
	close(vm->fd);
	eventfd_signal(last);
	EXPECT_EQ(eventfd_taken(last), 1);
}

static void guest_rings(void)
{
	guest_init();
	sti();
	for (int i = 0; i < 10; i++)
		outb(PORT, i);
	cli();
	GUEST_EXPECT_EQ(taken[0], 10);
	guest_done();
}

/* The guest's own write signals its interrupt: without leaving, both inside one window. */
static void rings_its_own_bell(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_rings);
	int fd = eventfd_new(0);
	struct kvirt_ioeventfd bell = { .addr = PORT, .len = 1, .fd = fd, .flags = KVIRT_IOEVENTFD_FLAG_PIO };

	route(vm, 1, VECTOR);
	ASSERT_OK(set(vm, fd, GSI, 0));
	ASSERT_OK(ioctl(vm->fd, KVIRT_IOEVENTFD, &bell));
	vcpu_finish(vcpu);
	EXPECT_EQ(eventfd_taken(fd), 0);
}

/* --- while it runs --- */

static pthread_t start(struct vcpu *vcpu)
{
	struct sigaction action = { .sa_handler = vcpu_interrupt };
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	vcpus_stop = false;
	ASSERT_EQ(pthread_create(&thread, NULL, vcpu_run_on, vcpu), 0);
	return thread;
}

static void finish(struct vcpu *vcpu, pthread_t thread)
{
	void *failed;

	vcpus_stop = true;
	vcpu->run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &failed);
	EXPECT(!failed);
}

static volatile uint32_t ready;

static void guest_halts(void)
{
	guest_init();
	ready = 1;
	for (;;)
		sti_hlt_cli();
}

static bool reaches(volatile uint32_t *counter, uint32_t n)
{
	for (int i = 0; i < 20000 && *counter < n; i++)
		usleep(100);
	return *counter == n;
}

static void wakes_a_halted_guest(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_halts);
	volatile uint32_t *got = *vm_var(vm, taken);
	int fd = eventfd_new(0);
	struct kvirt_ioeventfd bell = { .len = 1, .fd = fd, .flags = KVIRT_IOEVENTFD_FLAG_PIO };
	pthread_t thread;

	route(vm, 1, VECTOR);
	ASSERT_OK(set(vm, fd, GSI, 0));
	thread = start(vcpu);
	ASSERT(reaches(vm_var(vm, ready), 1));
	for (uint32_t i = 1; i <= 20; i++) {
		/* What all vCPUs must notice must not keep a sleeping one from being woken. */
		usleep(2000);
		bell.addr = PORT + i;
		ASSERT_OK(ioctl(vm->fd, KVIRT_IOEVENTFD, &bell));
		eventfd_signal(fd);
		if (!reaches(&got[0], i))
			test_note("%u of %u", got[0], i);
		ASSERT_EQ(got[0], i);
	}
	finish(vcpu, thread);
}

static void *signal_on(void *arg)
{
	int *fds = arg;

	for (unsigned int i = 0; !vcpus_stop; i++) {
		uint64_t one = 1;

		(void)!write(fds[i % 4], &one, sizeof(one));
		if (i % 64 == 0)
			usleep(50);
	}
	return NULL;
}

/* Assignment, routes and eventfds change under somebody who signals all the time. */
static void races(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_halts);
	int fds[4], rounds = test_option("rounds") ? atoi(test_option("rounds")) : 100;
	pthread_t thread, signaller;

	for (int i = 0; i < 4; i++)
		fds[i] = eventfd_new(0);
	thread = start(vcpu);
	ASSERT_EQ(pthread_create(&signaller, NULL, signal_on, fds), 0);
	for (int i = 0; i < rounds; i++) {
		int fd = fds[i % 4], fresh = eventfd_new(0);

		ASSERT_OK(set(vm, fd, GSI + i % 4, 0));
		EXPECT_ERRNO(set(vm, fd, GSI, 0), EBUSY);
		route(vm, i % 5, VECTOR);
		/* This number is another eventfd now: the old one is gone, mid-signal perhaps. */
		if (i % 3 == 0)
			ASSERT_EQ(dup2(fresh, fd), fd);
		else
			ASSERT_OK(set(vm, fd, GSI + i % 4, DEASSIGN));
		close(fresh);
	}
	route(vm, 4, VECTOR);
	for (int i = 0; i < 4; i++)
		ASSERT_OK(set(vm, fds[i], GSI + i, 0));
	/* The VM's files close while signals come in. */
	finish(vcpu, thread);
	vcpus_stop = false;
	close(vcpu->fd);
	munmap(vcpu->run, vcpu->run_size);
	close(vm->fd);
	usleep(2000);
	vcpus_stop = true;
	pthread_join(signaller, NULL);
}

/* A process dies with vCPUs, irqfds and eventfds; another one keeps signalling one of them. */
static void sudden_death(void)
{
	int shared = eventfd_new(0);

	for (int i = 0; i < 5; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			struct vm *vm = vm_new_split();
			struct vcpu *vcpu = vcpu_new(vm, 0, guest_halts);

			route(vm, 4, VECTOR);
			ASSERT_OK(set(vm, shared, GSI, 0));
			for (int n = 0; n < 40; n++)
				ASSERT_OK(set(vm, eventfd_new(1), GSI + n % 4, 0));
			vcpu_run_on(vcpu);
			_exit(1);
		}
		for (int n = 0; n < 300; n++) {
			eventfd_signal(shared);
			usleep(100);
		}
		kill(child, SIGKILL);
		for (int n = 0; n < 100; n++)
			eventfd_signal(shared);
		EXPECT_EQ(waitpid(child, &status, 0), child);
		EXPECT(WIFSIGNALED(status));
	}
	eventfd_taken(shared);
	eventfd_signal(shared);
	EXPECT_EQ(eventfd_taken(shared), 1);
}

static const struct test tests[] = {
	TEST(errors), TEST(delivery), TEST(closed_eventfd), TEST(rings_its_own_bell), TEST(wakes_a_halted_guest), TEST(races),
	TEST(sudden_death),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
