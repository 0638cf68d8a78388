/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands in a running machine that others ask for by its control socket: control_ops'
 * exec calls, which say what they take and give. All on the main thread.
 */
#ifndef VMRUN_MACHINE_EXEC_H
#define VMRUN_MACHINE_EXEC_H

#include "control.h"

struct machine;

struct machine_exec *machine_exec_start(void *machine, const struct control_request *request,
					const int fd[CONTROL_STREAMS], struct connection *caller,
					struct vm_error *err);
void machine_exec_resize(struct machine_exec *exec, unsigned int rows, unsigned int columns);
void machine_exec_signal(struct machine_exec *exec, unsigned int signal);
void machine_exec_hang_up(struct machine_exec *exec);

/* The sessions are gone, and the control socket before them: forgets what still ran. */
void machine_exec_destroy(struct machine *machine);

#endif
