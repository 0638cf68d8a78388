// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that spin with their interrupts off: the host gets its CPU back, and their process can be signalled and killed.
 * A program of its own, since Bochs gives no exit for the host's interrupts to a guest with interrupts off, which stock
 * KVM relies on: there this hangs KVM for good.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "guest.h"
#include "vm.h"

static void on_signal(int number)
{
}

static void guest_spins(void)
{
	guest_stage(1);
	for (;;)
		;
}

static void guest_works(void)
{
	guest_done();
}

static void out_of_a_loop(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_spins);
	struct sigaction action = { .sa_handler = on_signal };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec once = { .it_value = { 0, 20000000 } };
	timer_t timer;

	ASSERT_OK(sigaction(SIGUSR1, &action, NULL));
	ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	vcpu_expect_stage(vcpu, 1);
	for (int i = 0; i < 3; i++) {
		ASSERT_OK(timer_settime(timer, 0, &once, NULL));
		EXPECT_ERRNO(vcpu_run(vcpu), EINTR);
		EXPECT_EQ(vcpu->run->exit_reason, KVIRT_EXIT_INTR);
		EXPECT_EQ(vcpu->run->if_flag, 0);
		EXPECT_EQ(vcpu_regs(vcpu).rflags >> 9 & 1, 0);
	}
}

static void run_spinning(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new(), 0, guest_spins);

	vcpu_expect_stage(vcpu, 1);
	vcpu_run(vcpu);
}

static void killed(void)
{
	process_killed(run_spinning, 30000);
	vcpu_finish(vcpu_new(vm_new(), 0, guest_works));
}

static const struct test tests[] = {
	TEST(out_of_a_loop),
	TEST(killed),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
