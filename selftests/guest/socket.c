// SPDX-License-Identifier: GPL-2.0
/*
 * A Unix socket's visitor, for scripts: connects (for 20 seconds it tries), sends all of its input, prints what comes until
 * there were so many bytes, and leaves.
 *
 *   socket PATH [BYTES]     0, or nothing: waits for none
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), tries;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	for (tries = 0; tries < 200; tries++) {
		if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			return fd;
		usleep(100000);
	}
	perror(path);
	exit(1);
}

/* What was read and is still to be sent. */
static char data[65536];
static ssize_t have, sent;

static void send_some(int fd)
{
	ssize_t n = send(fd, data + sent, have - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		exit(5);
	sent += n > 0 ? n : 0;
	if (sent == have)
		sent = have = 0;
}

/* False at the end of what comes. */
static bool print_some(int fd, size_t *wanted)
{
	char text[65536];
	ssize_t n = read(fd, text, *wanted && *wanted < sizeof(text) ? *wanted : sizeof(text));

	if (n <= 0)
		return false;
	*wanted -= *wanted ? n : 0;
	return fwrite(text, 1, n, stdout) == (size_t)n && !fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t wanted = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	bool input = true;
	int fd;

	if (argc < 2)
		return 2;
	fd = connect_to(argv[1]);
	while (wanted || input || have) {
		struct pollfd p[2] = {
			{ .fd = fd, .events = POLLIN | (have ? POLLOUT : 0) },
			{ .fd = input && !have ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(p, 2, 60000) <= 0)
			return 3;
		if ((p[0].revents & (POLLIN | POLLHUP)) && !print_some(fd, &wanted))
			return wanted ? 4 : 0;
		if (p[0].revents & POLLOUT)
			send_some(fd);
		if (p[1].revents) {
			have = read(STDIN_FILENO, data, sizeof(data));
			input = have > 0;
			have = input ? have : 0;
		}
	}
	return 0;
}
