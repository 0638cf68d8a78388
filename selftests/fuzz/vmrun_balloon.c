// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's balloon against a driver that lies: the input is what the driver names to give up or take back, reports as free, tells
 * of itself, writes to its rings and to the configuration. Only the guest's memory is given back, by whole pages; where the host's
 * are larger than the guest's, one goes when all that is in it is in the balloon; and a turn has an end.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz.h"

#define ASSERT(condition) MUST(condition)
#include "tests/driver_queue.h"
#include "virtio/balloon.h"

#define QUEUES	5
#define SIZE	16
#define DATA	0x8000
#define MAX_PFNS	1024
#define ROOM	0x10000		/* rings and data; what is above is only given back */
#define LOW	MIB(4)
#define HIGH	MIB(2)
#define BIG	MIB(2)		/* a page of the host's, where they are large */

enum { INFLATE, OTHERS = 2 };
enum { PAGES, STATS, REPORT, RAW, CONFIG, ASK, RESTART, NR_OPS };

struct step {
	u8 what, queue, flags, cut;
	u16 count, stride;
	u64 value, more;
};

static struct world {
	struct driver d;
	struct balloon balloon;
	unsigned int queue;	/* that is served */
	bool raw;		/* the driver wrote into its rings: what they count means nothing */
} w;

/* Not the guest's business here. */
struct virtio_pci *virtio_pci_add(struct pci *pci, struct irq *irq, struct virtio_device *dev, struct vm_error *err)
{
	abort();
}

void virtio_pci_remove(struct virtio_pci *vpci)
{
	abort();
}

static bool is_given(u64 page)
{
	return w.balloon.pages.given[page / 64] >> page % 64 & 1;
}

/* In the place of the system call. */
int madvise(void *start, size_t len, int advice)
{
	const struct memory *mem = &w.d.mem;
	u64 size = memory_page(mem), offset = (u8 *)start - mem->region[0].host_addr, i;

	MUST(advice == (mem->kind == MEMORY_PRIVATE ? MADV_DONTNEED : MADV_REMOVE));
	MUST((u8 *)start >= mem->region[0].host_addr && len && offset + len <= LOW + HIGH);
	MUST(!(offset % size) && !(len % size));
	MUST(w.queue == INFLATE || w.queue >= OTHERS);
	for (i = 0; size == BIG && w.queue == INFLATE && i < len; i += BALLOON_PAGE)
		MUST(is_given((offset + i) / BALLOON_PAGE));
	return 0;
}

static void check(void)
{
	const struct balloon_pages *pages = &w.balloon.pages;
	unsigned int i, counted;
	u64 page;

	for (i = 0; i < QUEUES && !w.raw; i++)
		MUST((int16_t)(w.d.avail[i] - driver_used(&w.d, i)) >= 0);
	MUST(!(w.balloon.stats.known >> BALLOON_STATS));
	for (i = 0; pages->given && i < (LOW + HIGH) / BIG; i++) {
		for (page = i * (BIG / BALLOON_PAGE), counted = 0; page < (i + 1) * (BIG / BALLOON_PAGE); page++)
			counted += is_given(page);
		MUST(counted == pages->count[i]);
	}
}

static void kick(unsigned int queue)
{
	static struct loop none;

	w.queue = queue;
	driver_kick(&w.d, queue);
	driver_run(&w.d, &none, SIZE);
	check();
}

/* One buffer, or two where @cut is not 0: its first @cut bytes, then the rest. */
static void offer(unsigned int queue, u64 addr, u32 len, u32 cut, bool in)
{
	u16 flags = in ? F_WRITE : 0, i = driver_next(&w.d, queue) % (SIZE - 1);
	struct desc desc[] = { { addr, len, flags, i + 1 }, { addr + cut, len - cut, flags, 0 } };
	bool is_cut = cut && cut < len;

	if (is_cut) {
		desc[0].len = cut;
		desc[0].flags |= F_NEXT;
	}
	driver_offer(&w.d, queue, i, desc, 1 + is_cut);
	kick(queue);
}

static void start(u64 features)
{
	struct virtio_device *dev = &w.balloon.dev;

	w.raw = false;
	dev->features = features & dev->offered;
	dev->nr_told = ~0u;	/* not a word */
	w.d.event_idx = features & VIRTIO_F_EVENT_IDX;
	driver_start(&w.d, QUEUES);
}

