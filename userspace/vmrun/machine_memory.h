/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory as those outside see it: docs/control.md, request "memory".
 */
#ifndef VMRUN_MACHINE_MEMORY_H
#define VMRUN_MACHINE_MEMORY_H

#include "log.h"

struct json_t;
struct machine;

/* Opens what is read later, in the sandbox, where nothing can be opened. */
void machine_memory_open(struct machine *machine);
void machine_memory_close(struct machine *machine);

/* How things are, to be released, NULL when memory is short. Main thread. */
struct json_t *machine_memory_json(struct machine *machine);

/*
 * Asks the guest to get along with @mib of its memory. Returns 0, or -1 with @err filled in
 * when it has not so much, or could not live with so little.
 */
int machine_memory_set(struct machine *machine, unsigned int mib, struct vm_error *err);

#endif
