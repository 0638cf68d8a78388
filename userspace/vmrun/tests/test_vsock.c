// SPDX-License-Identifier: GPL-2.0
/*
 * The vsock device against a driver that this file plays and against the part of vmrun
 * at the other end: connections both ways, credit, shutdown, and the lies of a guest.
 */
#include <sys/wait.h>

#include "vsock_guest.h"

static void send_op(struct guest *g, u16 op)
{
	struct vsock_hdr hdr = header(g, op, 0);

	send_packet(g, &hdr, NULL, 0);
}

static void send_data(struct guest *g, const void *data, u32 len)
{
	struct vsock_hdr hdr = header(g, VSOCK_OP_RW, len);

	send_packet(g, &hdr, data, len);
}

static void send_shutdown(struct guest *g, u32 flags)
{
	struct vsock_hdr hdr = header(g, VSOCK_OP_SHUTDOWN, 0);

	hdr.flags = flags;
	send_packet(g, &hdr, NULL, 0);
}

/* The guest's connection to PORT, as far as its answer. */
static void connect_guest(struct guest *g)
{
	give(g, SIZE / 2);
	send_op(g, VSOCK_OP_REQUEST);
	ASSERT_EQ(g->calls, 1);
	ASSERT(next_is(g, VSOCK_OP_RESPONSE));
	EXPECT_EQ(g->hdr.src_port, PORT);
	EXPECT_EQ(g->hdr.dst_port, GUEST);
	EXPECT_EQ(g->hdr.src_cid, VSOCK_HOST_CID);
	EXPECT_EQ(g->hdr.buf_alloc, VSOCK_BUFFER_SIZE);
}

static u8 pattern(u32 i)
{
	return i * 7 + (i >> 8) + (i >> 16);
}

/* ---- connections ---- */

static void says_its_cid(void)
{
	struct guest *g = make();
	u8 data[12] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	g->vsock.dev.ops->read_config(&g->vsock.dev, 0, data, 12);
	EXPECT(!memcmp(data, "\3\0\0\0\0\0\0\0\0\0\0\0", 12));
	g->vsock.dev.ops->read_config(&g->vsock.dev, ~0ull, data, 4);
	EXPECT_EQ(data[0], 0);
	destroy(g);
}

static void nobody_listens(void)
{
	struct guest *g = make();
	struct vsock_hdr hdr = header(g, VSOCK_OP_REQUEST, 0);

	give(g, 4);
	hdr.dst_port = 99;
	send_packet(g, &hdr, NULL, 0);
	ASSERT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(g->hdr.src_port, 99);
	EXPECT_EQ(g->hdr.dst_port, GUEST);
	/* Neither does anybody send RST for a RST. */
	hdr.op = VSOCK_OP_RST;
	send_packet(g, &hdr, NULL, 0);
	EXPECT(!next(g));
	hdr.op = VSOCK_OP_RW;
	send_packet(g, &hdr, NULL, 0);
	EXPECT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(nr_conns(g), 0);
	EXPECT_EQ(g->calls, 0);
	destroy(g);
}

static void other_names(void)
{
	struct guest *g = make();
	struct vsock_hdr hdr = header(g, VSOCK_OP_REQUEST, 0);

	give(g, 4);
	hdr.dst_cid = 77;
	send_packet(g, &hdr, NULL, 0);
	ASSERT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(g->hdr.src_cid, 77);
	hdr.dst_cid = VSOCK_HOST_CID;
	hdr.src_cid = 4;
	send_packet(g, &hdr, NULL, 0);
	EXPECT(!next(g));
	hdr.src_cid = CID;
	hdr.type = 2;
	send_packet(g, &hdr, NULL, 0);
	ASSERT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(g->hdr.type, 2);
	EXPECT_EQ(g->calls, 0);
	destroy(g);
}

static void both_ways(void)
{
	struct guest *g = make();
	char text[16];

	connect_guest(g);
	send_data(g, "hello", 5);
	EXPECT_EQ(read(g->fd, text, sizeof(text)), 5);
	EXPECT(!memcmp(text, "hello", 5));
	EXPECT_EQ(write(g->fd, "and back", 8), 8);
	ASSERT(next_is(g, VSOCK_OP_RW));
	EXPECT_EQ(g->hdr.len, 8);
	EXPECT_EQ(g->hdr.fwd_cnt, 5);
	EXPECT(!memcmp(g->payload, "and back", 8));
	EXPECT(!next(g));
	/* A second one over the same ports is a mistake. */
	send_op(g, VSOCK_OP_REQUEST);
	EXPECT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(nr_conns(g), 0);
	EXPECT_EQ(read(g->fd, text, sizeof(text)), 0);
	destroy(g);
}

