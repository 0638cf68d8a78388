// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's vsock against a guest that lies: the input is packets for its transmit ring, buffers for its receive ring and what the
 * host's side does meanwhile. Whatever comes, credit and memory stay bounded and no descriptor is lost.
 */
#include "fuzz.h"
#include "sockets.h"
#include "tests/driver_queue.h"
#include "virtio/vsock_conn.h"

#define SIZE	16
#define DATA	0x4000
#define MEMORY	0x20000
#define NR_FDS	8

enum { RX, TX };
/* READ to SHUT are as in sockets.h. */
enum { PACKET, BUFFER, READ, WRITE, CLOSE, SHUT, CONNECT, RESTART, RAW, NR_OPS };

/* One step of 16 bytes. Ports and the like are few, so that packets meet connections. */
struct step {
	u8 what, op, port, flags;
	u16 len, claim;
	u32 buf_alloc, fwd_cnt;
};

struct world {
	struct driver driver;
	struct loop loop;
	struct vsock vsock;
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
	driver_run(&w->driver, &w->loop, 1000);
	check(w);
}

static void kick(struct world *w, unsigned int queue)
{
	driver_kick(&w->driver, queue);
	run(w);
}

static void offer(struct world *w, unsigned int queue, u32 len)
{
	u64 addr = DATA + (queue * SIZE + driver_next(&w->driver, queue)) * 0x800;

	driver_offer_buffer(&w->driver, queue, addr, len, queue == RX ? F_WRITE : 0);
	kick(w, queue);
}

static void packet(struct world *w, const struct step *s)
{
	u16 i = driver_next(&w->driver, TX);
	struct vsock_hdr hdr = {
		.src_cid = s->flags & 0x80 ? 9 : 3, .dst_cid = s->flags & 0x40 ? 9 : 2,
		.src_port = s->port & 3, .dst_port = s->port & 0x80 ? 0x40000000 + (s->port >> 2 & 3) : s->port >> 2 & 3,
		.len = s->flags & 0x20 ? s->claim : s->len % 0x700, .type = s->flags & 0x10 ? 2 : 1, .op = s->op % 10,
		.flags = s->flags & 3, .buf_alloc = s->buf_alloc, .fwd_cnt = s->fwd_cnt,
	};

	memcpy(w->driver.mem.region[0].host_addr + DATA + (SIZE + i) * 0x800, &hdr, sizeof(hdr));
	offer(w, TX, sizeof(hdr) + s->len % 0x700);
}

static void step(struct world *w, const struct step *s)
{
	int *fd = &w->fd[s->port % NR_FDS];

	switch (s->what % NR_OPS) {
	case PACKET:
		packet(w, s);
		break;
	case BUFFER:
		offer(w, RX, s->flags ? 0x800 : s->len % 0x800);
		break;
	case READ ... SHUT:
		socket_step(fd, s->what % NR_OPS - READ, s->len, s->flags);
		run(w);
		break;
	case CONNECT:
		vsock_connect(&w->vsock, s->port & 3, on_connected, w);
		run(w);
		break;
	case RESTART:
		driver_stop(&w->driver);
		driver_start(&w->driver, 2);
		run(w);
		break;
	case RAW:
		/* Anywhere, the rings included. */
		memcpy(w->driver.mem.region[0].host_addr + s->len % (MEMORY - 8), &s->buf_alloc, 8);
		kick(w, s->port & 1);
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
	MUST(!vsock_init(&w->vsock, "vsock0", &w->loop, 3, &err));
	w->vsock.dev.nr_told = UINT32_MAX / 2;	/* not a word */
	driver_init(&w->driver, &w->vsock.dev, SIZE);
	driver_start(&w->driver, 2);
	MUST(!vsock_listen(&w->vsock, 1, on_accept, w));
	while (fuzz_take(&data, &size, &s, sizeof(s)))
		step(w, &s);
	/* Before: it would wait for who still reads. */
	sockets_close(w->fd, NR_FDS);
	vsock_destroy(&w->vsock);
	loop_destroy(&w->loop);
	driver_memory_destroy(&w->driver);
	free(w);
	no_descriptor_is_lost();
}
