// SPDX-License-Identifier: GPL-2.0
/*
 * The balloon's queues. What is given back reads as zeroes until the guest touches it
 * again, which is all that a deflated page needs: so there is nothing to do for one.
 * Called by machine.c.
 */
#include <string.h>

#include "balloon.h"

/* Section 5.5.2. */
enum { QUEUE_INFLATE, QUEUE_DEFLATE, QUEUE_STATS, QUEUE_HINTS, QUEUE_REPORTS, NR_QUEUES };

#define F_DEFLATE_ON_OOM	BIT_ULL(2)
#define F_REPORTING		BIT_ULL(5)

#define QUEUE_SIZE	128
/* Of one request; drivers fill a page at most. Each may be a system call. */
#define MAX_PAGES	4096
/* Requests, before the loop looks at others. */
#define MAX_AT_ONCE	8

/* Section 5.5.4: what is behind these belongs to features that are not offered. */
struct config {
	u32 num_pages;
	u32 actual;
};

/* Neighbours that are given back by one call. */
struct run {
	u8 *start;
	u64 len;
};

static struct balloon *to_balloon(struct virtio_device *dev)
{
	return (struct balloon *)((u8 *)dev - offsetof(struct balloon, dev));
}

static void end_run(struct balloon *balloon, struct run *run)
{
	if (run->len)
		memory_give_back(balloon->mem, run->start, run->len);
	run->len = 0;
}

/* Drivers tell pages in either order. */
static void add_page(struct balloon *balloon, struct run *run, u8 *page)
{
	if (run->len && page == run->start + run->len) {
		run->len += BALLOON_PAGE;
	} else if (run->len && page + BALLOON_PAGE == run->start) {
		run->start = page;
		run->len += BALLOON_PAGE;
	} else {
		end_run(balloon, run);
		*run = (struct run){ page, BALLOON_PAGE };
	}
}

/* The page numbers in @chain are the guest's to give: 0; -1: one of them is not. */
static int inflate(struct balloon *balloon, const struct ring_chain *chain)
{
	struct run run = { NULL, 0 };
	size_t offset;
	u8 *page;
	u32 pfn;

	if (chain->out_len % sizeof(pfn) || chain->out_len > MAX_PAGES * sizeof(pfn))
		return -1;
	for (offset = 0; offset < chain->out_len; offset += sizeof(pfn)) {
		ring_copy_from(chain, offset, &pfn, sizeof(pfn));
		page = guest_buf(balloon->mem, (u64)pfn * BALLOON_PAGE, BALLOON_PAGE);
		if (!page)
			return -1;
		add_page(balloon, &run, page);
	}
	end_run(balloon, &run);
	return 0;
}

/* Free memory, as buffers that the device may write: whole pages of it. */
static void take_report(struct balloon *balloon, const struct ring_chain *chain)
{
	const struct iovec *in = chain->iov + chain->nr_out;
	unsigned int i;

	for (i = 0; i < chain->nr_in; i++) {
		u64 start = align_up((uintptr_t)in[i].iov_base, BALLOON_PAGE);
		u64 end = align_down((uintptr_t)in[i].iov_base + in[i].iov_len, BALLOON_PAGE);

		if (end > start)
			memory_give_back(balloon->mem, (void *)(uintptr_t)start, end - start);
	}
}

static int serve(struct balloon *balloon, unsigned int queue, const struct ring_chain *chain)
{
	switch (queue) {
	case QUEUE_INFLATE:
		return inflate(balloon, chain);
	case QUEUE_DEFLATE:
		return 0;
	default:
		/*
		 * Neither statistics nor hints are offered. Linux before 6.11 numbers the queues
		 * that there are without a gap, so its reports may come in any of these.
		 */
		take_report(balloon, chain);
		return 0;
	}
}

static void kick(struct virtio_device *dev, unsigned int queue)
{
	struct ring *ring = &dev->queue[queue];
	struct ring_chain chain;
	unsigned int n;
	int ret = 1;

	for (n = 0; n < MAX_AT_ONCE && (ret = ring_pop(ring, &chain)) > 0; n++) {
		if (serve(to_balloon(dev), queue, &chain)) {
			virtio_needs_reset(dev, "it gives up pages that it does not have");
			return;
		}
		ring_push(ring, &chain, 0);
	}
	virtio_signal(dev, queue);
	if (ret < 0)
		virtio_needs_reset(dev, "a queue is broken");
	else if (ret > 0)
		virtio_kick_again(dev, queue);
}

static void read_config(struct virtio_device *dev, u64 offset, u8 *data, unsigned int len)
{
	const struct balloon *balloon = to_balloon(dev);
	struct config config = { balloon->target, balloon->actual };

	memset(data, 0, len);
	if (offset < sizeof(config))
		memcpy(data, (u8 *)&config + offset, min_u64(len, sizeof(config) - offset));
}

/* The driver tells what it has given up; the rest is not its to write. */
static void write_config(struct virtio_device *dev, u64 offset, const u8 *data, unsigned int len)
{
	if (offset == offsetof(struct config, actual) && len == sizeof(u32))
		memcpy(&to_balloon(dev)->actual, data, sizeof(u32));
}

static void stop(struct virtio_device *dev)
{
	/* A driver that comes again begins with an empty balloon. */
	to_balloon(dev)->actual = 0;
}

static const struct virtio_device_ops balloon_ops = {
	.read_config = read_config,
	.write_config = write_config,
	.stop = stop,
	.kick = kick,
};

void balloon_init(struct balloon *balloon, struct memory *mem, struct loop *loop)
{
	static const u16 sizes[NR_QUEUES] = {
		QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE,
	};

	memset(balloon, 0, sizeof(*balloon));
	balloon->mem = mem;
	virtio_device_init(&balloon->dev, "balloon", VIRTIO_ID_BALLOON, &balloon_ops,
			   F_DEFLATE_ON_OOM | F_REPORTING, sizes, NR_QUEUES, loop);
}

int balloon_attach(struct balloon *balloon, struct pci *pci, struct irq *irq, struct vm_error *err)
{
	balloon->vpci = virtio_pci_add(pci, irq, &balloon->dev, err);
	return balloon->vpci ? 0 : -1;
}

void balloon_destroy(struct balloon *balloon)
{
	if (balloon->vpci)
		virtio_pci_remove(balloon->vpci);
	virtio_device_destroy(&balloon->dev);
}

void balloon_set_target(struct balloon *balloon, u64 bytes)
{
	pthread_mutex_lock(&balloon->dev.lock);
	balloon->target = min_u64(bytes / BALLOON_PAGE, UINT32_MAX);
	virtio_config_changed(&balloon->dev);
	pthread_mutex_unlock(&balloon->dev.lock);
}

u64 balloon_actual(struct balloon *balloon)
{
	u64 pages;

	pthread_mutex_lock(&balloon->dev.lock);
	pages = balloon->actual;
	pthread_mutex_unlock(&balloon->dev.lock);
	return pages * BALLOON_PAGE;
}
