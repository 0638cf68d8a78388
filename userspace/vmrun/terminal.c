// SPDX-License-Identifier: GPL-2.0
/*
 * Raw mode and its undoing. A process cannot clean up after its own SIGKILL or
 * crash, so a small child of it, the guard, waits for the end of a pipe and
 * restores the terminal when vmrun went away without having done so.
 * Called by main.c and, around a stop by SIGTSTP, by machine.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "terminal.h"

enum { GUARD_RAW = 'r', GUARD_RESTORED = 'c' };

/* The guard's whole life. It never returns into vmrun's code. */
static void guard_main(const struct termios *saved, int fd)
{
	bool raw = false;
	ssize_t n;
	char c;
	int sig;

	/*
	 * What ends vmrun must not end the guard first, and restoring a
	 * terminal that a shell has already taken back must not stop it.
	 */
	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_IGN);
	prctl(PR_SET_NAME, "vmrun-guard");
	/* A reader of the console must see its end with vmrun, not with us. */
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	for (;;) {
		n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		raw = c == GUARD_RAW;
	}
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, saved);
	_exit(0);
}

static void tell_guard(struct terminal *terminal, char c)
{
	/* Without a guard the terminal is still restored on the usual ways. */
	if (write(terminal->guard_pipe, &c, 1) < 0)
		return;
}

int terminal_open(struct terminal *terminal, struct vm_error *err)
{
	int ends[2];

	memset(terminal, 0, sizeof(*terminal));
	/* In the background it belongs to somebody else. */
	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &terminal->saved))
		return 0;
	if (pipe2(ends, O_CLOEXEC))
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "cannot create a pipe: %s", strerror(errno));
	terminal->guard = fork();
	if (terminal->guard < 0) {
		int error = errno;

		close(ends[0]);
		close(ends[1]);
		return vm_fail(err, VM_STATUS_FAILURE, "are too many processes running?",
			       "cannot start the terminal's guard: %s",
			       strerror(error));
	}
	if (!terminal->guard) {
		close(ends[1]);
		guard_main(&terminal->saved, ends[0]);
	}
	close(ends[0]);
	terminal->guard_pipe = ends[1];
	terminal->present = true;
	return 0;
}

void terminal_close(struct terminal *terminal)
{
	if (!terminal->present)
		return;
	terminal_restore(terminal);
	close(terminal->guard_pipe);
	while (waitpid(terminal->guard, NULL, 0) < 0 && errno == EINTR)
		;
	terminal->present = false;
}

void terminal_set_raw(struct terminal *terminal)
{
	struct termios raw = terminal->saved;

	if (!terminal->present)
		return;
	cfmakeraw(&raw);
	tell_guard(terminal, GUARD_RAW);
	if (!tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		terminal->raw = true;
}

void terminal_restore(struct terminal *terminal)
{
	if (!terminal->raw)
		return;
	/* Let what the guest printed last leave before the mode changes. */
	tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->saved);
	terminal->raw = false;
	tell_guard(terminal, GUARD_RESTORED);
}
