/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands in the guest, as vmrun sees them: descriptors here joined with a process
 * there, by the agent protocol (agent.h). All in the thread of one loop; no locks.
 */
#ifndef VMRUN_SESSION_H
#define VMRUN_SESSION_H

#include "agent_link.h"
#include "log.h"
#include "loop.h"
#include "types.h"

#define SESSION_MAX_TEXT	384

struct session;

/* The command ended, and what it wrote is written. The session is gone afterwards. */
typedef void session_end_fn(void *ctx, const struct agent_exit *exit);

/* How it went with the agent itself. */
enum sessions_event {
	SESSIONS_READY,		/* it is there: commands start */
	SESSIONS_GONE,		/* the connection ended: the guest goes down, or its agent did */
	SESSIONS_BROKEN,	/* it does not keep to the protocol */
};

typedef void sessions_event_fn(void *ctx, enum sessions_event event);

/* What to run. Strings and lists are copied; lists end with NULL. */
struct session_spec {
	u32 flags;		/* AGENT_EXEC_* */
	u32 uid, gid;
	struct agent_size size;	/* of a terminal */
	const char *directory;
	const char *const *argv;
	const char *const *env;
	int fd[AGENT_STREAMS];	/* they stay the caller's; -1: nothing there */
	bool escape;		/* Ctrl-] in the input calls escape_fn */
	void (*escape_fn)(void *ctx);
	session_end_fn *end_fn;
	void *ctx;
};

struct sessions {
	struct loop *loop;
	sessions_event_fn *event;
	void *ctx;
	struct agent_link *link;	/* NULL: no connection yet, or none any more */
	int watch;
	bool ready;			/* HELLO has come */
	struct session *session[AGENT_MAX_SESSIONS];
};

void sessions_init(struct sessions *all, struct loop *loop, sessions_event_fn *event, void *ctx);
void sessions_destroy(struct sessions *all);

/* The agent connected: @fd is taken. A second one is closed. */
void sessions_attach(struct sessions *all, int fd);

/*
 * Starts a command as soon as the agent is there. Returns its session, good until
 * end_fn, or NULL with @err filled in.
 */
struct session *session_start(struct sessions *all, const struct session_spec *spec,
			      struct vm_error *err);

void session_resize(struct session *session, struct agent_size size);
void session_signal(struct session *session, unsigned int sig);

/*
 * Its user is gone: the command is told so by SIGHUP, and the descriptors are not used any
 * more. It ends like any other, at a time of its own.
 */
void session_hang_up(struct session *session);

/* The exit status as a shell gives it, and what could not be started as what @program ("": all could). */
int session_explain(const struct agent_exit *exit, const char *program, char *text, size_t size);

/* The same, but tells what could not be started as what @program. */
int session_status(const struct agent_exit *exit, const char *program);

#endif