static void from_the_host(void)
{
	struct guest *g = make();
	struct vsock_hdr hdr;
	char text[8];

	give(g, 8);
	/* Port 0 is one like any other. */
	EXPECT_EQ(vsock_connect(&g->vsock, 0, on_fd, g), 0);
	ASSERT(next_is(g, VSOCK_OP_REQUEST));
	EXPECT_EQ(g->hdr.dst_port, 0);
	EXPECT_EQ(vsock_connect(&g->vsock, 22, on_fd, g), 0);
	ASSERT(next_is(g, VSOCK_OP_REQUEST));
	EXPECT_EQ(g->hdr.dst_port, 22);
	EXPECT_EQ(g->calls, 0);
	hdr = header(g, VSOCK_OP_RST, 0);
	hdr.src_port = 22;
	hdr.dst_port = g->hdr.src_port;
	send_packet(g, &hdr, NULL, 0);
	EXPECT_EQ(g->calls, 1);
	EXPECT_EQ(g->fd, -1);
	EXPECT_EQ(nr_conns(g), 1);

	EXPECT_EQ(vsock_connect(&g->vsock, 22, on_fd, g), 0);
	ASSERT(next_is(g, VSOCK_OP_REQUEST));
	EXPECT(g->hdr.src_port != hdr.dst_port);
	hdr.dst_port = g->hdr.src_port;
	hdr.op = VSOCK_OP_RESPONSE;
	send_packet(g, &hdr, NULL, 0);
	EXPECT_EQ(g->calls, 2);
	ASSERT(g->fd >= 0);
	hdr.op = VSOCK_OP_RW;
	hdr.len = 3;
	send_packet(g, &hdr, "abc", 3);
	EXPECT_EQ(read(g->fd, text, sizeof(text)), 3);
	/* Answering twice is one answer too many. */
	hdr.op = VSOCK_OP_RESPONSE;
	hdr.len = 0;
	send_packet(g, &hdr, NULL, 0);
	EXPECT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(g->calls, 2);
	destroy(g);
}

static void a_reset_driver_knows_nothing(void)
{
	struct guest *g = make();
	char text[8];

	connect_guest(g);
	driver_stop(&g->driver);
	EXPECT_EQ(nr_conns(g), 0);
	EXPECT_EQ(read(g->fd, text, sizeof(text)), 0);
	/* Asked for while nobody is there: the next driver is told. */
	EXPECT_EQ(vsock_connect(&g->vsock, 22, on_fd, g), 0);
	run(g);
	driver_stop(&g->driver);
	EXPECT_EQ(nr_conns(g), 1);
	start_driver(g);
	give(g, 4);
	EXPECT(next_is(g, VSOCK_OP_REQUEST));
	/* This one was told, and is gone. */
	close(g->fd);
	g->fd = -1;
	driver_stop(&g->driver);
	EXPECT_EQ(nr_conns(g), 0);
	EXPECT_EQ(g->calls, 2);
	destroy(g);
}

static void queue_packet(struct guest *g, u16 op, u32 src_port, u32 dst_port, u32 len)
{
	u64 addr = BUFFER(TX, driver_next(&g->driver, TX));
	struct vsock_hdr hdr = header(g, op, len);

	hdr.src_port = src_port;
	hdr.dst_port = dst_port;
	memcpy(driver_at(&g->driver, addr, sizeof(hdr)), &hdr, sizeof(hdr));
	memset(driver_at(&g->driver, addr + sizeof(hdr), len), 'x', len);
	offer(g, TX, sizeof(hdr) + len);
}

