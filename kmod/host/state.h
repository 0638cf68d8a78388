/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's state that a guest's run disturbs and that is the same on both vendors:
 * debug registers, guest context tracking and time accounting, indirect-branch
 * predictors between VMs. Put back as found.
 */
#ifndef KVIRT_HOST_STATE_H
#define KVIRT_HOST_STATE_H

#include <linux/types.h>

struct host_debug {
	bool active;		/* the host has breakpoints armed */
	unsigned long dr[4], dr6, dr7;
};

/*
 * host_debug_save() before a window's first entry, host_debug_restore() after its last
 * exit: an exit leaves DR7 disarmed, and a guest may have its own DR0 to DR3 loaded.
 */
void host_debug_save(struct host_debug *debug);
void host_debug_restore(const struct host_debug *debug, bool guest_loaded);
/* A guest with armed breakpoints: its DR0 to DR3 into the CPU. */
void host_debug_load_guest(const u64 dr[4]);

/* Time between these counts as guest time; once a window, interrupts off. */
void host_guest_time_enter(void);
void host_guest_time_exit(void);

/*
 * Another guest's vCPU ran last on this CPU: IBPB, unless the host has no use for it.
 * @owner identifies the vCPU. Interrupts off.
 */
void host_predictor_barrier(u64 owner);
/* Tell the host's return to user space that a guest ran (VMSCAPE). */
void host_guest_ran(void);

/* The host goes down or suspends: windows must not open any more. */
bool host_is_going_down(void);
int host_state_init(void);
void host_state_exit(void);

/* Work that has to be done before entering a guest: signals, reschedule, task work. */
bool host_work_pending(void);		/* interrupts off */
/* Does it, interrupts on. -EINTR when a signal is pending. */
int host_work_do(void);

#endif
