// SPDX-License-Identifier: GPL-2.0
/*
 * Unix sockets, by path: the socket, its mode, its name, and who is at the other end. Called by
 * control.c, gdb/server.c, virtio/console_channel.c and virtio/vsock_unix.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "listener.h"

int listener_open(const char *path, mode_t mode, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, error;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		error = errno;
	} else if (listen(fd, backlog)) {
		error = errno;
		unlink(path);
	} else {
		return fd;
	}
	close(fd);
	return -error;
}

const char *listener_hint(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "remove it if no machine uses it, or name another file";
	case ENAMETOOLONG:
		return "name a socket by a path of 1 to 107 characters";
	case EMFILE:
	case ENFILE:
		return "are too many files open?";
	default:
		return "name a new file in a folder that you may write to";
	}
}

bool listener_is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (!peer.uid || peer.uid == geteuid());
}
