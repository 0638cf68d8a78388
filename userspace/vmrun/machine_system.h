/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a machine has more when vmrun makes its guest (system.h): the devices by which
 * the guest gets its root and reaches vmrun, and the command's session. Rows of
 * machine.c's build table, and what its events come to.
 */
#ifndef VMRUN_MACHINE_SYSTEM_H
#define VMRUN_MACHINE_SYSTEM_H

#include "log.h"
#include "types.h"

struct boot_source;
struct machine;
struct machine_system;
struct sessions;
struct system;

/* All do nothing in a machine with an initramfs of its user's (machine->system is NULL). */
int build_system(struct machine *machine, struct vm_error *err);
void undo_system(struct machine *machine);
int build_system_devices(struct machine *machine, struct vm_error *err);
void undo_system_devices(struct machine *machine);

/* Fills in what @source has of the guest's own; waits for its initramfs. */
int machine_system_boot(struct machine *machine, struct boot_source *source,
			struct vm_error *err);

/* The initramfs is in the guest's memory: gives back the other copy. */
void machine_system_booted(struct machine *machine);

/* True when the command gets the user's terminal, to be raw meanwhile. */
bool machine_system_has_terminal(const struct machine *machine);

/* A signal of vmrun's that the command may have instead: true when it got it. */
bool machine_system_signal(struct machine *machine, unsigned int sig);

/*
 * Tells the command to end, and with it the machine: SIGTERM, and at a terminal SIGHUP,
 * since shells there do not heed the other. False when there is none to be told.
 */
bool machine_system_stop(struct machine *machine);

/* What the guest was made of, and its agent's sessions; NULL without a guest of vmrun's. */
const struct system *machine_system_plan(const struct machine *machine);
struct sessions *machine_system_sessions(struct machine *machine);

/*
 * The guest's console, if its user did not see it and the machine's end wants it seen.
 * The terminal must not be raw.
 */
void machine_system_tell_console(struct machine *machine);

/* The guest powered off: true, and the machine ended, when it had not come to the command. */
bool machine_system_failed(struct machine *machine);

#endif
