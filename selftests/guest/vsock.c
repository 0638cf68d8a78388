// SPDX-License-Identifier: GPL-2.0
/*
 * The two ends of guest/vsock.sh, in the guest and in the host: one that gives back what it gets, and one that sends and compares.
 *
 *   vsock echo ADDRESS            serves one connection
 *   vsock check ADDRESS BYTES     ends with 0 when all came back as it was
 *
 * ADDRESS is CID:PORT (the CID means nothing to echo), a Unix socket's path, or PATH@PORT for a guest's port behind vmrun's socket.
 */
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK	65536

static unsigned char out[CHUNK], in[CHUNK];

static int fail(const char *what)
{
	perror(what);
	exit(1);
}

static void set_unix(struct sockaddr_un *addr, const char *path, size_t len)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len >= sizeof(addr->sun_path))
		exit(2);
	memcpy(addr->sun_path, path, len);
}

/* Asks vmrun for the guest's port and reads its answer, one byte at a time. */
static void greet(int fd, unsigned int port)
{
	char line[32], c;
	int len = snprintf(line, sizeof(line), "CONNECT %u\n", port), n = 0;

	if (write(fd, line, len) != len)
		fail("CONNECT");
	while (read(fd, &c, 1) == 1 && n < (int)sizeof(line) - 1) {
		line[n++] = c;
		if (c == '\n')
			break;
	}
	line[n] = 0;
	if (strncmp(line, "OK ", 3) || line[n - 1] != '\n') {
		fprintf(stderr, "vsock: not answered by OK: '%s'\n", line);
		exit(1);
	}
}

static int open_address(const char *text, int listening)
{
	struct sockaddr_vm vm = { .svm_family = AF_VSOCK };
	const char *at = strchr(text, '@');
	struct sockaddr_un path;
	struct sockaddr *addr = (struct sockaddr *)&vm;
	socklen_t size = sizeof(vm);
	int fd;

	if (sscanf(text, "%u:%u", &vm.svm_cid, &vm.svm_port) == 2) {
		if (listening)
			vm.svm_cid = VMADDR_CID_ANY;
	} else {
		set_unix(&path, text, at ? (size_t)(at - text) : strlen(text));
		addr = (struct sockaddr *)&path;
		size = sizeof(path);
	}
	fd = socket(addr->sa_family, SOCK_STREAM, 0);
	if (fd < 0)
		fail("socket");
	if (listening) {
		if (bind(fd, addr, size) || listen(fd, 1))
			fail("listen");
		fd = accept(fd, NULL, NULL);
		return fd < 0 ? fail("accept") : fd;
	}
	if (connect(fd, addr, size))
		fail("connect");
	if (at)
		greet(fd, atoi(at + 1));
	return fd;
}

static int echo(int fd)
{
	ssize_t n, done, m;

	while ((n = read(fd, in, sizeof(in))) > 0)
		for (done = 0; done < n; done += m) {
			m = write(fd, in + done, n - done);
			if (m < 0)
				fail("write");
		}
	if (n < 0)
		fail("read");
	shutdown(fd, SHUT_WR);
	return 0;
}

/* No period that a lost or doubled buffer would fit into. */
static unsigned char pattern(uint64_t i)
{
	return (i * 2654435761u) >> 13;
}

/* Sends and receives at the same time: neither side may wait for the other to read first. */
static int check(int fd, uint64_t bytes)
{
	uint64_t sent = 0, got = 0;
	uint32_t sum = 2166136261u;
	ssize_t n;

	while (got < bytes) {
		struct pollfd ready = { .fd = fd, .events = POLLIN | (sent < bytes ? POLLOUT : 0) };
		size_t len = bytes - sent < CHUNK ? bytes - sent : CHUNK;

		if (poll(&ready, 1, -1) < 0)
			fail("poll");
		if (ready.revents & POLLOUT) {
			for (size_t i = 0; i < len; i++)
				out[i] = pattern(sent + i);
			n = send(fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += n > 0 ? n : 0;
			if (sent == bytes)
				shutdown(fd, SHUT_WR);
		}
		if (!(ready.revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
		if (!n || (n < 0 && !(ready.revents & POLLIN)))
			break;
		for (ssize_t i = 0; i < n; i++, got++) {
			if (in[i] != pattern(got)) {
				printf("vsock: byte %llu is wrong\n", (unsigned long long)got);
				return 1;
			}
			sum = (sum ^ in[i]) * 16777619;
		}
	}
	printf("vsock: %llu bytes sent, %llu came back, sum %08x\n", (unsigned long long)sent, (unsigned long long)got, sum);
	/* And then the end, which is no error. */
	return got != bytes || read(fd, in, 1) != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "echo"))
		return echo(open_address(argv[2], 1));
	if (argc == 4 && !strcmp(argv[1], "check"))
		return check(open_address(argv[2], 0), strtoull(argv[3], NULL, 0));
	fprintf(stderr, "vsock echo ADDRESS | check ADDRESS BYTES\n");
	return 2;
}
