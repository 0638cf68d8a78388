/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest's run disturbs on the host and both vendors share: debug registers, context
 * tracking and time accounting, indirect-branch predictors. Put back as found.
 */
#ifndef KVIRT_HOST_STATE_H
#define KVIRT_HOST_STATE_H

#include <linux/context_tracking.h>
#include <linux/rcupdate.h>
#include <linux/vtime.h>
#include <asm/nospec-branch.h>
#include "compat.h"

/* The host's debug registers, while a window may have disturbed them. */
struct host_debug {
	bool saved;		/* either side has breakpoints: dr[] and dr6 are kept */
	bool armed;		/* the host has: dr7 too */
	u64 dr[4], dr6, dr7;
};

/*
 * host_debug_save() - before a window's first entry: loads @guest_dr, DR0 to DR3 of a guest
 * with breakpoints enabled, or NULL. host_debug_restore() after its last exit, which leaves
 * DR7 disarmed (SDM vol. 3, 27.5.1; APM vol. 2, 15.6).
 */
void host_debug_save(struct host_debug *debug, const u64 *guest_dr);
void host_debug_restore(const struct host_debug *debug);
/* In between: DR0 to DR3 become the guest's to read and write; take what it left there. */
void host_debug_lend(struct host_debug *debug, const u64 *guest_dr);
void host_debug_take(u64 *guest_dr);

/*
 * From here to vtime_account_guest_exit() it is guest time; once a window, interrupts off. RCU
 * does not watch during the world switch where context tracking is on (nohz_full): noinstr code
 * around it says so. Elsewhere the window reports the quiet state once.
 */
static inline void host_guest_time_enter(void)
{
	vtime_account_guest_enter();
	if (!context_tracking_enabled_this_cpu())
		rcu_note_context_switch(false);
}

/* IBPB if another vCPU than @owner ran last here and the host uses it. Interrupts off. */
void host_predictor_barrier(u64 owner);
/* What a guest's write of PRED_CMD or FLUSH_CMD asks for: IBPB, and L1D where it can be flushed. */
void host_flush_predictors(void);

/* Tell the host's return to user space that a guest ran (VMSCAPE). */
static inline void host_guest_ran(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/* Signals, reschedule, task work (work.c); interrupts on, may sleep. 0; -EINTR: a signal. */
int host_work_do(void);

extern bool host_going_down;	/* a: the host goes down or suspends; no window may open any more */
int host_state_init(void);
void host_state_exit(void);

#endif
