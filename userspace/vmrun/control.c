// SPDX-License-Identifier: GPL-2.0
/*
 * The server of a machine's control socket. Its folder is closed to other users, and who
 * connects is asked for all the same. A connection holds one bounded line; a reply that
 * its reader does not take at once closes it, so that nobody can hold up the machine.
 * Called by machine_control.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "listener.h"

struct connection {
	struct control *control;
	int fd;			/* -1: a free place */
	int watch;
	bool console;		/* bytes of the guest's console, no lines any more */
	struct control_line *line;
	int sent[CONTROL_STREAMS];	/* descriptors that came, for an exec request */
	unsigned int nr_sent;
	struct machine_exec *exec;	/* the command that was started and has not ended */
};

struct control {
	struct instance *instance;
	struct loop *loop;
	const struct control_ops *ops;
	void *ctx;
	int listen_fd;
	int listen_watch;
	int log_fd;		/* -1: it could not be written */
	u64 log_len;
	struct connection connection[CONTROL_MAX_CONNECTIONS];
};

static void drop(struct connection *c)
{
	struct machine_exec *exec = c->exec;

	loop_unwatch(c->control->loop, c->watch);
	close(c->fd);
	while (c->nr_sent)
		close(c->sent[--c->nr_sent]);
	free(c->line);
	c->fd = -1;
	c->line = NULL;
	c->exec = NULL;
	if (exec)
		c->control->ops->exec_hang_up(exec);
}

/* False when the reader did not take it: the connection is gone then. */
static bool send_all(struct connection *c, const void *data, size_t len)
{
	if (send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len)
		return true;
	drop(c);
	return false;
}

/* Takes @reply over. */
static bool send_reply(struct connection *c, json_t *reply)
{
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	bool sent = false;

	json_decref(reply);
	if (text) {
		text[len] = '\n';	/* in the place of the final zero: it has a length */
		sent = send_all(c, text, len + 1);
	} else {
		drop(c);
	}
	free(text);
	return sent;
}

static bool send_error(struct connection *c, const char *error, const char *hint)
{
	json_t *reply = json_pack("{s:b, s:s}", "ok", 0, "error", error);

	if (reply && hint[0])
		json_object_set_new(reply, "hint", json_string(hint));
	return send_reply(c, reply);
}

/* The reply comes when the command has ended. */
static bool start_command(struct connection *c, const struct control_request *request)
{
	struct vm_error err = { 0 };

	if (c->nr_sent != CONTROL_STREAMS)
		return send_error(c, "three descriptors come with an exec request",
				  "send them by SCM_RIGHTS with its first byte");
	c->exec = c->control->ops->exec(c->control->ctx, request, c->sent, c, &err);
	if (!c->exec)
		return send_error(c, err.text, err.hint);
	c->nr_sent = 0;
	return true;
}

/* What may be said while a command runs, and has no reply; all else ends it. */
static bool steer_command(struct connection *c, const struct control_request *request)
{
	const struct control_ops *ops = c->control->ops;

	if (request->verb == CONTROL_RESIZE)
		ops->exec_resize(c->exec, request->rows, request->columns);
	else if (request->verb == CONTROL_SIGNAL)
		ops->exec_signal(c->exec, request->signal);
	else
		drop(c);
	/* The command may have ended meanwhile, and its reply have found no reader. */
	return c->fd >= 0;
}

static bool obey(struct connection *c, const struct control_request *request)
{
	struct vm_error err = { 0 };
	json_t *reply;

	if (c->exec)
		return steer_command(c, request);
	switch (request->verb) {
	case CONTROL_CONSOLE:
		c->console = true;
		return send_reply(c, json_pack("{s:b}", "ok", 1));
	case CONTROL_EXEC:
		return start_command(c, request);
	case CONTROL_RESIZE:
	case CONTROL_SIGNAL:
		/* What was said while the command ended. */
		return true;
	default:
		break;
	}
	if (request->verb == CONTROL_TRACE)
		reply = c->control->ops->trace(c->control->ctx, request->vcpu, &err);
	else
		reply = c->control->ops->request(c->control->ctx, request, &err);
	if (err.status)
		return send_error(c, err.text, err.hint);
	if (!reply)
		reply = json_object();
	json_object_set_new(reply, "ok", json_true());
	return send_reply(c, reply);
}

