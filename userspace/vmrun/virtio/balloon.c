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

#define F_STATS		BIT_ULL(1)
#define F_DEFLATE_ON_OOM	BIT_ULL(2)
#define F_REPORTING		BIT_ULL(5)

#define QUEUE_SIZE	128
/* Of one request; drivers fill a page at most. Each may be a system call. */
#define MAX_PAGES	4096
/* Requests, before the loop looks at others. */
#define MAX_AT_ONCE	8

/* Of one round of statistics; there are ten so far. */
#define MAX_STATS	64

/* Section 5.5.6.3. */
struct stat_entry {
	u16 tag;
	u64 value;
} __attribute__((packed));

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

/* The next page that @chain names, from @offset on; NULL: it is not the guest's. */
static u8 *named_page(struct balloon *balloon, const struct ring_chain *chain, size_t offset)
{
	u32 pfn = 0;

	ring_copy_from(chain, offset, &pfn, sizeof(pfn));
	return guest_buf(balloon->mem, (u64)pfn * BALLOON_PAGE, BALLOON_PAGE);
}

static bool names_pages(const struct ring_chain *chain)
{
	return !(chain->out_len % sizeof(u32)) && chain->out_len <= MAX_PAGES * sizeof(u32);
}

/* The page numbers in @chain are the guest's to give: 0; -1: one of them is not. */
static int inflate(struct balloon *balloon, const struct ring_chain *chain)
{
	struct run run = { NULL, 0 };
	size_t offset;
	u8 *page;

	if (!names_pages(chain))
		return -1;
	for (offset = 0; offset < chain->out_len; offset += sizeof(u32)) {
		page = named_page(balloon, chain, offset);
		if (!page)
			return -1;
		if (balloon->pages.given)
			balloon_pages_add(&balloon->pages, page);
		else
			add_page(balloon, &run, page);
	}
	end_run(balloon, &run);
	return 0;
}

/* What was given back is there again when the guest touches it; all there is to do is to know it. */
static int deflate(struct balloon *balloon, const struct ring_chain *chain)
{
	size_t offset;
	u8 *page;

	if (!balloon->pages.given)
		return 0;
	if (!names_pages(chain))
		return -1;
	for (offset = 0; offset < chain->out_len; offset += sizeof(u32)) {
		page = named_page(balloon, chain, offset);
		if (!page)
			return -1;
		balloon_pages_remove(&balloon->pages, page);
	}
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
			balloon->reported += memory_give_back(balloon->mem, (void *)(uintptr_t)start,
							      end - start);
	}
}

/*
 * The driver's one buffer is kept until somebody wants to know more (section 5.5.6.3).
 * What it says is read now, and unknown tags are passed over.
 */
static int take_stats(struct balloon *balloon, const struct ring_chain *chain)
{
	struct balloon_stats *stats = &balloon->stats;
	struct stat_entry stat;
	unsigned int i;

	if (balloon->stats_wait)
		return -1;
	for (i = 0; i < MAX_STATS; i++) {
		if (ring_copy_from(chain, i * sizeof(stat), &stat, sizeof(stat)) < sizeof(stat))
			break;
		if (stat.tag >= BALLOON_STATS)
			continue;
		stats->value[stat.tag] = stat.value;
		stats->known |= BIT(stat.tag);
	}
	stats->told++;
	balloon->stats_head = chain->head;
	balloon->stats_wait = true;
	return 0;
}

static int serve(struct balloon *balloon, unsigned int queue, const struct ring_chain *chain)
{
	switch (queue) {
	case QUEUE_INFLATE:
		return inflate(balloon, chain);
	case QUEUE_DEFLATE:
		return deflate(balloon, chain);
	case QUEUE_STATS:
		if (balloon->dev.features & F_STATS)
			return take_stats(balloon, chain);
		/* fall through */
	default:
		/*
		 * Hints are not offered, and statistics may not be wanted. Linux before 6.11 numbers
		 * the queues that there are without a gap, so its reports may come in any of these.
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
			virtio_needs_reset(dev, "it gives up pages that it does not have, or tells what nobody asked");
			return;
		}
		/* Statistics' buffer goes back when they are asked for. */
		if (queue != QUEUE_STATS || !to_balloon(dev)->stats_wait)
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
	struct balloon *balloon = to_balloon(dev);

	/* A driver that comes again begins with an empty balloon. */
	balloon->actual = 0;
	balloon_pages_clear(&balloon->pages);
	balloon->stats = (struct balloon_stats){ 0 };
	balloon->stats_wait = false;
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
	balloon_pages_init(&balloon->pages, mem);
	virtio_device_init(&balloon->dev, "balloon", VIRTIO_ID_BALLOON, &balloon_ops,
			   F_STATS | F_DEFLATE_ON_OOM | F_REPORTING, sizes, NR_QUEUES, loop);
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
	balloon_pages_destroy(&balloon->pages);
	virtio_device_destroy(&balloon->dev);
}

void balloon_set_target(struct balloon *balloon, u64 bytes)
{
	pthread_mutex_lock(&balloon->dev.lock);
	balloon->target = min_u64(bytes / BALLOON_PAGE, UINT32_MAX);
	virtio_config_changed(&balloon->dev);
	pthread_mutex_unlock(&balloon->dev.lock);
}

void balloon_look(struct balloon *balloon, struct balloon_view *view)
{
	struct virtio_device *dev = &balloon->dev;

	pthread_mutex_lock(&dev->lock);
	*view = (struct balloon_view){
		.driven = dev->started && !dev->needs_reset,
		.target = (u64)balloon->target * BALLOON_PAGE,
		.actual = (u64)balloon->actual * BALLOON_PAGE,
		.reported = balloon->reported, .stats = balloon->stats,
	};
	if (view->driven && balloon->stats_wait) {
		balloon->stats_wait = false;
		ring_push_all(&dev->queue[QUEUE_STATS],
			      &(struct ring_done){ balloon->stats_head, 0 }, 1);
		virtio_signal(dev, QUEUE_STATS);
	}
	pthread_mutex_unlock(&dev->lock);
}
