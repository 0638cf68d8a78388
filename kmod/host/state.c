// SPDX-License-Identifier: GPL-2.0
/* See state.h; and the host going down. Called by run/run.c. */
#include <linux/reboot.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include "msr.h"
#include "state.h"

bool host_going_down;
static DEFINE_PER_CPU(u64, last_owner);

static void write_addresses(const u64 dr[4])
{
	host_write_db0(dr[0]);
	host_write_db1(dr[1]);
	host_write_db2(dr[2]);
	host_write_db3(dr[3]);
}

void host_debug_take(u64 *guest_dr)
{
	guest_dr[0] = host_read_db0();
	guest_dr[1] = host_read_db1();
	guest_dr[2] = host_read_db2();
	guest_dr[3] = host_read_db3();
}

void host_debug_save(struct host_debug *debug, const u64 *guest_dr)
{
	debug->armed = hw_breakpoint_active();
	debug->saved = debug->armed || guest_dr;
	if (likely(!debug->saved))
		return;
	host_debug_take(debug->dr);
	debug->dr6 = host_read_db6();
	if (debug->armed) {
		debug->dr7 = host_read_db7();
		host_write_db7(0x400);	/* every breakpoint disarmed */
	}
	if (guest_dr)
		write_addresses(guest_dr);
}

void host_debug_lend(struct host_debug *debug, const u64 *guest_dr)
{
	if (!debug->saved)
		host_debug_save(debug, guest_dr);
	else
		write_addresses(guest_dr);
}

void host_debug_restore(const struct host_debug *debug)
{
	if (likely(!debug->saved))
		return;
	write_addresses(debug->dr);
	host_write_db6(debug->dr6);
	/* Armed last, when the addresses are the host's again. */
	if (debug->armed)
		host_write_db7(debug->dr7);
}

void host_predictor_barrier(u64 owner)
{
	if (this_cpu_read(last_owner) == owner)
		return;
	this_cpu_write(last_owner, owner);
	if (IBPB_BETWEEN_GUESTS)
		host_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

void host_flush_predictors(void)
{
	if (boot_cpu_has(X86_FEATURE_IBPB))
		host_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	if (boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		host_wrmsr(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}

static int host_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	WRITE_ONCE(host_going_down, true);
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
