/* SPDX-License-Identifier: GPL-2.0 */
/* The host's pending work for the current task: signals, reschedule, task work. */
#ifndef KVIRT_HOST_WORK_H
#define KVIRT_HOST_WORK_H

#include "compat.h"

int host_work_init(void);
void host_work_exit(void);
/* What is pending; interrupts on, may sleep. 0, or -EINTR when a signal is pending. */
int host_work_do(void);

#endif
