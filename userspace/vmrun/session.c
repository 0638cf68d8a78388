// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's end of the agent protocol. Like the agent it keeps what is to be said as
 * state and makes frames of it when the connection has room (pump()), so that memory is
 * bounded by the windows. Called by machine.c; the descriptors are vmrun's own, or those
 * of another vmrun that asked for a command.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "session.h"

#define ESCAPE		0x1d	/* Ctrl-] */
#define READ_CHUNK	16384
/* What poll() promises room for: a pipe promises this, a terminal less. */
#define PIPE_CHUNK	PIPE_BUF
#define TTY_CHUNK	256

struct output {
	u32 head, count;
	u32 owed;		/* written, and the agent not told yet */
	u32 chunk;		/* what a write is given after poll() said that there is room */
	bool eof;
	bool broken;		/* nobody reads it here */
	bool tell_close;
	u8 data[AGENT_WINDOW];
};

struct session {
	struct sessions *all;
	unsigned int id;
	struct session_spec spec;	/* without its strings and lists */
	struct agent_exec exec;
	char *strings;			/* NULL: the agent has them all */
	u32 nr_sent;
	bool announced;			/* EXEC was sent */
	int watch[AGENT_STREAMS];	/* -1: none; a file that is always ready has none */
	bool in_open, in_tty, tell_eof, tell_size;
	u64 signals;			/* to be sent, one bit each */
	u32 credit;			/* bytes of input that the agent takes */
	struct output out[2];		/* AGENT_STDOUT's, AGENT_STDERR's */
	bool exited;
	struct agent_exit exit;
	u8 chunk[READ_CHUNK];
};

static void pump(struct sessions *all);

static struct output *output_of(struct session *s, unsigned int stream)
{
	return &s->out[stream - AGENT_STDOUT];
}

/* ---- from the guest to our descriptors ---- */

static void break_output(struct session *s, unsigned int stream)
{
	struct output *o = output_of(s, stream);

	if (!o->broken && !o->eof)
		o->tell_close = true;
	o->broken = true;
	o->count = 0;
}

/* Writes what can be written without waiting; true when nothing is left. */
static bool write_output(struct session *s, unsigned int stream)
{
	struct output *o = output_of(s, stream);
	int fd = s->spec.fd[stream];

	while (o->count) {
		struct pollfd ready = { .fd = fd, .events = POLLOUT };
		u32 len = min_u64(min_u64(o->count, AGENT_WINDOW - o->head), o->chunk);
		ssize_t n;

		if (poll(&ready, 1, 0) <= 0)
			return false;
		n = write(fd, o->data + o->head, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			break_output(s, stream);
			return true;
		}
		o->head = (o->head + n) % AGENT_WINDOW;
		o->count -= n;
		o->owed += n;
	}
	return true;
}

static void serve_output(struct session *s, unsigned int stream)
{
	bool done = write_output(s, stream);

	if (s->watch[stream] >= 0)
		loop_change(s->all->loop, s->watch[stream], done ? 0 : EPOLLOUT);
}

static void on_output(void *ctx, u32 events)
{
	struct session *s = ctx;
	unsigned int i;

	(void)events;
	for (i = AGENT_STDOUT; i < AGENT_STREAMS; i++)
		serve_output(s, i);
	pump(s->all);
}

/* ---- from our input to the guest ---- */

static void end_input(struct session *s)
{
	if (s->watch[AGENT_STDIN] >= 0)
		loop_unwatch(s->all->loop, s->watch[AGENT_STDIN]);
	s->watch[AGENT_STDIN] = -1;
	s->in_open = false;
}

static u32 input_room(const struct session *s)
{
	u32 room;

	if (!s->all->link || !s->announced || s->strings)
		return 0;
	room = min_u64(agent_link_room(s->all->link), READ_CHUNK);
	return min_u64(room, s->credit);
}

/* Reads once; false when there is no more to read now. */
static bool read_input(struct session *s)
{
	u32 room = input_room(s), max = room;
	const u8 *escape = NULL;
	ssize_t n;

	/* A terminal is always read: Ctrl-] must work where the guest takes nothing. */
	if (s->in_tty && !max)
		max = TTY_CHUNK;
	if (!max)
		return false;
	n = read(s->spec.fd[AGENT_STDIN], s->chunk, max);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (n <= 0) {
		end_input(s);
		s->tell_eof = true;
		return false;
	}
	if (s->spec.escape)
		escape = memchr(s->chunk, ESCAPE, n);
	if (escape)
		n = escape - s->chunk;
	if (n && room) {
		agent_link_put(s->all->link, AGENT_DATA, AGENT_STDIN, s->id, s->chunk, n);
		s->credit -= n;
	}
	if (escape)
		s->spec.escape_fn(s->spec.ctx);
	return true;
}

