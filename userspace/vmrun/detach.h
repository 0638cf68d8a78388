/* SPDX-License-Identifier: GPL-2.0 */
/*
 * --detach: a process that goes on when the one that was called has left.
 */
#ifndef VMRUN_DETACH_H
#define VMRUN_DETACH_H

#include "instance.h"
#include "log.h"

struct detach {
	int pipe;	/* to the process that waits; -1: nobody does */
};

/*
 * Forks. In the new process returns 0, with standard input and output of nobody. In the
 * caller's waits for detach_done() and returns 1 with @status for the end: 0, and the
 * machine's name was printed, or the other's when that failed. -1: @err.
 */
int detach_fork(struct detach *detach, int *status, struct vm_error *err);

/*
 * The machine is there: the caller may leave. Standard error becomes @log of its folder.
 * -1 when the caller was interrupted: the machine is not wanted.
 */
int detach_done(struct detach *detach, const struct instance *instance, const char *log,
		struct vm_error *err);

#endif
