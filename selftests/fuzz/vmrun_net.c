// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's network card against a driver that lies: the input is what the driver writes to its rings, frames it sends, buffers it
 * gives, and frames that come. Whatever it does, the backend gets frames of lengths that it was promised, and what comes is either
 * delivered, dropped or kept by the backend.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "fuzz.h"
#include "tests/driver_queue.h"
#include "virtio/net.h"

#define SIZE	16
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
	struct driver driver;
	struct net *net;
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

static void run(struct world *w)
{
	driver_run(&w->driver, &w->net->worker.loop, 100);
	MUST(w->net->nr_done <= RING_MAX_SIZE);
}

static void kick(struct world *w, unsigned int queue)
{
	driver_kick(&w->driver, queue);
	run(w);
}

static void offer(struct world *w, unsigned int queue, u64 addr, u32 len, u16 flags)
{
	driver_offer_buffer(&w->driver, queue, addr, len, flags);
	kick(w, queue);
}

static void start(struct world *w, u64 features)
{
	w->driver.event_idx = features & 1;
	w->net->dev.features = features;
	driver_start(&w->driver, 2);
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
		memcpy(w->driver.mem.region[0].host_addr + (s->where | (s->more & 1) << 16) % (MEMORY - 8), &s->value, 8);
		kick(w, s->flags & 1);
		break;
	case RESTART:
		driver_stop(&w->driver);
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

	driver_memory_create(&w->driver, MEMORY);
	w->net = net_create("net0", &options, &err);
	MUST(w->net);
	w->net->dev.nr_told = UINT32_MAX / 2;	/* not a word */
	driver_init(&w->driver, &w->net->dev, SIZE);
	start(w, size && *data & 0x80 ? 0 : BIT_ULL(15));
	while (fuzz_take(&data, &size, &s, sizeof(s)))
		step(w, &s);
	net_destroy(w->net);
	driver_memory_destroy(&w->driver);
	free(w);
}
