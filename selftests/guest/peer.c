// SPDX-License-Identifier: GPL-2.0
/*
 * The ends of guest/net.sh and of bench/net, in the guest and in the host.
 *
 *   peer echo ADDRESS PORT              answers each datagram by "echo: " and what was in it
 *   peer ask ADDRESS PORT TEXT          sends a datagram, again each second, and prints the answer; 1 when none came in 20
 *   peer names ADDRESS NAME IP          a name server that knows one name
 *   peer serve ADDRESS PORT             the other end of the three below: prints what each took, by this clock
 *   peer send ADDRESS PORT MIB          a stream of so many MiB there
 *   peer fetch ADDRESS PORT MIB         and from there
 *   peer ping ADDRESS PORT COUNT        so many bytes there and back, each waited for; all try for a minute
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	131072

static unsigned char buffer[CHUNK];

/* What a client says first. */
struct order {
	char what[8];
	uint32_t count;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(const char *host, unsigned int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		exit(2);
	return in;
}

static int listen_at(const char *host, unsigned int port, int type)
{
	struct sockaddr_in in = address(host, port);
	int fd = socket(AF_INET, type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) || (type == SOCK_STREAM && listen(fd, 8)))
		fail("peer: listen");
	return fd;
}

/* ---- datagrams ---- */

static int echo(int fd)
{
	static const char start[] = "echo: ";
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t n;

	memcpy(buffer, start, sizeof(start) - 1);
	while ((n = recvfrom(fd, buffer + sizeof(start) - 1, 65000, 0, (struct sockaddr *)&from, &size)) >= 0) {
		sendto(fd, buffer, n + sizeof(start) - 1, 0, (struct sockaddr *)&from, size);
		size = sizeof(from);
	}
	return 1;
}

static int ask(const char *host, unsigned int port, const char *text)
{
	struct sockaddr_in in = address(host, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), tries;
	struct timeval second = { .tv_sec = 1 };
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	for (tries = 0; tries < 20; tries++) {
		if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&in, sizeof(in)) < 0)
			fail("peer: ask");
		n = recv(fd, buffer, sizeof(buffer), 0);
		if (n > 0)
			return printf("%.*s\n", (int)n, buffer) < 0;
		/* Refused: nobody is there yet. */
		if (errno != EAGAIN)
			sleep(1);
	}
	return 1;
}

/* RFC 1035, section 4: the question comes back, with an address behind it where the name is known. */
static int names(int fd, const char *name, const char *ip)
{
	unsigned char answer[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 0, 0, 0, 0 };
	char known[256] = "", *at = known;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	size_t end, len;
	ssize_t n;

	if (strlen(name) > 200 || inet_pton(AF_INET, ip, answer + 12) != 1)
		exit(2);
	for (; *name; name += len + (name[len] == '.')) {
		len = strcspn(name, ".");
		*at++ = len;
		at = mempcpy(at, name, len);
	}
	len = at + 1 - known;
	while ((n = recvfrom(fd, buffer, 512, 0, (struct sockaddr *)&from, &size)) >= 0) {
		int found, is_a;

		if (n < 12 + 5)
			continue;
		end = 12 + strnlen((char *)buffer + 12, n - 12 - 4) + 1;
		found = end - 12 == len && !memcmp(buffer + 12, known, len);
		is_a = buffer[end] == 0 && buffer[end + 1] == 1;
		buffer[2] = 0x85;
		buffer[3] = found ? 0x80 : 0x83;
		memset(buffer + 6, 0, 6);
		end += 4;
		if (found && is_a) {
			buffer[7] = 1;
			memcpy(buffer + end, answer, sizeof(answer));
			end += sizeof(answer);
		}
		sendto(fd, buffer, end, 0, (struct sockaddr *)&from, size);
		size = sizeof(from);
	}
	return 1;
}

/* ---- streams ---- */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Milliseconds in which no CPU had anything to do. */
static unsigned long idle(void)
{
	unsigned long jiffies = 0;
	FILE *file = fopen("/proc/stat", "r");

	if (!file || fscanf(file, "cpu %*u %*u %*u %lu", &jiffies) != 1)
		jiffies = 0;
	if (file)
		fclose(file);
	return jiffies * 1000 / sysconf(_SC_CLK_TCK);
}

static void give(int fd, uint64_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, buffer, bytes < CHUNK ? bytes : CHUNK);

		if (n <= 0)
			fail("peer: write");
		bytes -= n;
	}
}

static void take(int fd, uint64_t bytes)
{
	while (bytes) {
		ssize_t n = read(fd, buffer, bytes < CHUNK ? bytes : CHUNK);

		if (n <= 0)
			fail("peer: read");
		bytes -= n;
	}
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void serve_one(int fd)
{
	struct order order;
	unsigned long rest;
	uint64_t start;
	uint32_t i;

	no_delay(fd);
	if (read(fd, &order, sizeof(order)) != sizeof(order))
		return;
	rest = idle();
	start = now();
	if (!strcmp(order.what, "send")) {
		take(fd, (uint64_t)order.count << 20);
	} else if (!strcmp(order.what, "fetch")) {
		give(fd, (uint64_t)order.count << 20);
		take(fd, 1);
	} else {
		for (i = 0; i < order.count; i++) {
			take(fd, 1);
			give(fd, 1);
		}
	}
	printf("peer: %.7s %u took %llu ns, %lu ms idle\n", order.what, order.count,
	       (unsigned long long)(now() - start), idle() - rest);
	fflush(stdout);
	/* Who sent is told that all is here. */
	give(fd, 1);
}

static int serve(int listener)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		serve_one(fd);
		close(fd);
	}
	return 1;
}

static int connect_to(const char *host, unsigned int port)
{
	struct sockaddr_in in = address(host, port);
	int fd, tries;

	for (tries = 0; tries < 60; tries++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&in, sizeof(in)))
			return fd;
		close(fd);
		sleep(1);
	}
	fail("peer: connect");
	return -1;
}

static int client(const char *what, const char *host, unsigned int port, uint32_t count)
{
	struct order order = { .count = count };
	int fd = connect_to(host, port);
	uint32_t i;

	no_delay(fd);
	strcpy(order.what, what);
	if (write(fd, &order, sizeof(order)) != sizeof(order))
		fail("peer: write");
	if (!strcmp(what, "send")) {
		give(fd, (uint64_t)count << 20);
	} else if (!strcmp(what, "fetch")) {
		take(fd, (uint64_t)count << 20);
		give(fd, 1);
	} else {
		for (i = 0; i < count; i++) {
			give(fd, 1);
			take(fd, 1);
		}
	}
	take(fd, 1);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "", *host = argc > 2 ? argv[2] : "";

	if (!strcmp(what, "echo") && argc == 4)
		return echo(listen_at(host, atoi(argv[3]), SOCK_DGRAM));
	if (!strcmp(what, "ask") && argc == 5)
		return ask(host, atoi(argv[3]), argv[4]);
	if (!strcmp(what, "names") && argc == 5)
		return names(listen_at(host, 53, SOCK_DGRAM), argv[3], argv[4]);
	if (!strcmp(what, "serve") && argc == 4)
		return serve(listen_at(host, atoi(argv[3]), SOCK_STREAM));
	if ((!strcmp(what, "send") || !strcmp(what, "fetch") || !strcmp(what, "ping")) && argc == 5)
		return client(what, host, atoi(argv[3]), strtoul(argv[4], NULL, 10));
	fprintf(stderr, "peer: see the head of its source\n");
	return 2;
}
