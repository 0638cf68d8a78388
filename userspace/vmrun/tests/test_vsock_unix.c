// SPDX-License-Identifier: GPL-2.0
/*
 * The vsock device's sockets for other processes, as Firecracker has them.
 */
#include "few_fds.h"
#include "vsock_guest.h"

#include <sys/un.h>

static char path[64], path_7[80];	/* with our number: others run this at the same time */

static int unix_socket(const char *name, bool server)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));

	strcpy(addr.sun_path, name);
	if (server) {
		unlink(name);
		ASSERT_OK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
		ASSERT_OK(listen(fd, 2 * VSOCK_MAX_CONNS));
	} else {
		ASSERT_OK(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	}
	return fd;
}

static struct guest *make_unix(void)
{
	struct guest *g = make();
	struct vm_error err = { 0 };

	unlink(path);
	ASSERT_EQ(vsock_listen_unix(&g->vsock, path, &err), 0);
	give(g, 16);
	return g;
}

static void unix_to_guest(void)
{
	struct guest *g = make_unix();
	int fd = unix_socket(path, false);
	struct vsock_hdr hdr;
	char text[32], want[32];
	ssize_t n;

	/* In pieces, and with what is the guest's behind it. */
	EXPECT_EQ(write(fd, "CONN", 4), 4);
	EXPECT(!next(g));
	EXPECT_EQ(write(fd, "ECT 5000\nfirst", 14), 14);
	ASSERT(next_is(g, VSOCK_OP_REQUEST));
	EXPECT_EQ(g->hdr.dst_port, 5000);
	hdr = header(g, VSOCK_OP_RESPONSE, 0);
	hdr.dst_port = g->hdr.src_port;
	send_packet(g, &hdr, NULL, 0);
	n = read(fd, text, sizeof(text));
	snprintf(want, sizeof(want), "OK %u\n", hdr.dst_port);
	EXPECT_EQ(n, strlen(want));
	EXPECT(!memcmp(text, want, n));
	ASSERT(next_is(g, VSOCK_OP_RW));
	EXPECT_EQ(g->hdr.len, 5);
	EXPECT(!memcmp(g->payload, "first", 5));
	close(fd);
	EXPECT(next_is(g, VSOCK_OP_SHUTDOWN));
	destroy(g);
	EXPECT_ERRNO(access(path, F_OK), ENOENT);
}

static void no_descriptor_for_a_client(void)
{
	struct guest *g = make_unix();
	int fd = unix_socket(path, false);

	EXPECT_EQ(write(fd, "CONNECT 5000\n", 13), 13);
	few_fds(&g->loop);
	EXPECT(next_is(g, VSOCK_OP_REQUEST));
	close(fd);
	destroy(g);
}

static void unix_greetings_that_are_none(void)
{
	static const char *const wrong[] = {
		"CONNECT\n", "CONNECT \n", "CONNECT x\n", "CONNECT 4294967296\n", "CONNECT 1 \n",
		"CONNECT 99999999999999999999999\n", "connect 1\n", "\n", "CONNECT -1\n",
		"CONNECT 0000000000000000000000000000000000000001\n", "CONNECT 1\r\r\n",
	};
	struct guest *g = make_unix();
	unsigned int i;
	char c;
	int fd;

	for (i = 0; i < COUNT(wrong); i++) {
		fd = unix_socket(path, false);
		EXPECT_EQ(write(fd, wrong[i], strlen(wrong[i])), strlen(wrong[i]));
		EXPECT(!next(g));
		if (!EXPECT_EQ(read(fd, &c, 1), 0))
			test_note("after '%s'", wrong[i]);
		close(fd);
	}
	/* One that leaves without a word, and one while the guest is asked. */
	close(unix_socket(path, false));
	EXPECT_EQ(nr_conns(g), 0);
	fd = unix_socket(path, false);
	EXPECT_EQ(write(fd, "CONNECT 1\r\n", 11), 11);
	EXPECT(next_is(g, VSOCK_OP_REQUEST));
	close(fd);
	EXPECT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(nr_conns(g), 0);
	destroy(g);
}

