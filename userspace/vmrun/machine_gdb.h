/* SPDX-License-Identifier: GPL-2.0 */
/*
 * --gdb: rows of machine.c's build table, and what vcpu.c says to a debugger.
 */
#ifndef VMRUN_MACHINE_GDB_H
#define VMRUN_MACHINE_GDB_H

#include "log.h"

struct machine;

/* The socket; the vCPUs are held from the start on. Nothing where there is no --gdb. */
int build_gdb(struct machine *machine, struct vm_error *err);
void undo_gdb(struct machine *machine);

/* Whether a debugger keeps the guest standing, or it waits for one. */
bool machine_gdb_holds(const struct machine *machine);

/* A vCPU stands at a debug exit: from its thread. */
void machine_gdb_wake(struct machine *machine);

#endif
