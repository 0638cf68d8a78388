/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver of the vsock device with rings in plain memory, for the programs that test it:
 * test_vsock.c and test_vsock_unix.c.
 */
#ifndef VMRUN_TESTS_VSOCK_GUEST_H
#define VMRUN_TESTS_VSOCK_GUEST_H

/* Neither program calls all of it. */
#define DRIVER static __attribute__((unused))

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../virtio/vsock_conn.h"
#include "ktap.h"
#include "driver_queue.h"

#define SIZE		64		/* entries of each ring */
#define SLOT		0x20000		/* of a buffer */
#define BUFFER(q, i)	(0x100000ull + ((q) * SIZE + (i)) * SLOT)
#define MEMORY		(0x100000 + 2 * SIZE * SLOT)
#define RX_LEN		4096

#define CID		3
#define PORT		1024		/* of the host's, listened to */
#define GUEST		5000

enum { RX, TX };

struct guest {
	struct driver driver;
	struct loop loop;
	struct vsock vsock;

	/* what was received last */
	struct vsock_hdr hdr;
	u8 *payload;
	u32 total;		/* payload in all, for fwd_cnt */

	int fd;			/* what a callback gave */
	unsigned int calls;
};

DRIVER void on_fd(void *ctx, int fd)
{
	struct guest *g = ctx;

	g->fd = fd;
	g->calls++;
}

DRIVER void on_accept(void *ctx, int fd, u32 guest_port)
{
	EXPECT_EQ(guest_port, GUEST);
	on_fd(ctx, fd);
}

/* Runs the device until it has nothing to do. */
DRIVER void run(struct guest *g)
{
	driver_run(&g->driver, &g->loop, 10000);
}

/* Also where no kick would come: the device has to see for itself that it stands still. */
DRIVER void kick(struct guest *g, unsigned int queue)
{
	pthread_mutex_lock(&g->vsock.dev.lock);
	g->vsock.dev.ops->kick(&g->vsock.dev, queue);
	pthread_mutex_unlock(&g->vsock.dev.lock);
	run(g);
}

DRIVER void offer(struct guest *g, unsigned int queue, u32 len)
{
	u64 addr = BUFFER(queue, driver_next(&g->driver, queue));

	driver_offer_buffer(&g->driver, queue, addr, len, queue == RX ? F_WRITE : 0);
}

/* Gives @n receive buffers. */
DRIVER void give(struct guest *g, unsigned int n)
{
	while (n--)
		offer(g, RX, RX_LEN);
	kick(g, RX);
}

DRIVER void start_driver(struct guest *g)
{
	/* The third queue, for events, stays as it is. */
	driver_start(&g->driver, 2);
	run(g);
}

DRIVER struct guest *make(void)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct vm_error err = { 0 };

	ASSERT(g);
	driver_memory_create(&g->driver, MEMORY);
	g->fd = -1;
	ASSERT_EQ(loop_create(&g->loop, &err), 0);
	ASSERT_EQ(vsock_init(&g->vsock, "vsock0", &g->loop, CID, &err), 0);
	driver_init(&g->driver, &g->vsock.dev, SIZE);
	start_driver(g);
	ASSERT_EQ(vsock_listen(&g->vsock, PORT, on_accept, g), 0);
	return g;
}

DRIVER void destroy(struct guest *g)
{
	vsock_destroy(&g->vsock);
	loop_destroy(&g->loop);
	driver_memory_destroy(&g->driver);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

DRIVER struct vsock_hdr header(struct guest *g, u16 op, u32 len)
{
	return (struct vsock_hdr){
		.src_cid = CID, .dst_cid = VSOCK_HOST_CID, .src_port = GUEST, .dst_port = PORT,
		.len = len, .type = VSOCK_TYPE_STREAM, .op = op,
		.buf_alloc = 1u << 20, .fwd_cnt = g->total,
	};
}

DRIVER void send_packet(struct guest *g, const struct vsock_hdr *hdr, const void *data, u32 len)
{
	u8 *to = driver_at(&g->driver, BUFFER(TX, driver_next(&g->driver, TX)), SLOT);

	memcpy(to, hdr, sizeof(*hdr));
	if (len)
		memcpy(to + sizeof(*hdr), data, len);
	offer(g, TX, sizeof(*hdr) + len);
	kick(g, TX);
}

/* The next packet that the guest got; false: there is none. */
DRIVER bool next(struct guest *g)
{
	struct used_elem elem;

	run(g);
	if (!driver_take(&g->driver, RX, &elem))
		return false;
	memcpy(&g->hdr, driver_at(&g->driver, BUFFER(RX, elem.id), RX_LEN), sizeof(g->hdr));
	g->payload = driver_at(&g->driver, BUFFER(RX, elem.id) + sizeof(g->hdr), 1);
	EXPECT_EQ(elem.len, sizeof(g->hdr) + g->hdr.len);
	EXPECT_EQ(g->hdr.dst_cid, CID);
	g->total += g->hdr.len;
	return true;
}

DRIVER bool next_is(struct guest *g, u16 op)
{
	if (!EXPECT(next(g)))
		return false;
	return EXPECT_EQ(g->hdr.op, op);
}

DRIVER unsigned int nr_conns(struct guest *g)
{
	unsigned int i, n = 0;

	run(g);
	for (i = 0; i < VSOCK_MAX_CONNS; i++)
		n += !!g->vsock.conn[i];
	return n;
}

#endif
