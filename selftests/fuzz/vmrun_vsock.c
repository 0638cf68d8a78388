// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's vsock against a guest that lies: the input is packets for its transmit ring, buffers for its receive ring and what the
 * host's side does meanwhile. Whatever comes, credit and memory stay bounded and no descriptor is lost.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "virtio/vsock_conn.h"

#define SIZE	16
#define RING(q)	(0x1000ull * (q))
#define AVAIL	0x400
#define USED	0x800
#define DATA	0x4000
#define MEMORY	0x20000
#define NR_FDS	8

enum { RX, TX };
enum { PACKET, BUFFER, READ, WRITE, CLOSE, SHUT, CONNECT, RESTART, RAW, NR_OPS };

/* One step of 16 bytes. Ports and the like are few, so that packets meet connections. */
struct step {
	u8 what, op, port, flags;
	u16 len, claim;
	u32 buf_alloc, fwd_cnt;
};

struct world {
	struct memory mem;
	struct loop loop;
	struct vsock vsock;
	u16 avail[2];
	int fd[NR_FDS];
};

static void keep(struct world *w, int fd)
{
	unsigned int i;

	for (i = 0; i < NR_FDS; i++)
		if (w->fd[i] < 0) {
			w->fd[i] = fd;
			return;
		}
	if (fd >= 0)
		close(fd);
}

static void on_accept(void *ctx, int fd, u32 port)
{
	(void)port;
	keep(ctx, fd);
}

static void on_connected(void *ctx, int fd)
{
	keep(ctx, fd);
}

static void on_interrupt(void *ctx, unsigned int queue)
{
	(void)ctx;
	MUST(queue < 2);
}

static void on_config(void *ctx)
{
	(void)ctx;
}

static void check(struct world *w)
{
	for (unsigned int i = 0; i < VSOCK_MAX_CONNS; i++) {
		const struct vsock_conn *c = w->vsock.conn[i];

		MUST(!c || (c->slot == i && c->count <= VSOCK_BUFFER_SIZE && (!c->count || c->buffer)));
		MUST(!c || c->received - c->forwarded == c->count);
	}
	MUST(w->vsock.rst_count <= VSOCK_MAX_RSTS);
}

static void run(struct world *w)
{
	struct pollfd ready = { .fd = w->vsock.epoll_fd, .events = POLLIN };
	struct loop_watch *watch = &w->loop.watch[w->vsock.watch];
	unsigned int turns = 0;

	while (poll(&ready, 1, 0) > 0) {
		watch->fn(watch->ctx, EPOLLIN);
		MUST(++turns < 1000);
	}
	check(w);
}

static void kick(struct world *w, unsigned int queue)
{
	if (w->vsock.dev.needs_reset)
		return;
	pthread_mutex_lock(&w->vsock.dev.lock);
	w->vsock.dev.ops->kick(&w->vsock.dev, queue);
	pthread_mutex_unlock(&w->vsock.dev.lock);
	run(w);
}

static void offer(struct world *w, unsigned int queue, u32 len)
{
	u8 *base = w->mem.region[0].host_addr + RING(queue);
	u16 i = w->avail[queue]++ % SIZE;
	struct { u64 addr; u32 len; u16 flags, next; } desc = {
		DATA + (queue * SIZE + i) * 0x800, len, queue == RX ? 2 : 0, 0,
	};

	memcpy(base + i * 16, &desc, 16);
	memcpy(base + AVAIL + 4 + i * 2, &i, 2);
	memcpy(base + AVAIL + 2, &w->avail[queue], 2);
	kick(w, queue);
}

static void start(struct world *w)
{
	struct virtio_device *dev = &w->vsock.dev;

	for (unsigned int q = 0; q < 2; q++) {
		struct ring *ring = &dev->queue[q];

		ring_reset(ring);
		memset(w->mem.region[0].host_addr + RING(q), 0, 0x1000);
		w->avail[q] = 0;
		ring->mem = &w->mem;
		ring->size = SIZE;
		ring->desc = RING(q);
		ring->avail = RING(q) + AVAIL;
		ring->used = RING(q) + USED;
		MUST(!ring_start(ring, false));
	}
	dev->started = true;
	dev->needs_reset = false;
	dev->nr_told = ~0u;	/* not a word */
	pthread_mutex_lock(&dev->lock);
	dev->ops->start(dev);
	pthread_mutex_unlock(&dev->lock);
}

