// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun logs and vmrun console. Called by main.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "manage.h"
#include "terminal.h"

#define ESCAPE		0x1d	/* Ctrl-] */
#define FOLLOW_MS	200

/* Writes all of it; -1 when nobody reads any more. */
static int write_all(int fd, const char *data, ssize_t len)
{
	ssize_t n;

	for (; len > 0; data += n, len -= n) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -1;
	}
	return 0;
}

/* What the log has from where it was read last; -1 when nobody reads it. */
static int copy_log(int fd)
{
	char data[4096];
	struct stat st;
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		if (write_all(STDOUT_FILENO, data, n))
			return -1;
	/* It was begun anew: see control.h's CONTROL_MAX_LOG. */
	if (!fstat(fd, &st) && lseek(fd, 0, SEEK_CUR) > st.st_size)
		lseek(fd, 0, SEEK_SET);
	return 0;
}

int manage_logs(const struct vm_config *config, struct vm_error *err)
{
	struct instance instance;
	int fd, ret = 0;
	bool running;

	if (instance_open(&instance, config->operand[0], err))
		return -1;
	fd = instance_open_file(&instance, "console.log", O_RDONLY);
	if (fd < 0) {
		ret = vm_fail(err, VM_STATUS_FAILURE, NULL, "machine '%s' has no log", instance.name);
	} else {
		do {
			/* Asked before the copy, which so has the last words. */
			running = config->follow && instance_pid(&instance);
			ret = copy_log(fd);
			if (running && !ret)
				poll(NULL, 0, FOLLOW_MS);
		} while (running && !ret);
		close(fd);
		ret = ret ? 128 + SIGPIPE : 0;
	}
	instance_close(&instance);
	return ret;
}

/*
 * What is typed: what a machine that does not read has no room for is lost, as at any
 * terminal, since Ctrl-] must be heard. -1 when the machine is gone.
 */
static int send_keys(int fd, const char *data, size_t len)
{
	if (len && send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
	    errno != EINTR)
		return -1;
	return 0;
}

/* Passes what is typed; 1 when it was Ctrl-], -1 when the machine is gone. */
static int pass_input(int fd, bool terminal, bool *open)
{
	char data[512], *escape;
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0) {
		*open = false;
		return 0;
	}
	escape = terminal ? memchr(data, ESCAPE, n) : NULL;
	if (escape)
		n = escape - data;
	if (terminal ? send_keys(fd, data, n) : write_all(fd, data, n))
		return -1;
	return escape ? 1 : 0;
}

/* Until one side ends: 1 when that was Ctrl-], else 0. */
static int join(int fd, bool terminal)
{
	struct pollfd ready[2] = {
		{ .fd = fd, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN },
	};
	bool open = true;
	char data[4096];
	ssize_t n;
	int ret = 0;

	while (!ret) {
		if (poll(ready, open ? 2 : 1, -1) < 0) {
			if (errno != EINTR)
				return 0;
			continue;
		}
		if (ready[0].revents) {
			n = read(fd, data, sizeof(data));
			if (n <= 0 || write_all(STDOUT_FILENO, data, n))
				return 0;
		}
		if (open && ready[1].revents)
			ret = pass_input(fd, terminal, &open);
	}
	return ret > 0;
}

int manage_console(const struct vm_config *config, struct vm_error *err)
{
	struct terminal terminal;
	struct instance instance;
	json_t *reply = NULL;
	int fd, left = 0;

	if (instance_open(&instance, config->operand[0], err))
		return -1;
	fd = client_connect(&instance, err);
	if (fd >= 0)
		reply = client_ask(fd, CONTROL_CONSOLE, err);
	signal(SIGPIPE, SIG_IGN);
	if (reply && !terminal_open(&terminal, err)) {
		terminal_set_raw(&terminal);
		left = join(fd, terminal.present);
		terminal_close(&terminal);
		log_note(left ? "left the console; the machine goes on" : "the console has ended");
	}
	json_decref(reply);
	if (fd >= 0)
		close(fd);
	instance_close(&instance);
	return err->status ? -1 : 0;
}