/* A reset comes in a vCPU's thread: sockets and who waits for one are the loop's, which comes later. */
static void a_reset_leaves_all_to_the_loop(void)
{
	struct virtio_device *dev;
	struct guest *g = make();
	u32 asked[2], i;
	char text[2000];
	int fd;

	connect_guest(g);
	dev = &g->vsock.dev;
	fd = g->fd;
	give(g, 8);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(vsock_connect(&g->vsock, 22, on_fd, g), 0);
		ASSERT(next_is(g, VSOCK_OP_REQUEST));
		asked[i] = g->hdr.src_port;
	}
	EXPECT_EQ(g->calls, 1);
	/* In the ring and not told of: data and its end, a refusal, an acceptance, a request, nonsense. */
	queue_packet(g, VSOCK_OP_RW, GUEST, PORT, 1000);
	queue_packet(g, VSOCK_OP_SHUTDOWN, GUEST, PORT, 0);
	queue_packet(g, VSOCK_OP_RST, 22, asked[0], 0);
	queue_packet(g, VSOCK_OP_RESPONSE, 22, asked[1], 0);
	queue_packet(g, VSOCK_OP_RW, 22, asked[1], 100);
	queue_packet(g, VSOCK_OP_REQUEST, GUEST + 1, PORT, 0);
	pthread_mutex_lock(&dev->lock);
	dev->started = false;
	dev->ops->stop(dev);
	pthread_mutex_unlock(&dev->lock);
	EXPECT_EQ(g->calls, 1);
	EXPECT_EQ(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
	run(g);
	EXPECT_EQ(g->calls, 3);
	EXPECT_EQ(g->fd, -1);
	EXPECT_EQ(recv(fd, text, sizeof(text), MSG_DONTWAIT), 1000);
	EXPECT_EQ(text[999], 'x');
	EXPECT_EQ(recv(fd, text, sizeof(text), MSG_DONTWAIT), 0);
	EXPECT_EQ(nr_conns(g), 0);
	close(fd);
	destroy(g);
}

/* What it sent before it powered off arrives, however slow the reader. */
static void the_machine_ends(void)
{
	static u8 data[65536];
	struct guest *g = make();
	struct vsock_hdr hdr;
	u32 sent = 0;
	int got = 0, status;
	ssize_t n;
	pid_t reader;

	connect_guest(g);
	for (; sent < 5 * sizeof(data); sent += sizeof(data))
		send_data(g, data, sizeof(data));
	/* In the ring, and not even told of. */
	hdr = header(g, VSOCK_OP_RW, 1000);
	memcpy(driver_at(&g->driver, BUFFER(TX, driver_next(&g->driver, TX)), sizeof(hdr)), &hdr,
	       sizeof(hdr));
	offer(g, TX, sizeof(hdr) + 1000);
	reader = ASSERT_OK(fork());
	if (!reader) {
		close(g->vsock.conn[0]->fd);
		while ((n = read(g->fd, data, 10000)) > 0 || (n < 0 && errno == EAGAIN)) {
			got += n > 0 ? n : 0;
			usleep(2000);
		}
		_exit(got != (int)sent + 1000);
	}
	g->vsock.dev.started = false;
	driver_stop(&g->driver);
	destroy(g);
	ASSERT_EQ(waitpid(reader, &status, 0), reader);
	EXPECT_EQ(status, 0);
}

/* ---- credit ---- */

static void a_slow_host(void)
{
	static u8 data[32768], got[32768];
	struct guest *g = make();
	u32 sent = 0, received = 0, told = 0, i, len;
	ssize_t n;

	connect_guest(g);
	while (received < MIB(2)) {
		/* As much as it may, and the host reads only then. */
		while (sent < MIB(2) && sent - told < VSOCK_BUFFER_SIZE) {
			len = min_u64(sizeof(data), VSOCK_BUFFER_SIZE - (sent - told));
			for (i = 0; i < len; i++)
				data[i] = pattern(sent + i);
			send_data(g, data, len);
			sent += len;
			while (next(g)) {
				ASSERT_EQ(g->hdr.op, VSOCK_OP_CREDIT_UPDATE);
				told = g->hdr.fwd_cnt;
				give(g, 1);
			}
		}
		n = read(g->fd, got, 5000);
		ASSERT(n > 0);
		for (i = 0; i < n && got[i] == pattern(received + i); i++)
			;
		ASSERT_EQ(i, n);
		received += n;
		while (next(g)) {
			ASSERT_EQ(g->hdr.op, VSOCK_OP_CREDIT_UPDATE);
			told = g->hdr.fwd_cnt;
			give(g, 1);
		}
	}
	EXPECT_EQ(sent, received);
	send_op(g, VSOCK_OP_CREDIT_REQUEST);
	ASSERT(next_is(g, VSOCK_OP_CREDIT_UPDATE));
	EXPECT_EQ(g->hdr.fwd_cnt, sent);
	destroy(g);
}

