/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's consoles and channels: rows of machine.c's build table, and what it calls
 * while the machine runs. All on the main thread.
 */
#ifndef VMRUN_MACHINE_CONSOLE_H
#define VMRUN_MACHINE_CONSOLE_H

#include "log.h"

struct machine;

/* Who is at the other end of the serial port and of hvc0. */
int build_console(struct machine *machine, struct vm_error *err);
void undo_console(struct machine *machine);

/* The virtio console, if the command line names hvc0, and the channels of --channel. */
int build_ports(struct machine *machine, struct vm_error *err);
void undo_ports(struct machine *machine);

/* Takes the last of what the guest has sent, while the console is still there. */
void machine_console_stop(struct machine *machine);

/* The terminal may have another size. */
void machine_console_resize(struct machine *machine);

#endif
