// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's virtio console and channels against a driver that lies: the input is what it sends on its queues, control messages
 * among that, buffers that it gives, what visitors of a channel do meanwhile, and bytes written anywhere. Buffers stay
 * bounded, turns end, no descriptor is lost.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "virtio/console.h"

#define SIZE	16
#define RING(q)	(0x1000ull * (q))
#define AVAIL	0x400
#define USED	0x800
#define DATA	0x8000
#define MEMORY	0x20000
#define QUEUES	8
#define NR_FDS	4

enum { SEND, CONTROL, GIVE, VISIT, READ, WRITE, CLOSE, SHUT, TYPE, ROOM, RAW, RESTART, NR_OPS };

/* One step of 12 bytes. */
struct step {
	u8 what, queue, which, flags;
	u16 len, where;
	u32 value;
};

struct world {
	struct memory mem;
	struct loop loop;
	struct vconsole vc;
	u16 avail[QUEUES];
	int fd[NR_FDS];
	char path[64];
	u64 again;
	unsigned int room;
};

static void on_interrupt(void *ctx, unsigned int queue)
{
	struct world *w = ctx;

	MUST(queue < w->vc.dev.nr_queues);
}

static void on_config(void *ctx)
{
	(void)ctx;
}

static void on_again(void *ctx, unsigned int queue)
{
	struct world *w = ctx;

	MUST(queue < w->vc.dev.nr_queues);
	w->again |= BIT_ULL(queue);
}

static unsigned int far_transmit(void *ctx, const u8 *data, unsigned int len)
{
	struct world *w = ctx;
	unsigned int n = min_u64(len, w->room);

	MUST(len && (data[0] | data[len - 1]) < 256);
	w->room -= n;
	return n;
}

static void far_ready(void *ctx)
{
	(void)ctx;
}

static const struct vconsole_ops far_end = { far_transmit, far_ready };

static void check(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->vc.nr_ports; i++) {
		const struct vconsole_port *p = &w->vc.port[i];

		MUST(p->in_count <= VCONSOLE_IN_SIZE && p->in_head < VCONSOLE_IN_SIZE && p->tell < 16);
		MUST(!p->tx_taken || p->tx_done <= p->tx.out_len);
	}
}

static void kick(struct world *w, unsigned int queue)
{
	/* As pci.c does it. */
	if (w->vc.dev.needs_reset || !w->vc.dev.queue[queue].started)
		return;
	pthread_mutex_lock(&w->vc.dev.lock);
	w->vc.dev.ops->kick(&w->vc.dev, queue);
	pthread_mutex_unlock(&w->vc.dev.lock);
}

static void run(struct world *w)
{
	unsigned int i, turns = 0;
	bool busy = true;

	while (busy) {
		MUST(++turns < 3000);
		busy = w->again;
		for (i = 0; i < QUEUES; i++) {
			if (!(w->again & BIT_ULL(i)))
				continue;
			w->again &= ~BIT_ULL(i);
			kick(w, i);
		}
		for (i = 0; i < w->loop.nr_watches; i++) {
			struct loop_watch *watch = &w->loop.watch[i];
			struct pollfd p = { .fd = watch->fd, .events = watch->events };

			if (!watch->fn || !watch->events || poll(&p, 1, 0) <= 0)
				continue;
			watch->fn(watch->ctx, p.revents);
			busy = true;
		}
	}
	check(w);
}

static void offer(struct world *w, unsigned int queue, u32 addr, u32 len, u16 flags)
{
	u8 *base = w->mem.region[0].host_addr + RING(queue);
	u16 i = w->avail[queue]++ % SIZE;
	struct { u64 addr; u32 len; u16 flags, next; } desc = { addr, len, flags, (i + 1) % SIZE };

	memcpy(base + i * 16, &desc, 16);
	memcpy(base + AVAIL + 4 + i * 2, &i, 2);
	memcpy(base + AVAIL + 2, &w->avail[queue], 2);
	kick(w, queue);
	run(w);
}

static void start(struct world *w)
{
	struct virtio_device *dev = &w->vc.dev;
	unsigned int q;

	for (q = 0; q < dev->nr_queues; q++) {
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
	dev->ops->start(dev);
}

static int visit(const struct world *w)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, w->path);
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	close(fd);
	return -1;
}

static void step(struct world *w, const struct step *s)
{
	static u8 data[65536];
	struct virtio_device *dev = &w->vc.dev;
	unsigned int queue = s->queue % dev->nr_queues;
	int *fd = &w->fd[s->which % NR_FDS];
	struct { u32 id; u16 event, value; } control = { s->value % 4, s->which % 9, s->flags & 1 };

	switch (s->what % NR_OPS) {
	case SEND:
		offer(w, queue | 1, DATA + s->where, s->flags & 0x40 ? s->value : s->len, s->flags & 7);
		break;
	case CONTROL:
		memcpy(w->mem.region[0].host_addr + DATA, &control, 8);
		offer(w, dev->nr_queues > 2 ? 3 : 1, DATA, 8, 0);
		break;
	case GIVE:
		offer(w, queue & ~1u, DATA + s->where, s->len, s->flags & 0x40 ? s->flags & 7 : 2);
		break;
	case VISIT:
		if (*fd < 0)
			*fd = visit(w);
		run(w);
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
	case TYPE:
		if (w->vc.ops)
			vconsole_receive(&w->vc, data, min_u64(s->len, vconsole_room(&w->vc)));
		else
			vconsole_resize(&w->vc, s->len, s->where);
		run(w);
		break;
	case ROOM:
		w->room = s->value % 100000;
		vconsole_transmit_ready(&w->vc);
		run(w);
		break;
	case RAW:
		/* Anywhere, the rings included; the configuration too. */
		memcpy(w->mem.region[0].host_addr + s->where % (MEMORY - 8), &s->value, 4);
		pthread_mutex_lock(&dev->lock);
		dev->ops->read_config(dev, s->len, data, s->flags % 64);
		dev->ops->write_config(dev, s->len % 16, (const u8 *)&s->value, s->flags % 5);
		pthread_mutex_unlock(&dev->lock);
		kick(w, queue);
		run(w);
		break;
	case RESTART:
		pthread_mutex_lock(&dev->lock);
		dev->started = false;
		dev->ops->stop(dev);
		pthread_mutex_unlock(&dev->lock);
		run(w);
		start(w);
		run(w);
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
	snprintf(w->path, sizeof(w->path), "/tmp/fuzz_vmrun_console.%d", getpid());
	unlink(w->path);
	if (size && *data & 0x80) {
		MUST(!vconsole_init(&w->vc, &w->loop, &far_end, w, &err));
		w->vc.quiet_ms = *data & 1;
		w->room = 100000;
	} else {
		vconsole_init_channels(&w->vc, &w->loop);
		MUST(!vconsole_add_channel(&w->vc, "socket", w->path, false, &err));
		MUST(!vconsole_add_channel(&w->vc, "file", "/dev/null", true, &err));
	}
	w->vc.dev.transport = (struct virtio_transport){ on_interrupt, on_config, w, on_again };
	start(w);
	while (size >= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		data += sizeof(s);
		size -= sizeof(s);
		step(w, &s);
	}
	vconsole_destroy(&w->vc);
	for (i = 0; i < NR_FDS; i++)
		if (w->fd[i] >= 0)
			close(w->fd[i]);
	loop_destroy(&w->loop);
	free(w->mem.region[0].host_addr);
	free(w);
	/* Standard input, output and error, and libFuzzer's; a leak would grow. */
	i = dup(0);
	MUST(i < 16);
	close(i);
}