/* Serves one line; false when the connection is gone. */
static bool serve(struct connection *c, const char *text, size_t len)
{
	struct control_request request;
	const char *error = control_parse(&request, text, len);
	bool goes_on;

	if (error)
		return send_error(c, error, "");
	goes_on = obey(c, &request);
	control_request_release(&request);
	return goes_on;
}

void control_exec_ended(struct connection *c, int status, const char *note)
{
	json_t *reply = json_pack("{s:i, s:b}", "status", status, "ok", 1);

	c->exec = NULL;
	if (reply && note[0])
		json_object_set_new(reply, "note", json_string(note));
	send_reply(c, reply);
}

/* Bytes behind the request for the console may have come with it. */
static bool feed_rest(struct connection *c)
{
	struct control *control = c->control;
	struct control_line *line = c->line;
	size_t n = min_u64(line->len - line->taken, control->ops->console_room(control->ctx));

	control->ops->console_input(control->ctx, (u8 *)line->text + line->taken, n);
	line->taken += n;
	return line->taken == line->len;
}

static void pass_input(struct connection *c)
{
	struct control *control = c->control;
	unsigned int room = control->ops->console_room(control->ctx);
	u8 data[512];
	ssize_t n;

	if (c->line) {
		if (!feed_rest(c)) {
			loop_change(control->loop, c->watch, 0);
			return;
		}
		free(c->line);
		c->line = NULL;
		room = control->ops->console_room(control->ctx);
	}
	if (!room) {
		/* control_console_ready() goes on. */
		loop_change(control->loop, c->watch, 0);
		return;
	}
	n = recv(c->fd, data, min_u64(room, sizeof(data)), MSG_DONTWAIT);
	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		drop(c);
	else if (n > 0)
		control->ops->console_input(control->ctx, data, n);
}

/* Keeps the descriptors of @message; false when they are more than a request has. */
static bool keep_sent(struct connection *c, struct msghdr *message)
{
	struct cmsghdr *control;
	bool fits = !(message->msg_flags & MSG_CTRUNC);
	int fd[CONTROL_STREAMS];
	size_t i, n;

	for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		n = min_u64((control->cmsg_len - CMSG_LEN(0)) / sizeof(int), CONTROL_STREAMS);
		memcpy(fd, CMSG_DATA(control), n * sizeof(int));
		for (i = 0; i < n; i++) {
			if (c->nr_sent < CONTROL_STREAMS) {
				c->sent[c->nr_sent++] = fd[i];
			} else {
				close(fd[i]);
				fits = false;
			}
		}
	}
	return fits;
}