static void unix_from_the_guest(void)
{
	int server = unix_socket(path_7, true), fd;
	struct guest *g = make_unix();
	struct vsock_hdr hdr = header(g, VSOCK_OP_REQUEST, 0);
	char text[8];

	hdr.dst_port = 7;
	send_packet(g, &hdr, NULL, 0);
	EXPECT(next_is(g, VSOCK_OP_RESPONSE));
	fd = ASSERT_OK(accept(server, NULL, NULL));
	hdr.op = VSOCK_OP_RW;
	hdr.len = 2;
	send_packet(g, &hdr, "hi", 2);
	EXPECT_EQ(read(fd, text, sizeof(text)), 2);
	hdr.dst_port = 8;
	hdr.op = VSOCK_OP_REQUEST;
	hdr.len = 0;
	send_packet(g, &hdr, NULL, 0);
	EXPECT(next_is(g, VSOCK_OP_RST));
	destroy(g);
	EXPECT_EQ(read(fd, text, sizeof(text)), 0);
	unlink(path_7);
}

static void unix_paths_that_cannot_be(void)
{
	static const char *const wrong[] = { "", "/nowhere/x", "/tmp" };
	struct guest *g = make();
	struct vm_error err;
	char longest[120];
	unsigned int i;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	for (i = 0; i <= COUNT(wrong); i++) {
		err.status = 0;
		EXPECT_EQ(vsock_listen_unix(&g->vsock, i == COUNT(wrong) ? longest : wrong[i],
					    &err), -1);
		EXPECT_EQ(err.status, VM_STATUS_FAILURE);
		EXPECT(err.hint[0]);
	}
	destroy(g);
	EXPECT_OK(access("/tmp", F_OK));
}

static void connections_are_bounded(void)
{
	int server = unix_socket(path_7, true);
	struct guest *g = make_unix();
	struct vsock_hdr hdr = header(g, VSOCK_OP_REQUEST, 0);
	unsigned int i;

	hdr.dst_port = 7;
	for (i = 0; i < VSOCK_MAX_CONNS + 3; i++) {
		hdr.src_port = i;
		send_packet(g, &hdr, NULL, 0);
		ASSERT(next(g));
		EXPECT_EQ(g->hdr.op, i < VSOCK_MAX_CONNS ? VSOCK_OP_RESPONSE : VSOCK_OP_RST);
		EXPECT_EQ(g->hdr.dst_port, i);
		give(g, 1);
	}
	EXPECT_EQ(nr_conns(g), VSOCK_MAX_CONNS);
	EXPECT_EQ(vsock_connect(&g->vsock, 1, on_fd, g), -1);
	EXPECT_EQ(g->calls, 0);
	/* They all end at once, and there is room again. */
	close(server);
	while (next(g)) {
		ASSERT_EQ(g->hdr.op, VSOCK_OP_SHUTDOWN);
		give(g, 1);
		if (g->hdr.flags != VSOCK_DOWN_BOTH)
			continue;
		hdr.src_port = g->hdr.dst_port;
		hdr.op = VSOCK_OP_RST;
		send_packet(g, &hdr, NULL, 0);
	}
	EXPECT_EQ(nr_conns(g), 0);
	unlink(path_7);
	destroy(g);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(unix_to_guest), TEST(no_descriptor_for_a_client), TEST(unix_greetings_that_are_none),
		TEST(unix_from_the_guest), TEST(unix_paths_that_cannot_be),
		TEST(connections_are_bounded),
	};

	snprintf(path, sizeof(path), "/tmp/test_vsock.%d", getpid());
	snprintf(path_7, sizeof(path_7), "%s_7", path);
	return test_main(argc, argv, tests, COUNT(tests));
}