static void packet(struct world *w, const struct step *s)
{
	u16 i = w->avail[TX] % SIZE;
	struct vsock_hdr hdr = {
		.src_cid = s->flags & 0x80 ? 9 : 3, .dst_cid = s->flags & 0x40 ? 9 : 2,
		.src_port = s->port & 3, .dst_port = s->port & 0x80 ? 0x40000000 + (s->port >> 2 & 3) : s->port >> 2 & 3,
		.len = s->flags & 0x20 ? s->claim : s->len % 0x700, .type = s->flags & 0x10 ? 2 : 1, .op = s->op % 10,
		.flags = s->flags & 3, .buf_alloc = s->buf_alloc, .fwd_cnt = s->fwd_cnt,
	};

	memcpy(w->mem.region[0].host_addr + DATA + (SIZE + i) * 0x800, &hdr, sizeof(hdr));
	offer(w, TX, sizeof(hdr) + s->len % 0x700);
}

static void step(struct world *w, const struct step *s)
{
	static u8 data[65536];
	struct virtio_device *dev = &w->vsock.dev;
	int *fd = &w->fd[s->port % NR_FDS];

	switch (s->what % NR_OPS) {
	case PACKET:
		packet(w, s);
		break;
	case BUFFER:
		offer(w, RX, s->flags ? 0x800 : s->len % 0x800);
		break;
	case READ:
		MUST(*fd < 0 || recv(*fd, data, s->len, MSG_DONTWAIT) <= s->len);
		run(w);
		break;
	case WRITE:
		MUST(*fd < 0 || send(*fd, data, s->len, MSG_DONTWAIT | MSG_NOSIGNAL) <= s->len);
		run(w);
		break;
	case CLOSE:
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		run(w);
		break;
	case SHUT:
		if (*fd >= 0)
			shutdown(*fd, s->flags % 3);
		run(w);
		break;
	case CONNECT:
		vsock_connect(&w->vsock, s->port & 3, on_connected, w);
		run(w);
		break;
	case RESTART:
		pthread_mutex_lock(&dev->lock);
		dev->ops->stop(dev);
		pthread_mutex_unlock(&dev->lock);
		start(w);
		run(w);
		break;
	case RAW:
		/* Anywhere, the rings included. */
		memcpy(w->mem.region[0].host_addr + s->len % (MEMORY - 8), &s->buf_alloc, 8);
		kick(w, s->port & 1);
		break;
	}
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));
	struct vm_error err = { 0 };
	struct step s;
	unsigned int i;

	w->mem.region[0] = (struct memory_region){ 0, MEMORY, aligned_alloc(4096, MEMORY) };
	w->mem.nr_regions = 1;
	memset(w->mem.region[0].host_addr, 0, MEMORY);
	memset(w->fd, -1, sizeof(w->fd));
	MUST(!loop_create(&w->loop, &err));
	MUST(!vsock_init(&w->vsock, "vsock0", &w->loop, 3, &err));
	w->vsock.dev.transport = (struct virtio_transport){ on_interrupt, on_config, w };
	start(w);
	MUST(!vsock_listen(&w->vsock, 1, on_accept, w));
	while (size >= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		data += sizeof(s);
		size -= sizeof(s);
		step(w, &s);
	}
	/* Before: it would wait for who still reads. */
	for (i = 0; i < NR_FDS; i++)
		if (w->fd[i] >= 0)
			close(w->fd[i]);
	vsock_destroy(&w->vsock);
	loop_destroy(&w->loop);
	free(w->mem.region[0].host_addr);
	free(w);
	/* Standard input, output and error, and libFuzzer's; a leak would grow. */
	i = dup(0);
	MUST(i < 16);
	close(i);
}