/* As recv() into the line; 0 too when what came with it breaks the rules. */
static ssize_t receive(struct connection *c)
{
	union {
		char space[CMSG_SPACE(CONTROL_STREAMS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec text = { c->line->text + c->line->len, control_line_room(c->line) };
	struct msghdr message = {
		.msg_iov = &text, .msg_iovlen = 1,
		/* Not the padding behind it, in which the kernel would put one more. */
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(CONTROL_STREAMS * sizeof(int)),
	};
	ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	return n > 0 && !keep_sent(c, &message) ? 0 : n;
}

static void on_connection(void *ctx, u32 events)
{
	struct connection *c = ctx;
	const char *text;
	size_t len;
	ssize_t n;
	int have;

	(void)events;
	if (c->console) {
		pass_input(c);
		return;
	}
	n = receive(c);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->line->len += n;
	while ((have = control_line_take(c->line, &text, &len)) > 0)
		if (!serve(c, text, len) || c->console)
			break;
	if (have < 0 && send_error(c, "a line is too long", ""))
		drop(c);
	if (c->fd >= 0 && c->console)
		pass_input(c);
}

static void on_listen(void *ctx, u32 events)
{
	struct control *control = ctx;
	int fd = loop_accept(control->loop, control->listen_watch);
	struct connection *c = NULL;
	unsigned int i;

	(void)events;
	if (fd < 0)
		return;
	for (i = 0; i < CONTROL_MAX_CONNECTIONS && !c; i++)
		if (control->connection[i].fd < 0)
			c = &control->connection[i];
	if (c && listener_is_ours(fd)) {
		*c = (struct connection){ .control = control, .fd = fd };
		c->line = malloc(sizeof(*c->line));
		if (c->line) {
			c->line->len = 0;
			c->line->taken = 0;
			c->watch = loop_watch(control->loop, fd, EPOLLIN, on_connection, c);
			if (c->watch >= 0)
				return;
		}
		free(c->line);
		c->line = NULL;
		c->fd = -1;
	}
	close(fd);
}

void control_console_output(struct control *control, const u8 *data, unsigned int len)
{
	unsigned int i;

	/* A guest cannot fill the user's memory: the log begins anew. */
	if (control->log_len + len > CONTROL_MAX_LOG && !ftruncate(control->log_fd, 0))
		control->log_len = 0;
	if (control->log_fd >= 0 && write(control->log_fd, data, len) > 0)
		control->log_len += len;
	for (i = 0; i < CONTROL_MAX_CONNECTIONS; i++) {
		struct connection *c = &control->connection[i];

		/* Who does not read misses some: the guest does not wait for them. */
		if (c->fd >= 0 && c->console &&
		    send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			drop(c);
	}
}

void control_console_ready(struct control *control)
{
	unsigned int i;

	for (i = 0; i < CONTROL_MAX_CONNECTIONS; i++) {
		struct connection *c = &control->connection[i];

		if (c->fd >= 0 && c->console) {
			loop_change(control->loop, c->watch, EPOLLIN);
			if (c->line)
				pass_input(c);
		}
	}
}

static int listen_in(struct control *control)
{
	char path[64];

	/* By the folder's descriptor: the path may be longer than an address can be. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/control.sock", control->instance->dir_fd);
	control->listen_fd = listener_open(path, LISTENER_ANYBODY, CONTROL_MAX_CONNECTIONS);
	if (control->listen_fd < 0)
		return control->listen_fd;
	control->listen_watch = loop_watch(control->loop, control->listen_fd, EPOLLIN, on_listen, control);
	return control->listen_watch < 0 ? control->listen_watch : 0;
}

struct control *control_create(struct instance *instance, struct loop *loop,
			       const struct control_ops *ops, void *ctx, struct vm_error *err)
{
	struct control *control = calloc(1, sizeof(*control));
	unsigned int i;
	int ret;

	if (!control) {
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
		return NULL;
	}
	*control = (struct control){
		.instance = instance, .loop = loop, .ops = ops, .ctx = ctx,
		.listen_fd = -1, .log_fd = -1,
	};
	for (i = 0; i < CONTROL_MAX_CONNECTIONS; i++)
		control->connection[i].fd = -1;
	control->log_fd = instance_open_file(instance, "console.log", O_WRONLY | O_CREAT | O_APPEND);
	ret = control->log_fd < 0 ? control->log_fd : listen_in(control);
	if (!ret)
		return control;
	vm_fail(err, VM_STATUS_FAILURE, "is there space left?",
		"cannot make the control socket of machine '%s': %s", instance->name, strerror(-ret));
	control_destroy(control);
	return NULL;
}

void control_destroy(struct control *control)
{
	unsigned int i;

	if (!control)
		return;
	for (i = 0; i < CONTROL_MAX_CONNECTIONS; i++)
		if (control->connection[i].fd >= 0)
			drop(&control->connection[i]);
	if (control->listen_fd >= 0)
		close(control->listen_fd);
	if (control->log_fd >= 0)
		close(control->log_fd);
	unlinkat(control->instance->dir_fd, "control.sock", 0);
	free(control);
}
