// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's network card against a driver that lies: the input is what the driver writes to its rings, frames it sends, buffers it
 * gives, and frames that come. Whatever it does, the backend gets frames of lengths that it was promised, and what comes is either
 * delivered, dropped or kept by the backend.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fuzz.h"
#include "virtio/net.h"

#define SIZE	16
#define RING(q)	(0x1000ull * (q))
#define AVAIL	0x400
#define USED	0x800
#define DATA	0x4000
#define MEMORY	0x20000

/* The thread of the card does not run here. */
void sandbox_enter(const struct sandbox *sandbox, enum sandbox_thread thread)
{
	(void)sandbox;
	(void)thread;
}

enum { RX, TX };
enum { SEND, GIVE, COMES, RAW, RESTART, NR_OPS };

struct step {
	u8 what, flags;
	u16 where, len, more;
	u64 value;
};

struct wire {
	struct net_backend backend;
	size_t held;	/* a frame that was not taken */
	u64 max;
};

struct world {
	struct memory mem;
	struct net *net;
	u16 avail[2];
};

static u8 frame[NET_MAX_LARGE_FRAME];

static void wire_send(struct net_backend *backend, const struct ring_chain *chain)
{
	struct wire *w = (struct wire *)backend;
	size_t len = ring_copy_from(chain, sizeof(struct net_header), frame, sizeof(frame));

	MUST(len >= 14 && len <= w->max && len == chain->out_len - sizeof(struct net_header));
}

static void wire_resume(struct net_backend *backend)
{
	static const struct net_header header;
	struct wire *w = (struct wire *)backend;

	if (w->held && backend->deliver(backend->ctx, &header, frame, w->held))
		w->held = 0;
}

static void wire_start(struct net_backend *backend, u64 features)
{
	((struct wire *)backend)->max = features & (BIT_ULL(11) | BIT_ULL(12)) ? NET_MAX_LARGE_FRAME :
					features & NET_F_MTU ? NET_FRAME_HEADER + backend->mtu : NET_MAX_FRAME;
}

static void wire_close(struct net_backend *backend)
{
	close(backend->fd);
	free(backend);
}

static const struct net_backend_ops wire_ops = {
	.start = wire_start, .send = wire_send, .poll = wire_resume, .resume = wire_resume, .close = wire_close,
};

/* In the place of net/slirp.c and net/tap.c. */
struct net_backend *slirp_open(const struct net_options *options, struct vm_error *err)
{
	struct wire *w = calloc(1, sizeof(*w));

	(void)options;
	(void)err;
	w->backend = (struct net_backend){ .ops = &wire_ops, .fd = eventfd(0, EFD_NONBLOCK), .mtu = 9000 };
	return &w->backend;
}

struct net_backend *tap_open(const char *name, struct vm_error *err)
{
	(void)name;
	return slirp_open(NULL, err);
}

static void nothing(void *ctx, unsigned int queue)
{
	(void)ctx;
	MUST(queue < 2);
}

static void nothing_new(void *ctx)
{
	(void)ctx;
}

static void run(struct world *w)
{
	struct loop *loop = &w->net->worker.loop;
	struct loop_watch *watch;
	struct pollfd one;
	unsigned int i, turns = 0;
	bool busy = true;

	while (busy) {
		MUST(++turns < 100);
		for (i = 0, busy = false; i < loop->nr_watches; i++) {
			watch = &loop->watch[i];
			one = (struct pollfd){ .fd = watch->fd, .events = POLLIN };
			if (!watch->fn || !watch->events || poll(&one, 1, 0) <= 0)
				continue;
			watch->fn(watch->ctx, EPOLLIN);
			busy = true;
		}
	}
	MUST(w->net->nr_done <= RING_MAX_SIZE);
}

static void kick(struct world *w, unsigned int queue)
{
	if (w->net->dev.needs_reset)
		return;
	pthread_mutex_lock(&w->net->dev.lock);
	w->net->dev.ops->kick(&w->net->dev, queue);
	pthread_mutex_unlock(&w->net->dev.lock);
	run(w);
}

static void offer(struct world *w, unsigned int queue, u64 addr, u32 len, u16 flags)
{
	u8 *base = w->mem.region[0].host_addr + RING(queue);
	u16 i = w->avail[queue]++ % SIZE;
	struct { u64 addr; u32 len; u16 flags, next; } desc = { addr, len, flags, (i + 1) % SIZE };

	memcpy(base + i * 16, &desc, 16);
	memcpy(base + AVAIL + 4 + i * 2, &i, 2);
	memcpy(base + AVAIL + 2, &w->avail[queue], 2);
	kick(w, queue);
}

static void start(struct world *w, u64 features)
{
	struct virtio_device *dev = &w->net->dev;

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
		MUST(!ring_start(ring, features & 1));
	}
	dev->features = features;
	dev->started = true;
	dev->needs_reset = false;
	dev->nr_told = ~0u;	/* not a word */
	pthread_mutex_lock(&dev->lock);
	dev->ops->start(dev);
	pthread_mutex_unlock(&dev->lock);
	run(w);
}

static void step(struct world *w, const struct step *s)
{
	struct virtio_device *dev = &w->net->dev;
	struct wire *wire = (struct wire *)w->net->backend;

	switch (s->what % NR_OPS) {
	case SEND:
		offer(w, TX, DATA + s->where, s->flags & 1 ? s->more : s->len % 2000, s->flags & 2);
		break;
	case GIVE:
		offer(w, RX, DATA + s->where, s->flags & 1 ? s->more : s->len % 2000, s->flags & 0x80 ? s->flags & 7 : 2);
		break;
	case COMES:
		if (!wire->held) {
			wire->held = s->flags & 1 ? s->more + 14 : s->len % 1500 + 14;
			run(w);
			MUST(write(wire->backend.fd, &(u64){ 1 }, 8) == 8);
			pthread_mutex_lock(&dev->lock);
			wire_resume(&wire->backend);
			pthread_mutex_unlock(&dev->lock);
			MUST(read(wire->backend.fd, &(u64){ 0 }, 8) == 8);
			MUST(!wire->held || w->net->starved);
		}
		break;
	case RAW:
		/* Anywhere, the rings included. */
		memcpy(w->mem.region[0].host_addr + (s->where | (s->more & 1) << 16) % (MEMORY - 8), &s->value, 8);
		kick(w, s->flags & 1);
		break;
	case RESTART:
		pthread_mutex_lock(&dev->lock);
		dev->ops->stop(dev);
		dev->started = false;
		pthread_mutex_unlock(&dev->lock);
		run(w);
		MUST(!wire->held);
		start(w, s->value);
		break;
	}
}

void fuzz_input(const uint8_t *data, size_t size)
{
	const struct net_options options = { .kind = NET_USER };
	struct world *w = calloc(1, sizeof(*w));
	struct vm_error err = { 0 };
	struct step s;

	w->mem.region[0] = (struct memory_region){ 0, MEMORY, aligned_alloc(4096, MEMORY) };
	w->mem.nr_regions = 1;
	memset(w->mem.region[0].host_addr, 0, MEMORY);
	w->net = net_create("net0", &options, &err);
	MUST(w->net);
	w->net->dev.transport = (struct virtio_transport){ nothing, nothing_new, w };
	start(w, size && *data & 0x80 ? 0 : BIT_ULL(15));
	while (size >= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		data += sizeof(s);
		size -= sizeof(s);
		step(w, &s);
	}
	net_destroy(w->net);
	free(w->mem.region[0].host_addr);
	free(w);
}
