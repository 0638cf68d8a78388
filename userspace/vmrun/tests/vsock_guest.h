/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver of the vsock device with rings in plain memory, for the programs that test it:
 * test_vsock.c and test_vsock_unix.c.
 */
#ifndef VMRUN_TESTS_VSOCK_GUEST_H
#define VMRUN_TESTS_VSOCK_GUEST_H

/* Neither program calls all of it. */
#define DRIVER static __attribute__((unused))

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../virtio/vsock_conn.h"
#include "ktap.h"

#define SIZE		64		/* entries of each ring */
#define RING(q)		(0x10000ull * (q))
#define AVAIL		0x1000
#define USED		0x2000
#define SLOT		0x20000		/* of a buffer */
#define BUFFER(q, i)	(0x100000ull + ((q) * SIZE + (i)) * SLOT)
#define MEMORY		(0x100000 + 2 * SIZE * SLOT)
#define RX_LEN		4096

#define CID		3
#define PORT		1024		/* of the host's, listened to */
#define GUEST		5000

enum { RX, TX };

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct guest {
	struct memory mem;
	struct loop loop;
	struct vsock vsock;
	u16 avail[2];
	u16 seen;		/* used packets of RX that were looked at */
	unsigned int interrupts, needs_reset;

	/* what was received last */
	struct vsock_hdr hdr;
	u8 *payload;
	u32 total;		/* payload in all, for fwd_cnt */

	int fd;			/* what a callback gave */
	unsigned int calls;
};

DRIVER void *at(struct guest *g, u64 addr, u64 len)
{
	void *p = guest_buf(&g->mem, addr, len);

	ASSERT(p);
	return p;
}

DRIVER void on_interrupt(void *ctx, unsigned int queue)
{
	(void)queue;
	((struct guest *)ctx)->interrupts++;
}

DRIVER void on_config(void *ctx)
{
	((struct guest *)ctx)->needs_reset++;
}

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
	struct pollfd ready = { .fd = g->vsock.epoll_fd, .events = POLLIN };
	struct loop_watch *w = &g->loop.watch[g->vsock.watch];
	unsigned int turns = 0;

	while (poll(&ready, 1, 0) > 0) {
		w->fn(w->ctx, EPOLLIN);
		ASSERT(++turns < 10000);
	}
}

DRIVER void kick(struct guest *g, unsigned int queue)
{
	pthread_mutex_lock(&g->vsock.dev.lock);
	g->vsock.dev.ops->kick(&g->vsock.dev, queue);
	pthread_mutex_unlock(&g->vsock.dev.lock);
	run(g);
}

DRIVER void offer(struct guest *g, unsigned int queue, u16 i, u32 len)
{
	struct desc *desc = at(g, RING(queue) + i * sizeof(*desc), sizeof(*desc));

	*desc = (struct desc){ BUFFER(queue, i), len, queue == RX ? 2 : 0, 0 };
	*(u16 *)at(g, RING(queue) + AVAIL + 4 + g->avail[queue] % SIZE * 2, 2) = i;
	*(u16 *)at(g, RING(queue) + AVAIL + 2, 2) = ++g->avail[queue];
}

DRIVER u16 used(struct guest *g, unsigned int queue)
{
	return *(u16 *)at(g, RING(queue) + USED + 2, 2);
}

/* Gives @n receive buffers. */
DRIVER void give(struct guest *g, unsigned int n)
{
	while (n--)
		offer(g, RX, g->avail[RX] % SIZE, RX_LEN);
	kick(g, RX);
}

DRIVER void start_driver(struct guest *g)
{
	struct virtio_device *dev = &g->vsock.dev;
	unsigned int q;

	for (q = 0; q < 2; q++) {
		struct ring *ring = &dev->queue[q];

		memset(at(g, RING(q), 0x10000), 0, 0x10000);
		g->avail[q] = 0;
		ring->mem = &g->mem;
		ring->size = SIZE;
		ring->desc = RING(q);
		ring->avail = RING(q) + AVAIL;
		ring->used = RING(q) + USED;
		ASSERT_EQ(ring_start(ring, false), 0);
	}
	g->seen = 0;
	dev->started = true;
	pthread_mutex_lock(&dev->lock);
	dev->ops->start(dev);
	pthread_mutex_unlock(&dev->lock);
	run(g);
}

DRIVER struct guest *make(void)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct vm_error err = { 0 };

	ASSERT(g);
	g->mem.region[0] = (struct memory_region){ 0, MEMORY, aligned_alloc(4096, MEMORY) };
	g->mem.nr_regions = 1;
	g->fd = -1;
	ASSERT_EQ(loop_create(&g->loop, &err), 0);
	ASSERT_EQ(vsock_init(&g->vsock, "vsock0", &g->loop, CID, &err), 0);
	g->vsock.dev.transport = (struct virtio_transport){
		.interrupt = on_interrupt, .config_changed = on_config, .ctx = g,
	};
	start_driver(g);
	ASSERT_EQ(vsock_listen(&g->vsock, PORT, on_accept, g), 0);
	return g;
}

DRIVER void destroy(struct guest *g)
{
	vsock_destroy(&g->vsock);
	loop_destroy(&g->loop);
	free(g->mem.region[0].host_addr);
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
	u16 i = g->avail[TX] % SIZE;
	u8 *to = at(g, BUFFER(TX, i), SLOT);

	memcpy(to, hdr, sizeof(*hdr));
	if (len)
		memcpy(to + sizeof(*hdr), data, len);
	offer(g, TX, i, sizeof(*hdr) + len);
	kick(g, TX);
}

/* The next packet that the guest got; false: there is none. */
DRIVER bool next(struct guest *g)
{
	u32 *elem;

	run(g);
	if (g->seen == used(g, RX))
		return false;
	elem = at(g, RING(RX) + USED + 4 + g->seen++ % SIZE * 8, 8);
	memcpy(&g->hdr, at(g, BUFFER(RX, elem[0]), RX_LEN), sizeof(g->hdr));
	g->payload = at(g, BUFFER(RX, elem[0]) + sizeof(g->hdr), 1);
	EXPECT_EQ(elem[1], sizeof(g->hdr) + g->hdr.len);
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
