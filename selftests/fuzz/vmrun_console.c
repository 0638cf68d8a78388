// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's virtio console and channels against a driver that lies: the input is what it sends on its queues, control messages
 * among that, buffers that it gives, what visitors of a channel do meanwhile, and bytes written anywhere. Buffers stay
 * bounded, turns end, no descriptor is lost.
 */
#include <stdio.h>
#include <sys/un.h>

#include "fuzz.h"
#include "sockets.h"
#include "tests/driver_queue.h"
#include "virtio/console.h"

#define SIZE	16
#define DATA	0x8000
#define MEMORY	0x20000
#define NR_FDS	4

/* READ to SHUT are as in sockets.h. */
enum { SEND, CONTROL, GIVE, VISIT, READ, WRITE, CLOSE, SHUT, TYPE, ROOM, RAW, RESTART, NR_OPS };

/* One step of 12 bytes. */
struct step {
	u8 what, queue, which, flags;
	u16 len, where;
	u32 value;
};

struct world {
	struct driver driver;
	struct loop loop;
	struct vconsole vc;
	int fd[NR_FDS];
	char path[64];
	unsigned int room;
};

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

static void run(struct world *w)
{
	driver_run(&w->driver, &w->loop, 3000);
	check(w);
}

static void offer(struct world *w, unsigned int queue, u32 addr, u32 len, u16 flags)
{
	driver_offer_buffer(&w->driver, queue, addr, len, flags);
	driver_kick(&w->driver, queue);
	run(w);
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
		memcpy(w->driver.mem.region[0].host_addr + DATA, &control, 8);
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
	case READ ... SHUT:
		socket_step(fd, s->what % NR_OPS - READ, s->len, s->flags);
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
		memcpy(w->driver.mem.region[0].host_addr + s->where % (MEMORY - 8), &s->value, 4);
		pthread_mutex_lock(&dev->lock);
		dev->ops->read_config(dev, s->len, data, s->flags % 64);
		dev->ops->write_config(dev, s->len % 16, (const u8 *)&s->value, s->flags % 5);
		pthread_mutex_unlock(&dev->lock);
		driver_kick(&w->driver, queue);
		run(w);
		break;
	case RESTART:
		driver_stop(&w->driver);
		run(w);
		driver_start(&w->driver, dev->nr_queues);
		run(w);
		break;
	}
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));
	struct vm_error err = { 0 };
	struct step s;

	driver_memory_create(&w->driver, MEMORY);
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
	w->vc.dev.nr_told = UINT32_MAX / 2;	/* not a word */
	driver_init(&w->driver, &w->vc.dev, SIZE);
	driver_start(&w->driver, w->vc.dev.nr_queues);
	while (fuzz_take(&data, &size, &s, sizeof(s)))
		step(w, &s);
	vconsole_destroy(&w->vc);
	sockets_close(w->fd, NR_FDS);
	loop_destroy(&w->loop);
	driver_memory_destroy(&w->driver);
	free(w);
	no_descriptor_is_lost();
}