static void more_than_its_credit(void)
{
	static u8 data[65536];
	struct guest *g = make();
	unsigned int i;

	connect_guest(g);
	/* The host reads nothing: what its socket takes and the buffer are all. */
	for (i = 0; i < 100; i++) {
		send_data(g, data, sizeof(data));
		while (next(g) && g->hdr.op == VSOCK_OP_CREDIT_UPDATE)
			give(g, 1);
		if (g->hdr.op == VSOCK_OP_RST)
			break;
	}
	EXPECT(i < 100);
	EXPECT_EQ(g->hdr.op, VSOCK_OP_RST);
	/* The connection has ended, but what came is still the host's. */
	send_op(g, VSOCK_OP_CREDIT_REQUEST);
	EXPECT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(nr_conns(g), 1);
	for (i = 0; read(g->fd, data, sizeof(data)) > 0; i++)
		run(g);
	EXPECT(i > 2);
	EXPECT_EQ(nr_conns(g), 0);
	destroy(g);
}

static void a_slow_guest(void)
{
	struct guest *g = make();
	struct vsock_hdr hdr = header(g, VSOCK_OP_REQUEST, 0);
	static u8 data[100];
	u32 i;

	give(g, 16);
	hdr.buf_alloc = 10;
	send_packet(g, &hdr, NULL, 0);
	ASSERT(next_is(g, VSOCK_OP_RESPONSE));
	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	EXPECT_EQ(write(g->fd, data, sizeof(data)), sizeof(data));
	ASSERT(next_is(g, VSOCK_OP_RW));
	EXPECT_EQ(g->hdr.len, 10);
	/* It is asked once, and then waited for. */
	EXPECT(next_is(g, VSOCK_OP_CREDIT_REQUEST));
	EXPECT(!next(g));
	hdr.op = VSOCK_OP_CREDIT_UPDATE;
	hdr.fwd_cnt = 4;
	send_packet(g, &hdr, NULL, 0);
	ASSERT(next_is(g, VSOCK_OP_RW));
	EXPECT_EQ(g->hdr.len, 4);
	EXPECT_EQ(g->payload[0], 10);
	EXPECT(next_is(g, VSOCK_OP_CREDIT_REQUEST));
	/* It takes its word back: nothing comes. */
	hdr.buf_alloc = 0;
	send_packet(g, &hdr, NULL, 0);
	EXPECT(next_is(g, VSOCK_OP_CREDIT_REQUEST));
	EXPECT(!next(g));
	hdr.buf_alloc = 1000;
	hdr.fwd_cnt = 14;
	send_packet(g, &hdr, NULL, 0);
	ASSERT(next_is(g, VSOCK_OP_RW));
	EXPECT_EQ(g->hdr.len, 86);
	destroy(g);
}

static void few_buffers(void)
{
	static u8 data[100000];
	struct guest *g = make();
	u32 got = 0, i;

	connect_guest(g);
	give(g, 1);
	for (i = 0; i < sizeof(data); i++)
		data[i] = pattern(i);
	EXPECT_EQ(write(g->fd, data, sizeof(data)), sizeof(data));
	while (got < sizeof(data)) {
		if (!next(g)) {
			give(g, 1);
			ASSERT(next(g));
		}
		ASSERT_EQ(g->hdr.op, VSOCK_OP_RW);
		for (i = 0; i < g->hdr.len && g->payload[i] == pattern(got + i); i++)
			;
		ASSERT_EQ(i, g->hdr.len);
		got += i;
	}
	EXPECT_EQ(got, sizeof(data));
	destroy(g);
}

/* ---- the end ---- */

static void the_guest_ends_one_way(void)
{
	struct guest *g = make();
	char text[8];

	connect_guest(g);
	send_data(g, "last", 4);
	send_shutdown(g, VSOCK_DOWN_SEND);
	EXPECT_EQ(read(g->fd, text, sizeof(text)), 4);
	EXPECT_EQ(read(g->fd, text, sizeof(text)), 0);
	EXPECT(!next(g));
	EXPECT_EQ(write(g->fd, "still", 5), 5);
	ASSERT(next_is(g, VSOCK_OP_RW));
	EXPECT_EQ(g->hdr.len, 5);
	/* And it does not go on as if it had said nothing. */
	send_data(g, "liar", 4);
	EXPECT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(nr_conns(g), 0);
	destroy(g);
}

