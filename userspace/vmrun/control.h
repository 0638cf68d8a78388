/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket of a machine: JSON lines, as docs/control.md says. It belongs to the
 * main loop and its thread; what a request means is for the owner's control_ops.
 */
#ifndef VMRUN_CONTROL_H
#define VMRUN_CONTROL_H

#include "instance.h"
#include "log.h"
#include "loop.h"
#include "types.h"

#define CONTROL_MAX_LINE	65536
#define CONTROL_MAX_CONNECTIONS	16
#define CONTROL_MAX_LOG		MIB(16)

struct json_t;

/* ---- requests: control_request.c ---- */

enum control_verb {
	CONTROL_STATUS,
	CONTROL_STOP,		/* the command is told to end, or the power button pressed */
	CONTROL_KILL,
	CONTROL_PAUSE,
	CONTROL_RESUME,
	CONTROL_STAT,
	CONTROL_MEMORY,		/* how much there is, and how much is to do */
	CONTROL_CONSOLE,	/* the connection becomes the guest's console */
	CONTROL_EXEC,		/* a command, with the descriptors that come with the request */
	CONTROL_RESIZE,		/* while that command runs: its terminal */
	CONTROL_SIGNAL,		/* likewise: to the command */
	CONTROL_TRACE,		/* the last exits of one vCPU */
};

/* What came with an exec request: the command's input, output and errors. */
#define CONTROL_STREAMS		3

struct control_request {
	enum control_verb verb;
	/* Of an exec; texts are the object's. Lists end with NULL and may be empty. */
	const char *directory;		/* NULL: not said */
	const char *const *arguments;
	const char *const *environment;	/* each a NAME=VALUE */
	bool terminal;
	bool stderr_apart;		/* from the terminal */
	unsigned int rows, columns;	/* of a resize too; 0: not known */
	unsigned int signal;
	unsigned int vcpu;		/* of a trace */
	unsigned int size;		/* of the memory, MiB; 0: not said */
	struct json_t *object;
};

/* A stream that is cut into lines. */
struct control_line {
	char text[CONTROL_MAX_LINE];
	size_t len;
	size_t taken;	/* of these, the line that was given last */
};

const char *control_verb_name(enum control_verb verb);

/* How many bytes may be put behind text + len (and len raised by them). */
size_t control_line_room(const struct control_line *line);

/*
 * The next line, without its end: 1 with @text and @len, valid until the next call; 0
 * when more bytes are needed; -1 when no line can end any more.
 */
int control_line_take(struct control_line *line, const char **text, size_t *len);

/*
 * Reads one line; NULL, or what is wrong with it. In the first case
 * control_request_release() is due.
 */
const char *control_parse(struct control_request *request, const char *text, size_t len);
void control_request_release(struct control_request *request);

/* ---- the socket: control.c ---- */

struct connection;
struct machine_exec;

struct control_ops {
	/* The reply, without "ok", to be released; NULL: done, nothing to tell. */
	struct json_t *(*request)(void *ctx, const struct control_request *request,
				  struct vm_error *err);
	/* Likewise for a trace, of one vCPU. */
	struct json_t *(*trace)(void *ctx, unsigned int vcpu, struct vm_error *err);
	/* Bytes for the guest's console: how many it takes, and they. */
	unsigned int (*console_room)(void *ctx);
	void (*console_input)(void *ctx, const u8 *data, unsigned int len);
	/*
	 * Starts a command: what it is called in the calls below until control_exec_ended()
	 * for @caller, or NULL with @err filled in. Takes @fd over in the first case.
	 */
	struct machine_exec *(*exec)(void *ctx, const struct control_request *request,
				     const int fd[CONTROL_STREAMS], struct connection *caller,
				     struct vm_error *err);
	void (*exec_resize)(struct machine_exec *exec, unsigned int rows, unsigned int columns);
	void (*exec_signal)(struct machine_exec *exec, unsigned int signal);
	/* Its caller is gone, and is not told of its end. */
	void (*exec_hang_up)(struct machine_exec *exec);
};

struct control;

/*
 * Listens in the folder of @instance, which must outlive it, and begins its console.log.
 * Returns NULL with @err filled in when that cannot be.
 */
struct control *control_create(struct instance *instance, struct loop *loop,
			       const struct control_ops *ops, void *ctx, struct vm_error *err);
void control_destroy(struct control *control);

/* The guest's console said @data: for console.log and those who look. */
void control_console_output(struct control *control, const u8 *data, unsigned int len);

/* The command of @caller ended: its exit status, and what there is to say of it ("": nothing). */
void control_exec_ended(struct connection *caller, int status, const char *note);

/* The guest's console takes input again. */
void control_console_ready(struct control *control);

#endif
