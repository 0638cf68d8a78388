/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user's terminal: raw while the guest has it, put back on every way out.
 */
#ifndef VMRUN_TERMINAL_H
#define VMRUN_TERMINAL_H

#include <sys/types.h>
#include <termios.h>

#include "log.h"
#include "types.h"

struct terminal {
	bool present;		/* standard input is our terminal to use */
	bool raw;
	struct termios saved;
	pid_t guard;
	int guard_pipe;
};

/*
 * Looks whether there is a terminal and, when there is, starts its guard.
 * Call it before the guest's memory exists: the guard is a fork.
 */
int terminal_open(struct terminal *terminal, struct vm_error *err);

/* Puts the terminal back and dismisses the guard. */
void terminal_close(struct terminal *terminal);

void terminal_set_raw(struct terminal *terminal);
void terminal_restore(struct terminal *terminal);

#endif