static void the_guest_reads_no_more(void)
{
	struct guest *g = make();

	connect_guest(g);
	send_shutdown(g, VSOCK_DOWN_RECEIVE);
	EXPECT_ERRNO(send(g->fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	send_data(g, "more", 4);
	EXPECT(!next(g));
	send_shutdown(g, VSOCK_DOWN_SEND);
	EXPECT(next_is(g, VSOCK_OP_RST));
	EXPECT_EQ(nr_conns(g), 0);
	destroy(g);
}

/* Nothing is lost when the guest ends before the host has read. */
static void the_guest_ends_early(void)
{
	static u8 data[65536];
	struct guest *g = make();
	u32 sent = 0, got = 0;
	ssize_t n;

	connect_guest(g);
	EXPECT_EQ(write(g->fd, "unread", 6), 6);
	while (sent < 5 * sizeof(data)) {
		send_data(g, data, sizeof(data));
		sent += sizeof(data);
	}
	send_shutdown(g, VSOCK_DOWN_BOTH);
	do
		ASSERT(next(g));
	while (g->hdr.op != VSOCK_OP_RST);
	EXPECT_EQ(nr_conns(g), 1);
	/* The ports are free again all the same. */
	send_op(g, VSOCK_OP_CREDIT_REQUEST);
	EXPECT(next_is(g, VSOCK_OP_RST));
	while ((n = read(g->fd, data, sizeof(data))) > 0) {
		got += n;
		run(g);
	}
	EXPECT_EQ(n, 0);
	EXPECT_EQ(got, sent);
	EXPECT_EQ(nr_conns(g), 0);
	destroy(g);
}

static void the_host_ends(void)
{
	struct guest *g = make();

	connect_guest(g);
	EXPECT_EQ(write(g->fd, "bye", 3), 3);
	shutdown(g->fd, SHUT_WR);
	ASSERT(next_is(g, VSOCK_OP_RW));
	ASSERT(next_is(g, VSOCK_OP_SHUTDOWN));
	EXPECT_EQ(g->hdr.flags, VSOCK_DOWN_SEND);
	EXPECT(!next(g));
	send_data(g, "go on", 5);
	EXPECT(!next(g));
	close(g->fd);
	g->fd = -1;
	ASSERT(next_is(g, VSOCK_OP_SHUTDOWN));
	EXPECT_EQ(g->hdr.flags, VSOCK_DOWN_BOTH);
	/* What the guest sent meanwhile is taken. */
	send_data(g, "late", 4);
	EXPECT(!next(g));
	send_op(g, VSOCK_OP_RST);
	EXPECT(!next(g));
	EXPECT_EQ(nr_conns(g), 0);
	destroy(g);
}

static void the_host_closes_with_data_unread(void)
{
	static u8 data[65536];
	struct guest *g = make();
	unsigned int i;

	connect_guest(g);
	for (i = 0; i < 5; i++)
		send_data(g, data, sizeof(data));
	while (next(g))
		EXPECT_EQ(g->hdr.op, VSOCK_OP_CREDIT_UPDATE);
	EXPECT_EQ(write(g->fd, "end", 3), 3);
	close(g->fd);
	g->fd = -1;
	while (next(g) && g->hdr.op != VSOCK_OP_SHUTDOWN)
		;
	EXPECT_EQ(g->hdr.op, VSOCK_OP_SHUTDOWN);
	while (next(g))
		;
	EXPECT_EQ(g->hdr.flags, VSOCK_DOWN_BOTH);
	send_op(g, VSOCK_OP_RST);
	EXPECT_EQ(nr_conns(g), 0);
	destroy(g);
}

/* ---- lies ---- */

static void lengths_that_lie(void)
{
	static const struct { u32 len, chain; } lie[] = {
		{ 100, 99 }, { 1, 0 }, { 0xffffffff, 64 }, { 0x80000000, 0 },
	};
	unsigned int i;

	for (i = 0; i < COUNT(lie); i++) {
		struct guest *g = make();
		struct vsock_hdr hdr = header(g, VSOCK_OP_RW, lie[i].len);
		static u8 data[100];

		connect_guest(g);
		send_packet(g, &hdr, data, lie[i].chain);
		EXPECT_EQ(g->driver.config_changes, 1);
		/* It stands still until it is reset. */
		send_op(g, VSOCK_OP_CREDIT_REQUEST);
		EXPECT(!next(g));
		driver_stop(&g->driver);
		start_driver(g);
		give(g, 4);
		send_op(g, VSOCK_OP_CREDIT_REQUEST);
		EXPECT(next_is(g, VSOCK_OP_RST));
		destroy(g);
	}
}

static void buffers_too_small(void)
{
	struct guest *g = make();

	offer(g, TX, sizeof(struct vsock_hdr) - 1);
	kick(g, TX);
	EXPECT_EQ(g->driver.config_changes, 1);
	driver_stop(&g->driver);
	start_driver(g);
	offer(g, RX, sizeof(struct vsock_hdr) - 1);
	kick(g, RX);
	send_op(g, VSOCK_OP_CREDIT_REQUEST);
	EXPECT_EQ(g->driver.config_changes, 2);
	driver_stop(&g->driver);
	/* Room for the header and no more: no data comes, and nothing spins. */
	start_driver(g);
	offer(g, RX, sizeof(struct vsock_hdr));
	offer(g, RX, sizeof(struct vsock_hdr));
	kick(g, RX);
	send_op(g, VSOCK_OP_REQUEST);
	EXPECT(next_is(g, VSOCK_OP_RESPONSE));
	EXPECT_EQ(write(g->fd, "x", 1), 1);
	EXPECT(!next(g));
	destroy(g);
}

static void answers_are_bounded(void)
{
	struct guest *g = make();
	struct vsock_hdr hdr = header(g, VSOCK_OP_RW, 0);
	unsigned int i, n = 0;

	/* No buffer for the answers: after so many nothing more is taken. */
	hdr.dst_port = 1;
	for (i = 0; i < SIZE; i++)
		send_packet(g, &hdr, NULL, 0);
	EXPECT_EQ(driver_used(&g->driver, TX), VSOCK_MAX_RSTS);
	EXPECT_EQ(g->vsock.rst_count, VSOCK_MAX_RSTS);
	for (i = 0; i < SIZE; i++)
		send_packet(g, &hdr, NULL, 0);
	EXPECT_EQ(driver_used(&g->driver, TX), VSOCK_MAX_RSTS);
	give(g, SIZE);
	EXPECT_EQ(driver_used(&g->driver, TX), 2 * SIZE);
	while (next(g)) {
		EXPECT_EQ(g->hdr.op, VSOCK_OP_RST);
		n++;
	}
	EXPECT_EQ(n, SIZE);
	give(g, SIZE);
	while (next(g))
		n++;
	EXPECT_EQ(n, 2 * SIZE);
	destroy(g);
}

static void random_packets(void)
{
	struct guest *g = make();
	static u8 data[5000];
	unsigned int i;

	srand(1);
	for (i = 0; i < 20000; i++) {
		struct vsock_hdr hdr = header(g, rand() % 9, rand() % 3 ? 0 : rand() % sizeof(data));

		hdr.src_port = rand() % 3 + GUEST - 1;
		hdr.dst_port = rand() % 8 ? PORT : 1;
		hdr.flags = rand() % 4;
		hdr.buf_alloc = rand() % 20000;
		if (hdr.src_port != GUEST && hdr.op == VSOCK_OP_REQUEST)
			continue;
		if ((u16)(g->driver.avail[TX] - driver_used(&g->driver, TX)) < SIZE)
			send_packet(g, &hdr, data, hdr.len);
		if (rand() % 4 == 0 && (u16)(g->driver.avail[RX] - driver_used(&g->driver, RX)) < SIZE)
			give(g, 1);
		while (next(g))
			;
		if (g->fd >= 0 && rand() % 16 == 0 && send(g->fd, data, rand() % 3000, MSG_NOSIGNAL) < 0)
			EXPECT(errno == EPIPE || errno == EAGAIN);
		if (g->fd >= 0 && rand() % 8 == 0 && read(g->fd, data, sizeof(data)) < 0)
			EXPECT(errno == EAGAIN || errno == ECONNRESET);
		ASSERT(nr_conns(g) <= VSOCK_MAX_CONNS);
		ASSERT_EQ(g->driver.config_changes, 0);
	}
	EXPECT(g->calls > 10);
	destroy(g);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(says_its_cid), TEST(nobody_listens), TEST(other_names), TEST(both_ways),
		TEST(from_the_host), TEST(a_reset_driver_knows_nothing), TEST(a_reset_leaves_all_to_the_loop), TEST(the_machine_ends), TEST(a_slow_host),
		TEST(more_than_its_credit), TEST(a_slow_guest), TEST(few_buffers),
		TEST(the_guest_ends_one_way), TEST(the_guest_reads_no_more),
		TEST(the_guest_ends_early), TEST(the_host_ends),
		TEST(the_host_closes_with_data_unread), TEST(lengths_that_lie),
		TEST(buffers_too_small), TEST(answers_are_bounded), TEST(random_packets),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
