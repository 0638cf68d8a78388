/* SPDX-License-Identifier: GPL-2.0 */
/* What this host's CPUs offer to any back end, and the refusals that concern them all. */
#ifndef KVIRT_HOST_CPU_H
#define KVIRT_HOST_CPU_H

#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/types.h>
#include <asm/processor.h>
#include "compat.h"

/* One line in the log says why the module does not load. */
static inline int host_refuse(const char *reason)
{
	pr_err("kvirt: refused: %s\n", reason);
	return -EOPNOTSUPP;
}

/* 0, or -EOPNOTSUPP after one line in the log: FRED in use, PREEMPT_RT, Xen PV. */
int host_cpu_check(void);
/* Optional bits of CR4, and all of EFER, that a guest may have on this host. */
u64 host_guest_cr4(void);
u64 host_guest_efer(void);
/* SPEC_CTRL takes this value; one with bits that the CPU lacks faults when written. */
bool host_spec_ctrl_valid(u64 value);
/* Raises an interrupt on @cpu that does nothing but end its window; never waits. */
void host_kick_cpu(int cpu);

#endif
