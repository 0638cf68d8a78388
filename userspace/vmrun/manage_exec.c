// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun exec: sends standard input, output and errors to a running machine's vmrun, which
 * joins them with a command in its guest, and waits for that to end. Keys of a terminal are
 * read here and passed by a pipe: a terminal is its own session's to read, and Ctrl-]
 * works whatever the machine does. Called by main.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "environment.h"
#include "manage.h"
#include "terminal.h"

#define ESCAPE		0x1d	/* Ctrl-] */

struct joined {
	int fd;			/* the control socket */
	int signal_fd;
	int keys;		/* the pipe's end that takes what is typed; -1: none */
	bool typing;		/* there is more to be typed */
	bool tty;
	bool interrupted;
	bool left;		/* by the user, before the command's end */
	struct terminal terminal;
};

static json_t *texts(const char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++) {
		/* JSON is UTF-8; a name of other bytes cannot be said in it. */
		if (json_array_append_new(array, json_string(*list))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static void add_size(json_t *object)
{
	struct winsize window;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window))
		return;
	json_object_set_new(object, "rows", json_integer(window.ws_row));
	json_object_set_new(object, "columns", json_integer(window.ws_col));
}

static json_t *exec_request(const struct joined *joined, const struct vm_config *config,
			    struct vm_error *err)
{
	struct environment environment = { 0 };
	json_t *arguments = texts(config->command), *variables = NULL, *object = NULL;

	if (!environment_pass_on(&environment, err) &&
	    !environment_add_given(&environment, &config->env, err))
		variables = texts((const char *const *)environment.item);
	environment_clear(&environment);
	if (arguments && variables)
		object = json_pack("{s:s, s:O, s:O, s:b, s:b, s:s*}", "command", "exec",
				   "arguments", arguments, "environment", variables,
				   "terminal", joined->tty, "stderr", !isatty(STDERR_FILENO),
				   "directory", config->workdir);
	json_decref(arguments);
	json_decref(variables);
	if (!object && !err->status)
		vm_fail(err, VM_STATUS_FAILURE, "put the command into a script in a share",
			"the command or its environment is not UTF-8");
	if (object && joined->tty)
		add_size(object);
	return object;
}

/* @object is released. @fd go along when there are any. */
static int send_line(int to, json_t *object, const int *fd, struct vm_error *err)
{
	char *text = json_dumps(object, JSON_COMPACT);
	union {
		char space[CMSG_SPACE(CONTROL_STREAMS * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec bytes = { text, text ? strlen(text) + 1 : 0 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	int ret = -1;

	json_decref(object);
	if (!text)
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	text[bytes.iov_len - 1] = '\n';	/* in the place of the final zero */
	if (fd) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.align = (struct cmsghdr){
			CMSG_LEN(CONTROL_STREAMS * sizeof(int)), SOL_SOCKET, SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.align), fd, CONTROL_STREAMS * sizeof(int));
	}
	if (bytes.iov_len > CONTROL_MAX_LINE)
		vm_fail(err, VM_STATUS_FAILURE, "put the arguments into a file",
			"a command's arguments and environment take %u KiB at most",
			CONTROL_MAX_LINE >> 10);
	else if (sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)bytes.iov_len)
		ret = 0;
	else
		vm_fail(err, VM_STATUS_FAILURE, "vmrun ps tells how it is", "the machine is gone");
	free(text);
	return ret;
}

/* The command's input: a pipe of keys where there is a terminal at either end, else ours as it is. */
static int open_input(struct joined *joined, struct vm_error *err)
{
	/* A terminal that belongs to somebody else is not read. */
	bool readable = joined->terminal.present || !isatty(STDIN_FILENO);
	int ends[2], fd;

	if ((joined->terminal.present || joined->tty) && !pipe2(ends, O_CLOEXEC)) {
		joined->keys = ends[1];
		joined->typing = readable;
		/* What nobody takes is lost, as at a terminal: we must hear Ctrl-]. */
		if (joined->terminal.present)
			fcntl(ends[1], F_SETFL, O_NONBLOCK);
		return ends[0];
	}
	fd = readable ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		vm_fail(err, VM_STATUS_FAILURE, "is it open?", "cannot pass standard input: %s",
			strerror(errno));
	return fd;
}

static int start(struct joined *joined, const struct vm_config *config, struct vm_error *err)
{
	int fd[CONTROL_STREAMS] = { open_input(joined, err), STDOUT_FILENO, STDERR_FILENO };
	json_t *object = fd[0] < 0 ? NULL : exec_request(joined, config, err);
	int ret = object ? send_line(joined->fd, object, fd, err) : -1;

	/* The machine has it; a reader that goes away must be noticed by us as the writer. */
	if (fd[0] >= 0)
		close(fd[0]);
	return ret;
}

/* No more comes: a program at a terminal is told as by a user, another by the pipe's end. */
static void end_keys(struct joined *joined)
{
	const char end = 4;	/* Ctrl-D */

	joined->typing = false;
	if (joined->tty && write(joined->keys, &end, 1) == 1)
		return;
	close(joined->keys);
	joined->keys = -1;
}

/* True when it was Ctrl-]. */
static bool pass_keys(struct joined *joined)
{
	char data[512];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n < 0 && errno == EINTR)
		return false;
	if (n > 0 && joined->terminal.raw && memchr(data, ESCAPE, n))
		return true;
	if (n <= 0 || (write(joined->keys, data, n) < 0 && errno != EAGAIN))
		end_keys(joined);
	return false;
}

