// SPDX-License-Identifier: GPL-2.0
/*
 * Joins a caller of the control socket with a session of the guest's agent, and keeps the
 * caller's descriptors for as long as that uses them. What a caller does not say is as the
 * machine's own command has it. Called by control.c through machine_control.c's ops.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "machine_exec.h"
#include "machine_system.h"
#include "session.h"
#include "system.h"

_Static_assert(CONTROL_STREAMS == (int)AGENT_STREAMS, "the same three");

struct machine_exec {
	struct machine *machine;
	struct machine_exec *next;	/* of machine->execs */
	struct session *session;
	struct connection *caller;	/* NULL: it hung up */
	struct environment environment;
	char *program;			/* for messages */
	int fd[AGENT_STREAMS];		/* -1: closed */
};

static void close_all(int fd[AGENT_STREAMS])
{
	unsigned int i;

	for (i = 0; i < AGENT_STREAMS; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static void free_exec(struct machine_exec *exec)
{
	struct machine_exec **link = &exec->machine->execs;

	while (*link && *link != exec)
		link = &(*link)->next;
	if (*link)
		*link = exec->next;
	environment_clear(&exec->environment);
	free(exec->program);
	free(exec);
}

static void on_exec_end(void *ctx, const struct agent_exit *exit)
{
	struct machine_exec *exec = ctx;
	struct connection *caller = exec->caller;
	char note[SESSION_MAX_TEXT];
	int status = session_explain(exit, exec->program, note, sizeof(note));

	close_all(exec->fd);
	free_exec(exec);
	if (caller)
		control_exec_ended(caller, status, note);
}

static int fill_spec(struct machine_exec *exec, const struct system *system,
		     const struct control_request *request, struct session_spec *spec,
		     struct vm_error *err)
{
	struct environment *env = &exec->environment;
	unsigned int i;

	*spec = (struct session_spec){
		.directory = request->directory ? request->directory : system->directory,
		.argv = request->arguments[0] ? request->arguments : system->shell,
		.env = (const char *const *)env->item,
		.size = { request->rows, request->columns },
		.end_fn = on_exec_end, .ctx = exec,
	};
	for (i = 0; i < AGENT_STREAMS; i++)
		spec->fd[i] = exec->fd[i];
	if (!request->directory && !system->directory_given)
		spec->flags |= AGENT_EXEC_ANY_CWD;
	if (request->terminal)
		spec->flags |= AGENT_EXEC_TTY | (request->stderr_apart ? AGENT_EXEC_STDERR : 0);
	exec->program = strdup(spec->argv[0]);
	if (!exec->program)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	if (environment_add(env, (const char *const *)system->env.item, err))
		return -1;
	return environment_add(env, request->environment, err);
}

struct machine_exec *machine_exec_start(void *ctx, const struct control_request *request,
					const int fd[CONTROL_STREAMS], struct connection *caller,
					struct vm_error *err)
{
	struct machine *machine = ctx;
	const struct system *system = machine_system_plan(machine);
	struct machine_exec *exec;
	struct session_spec spec;
	unsigned int i;

	if (!system || machine->paused) {
		vm_fail(err, VM_STATUS_FAILURE,
			system ? "vmrun resume NAME lets it go on" : "vmrun console NAME joins its console",
			system ? "the machine is paused" :
			"the machine has an initramfs of its own, and in it nobody who runs commands for vmrun");
		return NULL;
	}
	exec = calloc(1, sizeof(*exec));
	if (!exec) {
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
		return NULL;
	}
	exec->machine = machine;
	exec->caller = caller;
	for (i = 0; i < AGENT_STREAMS; i++)
		exec->fd[i] = fd[i];
	if (!fill_spec(exec, system, request, &spec, err))
		exec->session = session_start(machine_system_sessions(machine), &spec, err);
	if (!exec->session) {
		free_exec(exec);
		return NULL;
	}
	exec->next = machine->execs;
	machine->execs = exec;
	return exec;
}

void machine_exec_resize(struct machine_exec *exec, unsigned int rows, unsigned int columns)
{
	session_resize(exec->session, (struct agent_size){ rows, columns });
}

void machine_exec_signal(struct machine_exec *exec, unsigned int signal)
{
	session_signal(exec->session, signal);
}

void machine_exec_hang_up(struct machine_exec *exec)
{
	int fd[AGENT_STREAMS];
	unsigned int i;

	exec->caller = NULL;
	for (i = 0; i < AGENT_STREAMS; i++) {
		fd[i] = exec->fd[i];
		exec->fd[i] = -1;
	}
	/* The command may end by this, and @exec with it. */
	session_hang_up(exec->session);
	close_all(fd);
}

void machine_exec_destroy(struct machine *machine)
{
	while (machine->execs) {
		close_all(machine->execs->fd);
		free_exec(machine->execs);
	}
}
