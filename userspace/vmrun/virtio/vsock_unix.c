// SPDX-License-Identifier: GPL-2.0
/*
 * The vsock's sockets for other processes, after Firecracker's documentation of
 * its vsock device. One Unix socket takes connections to the guest's ports, each
 * told by its first line; a guest's connection goes to a Unix socket whose name
 * ends in the port. Called by vsock.c, with the device's lock held, and by its loop.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../listener.h"
#include "vsock_conn.h"

#define TURN_ACCEPTS	8
/* "CONNECT 4294967295\r\n" is 20. */
#define MAX_GREETING	32

static void on_listen(void *ctx, u32 events)
{
	struct vsock *vsock = ctx;
	unsigned int turn;
	int fd;

	(void)events;
	pthread_mutex_lock(&vsock->dev.lock);
	for (turn = 0; turn < TURN_ACCEPTS; turn++) {
		fd = loop_accept(vsock->dev.loop, vsock->unix_watch);
		if (fd < 0)
			break;
		if (!vsock_add_conn(vsock, fd, VSOCK_GREETING))
			close(fd);
	}
	pthread_mutex_unlock(&vsock->dev.lock);
}

/* Reads "CONNECT <port>\n" in @line. True when it is that. */
static bool parse_greeting(const char *line, u32 *port)
{
	static const char word[] = "CONNECT ";
	u64 n = 0;

	if (strncmp(line, word, sizeof(word) - 1))
		return false;
	line += sizeof(word) - 1;
	if (*line < '0' || *line > '9')
		return false;
	for (; *line >= '0' && *line <= '9' && n <= UINT32_MAX; line++)
		n = n * 10 + (*line - '0');
	*port = n;
	return n <= UINT32_MAX && (!strcmp(line, "\n") || !strcmp(line, "\r\n"));
}

bool vsock_unix_greeting(struct vsock *vsock, struct vsock_conn *conn)
{
	char line[MAX_GREETING + 1];
	ssize_t n;
	char *end;
	u32 port;

	/* Look only: what follows the line is for the guest already. */
	n = recv(conn->fd, line, MAX_GREETING, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	end = n > 0 ? memchr(line, '\n', n) : NULL;
	if (n > 0 && n < MAX_GREETING && !end)
		return false;
	if (end) {
		n = end + 1 - line;
		line[n] = 0;
		if (recv(conn->fd, line, n, MSG_DONTWAIT) == n && parse_greeting(line, &port)) {
			vsock_request(vsock, conn, port);
			return true;
		}
	}
	vsock_drop_conn(vsock, conn);
	return false;
}

int vsock_unix_connect(const struct vsock *vsock, u32 port)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (vsock->unix_fd < 0)
		return -1;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s_%u", vsock->unix_path, port);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A Unix socket is connected at once or not at all; with a full backlog, not at all. */
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int vsock_listen_unix(struct vsock *vsock, const char *path, struct vm_error *err)
{
	int ret;

	if (!*path || strlen(path) >= sizeof(vsock->unix_path))
		return vm_fail(err, VM_STATUS_FAILURE, "name a socket by a shorter path",
			       "cannot use '%.100s' for the vsock: it has 1 to %zu characters",
			       path, sizeof(vsock->unix_path) - 1);
	ret = listener_open(path, LISTENER_ANYBODY, TURN_ACCEPTS);
	if (ret >= 0) {
		vsock->unix_fd = ret;
		strcpy(vsock->unix_path, path);
		ret = loop_watch(vsock->dev.loop, ret, EPOLLIN, on_listen, vsock);
		vsock->unix_watch = ret;
	}
	if (ret >= 0)
		return 0;
	vm_fail(err, VM_STATUS_FAILURE, listener_hint(-ret), "cannot listen on '%s': %s", path,
		strerror(-ret));
	vsock_unix_close(vsock);
	return -1;
}

void vsock_unix_close(struct vsock *vsock)
{
	if (vsock->unix_fd < 0)
		return;
	/* Only what bind() has made. */
	if (vsock->unix_path[0])
		unlink(vsock->unix_path);
	vsock->unix_path[0] = 0;
	if (vsock->unix_watch >= 0)
		loop_unwatch(vsock->dev.loop, vsock->unix_watch);
	close(vsock->unix_fd);
	vsock->unix_watch = -1;
	vsock->unix_fd = -1;
}
