/* SPDX-License-Identifier: GPL-2.0 */
/* The host's pending work for the current task: signals, reschedule, task work. */
#ifndef KVIRT_HOST_WORK_H
#define KVIRT_HOST_WORK_H

#include <linux/types.h>

int host_work_init(void);
void host_work_exit(void);
/* Interrupts off, once before the first host_work_pending() of a window. */
void host_work_prepare(void);
/* Interrupts off: is there work that must be done before a guest is entered? */
bool host_work_pending(void);
/* Do it; interrupts on, may sleep. 0, or -EINTR when a signal is pending. */
int host_work_do(void);

#endif