static void serve_input(struct session *s)
{
	/* A regular file cannot be waited for: read it as the agent takes it. */
	while (s->in_open && s->watch[AGENT_STDIN] < 0 && read_input(s))
		;
	if (s->watch[AGENT_STDIN] >= 0)
		loop_change(s->all->loop, s->watch[AGENT_STDIN],
			    s->in_tty || input_room(s) ? EPOLLIN : 0);
}

static void on_input(void *ctx, u32 events)
{
	struct session *s = ctx;

	(void)events;
	read_input(s);
	pump(s->all);
}

/* ---- what is said to the agent ---- */

/* Opens the session as far as there is room; true once the agent knows all of it. */
static bool announce(struct session *s)
{
	struct agent_link *link = s->all->link;

	if (!s->announced)
		s->announced = agent_link_put(link, AGENT_EXEC, 0, s->id, &s->exec, sizeof(s->exec));
	while (s->announced && s->strings) {
		u32 len = min_u64(agent_link_room(link), s->exec.strings_len - s->nr_sent);

		if (!len)
			return false;
		agent_link_put(link, AGENT_STRINGS, 0, s->id, s->strings + s->nr_sent, len);
		s->nr_sent += len;
		if (s->nr_sent == s->exec.strings_len) {
			free(s->strings);
			s->strings = NULL;
		}
	}
	return s->announced;
}

static void say(struct session *s)
{
	struct agent_link *link = s->all->link;
	unsigned int i;

	if (!announce(s))
		return;
	for (i = AGENT_STDOUT; i < AGENT_STREAMS; i++) {
		struct output *o = output_of(s, i);

		if (o->owed && agent_link_put(link, AGENT_CREDIT, i, s->id, &o->owed, sizeof(o->owed)))
			o->owed = 0;
		if (o->tell_close)
			o->tell_close = !agent_link_put(link, AGENT_CLOSE, i, s->id, NULL, 0);
	}
	if (s->tell_size)
		s->tell_size = !agent_link_put(link, AGENT_RESIZE, 0, s->id, &s->exec.size,
					       sizeof(s->exec.size));
	while (s->signals) {
		u32 sig = __builtin_ctzll(s->signals);

		if (!agent_link_put(link, AGENT_SIGNAL, 0, s->id, &sig, sizeof(sig)))
			return;
		s->signals &= s->signals - 1;
	}
	serve_input(s);
	if (s->tell_eof)
		s->tell_eof = !agent_link_put(link, AGENT_EOF, AGENT_STDIN, s->id, NULL, 0);
}

static void free_session(struct session *s)
{
	unsigned int i;

	for (i = 0; i < AGENT_STREAMS; i++)
		if (s->watch[i] >= 0)
			loop_unwatch(s->all->loop, s->watch[i]);
	s->all->session[s->id] = NULL;
	free(s->strings);
	free(s);
}

static void finish(struct session *s)
{
	session_end_fn *end = s->spec.end_fn;
	struct agent_exit exit = s->exit;
	void *ctx = s->spec.ctx;

	free_session(s);
	end(ctx, &exit);
}

static void detach(struct sessions *all, enum sessions_event event)
{
	loop_unwatch(all->loop, all->watch);
	close(all->link->fd);
	free(all->link);
	all->link = NULL;
	all->ready = false;
	all->event(all->ctx, event);
}

static void pump(struct sessions *all)
{
	unsigned int i;

	for (i = 0; i < AGENT_MAX_SESSIONS; i++) {
		struct session *s = all->session[i];

		if (s && all->link && all->ready && !s->exited)
			say(s);
		if (s && s->exited && !s->out[0].count && !s->out[1].count)
			finish(s);
	}
	if (!all->link)
		return;
	if (!agent_link_send(all->link)) {
		detach(all, SESSIONS_GONE);
		return;
	}
	loop_change(all->loop, all->watch,
		    EPOLLIN | (agent_link_pending(all->link) ? EPOLLOUT : 0));
}

/* ---- what the agent says ---- */