/* True when the user wants to leave: an interrupt is the command's, a second one ours. */
static bool pass_signal(struct joined *joined)
{
	struct signalfd_siginfo info;
	struct vm_error ignored = { 0 };	/* the machine's end is noticed anyway */
	json_t *object;

	if (read(joined->signal_fd, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo == SIGINT) {
		if (joined->interrupted)
			return true;
		joined->interrupted = true;
		object = json_pack("{s:s, s:i}", "command", "signal", "number", SIGINT);
	} else {
		if (!joined->tty)
			return false;
		object = json_pack("{s:s}", "command", "resize");
		add_size(object);
	}
	send_line(joined->fd, object, NULL, &ignored);
	return false;
}

/* Until the command ends: its exit status, or -1 with @err filled in. */
static int wait_for_end(struct joined *joined, struct vm_error *err)
{
	json_t *reply;
	int status;

	for (;;) {
		struct pollfd ready[] = {
			{ .fd = joined->fd, .events = POLLIN },
			{ .fd = joined->signal_fd, .events = POLLIN },
			{ .fd = joined->typing ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(ready, ARRAY_SIZE(ready), -1) < 0 && errno != EINTR)
			return vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot wait: %s", strerror(errno));
		if (ready[0].revents)
			break;
		if ((ready[1].revents && pass_signal(joined)) ||
		    (ready[2].revents && pass_keys(joined))) {
			joined->left = true;
			return VM_STATUS_LEFT;
		}
	}
	reply = client_reply(joined->fd, err);
	if (!reply)
		return err->status ? -1 :
		       vm_fail(err, VM_STATUS_FAILURE, "vmrun ps tells how",
			       "the machine ended before the command did");
	status = json_integer_value(json_object_get(reply, "status"));
	if (json_is_string(json_object_get(reply, "note")))
		log_note("%s", json_string_value(json_object_get(reply, "note")));
	json_decref(reply);
	return status;
}

static int open_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int join(struct joined *joined, const struct vm_config *config, struct vm_error *err)
{
	int status = -1;

	joined->signal_fd = open_signals();
	if (terminal_open(&joined->terminal, err))
		return -1;
	joined->tty = config->tty || (joined->terminal.present && isatty(STDOUT_FILENO));
	if (joined->tty)	/* and ours, where there is one */
		terminal_set_raw(&joined->terminal);
	if (!start(joined, config, err))
		status = wait_for_end(joined, err);
	terminal_close(&joined->terminal);
	if (joined->keys >= 0)
		close(joined->keys);
	if (joined->signal_fd >= 0)
		close(joined->signal_fd);
	if (joined->left)
		log_note("left; the command was told by SIGHUP, the machine goes on");
	return status;
}

int manage_exec(const struct vm_config *config, struct vm_error *err)
{
	struct joined joined = { .keys = -1, .signal_fd = -1 };
	struct instance instance;
	int status = -1;

	if (instance_open(&instance, config->operand[0], err))
		return -1;
	joined.fd = client_connect(&instance, err);
	if (joined.fd >= 0) {
		status = join(&joined, config, err);
		close(joined.fd);
	}
	instance_close(&instance);
	return status;
}
