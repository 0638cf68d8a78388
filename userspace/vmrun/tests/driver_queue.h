/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver of a virtio device, as a test or a fuzz target plays it: its memory, its side of
 * the split virtqueues (virtio specification 1.2, section 2.7), and what the device asked of its
 * transport. What is offered, and what is made of the answers, is the test's own.
 *
 * For test_{balloon,blk,console,net,virtio_fs}.c, vsock_guest.h and selftests/fuzz/vmrun_{console,
 * net,vsock}.c. Each includes ktap.h or fuzz.h before: ASSERT() is theirs. Errors end the test.
 */
#ifndef VMRUN_TESTS_DRIVER_QUEUE_H
#define VMRUN_TESTS_DRIVER_QUEUE_H

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "../virtio/device.h"

/* The rings of queue n lie in page n of the memory: descriptors, then these two. */
#define QUEUE_PAGE	0x1000ull
#define QUEUE_AVAIL	0x800
#define QUEUE_USED	0xa00
#define QUEUE_MAX_SIZE	128

#define F_NEXT		1
#define F_WRITE		2
#define F_INDIRECT	4

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct used_elem {
	u32 id, len;
};

struct driver {
	struct memory mem;
	struct virtio_device *dev;
	u16 size;		/* of each queue */
	bool event_idx;		/* agreed on, from the next start on */
	u16 avail[VIRTIO_MAX_QUEUES];	/* chains that were offered */
	u16 seen[VIRTIO_MAX_QUEUES];	/* used ones that were looked at */

	/* How often the device called; that it needs a reset is a change of configuration too. */
	unsigned int interrupts, config_changes, nr_again;
	u64 again;		/* queues to be kicked once more */
};

/* Zeroes from the heap, where the sanitizer sees who goes past their end. */
static inline void driver_memory_create(struct driver *d, u64 size)
{
	d->mem.region[0] = (struct memory_region){ .size = size, .host_addr = calloc(1, size) };
	d->mem.nr_regions = 1;
	ASSERT(d->mem.region[0].host_addr);
}

static inline void driver_memory_destroy(struct driver *d)
{
	free(d->mem.region[0].host_addr);
}

static inline void *driver_at(struct driver *d, u64 addr, u64 len)
{
	void *p = guest_buf(&d->mem, addr, len);

	ASSERT(p);
	return p;
}

/* ---- the transport ---- */

static inline void driver_on_interrupt(void *ctx, unsigned int queue)
{
	struct driver *d = ctx;

	ASSERT(queue < d->dev->nr_queues && d->dev->queue[queue].started);
	d->interrupts++;
}

static inline void driver_on_config(void *ctx)
{
	((struct driver *)ctx)->config_changes++;
}

static inline void driver_on_again(void *ctx, unsigned int queue)
{
	struct driver *d = ctx;

	ASSERT(queue < d->dev->nr_queues && d->dev->queue[queue].started);
	d->nr_again++;
	d->again |= BIT_ULL(queue);
}

/* The driver of @dev; its memory is there, or comes before the start. Queues get @size entries. */
static inline void driver_init(struct driver *d, struct virtio_device *dev, u16 size)
{
	ASSERT(size <= QUEUE_MAX_SIZE);
	d->dev = dev;
	d->size = size;
	dev->transport = (struct virtio_transport){
		.interrupt = driver_on_interrupt, .config_changed = driver_on_config,
		.kick = driver_on_again, .ctx = d,
	};
}

/* ---- the device's life, as pci.c has it ---- */

/* Sets up the first @nr_queues anew, and is ready. dev->features has what was agreed on. */
static inline void driver_start(struct driver *d, unsigned int nr_queues)
{
	struct virtio_device *dev = d->dev;
	unsigned int q;

	pthread_mutex_lock(&dev->lock);
	for (q = 0; q < nr_queues; q++) {
		struct ring *ring = &dev->queue[q];

		memset(driver_at(d, q * QUEUE_PAGE, QUEUE_PAGE), 0, QUEUE_PAGE);
		d->avail[q] = 0;
		d->seen[q] = 0;
		ring_reset(ring);
		ring->mem = &d->mem;
		ring->size = d->size;
		ring->desc = q * QUEUE_PAGE;
		ring->avail = q * QUEUE_PAGE + QUEUE_AVAIL;
		ring->used = q * QUEUE_PAGE + QUEUE_USED;
		ASSERT(!ring_start(ring, d->event_idx));
	}
	dev->needs_reset = false;
	dev->started = true;
	if (dev->ops->start)
		dev->ops->start(dev);
	pthread_mutex_unlock(&dev->lock);
}

