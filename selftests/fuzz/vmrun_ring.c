// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's virtqueue against a driver that lies: the input is what it writes to its memory and what the device does, in any order. All
 * buffers must lie in the guest's memory, sums must be right, and a ring that is broken gives nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "virtio/ring.h"

#define REGION	0x1000	/* two of them, next to each other for the guest, not for us */
#define SIZE	16

enum { WRITE, WRITE_WORD, OFFER, POP, PUSH, WANTS, ENABLE, DISABLE, COPY, RESTART, NR_OPS };

struct step {
	u8 what, n;
	u16 where;
	u32 value;
};

struct world {
	struct memory mem;
	struct ring ring;
	struct ring_chain chain;
	bool have;	/* chain is one that was popped, of this start */
};

/* As the fuzzer likes it, but often enough something that starts. */
static void start(struct world *w, const struct step *s)
{
	ring_reset(&w->ring);
	MUST(w->ring.size == SIZE && !w->ring.started && !w->ring.broken);
	w->ring.size = s->n & 0x80 ? s->value : SIZE;
	w->ring.desc = s->n & 0x40 ? s->where : 0;
	w->ring.avail = s->n & 0x20 ? s->value : 0x200;
	w->ring.used = s->n & 0x10 ? s->value >> 16 : 0x300;
	w->have = false;
	if (ring_start(&w->ring, s->n & 1))
		MUST(!w->ring.started);
}

static void check_chain(const struct world *w)
{
	const struct ring_chain *c = &w->chain;
	u64 sum[2] = { 0, 0 };

	MUST(c->nr_out + c->nr_in <= RING_MAX_IOV && c->head < w->ring.size);
	for (unsigned int i = 0; i < c->nr_out + c->nr_in; i++) {
		const u8 *base = c->iov[i].iov_base;
		unsigned int r, inside = 0;

		MUST(c->iov[i].iov_len);
		for (r = 0; r < 2; r++)
			inside += base >= w->mem.region[r].host_addr &&
				  base + c->iov[i].iov_len <= w->mem.region[r].host_addr + REGION;
		MUST(inside == 1);
		sum[i >= c->nr_out] += c->iov[i].iov_len;
	}
	MUST(sum[0] == c->out_len && sum[1] == c->in_len && sum[0] + sum[1] <= UINT32_MAX);
}

static void copy(struct world *w, const struct step *s)
{
	u8 buf[256];
	size_t len = s->n, n;

	n = ring_copy_from(&w->chain, s->where, buf, len);
	MUST(n == (s->where >= w->chain.out_len ? 0 : min_u64(len, w->chain.out_len - s->where)));
	n = ring_copy_to(&w->chain, s->where, buf, len);
	MUST(n == (s->where >= w->chain.in_len ? 0 : min_u64(len, w->chain.in_len - s->where)));
}

static void guest_write(struct world *w, u64 addr, const void *data, size_t len)
{
	void *to = guest_buf(&w->mem, addr, len);

	if (to)
		memcpy(to, data, len);
}

static void step(struct world *w, const struct step *s, const uint8_t **data, size_t *size)
{
	u16 idx;
	int ret;

	switch (s->what % NR_OPS) {
	case WRITE:
		if (s->n > *size)
			break;
		guest_write(w, s->where % (2 * REGION), *data, s->n);
		*data += s->n;
		*size -= s->n;
		break;
	case WRITE_WORD:
		guest_write(w, s->where % (2 * REGION), &s->value, 1u << (s->n % 3));
		break;
	case OFFER:
		idx = s->where;
		guest_write(w, 0x202, &idx, sizeof(idx));
		break;
	case POP:
		ret = ring_pop(&w->ring, &w->chain);
		MUST(ret >= -1 && ret <= 1);
		MUST(ret == -1 || (w->ring.started && !w->ring.broken));
		w->have = ret == 1;
		if (w->have)
			check_chain(w);
		break;
	case PUSH:
		if (w->have)
			ring_push(&w->ring, &w->chain, s->value);
		w->have = false;
		break;
	case WANTS:
		if (ring_wants_interrupt(&w->ring))
			MUST(w->ring.started && !ring_wants_interrupt(&w->ring));
		break;
	case ENABLE:
		ring_enable_kicks(&w->ring);
		break;
	case DISABLE:
		ring_disable_kicks(&w->ring);
		break;
	case COPY:
		if (w->have)
			copy(w, s);
		break;
	case RESTART:
		start(w, s);
		break;
	}
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct step s = { 0 };
	struct world w = { 0 };
	unsigned int i;

	for (i = 0; i < 2; i++)
		w.mem.region[i] = (struct memory_region){
			.guest_addr = i * REGION, .size = REGION, .host_addr = aligned_alloc(64, REGION),
		};
	w.mem.nr_regions = 2;
	memset(w.mem.region[0].host_addr, 0, REGION);
	memset(w.mem.region[1].host_addr, 0, REGION);
	w.ring.mem = &w.mem;
	w.ring.max_size = SIZE;
	if (size)
		s.n = *data & 1;
	start(&w, &s);
	MUST(w.ring.started);
	while (fuzz_take(&data, &size, &s, sizeof(s)))
		step(&w, &s, &data, &size);
	free(w.mem.region[0].host_addr);
	free(w.mem.region[1].host_addr);
}
