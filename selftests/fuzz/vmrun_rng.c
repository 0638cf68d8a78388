// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's entropy device against a driver that lies: the input is the buffers that it offers and what it writes to its rings. A
 * turn has an end, what comes back was offered, and a queue that is broken makes a device that asks for a reset.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define ASSERT(condition) MUST(condition)
#include "tests/driver_queue.h"
#include "virtio/rng.h"

#define SIZE	8
#define DATA	QUEUE_PAGE
#define MEMORY	0x20000

enum { OFFER, RAW, KICK, RESTART, NR_OPS };

struct step {
	u8 what, flags;
	u16 where;
	u32 len;
	u64 value;
};

static struct world {
	struct driver d;
	struct rng rng;
	bool raw;	/* the driver wrote into its ring */
} w;

/* The bus is not here. */
struct virtio_pci *virtio_pci_add(struct pci *pci, struct irq *irq, struct virtio_device *dev, struct vm_error *err)
{
	static char there;

	driver_init(&w.d, dev, SIZE);
	return (struct virtio_pci *)&there;
}

void virtio_pci_remove(struct virtio_pci *vpci)
{
}

static void kick(void)
{
	static struct loop none;

	driver_kick(&w.d, 0);
	driver_run(&w.d, &none, SIZE);
	MUST(!w.d.dev->queue[0].broken || w.d.dev->needs_reset);
	MUST(w.raw || (int16_t)(w.d.avail[0] - driver_used(&w.d, 0)) >= 0);
	MUST(w.raw || w.d.dev->needs_reset || w.d.avail[0] == driver_used(&w.d, 0));
}

static void start(bool event_idx)
{
	w.raw = false;
	w.d.event_idx = event_idx;
	w.d.dev->nr_told = ~0u;	/* not a word */
	driver_start(&w.d, 1);
}

static void step(const struct step *s)
{
	switch (s->what % NR_OPS) {
	case OFFER:
		driver_offer_buffer(&w.d, 0, s->flags & 1 ? s->value : DATA + s->where, s->flags & 2 ? s->len : s->len % 0x2000,
				    s->flags & 4 ? s->flags >> 3 : F_WRITE);
		if (s->flags & 0x80)
			kick();
		break;
	case RAW:
		w.raw = true;
		memcpy(driver_at(&w.d, s->where % (MEMORY - 8), 8), &s->value, 8);
		/* fall through */
	case KICK:
		kick();
		break;
	case RESTART:
		w.d.dev->started = false;
		start(s->flags & 1);
		break;
	}
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct vm_error err = { 0 };
	struct step s;

	memset(&w, 0, sizeof(w));
	driver_memory_create(&w.d, MEMORY);
	MUST(!rng_create(&w.rng, NULL, NULL, NULL, &err));
	start(size & 1);
	while (size >= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		data += sizeof(s);
		size -= sizeof(s);
		step(&s);
	}
	rng_destroy(&w.rng);
	driver_memory_destroy(&w.d);
}