static inline void driver_stop(struct driver *d)
{
	struct virtio_device *dev = d->dev;
	unsigned int q;

	pthread_mutex_lock(&dev->lock);
	dev->started = false;
	dev->ops->stop(dev);
	dev->needs_reset = false;
	for (q = 0; q < dev->nr_queues; q++)
		ring_reset(&dev->queue[q]);
	pthread_mutex_unlock(&dev->lock);
}

/* Kicks that a device which stands still would not get are dropped. */
static inline void driver_kick(struct driver *d, unsigned int q)
{
	struct virtio_device *dev = d->dev;

	pthread_mutex_lock(&dev->lock);
	if (dev->started && !dev->needs_reset && dev->queue[q].started)
		dev->ops->kick(dev, q);
	pthread_mutex_unlock(&dev->lock);
}

/* What the thread of @loop does until nothing is left to do, which takes fewer than @most turns. */
static inline void driver_run(struct driver *d, struct loop *loop, unsigned int most)
{
	unsigned int i, turns = 0;
	bool busy = true;

	while (busy) {
		ASSERT(++turns < most);
		busy = d->again;
		for (i = 0; i < VIRTIO_MAX_QUEUES; i++) {
			if (!(d->again & BIT_ULL(i)))
				continue;
			d->again &= ~BIT_ULL(i);
			driver_kick(d, i);
		}
		for (i = 0; i < loop->nr_watches; i++) {
			struct loop_watch *w = &loop->watch[i];
			struct pollfd p = { .fd = w->fd, .events = w->events };

			if (!w->fn || !w->events || poll(&p, 1, 0) <= 0)
				continue;
			w->fn(w->ctx, p.revents);
			busy = true;
		}
	}
}

/* ---- a queue ---- */

static inline struct desc *driver_desc(struct driver *d, unsigned int q, u16 i)
{
	return driver_at(d, q * QUEUE_PAGE + i * sizeof(struct desc), sizeof(struct desc));
}

/* The descriptor that the next single buffer takes: they go round. */
static inline u16 driver_next(const struct driver *d, unsigned int q)
{
	return d->avail[q] % d->size;
}

/* Writes @nr descriptors from the one at @head on, and offers the chain that begins there. */
static inline void driver_offer(struct driver *d, unsigned int q, u16 head,
				const struct desc *desc, unsigned int nr)
{
	u64 ring = q * QUEUE_PAGE + QUEUE_AVAIL;

	ASSERT(head + nr <= d->size);
	memcpy(driver_desc(d, q, head), desc, nr * sizeof(*desc));
	*(u16 *)driver_at(d, ring + 4 + driver_next(d, q) * 2, 2) = head;
	__atomic_store_n((u16 *)driver_at(d, ring + 2, 2), ++d->avail[q], __ATOMIC_RELEASE);
}

/* A single buffer; with F_NEXT the chain goes on with what the next descriptor held before. */
static inline void driver_offer_buffer(struct driver *d, unsigned int q, u64 addr, u32 len,
				       u16 flags)
{
	u16 i = driver_next(d, q);
	struct desc desc = { addr, len, flags, (i + 1) % d->size };

	driver_offer(d, q, i, &desc, 1);
}

/* How many chains came back since the start. */
static inline u16 driver_used(struct driver *d, unsigned int q)
{
	u64 ring = q * QUEUE_PAGE + QUEUE_USED;

	return __atomic_load_n((u16 *)driver_at(d, ring + 2, 2), __ATOMIC_ACQUIRE);
}

/* The @n-th of them. */
static inline struct used_elem driver_used_elem(struct driver *d, unsigned int q, u16 n)
{
	return *(struct used_elem *)driver_at(d, q * QUEUE_PAGE + QUEUE_USED + 4 + n % d->size * 8, 8);
}

/* The next that was not looked at yet; false: there is none. */
static inline bool driver_take(struct driver *d, unsigned int q, struct used_elem *elem)
{
	if (d->seen[q] == driver_used(d, q))
		return false;
	*elem = driver_used_elem(d, q, d->seen[q]++);
	return true;
}

#endif
