// SPDX-License-Identifier: GPL-2.0
/*
 * When the thread of a vCPU is in the guest, and when it stands: what is asked of it by pauses
 * and by a debugger, at once and in any order. The guest does nothing until it is kicked.
 */
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "../machine.h"
#include "../machine_gdb.h"
#include "ktap.h"

#define PATIENCE_S	10
#define ROUNDS		3000

static struct machine machine;
static struct vcpu vcpu;
static struct kvirt_run run_page;
static atomic_uint entered, woken;
static atomic_uint next_exit;	/* what the guest comes out with, once; 0: nothing */

/* ---- what vcpu.c calls of the machine and the accelerator ---- */

int kvirt_create_vcpu(struct kvirt *kvirt, struct kvirt_vcpu *kvcpu, unsigned int id, struct vm_error *err)
{
	(void)kvirt;
	(void)err;
	kvcpu->fd = id;
	kvcpu->run = &run_page;
	return 0;
}

void kvirt_destroy_vcpu(struct kvirt_vcpu *kvcpu)
{
	kvcpu->run = NULL;
}

int kvirt_set_cpuid(struct kvirt_vcpu *kvcpu, const struct kvirt_cpuid *cpuid, struct vm_error *err)
{
	(void)kvcpu;
	(void)cpuid;
	(void)err;
	return 0;
}

int kvirt_enter(struct kvirt_vcpu *kvcpu)
{
	unsigned int reason;

	entered++;
	for (;;) {
		/* As the accelerator looks at it, before anything else. */
		if (__atomic_load_n(&kvcpu->run->immediate_exit, __ATOMIC_SEQ_CST))
			return -EINTR;
		reason = atomic_exchange(&next_exit, 0);
		if (reason) {
			kvcpu->run->exit_reason = reason;
			return 0;
		}
		sched_yield();
	}
}

void machine_end(struct machine *m, int status, const char *fmt, ...)
{
	(void)fmt;
	m->result.status = status;
	m->ended = true;
}

bool machine_has_ended(struct machine *m)
{
	return m->ended;
}

void machine_power_event(void *ctx, enum power_event event)
{
	(void)ctx;
	(void)event;
}

void machine_gdb_wake(struct machine *m)
{
	(void)m;
	woken++;
}

/* ---- the tests ---- */

static void make(void)
{
	struct kvirt_cpuid cpuid = { .nent = 1 };
	struct vm_config config = { .vcpus = 1 };
	struct vm_error err = { 0 };

	machine.config = &config;
	machine.sandbox.mode = SANDBOX_OFF;
	ASSERT_EQ(vcpu_init_kick(&err), 0);
	ASSERT_EQ(vcpu_create(&vcpu, &machine, 0, &cpuid, &err), 0);
	ASSERT_EQ(vcpu_start(&vcpu, &err), 0);
}

static void destroy(void)
{
	vcpu_request(&vcpu, VCPU_DONE);
	vcpu_join(&vcpu);
	EXPECT(!machine.ended);
	vcpu_destroy(&vcpu);
}

/* Waits until *@counter is above @before; false: that did not come. */
static bool grows(atomic_uint *counter, unsigned int before)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (*counter == before && time(NULL) < end)
		sched_yield();
	return *counter != before;
}

static bool runs(void)
{
	return grows(&entered, 0);
}

/* In the guest no more, and it does not come back by itself. */
static bool stands(void)
{
	vcpu_wait_paused(&vcpu);
	entered = 0;
	sched_yield();
	return vcpu.state == VCPU_PAUSED && !entered;
}

static void pauses_and_goes_on(void)
{
	make();
	EXPECT(stands());
	vcpu_request(&vcpu, VCPU_RUNNING);
	EXPECT(runs());
	vcpu_request(&vcpu, VCPU_PAUSED);
	EXPECT(stands());
	vcpu_request(&vcpu, VCPU_RUNNING);
	EXPECT(runs());
	destroy();
}

/* A pause that comes while the thread has just been let go, and still holds the lock, is no end. */
static void is_paused_anew_at_once(void)
{
	time_t end = time(NULL) + PATIENCE_S;
	unsigned int i;

	make();
	for (i = 0; i < ROUNDS && time(NULL) < end; i++) {
		vcpu_request(&vcpu, VCPU_RUNNING);
		while (__atomic_load_n(&vcpu.state, __ATOMIC_RELAXED) == VCPU_PAUSED && time(NULL) < end)
			;
		vcpu_request(&vcpu, VCPU_PAUSED);
		vcpu_wait_paused(&vcpu);
	}
	EXPECT(stands());
	vcpu_request(&vcpu, VCPU_RUNNING);
	EXPECT(runs());
	destroy();
}

/* It runs where it is asked to and the debugger does not hold it. */
static void is_held_by_its_debugger(void)
{
	make();
	vcpu_hold(&vcpu);
	vcpu_request(&vcpu, VCPU_RUNNING);
	EXPECT(stands());
	vcpu_request(&vcpu, VCPU_PAUSED);
	vcpu_let_go(&vcpu);
	EXPECT(stands());
	vcpu_request(&vcpu, VCPU_RUNNING);
	EXPECT(runs());
	vcpu_hold(&vcpu);
	EXPECT(stands());
	vcpu_request(&vcpu, VCPU_RUNNING);
	EXPECT(stands());
	/* Who is held can end. */
	destroy();
}

static void holds_itself_at_a_debug_exit(void)
{
	struct kvirt_debug_exit_arch exit;

	make();
	run_page.debug.arch.pc = 0x1234;
	next_exit = KVIRT_EXIT_DEBUG;
	vcpu_request(&vcpu, VCPU_RUNNING);
	EXPECT(grows(&woken, 0));
	EXPECT(stands());
	EXPECT(vcpu_take_debug_exit(&vcpu, &exit));
	EXPECT_EQ(exit.pc, 0x1234);
	EXPECT(!vcpu_take_debug_exit(&vcpu, &exit));
	vcpu_let_go(&vcpu);
	EXPECT(runs());
	destroy();
}

/* The guest is entered once more, which ends the instruction, and then not. */
static void ends_an_access_first(void)
{
	make();
	vcpu_request(&vcpu, VCPU_RUNNING);
	EXPECT(runs());
	/* It comes out with an access; who obeyed now would wait for the lock. */
	pthread_mutex_lock(&vcpu.lock);
	vcpu.asked = VCPU_PAUSED;
	vcpu.wanted = VCPU_PAUSED;
	entered = 0;
	next_exit = KVIRT_EXIT_MMIO;
	EXPECT(grows(&entered, 0));
	pthread_mutex_unlock(&vcpu.lock);
	vcpu_request(&vcpu, VCPU_PAUSED);
	EXPECT(stands());
	destroy();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(pauses_and_goes_on), TEST(is_paused_anew_at_once), TEST(is_held_by_its_debugger),
		TEST(holds_itself_at_a_debug_exit), TEST(ends_an_access_first),
	};

	return test_main(argc, argv, tests, ARRAY_SIZE(tests));
}
