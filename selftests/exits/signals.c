// SPDX-License-Identifier: GPL-2.0
/*
 * Getting a vCPU out of the guest: signals, the signal mask, immediate_exit, and guests that do nothing to be left by.
 * Those that have their interrupts off are interrupts_off.c.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

static void on_signal(int number)
{
}

static void handle(int number)
{
	struct sigaction action = { .sa_handler = on_signal };

	ASSERT_OK(sigaction(number, &action, NULL));
}

static void guest_spins(void)
{
	guest_stage(1);
	for (;;)
		;
}

static void guest_stages(void)
{
	for (long stage = 1;; stage++)
		guest_stage(stage);
}

static void immediate_exit(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_stages);

	vcpu->run->immediate_exit = 1;
	vcpu->run->if_flag = vcpu->run->apic_base = 0x5a;
	vcpu->run->ready_for_interrupt_injection = 0x5a;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(vcpu_regs(vcpu).rip, (uint64_t)guest_stages);
	/* Written on every return, errors too. */
	EXPECT_EQ(vcpu->run->if_flag, 0);
	EXPECT_EQ(vcpu->run->apic_base, vcpu_sregs(vcpu).apic_base);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
	vcpu_expect_stage(vcpu, 1);
	/* What the last exit said stays readable. (KVM 6.12 sets UNKNOWN first.) */
	vcpu->run->immediate_exit = 1;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	if (strstr(test_dev, "kvirt") || vcpu->run->exit_reason != KVIRT_EXIT_UNKNOWN)
		EXPECT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_IO);
	vcpu->run->immediate_exit = 0;
	vcpu_expect_stage(vcpu, 2);
}

/* A signal that is pending already keeps the guest from being entered. */
static void pending_signal(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_stages);
	sigset_t set;
	struct {
		struct kvirt_signal_mask head;
		uint8_t set[8];
	} mask = { { 8 } };

	handle(SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	vcpu_expect_stage(vcpu, 1);
	raise(SIGUSR1);
	/* Blocked here and, without a mask of its own, in RUN. */
	vcpu_expect_stage(vcpu, 2);
	/* Open in RUN alone. */
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_SIGNAL_MASK, &mask));
	vcpu->run->exit_reason = 77;
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_INTR);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_SET_SIGNAL_MASK, NULL));
	vcpu_expect_stage(vcpu, 3);
}

/* A spinning vCPU, past its first report; interrupts are on, without anybody to send one. */
static struct vcpu *spinning(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_spins);
	struct kvirt_regs r;

	vcpu_expect_stage(vcpu, 1);
	r = vcpu_regs(vcpu);
	r.rflags |= 1 << 9;
	vcpu_set_regs(vcpu, &r);
	return vcpu;
}

/* A timer's signal gets a spinning guest out. */
static void out_of_a_loop(void)
{
	struct vcpu *vcpu = spinning();
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec once = { .it_value = { 0, 20000000 } };
	timer_t timer;

	handle(SIGUSR1);
	ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	for (int i = 0; i < 3; i++) {
		ASSERT_OK(timer_settime(timer, 0, &once, NULL));
		EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
		EXPECT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_INTR);
		EXPECT_EQ(vcpu->run->if_flag, 1);
	}
}

static void *kick(void *thread)
{
	struct timespec pause = { 0, 20000000 };

	for (int i = 0; i < 5; i++) {
		nanosleep(&pause, NULL);
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	}
	return NULL;
}

/* immediate_exit and a signal from another thread, as a VMM does it: none is lost. */
static void kicked_by_a_thread(void)
{
	struct vcpu *vcpu = spinning();
	pthread_t self = pthread_self(), other;

	handle(SIGUSR1);
	ASSERT(!pthread_create(&other, NULL, kick, &self));
	for (int i = 0; i < 5; i++)
		EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	pthread_join(other, NULL);
}

static void run_spinning(void)
{
	vcpu_run(spinning());
}

/* A process whose guest never leaves by itself can be killed. */
static void killed(void)
{
	process_killed(run_spinning, 30000);
	/* And the next guest runs. */
	vcpu_expect_stage(vcpu_new(vm_new(), 0, guest_stages), 1);
}

static void guest_halts(void)
{
	guest_stage(1);
	asm volatile("hlt");
	guest_stage(2);
}

/* A vCPU that waits in the kernel, for an interrupt that never comes or for its INIT, hears signals. */
static void out_of_a_wait(void)
{
	struct vm *vm = vm_new_split();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_halts), *second = vcpu_new(vm, 1, guest_halts);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec once = { .it_value = { 0, 20000000 } };
	struct kvirt_mp_state m;
	timer_t timer;

	handle(SIGUSR1);
	ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	vcpu_expect_stage(vcpu, 1);
	ASSERT_OK(timer_settime(timer, 0, &once, NULL));
	EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
	EXPECT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_INTR);
	ASSERT_OK(ioctl(vcpu->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_HALTED);
	ASSERT_OK(timer_settime(timer, 0, &once, NULL));
	EXPECT_ERRNO(vcpu_run(second), EINTR);
	EXPECT_EQ(second->run->exit_reason, KVIRT_EXIT_INTR);
	ASSERT_OK(ioctl(second->fd, KVIRT_GET_MP_STATE, &m));
	EXPECT_EQ(m.mp_state, KVIRT_MP_STATE_UNINITIALIZED);
}

static const struct test tests[] = {
	TEST(immediate_exit),
	TEST(pending_signal),
	TEST(out_of_a_loop),
	TEST(kicked_by_a_thread),
	TEST(killed),
	TEST(out_of_a_wait),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
