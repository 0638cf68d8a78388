/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows of the machine's build table by which others find and steer it.
 */
#ifndef VMRUN_MACHINE_CONTROL_H
#define VMRUN_MACHINE_CONTROL_H

#include "log.h"

struct machine;

/*
 * The machine's folder: made first, so that a name that is taken costs nothing. A machine
 * without --name and --detach runs without where it cannot be made. At the end machine.json
 * tells how it ended, or the folder goes (--rm; no --name and no --detach).
 */
int build_instance(struct machine *machine, struct vm_error *err);
void undo_instance(struct machine *machine);

/* The control socket; before the console, whose last words it still takes. */
int build_control(struct machine *machine, struct vm_error *err);
void undo_control(struct machine *machine);

#endif
