/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a debugger in user space has asked for, and what is in force with it. Set by run/debug.c;
 * asked by run/ and the back ends. The guest's own registers stay as they are.
 */
#ifndef KVIRT_VM_DEBUG_H
#define KVIRT_VM_DEBUG_H

#include <uapi/linux/kvirt.h>
#include "exit.h"

struct vcpu_debug {
	u32 control;		/* KVIRT_GUESTDBG_*; 0: nobody debugs the guest */
	u64 dr[4], dr7;		/* in force instead of the guest's, with USE_HW_BP */
	u64 step_rip;		/* linear RIP when SINGLESTEP was asked for */
};

/* #DB is the debugger's, not the guest's. */
static inline bool debug_active(const struct vcpu_debug *d)
{
	return d->control & (KVIRT_GUESTDBG_SINGLESTEP | KVIRT_GUESTDBG_USE_HW_BP);
}

/* DR7 in force; the breakpoints in force, NULL if none is armed; the exceptions that exit. */
static inline u64 debug_dr7(const struct vcpu_debug *d, const struct x86_state *s)
{
	return d->control & KVIRT_GUESTDBG_USE_HW_BP ? d->dr7 : s->dr7;
}

static inline const u64 *debug_breakpoints(const struct vcpu_debug *d, const struct x86_state *s)
{
	if (likely(!(debug_dr7(d, s) & X86_DR7_ENABLED)))
		return NULL;
	return d->control & KVIRT_GUESTDBG_USE_HW_BP ? d->dr : s->dr;
}

static inline u32 debug_exceptions(const struct vcpu_debug *d)
{
	return EXCEPTIONS_INTERCEPTED | (d->control & KVIRT_GUESTDBG_USE_SW_BP ? BIT(X86_BP) : 0);
}

#endif