/* Names pages one after the other, or with gaps, or from the last to the first. */
static void name_pages(const struct step *s)
{
	static u32 pfn[MAX_PFNS];
	unsigned int n = s->count % (MAX_PFNS + 1), i;

	for (i = 0; i < n; i++)
		pfn[i] = (s->flags & 1 ? (u32)s->value : s->value % ((LOW + HIGH) / BALLOON_PAGE)) +
			 i * (s->flags & 2 ? (int16_t)s->stride : s->flags & 4 ? -1 : 1);
	/* Beyond 4 GiB. */
	for (i = 0; i < n && s->flags & 8; i++)
		pfn[i] |= GIB(4) / BALLOON_PAGE;
	memcpy(driver_at(&w.d, DATA, sizeof(pfn)), pfn, n * sizeof(*pfn));
	offer(s->queue % QUEUES, DATA, n * sizeof(*pfn) + (s->flags & 16 ? s->more & 3 : 0), s->cut, s->flags & 32);
}

static void tell_stats(const struct step *s)
{
	u8 entry[10];
	unsigned int i, n = s->count % 80;

	for (i = 0; i < n; i++) {
		u16 tag = s->flags & 1 ? s->stride : i + s->stride % 16;

		memcpy(entry, &tag, 2);
		memcpy(entry + 2, &s->value, 8);
		memcpy(driver_at(&w.d, DATA + i * 10, 10), entry, 10);
	}
	offer(2, DATA, n * 10 + (s->flags & 2 ? s->more % 10 : 0), s->cut, s->flags & 4);
}

static void write_config(const struct step *s)
{
	struct virtio_device *dev = &w.balloon.dev;
	unsigned int len = s->count % 9;
	u64 offset = s->flags & 1 ? s->more : s->more % 16;
	u8 data[8], same[8];

	memcpy(data, &s->value, 8);
	memcpy(same, &s->value, 8);
	if (s->flags & 2)
		dev->ops->write_config(dev, offset, data, len);
	dev->ops->read_config(dev, offset, data, len);
	MUST(!memcmp(data + len, same + len, 8 - len));
}

static void step(const struct step *s)
{
	struct virtio_device *dev = &w.balloon.dev;
	struct balloon_view view;
	u64 addr;

	switch (s->what % NR_OPS) {
	case PAGES:
		name_pages(s);
		break;
	case STATS:
		tell_stats(s);
		break;
	case REPORT:
		addr = s->flags & 4 ? GIB(4) + s->value % HIGH : s->value % LOW;
		offer(s->queue % QUEUES, s->flags & 1 ? s->value : addr, s->flags & 8 ? s->more : s->more % LOW, s->cut << 12,
		      !(s->flags & 2));
		break;
	case RAW:
		w.raw = true;
		memcpy(driver_at(&w.d, s->value % (QUEUES * QUEUE_PAGE - 8), 8), &s->more, 8);
		kick(s->queue % QUEUES);
		break;
	case CONFIG:
		write_config(s);
		break;
	case ASK:
		if (s->flags & 1)
			balloon_set_target(&w.balloon, s->value);
		balloon_look(&w.balloon, &view);
		MUST(view.driven == !dev->needs_reset);
		MUST(!view.driven || !w.balloon.stats_wait);
		check();
		break;
	case RESTART:
		driver_stop(&w.d);
		start(s->value);
		balloon_look(&w.balloon, &view);
		MUST(!view.actual && !view.stats.told && !view.stats.known);
		check();
		break;
	}
}

void fuzz_input(const uint8_t *data, size_t size)
{
	u8 *memory = w.d.mem.region[0].host_addr;
	struct step s;

	if (!memory)
		memory = aligned_alloc(BIG, LOW + HIGH);
	memset(&w, 0, sizeof(w));
	memset(memory, 0, ROOM);
	w.d.mem.region[0] = (struct memory_region){ 0, LOW, memory };
	w.d.mem.region[1] = (struct memory_region){ GIB(4), HIGH, memory + LOW };
	w.d.mem.nr_regions = 2;
	w.d.mem.kind = size && *data & 0x80 ? MEMORY_HUGE_2M : MEMORY_PRIVATE;
	balloon_init(&w.balloon, &w.d.mem, NULL);
	driver_init(&w.d, &w.balloon.dev, SIZE);
	start(~0ull);
	while (size >= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		data += sizeof(s);
		size -= sizeof(s);
		step(&s);
	}
	balloon_destroy(&w.balloon);
}
