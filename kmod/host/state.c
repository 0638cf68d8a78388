// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest's run disturbs on the host and both vendors share, put back as found;
 * time accounting; predictor barriers; the host going down. Called by run/run.c.
 */
#include <linux/rcupdate.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/vtime.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/nospec-branch.h>
#include "msr.h"
#include "state.h"

static bool going_down;
static DEFINE_PER_CPU(u64, last_owner);

static __always_inline unsigned long read_dr(int nr)
{
	unsigned long value = 0;

	count_privop(PRIVOP_CR);
	switch (nr) {
	case 0:
		asm volatile("mov %%db0, %0" : "=r" (value));
		break;
	case 1:
		asm volatile("mov %%db1, %0" : "=r" (value));
		break;
	case 2:
		asm volatile("mov %%db2, %0" : "=r" (value));
		break;
	case 3:
		asm volatile("mov %%db3, %0" : "=r" (value));
		break;
	case 6:
		asm volatile("mov %%db6, %0" : "=r" (value));
		break;
	case 7:
		asm volatile("mov %%db7, %0" : "=r" (value));
		break;
	}
	return value;
}

static __always_inline void write_dr(int nr, unsigned long value)
{
	count_privop(PRIVOP_CR);
	switch (nr) {
	case 0:
		asm volatile("mov %0, %%db0" : : "r" (value));
		break;
	case 1:
		asm volatile("mov %0, %%db1" : : "r" (value));
		break;
	case 2:
		asm volatile("mov %0, %%db2" : : "r" (value));
		break;
	case 3:
		asm volatile("mov %0, %%db3" : : "r" (value));
		break;
	case 6:
		asm volatile("mov %0, %%db6" : : "r" (value));
		break;
	case 7:
		asm volatile("mov %0, %%db7" : : "r" (value));
		break;
	}
}

/* A window touches the CPU's debug registers only where either side has breakpoints. */
void host_debug_save(struct host_debug *debug, const u64 *guest_dr)
{
	int i;

	debug->armed = hw_breakpoint_active();
	debug->saved = debug->armed || guest_dr;
	if (likely(!debug->saved))
		return;
	for (i = 0; i < 4; i++)
		debug->dr[i] = read_dr(i);
	debug->dr6 = read_dr(6);
	if (debug->armed) {
		debug->dr7 = read_dr(7);
		write_dr(7, X86_DR7_OFF);
	}
	for (i = 0; guest_dr && i < 4; i++)
		write_dr(i, guest_dr[i]);
}

void host_debug_lend(struct host_debug *debug, const u64 *guest_dr)
{
	int i;

	if (!debug->saved)
		host_debug_save(debug, guest_dr);
	else
		for (i = 0; i < 4; i++)
			write_dr(i, guest_dr[i]);
}

void host_debug_take(u64 *guest_dr)
{
	int i;

	for (i = 0; i < 4; i++)
		guest_dr[i] = read_dr(i);
}

void host_debug_restore(const struct host_debug *debug)
{
	int i;

	if (likely(!debug->saved))
		return;
	for (i = 0; i < 4; i++)
		write_dr(i, debug->dr[i]);
	write_dr(6, debug->dr6);
	/* Armed last, when the addresses are the host's again. */
	if (debug->armed)
		write_dr(7, debug->dr7);
}

void host_guest_time_enter(void)
{
	vtime_account_guest_enter();
	if (!context_tracking_enabled_this_cpu())
		rcu_note_context_switch(false);
}

void host_guest_time_exit(void)
{
	vtime_account_guest_exit();
}

void host_predictor_barrier(u64 owner)
{
	if (this_cpu_read(last_owner) == owner)
		return;
	this_cpu_write(last_owner, owner);
	if (IBPB_BETWEEN_GUESTS)
		host_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

void host_guest_ran(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

bool host_is_going_down(void)
{
	return READ_ONCE(going_down);
}

static int host_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	WRITE_ONCE(going_down, true);
	return NOTIFY_OK;
}

static struct notifier_block reboot_notifier = { .notifier_call = host_reboot };

int __init host_state_init(void)
{
	return register_reboot_notifier(&reboot_notifier);
}

void host_state_exit(void)
{
	unregister_reboot_notifier(&reboot_notifier);
}
