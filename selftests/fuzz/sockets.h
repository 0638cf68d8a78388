/* SPDX-License-Identifier: GPL-2.0 */
/* The host's ends of connections in a fuzz target, as its input has them read, written and closed: -1 where there is none. */
#ifndef SELFTESTS_FUZZ_SOCKETS_H
#define SELFTESTS_FUZZ_SOCKETS_H

#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

enum socket_step { SOCKET_READ, SOCKET_WRITE, SOCKET_CLOSE, SOCKET_SHUT };

/* @len: of what is read or written. @how: of a shutdown, any number. */
static inline void socket_step(int *fd, enum socket_step step, uint16_t len, unsigned int how)
{
	static uint8_t data[65536];

	if (*fd < 0)
		return;
	switch (step) {
	case SOCKET_READ:
		MUST(recv(*fd, data, len, MSG_DONTWAIT) <= len);
		break;
	case SOCKET_WRITE:
		MUST(send(*fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) <= len);
		break;
	case SOCKET_CLOSE:
		close(*fd);
		*fd = -1;
		break;
	case SOCKET_SHUT:
		shutdown(*fd, how % 3);
		break;
	}
}

static inline void sockets_close(const int *fd, unsigned int nr)
{
	for (; nr--; fd++)
		if (*fd >= 0)
			close(*fd);
}

/* Standard input, output and error are open, and libFuzzer's; a leak would grow. */
static inline void no_descriptor_is_lost(void)
{
	int fd = dup(0);

	MUST(fd < 16);
	close(fd);
}

#endif
