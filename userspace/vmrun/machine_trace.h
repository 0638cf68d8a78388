/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flight recorder of a machine's vCPUs: for the control socket, and at a crash.
 */
#ifndef VMRUN_MACHINE_TRACE_H
#define VMRUN_MACHINE_TRACE_H

#include <stdio.h>

#include "log.h"

struct json_t;
struct machine;

/*
 * The last exits of one vCPU and how many vCPUs there are, to be released; NULL with @err
 * filled in: there is no such vCPU, or the accelerator keeps none. Main thread, any time.
 */
struct json_t *machine_trace(struct machine *machine, unsigned int vcpu, struct vm_error *err);

/* The guest is over: when it crashed, its last exits go to machine->result. */
void machine_trace_end(struct machine *machine);

/* The same for people, some lines of each vCPU; NULL: nothing. */
void machine_trace_print(FILE *to, const struct json_t *trace);

#endif