static int on_data(struct session *s, unsigned int stream, const u8 *payload, u32 len)
{
	struct output *o = output_of(s, stream);
	u32 at = (o->head + o->count) % AGENT_WINDOW, first = min_u64(len, AGENT_WINDOW - at);

	if (o->broken)
		return 0;
	if (o->eof || len > AGENT_WINDOW - o->count)
		return -1;
	memcpy(o->data + at, payload, first);
	memcpy(o->data, payload + first, len - first);
	o->count += len;
	serve_output(s, stream);
	return 0;
}

static int on_session_frame(struct session *s, const struct agent_frame *f, const u8 *payload)
{
	bool is_output = f->stream == AGENT_STDOUT || f->stream == AGENT_STDERR;
	u32 bytes;

	switch (f->type) {
	case AGENT_DATA:
		return is_output ? on_data(s, f->stream, payload, f->length) : -1;
	case AGENT_EOF:
		if (!is_output)
			return -1;
		output_of(s, f->stream)->eof = true;
		return 0;
	case AGENT_CLOSE:
		if (f->stream != AGENT_STDIN)
			return -1;
		end_input(s);
		s->tell_eof = false;
		return 0;
	case AGENT_CREDIT:
		if (f->stream != AGENT_STDIN || f->length != sizeof(bytes))
			return -1;
		memcpy(&bytes, payload, sizeof(bytes));
		if (bytes > AGENT_WINDOW - s->credit)
			return -1;
		s->credit += bytes;
		return 0;
	case AGENT_EXIT:
		if (f->length != sizeof(s->exit) || s->exited)
			return -1;
		memcpy(&s->exit, payload, sizeof(s->exit));
		s->exited = true;
		end_input(s);
		return 0;
	default:
		return -1;
	}
}

static int on_frame(struct sessions *all, const struct agent_frame *f, const u8 *payload)
{
	struct session *s;
	u32 version;

	if (!all->ready) {
		if (f->type != AGENT_HELLO || f->length != sizeof(version))
			return -1;
		memcpy(&version, payload, sizeof(version));
		if (version != AGENT_VERSION)
			return -1;
		all->ready = true;
		all->event(all->ctx, SESSIONS_READY);
		return 0;
	}
	if (f->session >= AGENT_MAX_SESSIONS)
		return -1;
	s = all->session[f->session];
	if (!s || !s->announced || s->strings)
		return -1;
	return on_session_frame(s, f, payload);
}

static void on_link(void *ctx, u32 events)
{
	struct sessions *all = ctx;
	struct agent_frame frame;
	const u8 *payload;
	int ret = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		bool open = agent_link_receive(all->link);

		while (!ret && (ret = agent_link_next(all->link, &frame, &payload)) > 0)
			ret = on_frame(all, &frame, payload);
		if (ret || !open)
			detach(all, ret ? SESSIONS_BROKEN : SESSIONS_GONE);
	}
	pump(all);
}

/* ---- the outside ---- */

void sessions_init(struct sessions *all, struct loop *loop, sessions_event_fn *event, void *ctx)
{
	*all = (struct sessions){ .loop = loop, .event = event, .ctx = ctx, .watch = -1 };
}

void sessions_destroy(struct sessions *all)
{
	unsigned int i;

	for (i = 0; i < AGENT_MAX_SESSIONS; i++)
		if (all->session[i])
			free_session(all->session[i]);
	if (all->link) {
		loop_unwatch(all->loop, all->watch);
		close(all->link->fd);
		free(all->link);
		all->link = NULL;
	}
}

void sessions_attach(struct sessions *all, int fd)
{
	struct agent_link *link = all->link ? NULL : malloc(sizeof(*link));

	if (!link || (all->watch = loop_watch(all->loop, fd, EPOLLIN, on_link, all)) < 0) {
		free(link);
		close(fd);
		return;
	}
	agent_link_init(link, fd);
	all->link = link;
}

/* All strings of @spec, one behind the other; NULL when they are too long or memory is short. */
static char *join_strings(const struct session_spec *spec, struct agent_exec *exec)
{
	u64 len = strlen(spec->directory) + 1;
	char *strings, *at;
	u32 i;

	for (i = 0; spec->argv[i]; i++)
		len += strlen(spec->argv[i]) + 1;
	exec->nr_args = i;
	for (i = 0; spec->env[i]; i++)
		len += strlen(spec->env[i]) + 1;
	exec->nr_env = i;
	if (len > AGENT_MAX_STRINGS)
		return NULL;
	exec->strings_len = len;
	strings = malloc(len);
	if (!strings)
		return NULL;
	at = stpcpy(strings, spec->directory) + 1;
	for (i = 0; i < exec->nr_args; i++)
		at = stpcpy(at, spec->argv[i]) + 1;
	for (i = 0; i < exec->nr_env; i++)
		at = stpcpy(at, spec->env[i]) + 1;
	return strings;
}

