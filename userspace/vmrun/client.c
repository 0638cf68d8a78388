// SPDX-License-Identifier: GPL-2.0
/*
 * Asks a running machine through its control socket. Called by manage.c.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define ANSWER_MS	5000
#define WAIT_STEP_MS	20
#define MAX_REPLY	CONTROL_MAX_LINE

int client_connect(const struct instance *instance, struct vm_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = ANSWER_MS / 1000 }, none = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock",
		 instance->dir_fd);
	/* A vmrun that hangs accepts nobody, and its queue may be full. */
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		error = errno;
	if (!error) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
		return fd;
	}
	if (fd >= 0)
		close(fd);
	if (error == EAGAIN)
		return vm_fail(err, VM_STATUS_FAILURE, "vmrun kill NAME ends it all the same",
			       "machine '%s' does not answer", instance->name);
	return vm_fail(err, VM_STATUS_FAILURE, "vmrun ps lists the machines and how they are",
		       "machine '%s' is not running", instance->name);
}

static s64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* One line, byte by byte: what follows it may be the console's. -1 when none comes in time. */
static ssize_t read_line(int fd, char *line)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	s64 end = now_ms() + ANSWER_MS, left;
	size_t len = 0;

	while (len < MAX_REPLY) {
		/* Of all of it: one byte now and then is no answer either. */
		left = end - now_ms();
		if (left <= 0 || poll(&ready, 1, left) != 1 || read(fd, line + len, 1) != 1)
			return -1;
		if (line[len++] == '\n')
			return len;
	}
	return -1;
}

static json_t *read_reply(int fd)
{
	char *line = malloc(MAX_REPLY);
	ssize_t len = line ? read_line(fd, line) : -1;
	json_t *reply = len < 0 ? NULL : json_loadb(line, len, 0, NULL);

	free(line);
	return reply;
}

struct json_t *client_reply(int fd, struct vm_error *err)
{
	json_t *reply = read_reply(fd);
	const char *error, *hint;

	if (!reply || json_is_true(json_object_get(reply, "ok")))
		return reply;
	error = json_string_value(json_object_get(reply, "error"));
	hint = json_string_value(json_object_get(reply, "hint"));
	vm_fail(err, VM_STATUS_FAILURE, hint, "%.400s", error ? error : "the answer cannot be read");
	json_decref(reply);
	return NULL;
}

struct json_t *client_ask(int fd, enum control_verb verb, struct vm_error *err)
{
	return client_request(fd, json_pack("{s:s}", "command", control_verb_name(verb)), err);
}

struct json_t *client_request(int fd, struct json_t *request, struct vm_error *err)
{
	char line[128];
	size_t len = json_dumpb(request, line, sizeof(line) - 1, JSON_COMPACT);
	json_t *reply = NULL;

	json_decref(request);
	if (len < sizeof(line))
		line[len++] = '\n';
	if (len <= sizeof(line) && send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len)
		reply = client_reply(fd, err);
	if (!reply && !err->status)
		vm_fail(err, VM_STATUS_FAILURE, "vmrun kill NAME ends it all the same",
			"the machine does not answer");
	return reply;
}

void client_print(const struct json_t *object, size_t flags)
{
	json_dumpf(object, stdout, flags | JSON_ENSURE_ASCII);
	putchar('\n');
}

int client_wait_end(const struct instance *instance, unsigned int seconds)
{
	s64 end = now_ms() + seconds * 1000ll;

	while (instance_pid(instance)) {
		if (now_ms() >= end)
			return -1;
		poll(NULL, 0, WAIT_STEP_MS);
	}
	return 0;
}
