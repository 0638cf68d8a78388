// SPDX-License-Identifier: GPL-2.0
/*
 * The wires of a guest that vmrun makes: its root to a virtio-fs device, vsock to
 * sessions, the command's end to the machine's. Called by machine.c only.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"
#include "machine_exec.h"
#include "machine_system.h"
#include "system.h"
#include "virtio/vsock.h"

struct machine_system {
	struct system system;
	struct sessions sessions;
	struct session *command;	/* NULL once it has ended */
	bool has_terminal;
	bool interrupted;		/* the command got a SIGINT already */
	atomic_bool ready;		/* the guest's agent was here */
};

/* ---- events ---- */

static void on_agent(void *ctx, enum sessions_event event)
{
	struct machine *machine = ctx;

	if (event == SESSIONS_READY)
		machine->system->ready = true;
	else if (event == SESSIONS_BROKEN)
		machine_end(machine, VM_STATUS_CRASH,
			    "the guest's agent does not keep to its protocol");
	/* Otherwise the guest goes down, and how tells what has happened. */
}

static void on_agent_connected(void *ctx, int fd, u32 guest_port)
{
	struct machine_system *ms = ctx;

	(void)guest_port;
	sessions_attach(&ms->sessions, fd);
}

static void on_command_end(void *ctx, const struct agent_exit *exit)
{
	struct machine *machine = ctx;

	machine->system->command = NULL;
	/* The user wanted the command, and has its status: there is nothing to add. */
	machine_end(machine, session_status(exit, machine->system->system.argv[0]), "%s", "");
}

static void on_escape(void *ctx)
{
	machine_end(ctx, VM_STATUS_LEFT, "left with Ctrl-]");
}

bool machine_system_has_terminal(const struct machine *machine)
{
	return machine->system && machine->system->has_terminal;
}

bool machine_system_signal(struct machine *machine, unsigned int sig)
{
	struct machine_system *ms = machine->system;
	struct winsize window;

	if (!ms)
		return false;
	if (sig == SIGWINCH) {
		if (ms->command && ms->has_terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &window))
			session_resize(ms->command,
				       (struct agent_size){ window.ws_row, window.ws_col });
		return true;
	}
	/* Once: a command that does not heed it is ended with the machine. */
	if (sig != SIGINT || !ms->command || !ms->ready || ms->interrupted)
		return false;
	ms->interrupted = true;
	session_signal(ms->command, sig);
	return true;
}

bool machine_system_stop(struct machine *machine)
{
	struct machine_system *ms = machine->system;

	if (!ms || !ms->command)
		return false;
	session_signal(ms->command, SIGTERM);
	/* It may have ended, and machine_end() been called, within the first. */
	if (ms->command && ms->has_terminal)
		session_signal(ms->command, SIGHUP);
	return true;
}

const struct system *machine_system_plan(const struct machine *machine)
{
	return machine->system ? &machine->system->system : NULL;
}

struct sessions *machine_system_sessions(struct machine *machine)
{
	return machine->system ? &machine->system->sessions : NULL;
}

bool machine_system_failed(struct machine *machine)
{
	if (!machine->system || machine->system->ready)
		return false;
	machine_end(machine, VM_STATUS_FAILURE,
		    "the guest ended before it could run a command; what it said is above");
	return true;
}

void machine_system_tell_console(struct machine *machine)
{
	switch (machine->system ? machine->result.status : VM_STATUS_POWEROFF) {
	case VM_STATUS_PANIC:
	case VM_STATUS_CRASH:
	case VM_STATUS_FAILURE:
	case VM_STATUS_TIMEOUT:
		break;
	default:
		return;
	}
	/* The command's own status may be one of those. */
	if (machine->system->command)
		console_tell(&machine->console);
}

/* ---- the build table's steps, each with its undoing ---- */

int build_system(struct machine *machine, struct vm_error *err)
{
	if (machine->config->initramfs)
		return 0;
	machine->system = calloc(1, sizeof(*machine->system));
	if (!machine->system)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	if (!system_create(&machine->system->system, machine->config, err))
		return 0;
	free(machine->system);
	machine->system = NULL;
	return -1;
}

void undo_system(struct machine *machine)
{
	if (!machine->system)
		return;
	system_destroy(&machine->system->system);
	free(machine->system);
	machine->system = NULL;
}

static int add_command(struct machine *machine, struct vm_error *err)
{
	struct machine_system *ms = machine->system;
	struct session_spec spec;

	sessions_init(&ms->sessions, &machine->loop, on_agent, machine);
	system_command(&ms->system, machine->terminal, &spec);
	spec.end_fn = on_command_end;
	spec.escape_fn = on_escape;
	spec.ctx = machine;
	ms->has_terminal = spec.flags & AGENT_EXEC_TTY;
	ms->command = session_start(&ms->sessions, &spec, err);
	return ms->command ? 0 : -1;
}

int build_system_devices(struct machine *machine, struct vm_error *err)
{
	struct machine_system *ms = machine->system;

	if (!ms)
		return 0;
	/* Behind those of -v, whose tags are numbers; it goes with them. */
	if (!system_has_disk(&ms->system) &&
	    shares_add(&machine->shares, &machine->sandbox, SYSTEM_ROOT_TAG, ms->system.root,
		       FS_READ_ONLY, err))
		return -1;
	if (vsock_listen(machine->vsock, AGENT_PORT, on_agent_connected, ms))
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "the agent's port is taken");
	return add_command(machine, err);
}

void undo_system_devices(struct machine *machine)
{
	if (!machine->system)
		return;
	sessions_destroy(&machine->system->sessions);
	machine_exec_destroy(machine);
}

int machine_system_boot(struct machine *machine, struct boot_source *source,
			struct vm_error *err)
{
	struct machine_system *ms = machine->system;

	if (!ms)
		return 0;
	source->kernel = ms->system.kernel;
	source->initramfs_fd = ms->system.live.archive_fd;
	if (!config_given(machine->config, OPTION_ID_args))
		source->cmdline = SYSTEM_ARGS;
	return live_wait(&ms->system.live, err);
}

void machine_system_booted(struct machine *machine)
{
	if (machine->system)
		live_destroy(&machine->system->system.live);
}