static void watch_streams(struct session *s)
{
	struct loop *loop = s->all->loop;
	unsigned int i;

	for (i = 0; i < AGENT_STREAMS; i++)
		s->watch[i] = -1;
	s->in_open = s->spec.fd[AGENT_STDIN] >= 0;
	s->in_tty = s->spec.escape;
	s->tell_eof = !s->in_open;
	if (s->in_open)
		s->watch[AGENT_STDIN] = loop_watch(loop, s->spec.fd[AGENT_STDIN], 0, on_input, s);
	for (i = AGENT_STDOUT; i < AGENT_STREAMS; i++) {
		output_of(s, i)->chunk = isatty(s->spec.fd[i]) ? TTY_CHUNK : PIPE_CHUNK;
		if (s->spec.fd[i] >= 0)
			s->watch[i] = loop_watch(loop, s->spec.fd[i], 0, on_output, s);
		else
			break_output(s, i);
	}
	if (s->watch[AGENT_STDIN] >= 0 && s->in_tty)
		loop_change(loop, s->watch[AGENT_STDIN], EPOLLIN);
}

struct session *session_start(struct sessions *all, const struct session_spec *spec,
			      struct vm_error *err)
{
	struct session *s = NULL;
	unsigned int id;

	for (id = 0; id < AGENT_MAX_SESSIONS && all->session[id]; id++)
		;
	if (id < AGENT_MAX_SESSIONS)
		s = calloc(1, sizeof(*s));
	if (!s) {
		vm_fail(err, VM_STATUS_FAILURE, "wait until one of them has ended",
			"the guest runs %u commands already", AGENT_MAX_SESSIONS);
		return NULL;
	}
	s->all = all;
	s->id = id;
	s->spec = *spec;
	s->credit = AGENT_WINDOW;
	s->exec = (struct agent_exec){
		.flags = spec->flags, .uid = spec->uid, .gid = spec->gid, .size = spec->size,
	};
	s->strings = join_strings(spec, &s->exec);
	if (!s->strings) {
		free(s);
		vm_fail(err, VM_STATUS_FAILURE, "put the arguments into a file",
			"a command's arguments and environment take %u KiB at most",
			AGENT_MAX_STRINGS >> 10);
		return NULL;
	}
	watch_streams(s);
	all->session[id] = s;
	if (all->ready)
		pump(all);
	return s;
}

void session_resize(struct session *session, struct agent_size size)
{
	session->exec.size = size;
	session->tell_size = true;
	pump(session->all);
}

void session_signal(struct session *session, unsigned int sig)
{
	if (!sig || sig >= 64)
		return;
	session->signals |= 1ull << sig;
	pump(session->all);
}

void session_hang_up(struct session *s)
{
	unsigned int i;

	end_input(s);
	s->tell_eof = true;
	for (i = AGENT_STDOUT; i < AGENT_STREAMS; i++) {
		break_output(s, i);
		if (s->watch[i] >= 0)
			loop_unwatch(s->all->loop, s->watch[i]);
		s->watch[i] = -1;
	}
	/* Nothing of it is read or written any more: they may be closed. */
	for (i = 0; i < AGENT_STREAMS; i++)
		s->spec.fd[i] = -1;
	session_signal(s, SIGHUP);
}

int session_explain(const struct agent_exit *exit, const char *program, char *text, size_t size)
{
	text[0] = 0;
	switch (exit->kind) {
	case AGENT_EXITED:
		return exit->value & 0xff;
	case AGENT_SIGNALLED:
		return 128 + (exit->value & 0x7f);
	case AGENT_NO_DIRECTORY:
		snprintf(text, size, "cannot change to the directory in the guest: %s",
			 strerror(exit->value));
		return VM_STATUS_FAILURE;
	case AGENT_NO_PROGRAM:
		snprintf(text, size, "cannot run '%.200s' in the guest: %s", program,
			 strerror(exit->value));
		return exit->value == ENOENT ? 127 : 126;
	default:
		snprintf(text, size, "cannot start a command in the guest: %s",
			 strerror(exit->value));
		return VM_STATUS_FAILURE;
	}
}

int session_status(const struct agent_exit *exit, const char *program)
{
	char text[SESSION_MAX_TEXT];
	int status = session_explain(exit, program, text, sizeof(text));

	if (text[0])
		log_note("%s", text);
	return status;
}
