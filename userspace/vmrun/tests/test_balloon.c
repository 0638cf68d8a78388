// SPDX-License-Identifier: GPL-2.0
/*
 * The balloon against a driver that this file plays: exactly the pages that it names, or
 * reports as free, are given back, and none that are not the guest's.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../virtio/balloon.h"
#include "ktap.h"

#define SIZE	16		/* of the queues, as this driver sets them up */
#define RING	0x1000		/* of queue n: RING * n */
#define AVAIL	0x400
#define USED	0x800
#define TABLE	0x8000
#define NUMBERS	0x9000
#define MEMORY	MIB(16)
#define PAGES	(MEMORY / BALLOON_PAGE)
#define FIRST	0x100		/* pages from here on are filled */

#define F_NEXT	1
#define F_WRITE	2

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct guest {
	struct memory mem;
	struct loop loop;
	struct balloon balloon;
	u16 avail[5];
	unsigned int interrupts, config_changes, kicks_again;
};

static void *at(struct guest *g, u64 addr, u64 len)
{
	void *p = guest_buf(&g->mem, addr, len);

	ASSERT(p);
	return p;
}

static void on_interrupt(void *ctx, unsigned int queue)
{
	(void)queue;
	((struct guest *)ctx)->interrupts++;
}

static void on_config(void *ctx)
{
	((struct guest *)ctx)->config_changes++;
}

static void on_kick_again(void *ctx, unsigned int queue)
{
	(void)queue;
	((struct guest *)ctx)->kicks_again++;
}

static struct guest *make_of(enum memory_kind kind)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct vm_error err = { 0 };
	unsigned int q, i;

	ASSERT_EQ(memory_create_as(&g->mem, MEMORY, kind, "test", &err), 0);
	balloon_init(&g->balloon, &g->mem, &g->loop);
	g->balloon.dev.transport = (struct virtio_transport){
		.interrupt = on_interrupt, .config_changed = on_config, .kick = on_kick_again, .ctx = g,
	};
	for (q = 0; q < 5; q++) {
		struct ring *ring = &g->balloon.dev.queue[q];

		ring->mem = &g->mem;
		ring->size = SIZE;
		ring->desc = RING * q;
		ring->avail = RING * q + AVAIL;
		ring->used = RING * q + USED;
		ASSERT_EQ(ring_start(ring, false), 0);
	}
	memset(at(g, 0, FIRST * BALLOON_PAGE), 0, FIRST * BALLOON_PAGE);
	for (i = FIRST; i < PAGES; i++)
		memset(at(g, i * BALLOON_PAGE, BALLOON_PAGE), 0xaa, BALLOON_PAGE);
	g->balloon.dev.started = true;
	return g;
}

static struct guest *make(void)
{
	return make_of(MEMORY_PRIVATE);
}

static void destroy(struct guest *g)
{
	balloon_destroy(&g->balloon);
	memory_destroy(&g->mem);
	free(g);
}

static void offer(struct guest *g, unsigned int q, const struct desc *desc, unsigned int nr)
{
	memcpy(at(g, RING * q, nr * sizeof(*desc)), desc, nr * sizeof(*desc));
	*(u16 *)at(g, RING * q + AVAIL + 4 + g->avail[q] % SIZE * 2, 2) = 0;
	*(u16 *)at(g, RING * q + AVAIL + 2, 2) = ++g->avail[q];
}

static void kick(struct guest *g, unsigned int q)
{
	g->balloon.dev.ops->kick(&g->balloon.dev, q);
}

static u16 used(struct guest *g, unsigned int q)
{
	return *(u16 *)at(g, RING * q + USED + 2, 2);
}

/* Says page numbers to queue @q, cut in the middle of one. */
static void tell(struct guest *g, unsigned int q, const u32 *pfn, unsigned int nr)
{
	struct desc desc[] = {
		{ NUMBERS, 6, F_NEXT, 1 }, { NUMBERS + 6, nr * 4 - 6, 0, 0 },
	};

	memcpy(at(g, NUMBERS, nr * 4), pfn, nr * 4);
	offer(g, q, desc, 2);
	kick(g, q);
}

static bool is_there(struct guest *g, u32 page)
{
	u8 *data = at(g, (u64)page * BALLOON_PAGE, BALLOON_PAGE);
	unsigned int i, filled = 0;

	for (i = 0; i < BALLOON_PAGE; i++)
		filled += data[i] == 0xaa;
	EXPECT(!filled || filled == BALLOON_PAGE);
	return filled;
}

static unsigned int count_there(struct guest *g)
{
	unsigned int i, n = 0;

	for (i = FIRST; i < PAGES; i++)
		n += is_there(g, i);
	return n;
}

static u64 actual(struct guest *g)
{
	struct balloon_view view;

	balloon_look(&g->balloon, &view);
	return view.actual;
}

static void inflate(enum memory_kind kind)
{
	static const u32 pages[] = { 0x200, 0x201, 0x202, 0x310, 0x30f, 0x30e, 0x400, PAGES - 1 };
	struct guest *g = make_of(kind);
	unsigned int i;

	tell(g, 0, pages, COUNT(pages));
	EXPECT_EQ(used(g, 0), 1);
	EXPECT_EQ(g->interrupts, 1);
	for (i = 0; i < COUNT(pages); i++)
		EXPECT(!is_there(g, pages[i]));
	EXPECT_EQ(count_there(g), PAGES - FIRST - COUNT(pages));
	/* Deflated, they are simply used again. */
	tell(g, 1, pages, COUNT(pages));
	EXPECT_EQ(used(g, 1), 1);
	EXPECT_EQ(count_there(g), PAGES - FIRST - COUNT(pages));
	EXPECT_EQ(g->config_changes, 0);
	destroy(g);
}

static void inflated_pages_go(void)
{
	inflate(MEMORY_PRIVATE);
	inflate(MEMORY_FILE);
}

static u64 blocks(struct guest *g)
{
	struct stat stat;

	ASSERT_EQ(fstat(g->mem.fd, &stat), 0);
	return stat.st_blocks * 512ull;
}

/* From a file pages go for everybody, not from vmrun's view alone. */
static void a_file_shrinks(void)
{
	struct guest *g = make_of(MEMORY_FILE);
	u64 before = blocks(g);
	struct balloon_view view;
	struct desc desc = { 0x200 * BALLOON_PAGE, MIB(2), F_WRITE, 0 };

	offer(g, 4, &desc, 1);
	kick(g, 4);
	EXPECT_EQ(blocks(g), before - MIB(2));
	balloon_look(&g->balloon, &view);
	EXPECT_EQ(view.reported, MIB(2));
	destroy(g);
}

static void tell_range(struct guest *g, unsigned int q, u32 first, u32 nr)
{
	u32 pfn[64];
	unsigned int i, n;

	for (; nr; nr -= n, first += n) {
		n = nr < COUNT(pfn) ? nr : COUNT(pfn);
		for (i = 0; i < n; i++)
			pfn[i] = first + i;
		tell(g, q, pfn, n);
	}
}

/* Where the host's pages are of 2 MiB, one goes when all that is in it has gone, once. */
static void larger_pages_go_when_they_are_whole(void)
{
	static const u32 twice[] = { 0x400, 0x401 };
	struct guest *g = make_of(MEMORY_FILE);
	u64 before = blocks(g);

	/* There are none here to be had: what counts is what is asked of the host. */
	balloon_pages_destroy(&g->balloon.pages);
	g->mem.kind = MEMORY_HUGE_2M;
	balloon_pages_init(&g->balloon.pages, &g->mem);
	tell_range(g, 0, 0x401, 0x1ff);
	tell_range(g, 0, 0x600, 0x1ff);
	EXPECT_EQ(blocks(g), before);
	tell(g, 0, twice, 2);
	EXPECT_EQ(blocks(g), before - MIB(2));
	EXPECT(!is_there(g, 0x400) && !is_there(g, 0x5ff));
	EXPECT(is_there(g, 0x3ff) && is_there(g, 0x600));
	/*
	 * To look at two of its pages brought them back. Half of it leaves the balloon, and
	 * what never was in it does too.
	 */
	tell_range(g, 1, 0x400, 0x100);
	tell_range(g, 1, 0x800, 0x100);
	memset(at(g, 0x400 * BALLOON_PAGE, BALLOON_PAGE), 1, BALLOON_PAGE);
	before = blocks(g);
	tell_range(g, 0, 0x401, 0xff);
	EXPECT_EQ(blocks(g), before);
	tell(g, 0, twice, 2);
	EXPECT_EQ(blocks(g), before - 2 * BALLOON_PAGE);
	g->balloon.dev.ops->stop(&g->balloon.dev);
	tell_range(g, 0, 0x7fe, 2);
	EXPECT_EQ(blocks(g), before - 2 * BALLOON_PAGE);
	EXPECT(!g->balloon.dev.needs_reset);
	tell_range(g, 1, PAGES, 2);
	EXPECT(g->balloon.dev.needs_reset);
	g->mem.kind = MEMORY_FILE;
	destroy(g);
}

struct told {
	u16 tag;
	u64 value;
} __attribute__((packed));

static void offer_stats(struct guest *g, const struct told *stats, unsigned int nr)
{
	struct desc desc[] = {
		{ NUMBERS, 7, F_NEXT, 1 }, { NUMBERS + 7, nr * sizeof(*stats) - 7, 0, 0 },
	};

	memcpy(at(g, NUMBERS, nr * sizeof(*stats)), stats, nr * sizeof(*stats));
	offer(g, 2, desc, 2);
	kick(g, 2);
}

/* The buffer stays with the device until somebody asks, and then comes back. */
static void statistics(void)
{
	static const struct told first[] = { { 4, MIB(5) }, { 0xffff, 1 }, { 6, MIB(7) } };
	static const struct told second[] = { { 4, MIB(3) } };
	struct guest *g = make();
	struct balloon_view view;

	g->balloon.dev.features = BIT_ULL(1);
	balloon_look(&g->balloon, &view);
	EXPECT(view.driven && !view.stats.told && !view.stats.known);
	offer_stats(g, first, 3);
	EXPECT_EQ(used(g, 2), 0);
	balloon_look(&g->balloon, &view);
	EXPECT_EQ(view.stats.told, 1);
	EXPECT_EQ(view.stats.known, BIT(BALLOON_FREE) | BIT(BALLOON_AVAILABLE));
	EXPECT_EQ(view.stats.value[BALLOON_FREE], MIB(5));
	EXPECT_EQ(used(g, 2), 1);
	EXPECT_EQ(g->interrupts, 1);
	balloon_look(&g->balloon, &view);
	EXPECT_EQ(used(g, 2), 1);
	offer_stats(g, second, 1);
	balloon_look(&g->balloon, &view);
	EXPECT_EQ(view.stats.told, 2);
	EXPECT_EQ(view.stats.value[BALLOON_FREE], MIB(3));
	EXPECT_EQ(view.stats.value[BALLOON_AVAILABLE], MIB(7));
	/* Two at once nobody asked for. */
	offer_stats(g, second, 1);
	EXPECT(!g->balloon.dev.needs_reset);
	offer_stats(g, second, 1);
	EXPECT(g->balloon.dev.needs_reset);
	balloon_look(&g->balloon, &view);
	EXPECT(!view.driven);
	g->balloon.dev.ops->stop(&g->balloon.dev);
	balloon_look(&g->balloon, &view);
	EXPECT(!view.stats.told && !view.stats.known);
	destroy(g);
}

static void foreign_pages_do_not(void)
{
	static const u32 bad[][2] = {
		{ 0x200, PAGES }, { 0x200, UINT32_MAX }, { 0x200, MEMORY_HOLE_START / BALLOON_PAGE },
	};
	unsigned int i;

	for (i = 0; i < COUNT(bad); i++) {
		struct guest *g = make();

		tell(g, 0, bad[i], 2);
		EXPECT(g->balloon.dev.needs_reset);
		EXPECT_EQ(used(g, 0), 0);
		EXPECT(count_there(g) >= PAGES - FIRST - 1);
		destroy(g);
	}
}

static void odd_and_endless_requests(void)
{
	static const u32 lengths[] = { 1, 7, 4096 * 4 + 4, MEMORY };
	unsigned int i;

	for (i = 0; i < COUNT(lengths); i++) {
		struct guest *g = make();
		struct desc desc = { 0, lengths[i], 0, 0 };

		offer(g, 0, &desc, 1);
		kick(g, 0);
		EXPECT(g->balloon.dev.needs_reset);
		destroy(g);
	}
}

/* Whole pages of what is reported, in each queue that drivers report in. */
static void reported_pages_go(void)
{
	struct desc desc[] = {
		{ 0x200 * BALLOON_PAGE, MIB(2), F_NEXT | F_WRITE, 1 },
		{ 0x801 * BALLOON_PAGE - 1, 2 * BALLOON_PAGE, F_NEXT | F_WRITE, 2 },
		{ 0x901 * BALLOON_PAGE - 1, 2, F_WRITE, 0 },
	};
	unsigned int q;

	for (q = 2; q < 5; q++) {
		struct guest *g = make();

		offer(g, q, desc, 3);
		kick(g, q);
		EXPECT_EQ(used(g, q), 1);
		EXPECT(!is_there(g, 0x200));
		EXPECT(!is_there(g, 0x3ff));
		EXPECT(!is_there(g, 0x801));
		EXPECT_EQ(count_there(g), PAGES - FIRST - 0x200 - 1);
		destroy(g);
	}
}

static void a_turn_is_bounded(void)
{
	struct guest *g = make();
	struct desc desc = { 0x200 * BALLOON_PAGE, BALLOON_PAGE, F_WRITE, 0 };
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		offer(g, 4, &desc, 1);
	kick(g, 4);
	EXPECT(used(g, 4) < SIZE);
	EXPECT_EQ(g->kicks_again, 1);
	for (i = 0; i < 3; i++)
		kick(g, 4);
	EXPECT_EQ(used(g, 4), SIZE);
	destroy(g);
}

static void target_and_actual(void)
{
	struct guest *g = make();
	const struct virtio_device_ops *ops = g->balloon.dev.ops;
	u32 value = 0x12345;
	u8 all[12];

	balloon_set_target(&g->balloon, MIB(3));
	EXPECT_EQ(g->config_changes, 1);
	ops->read_config(&g->balloon.dev, 0, all, sizeof(all));
	EXPECT_EQ(*(u32 *)all, MIB(3) / BALLOON_PAGE);
	EXPECT_EQ(*(u32 *)(all + 8), 0);
	ops->write_config(&g->balloon.dev, 0, (u8 *)&value, 4);
	ops->write_config(&g->balloon.dev, 5, (u8 *)&value, 2);
	EXPECT_EQ(actual(g), 0);
	ops->write_config(&g->balloon.dev, 4, (u8 *)&value, 4);
	EXPECT_EQ(actual(g), 0x12345ull * BALLOON_PAGE);
	ops->read_config(&g->balloon.dev, 0, all, sizeof(all));
	EXPECT_EQ(*(u32 *)all, MIB(3) / BALLOON_PAGE);
	EXPECT_EQ(*(u32 *)(all + 4), 0x12345);
	ops->stop(&g->balloon.dev);
	EXPECT_EQ(actual(g), 0);
	destroy(g);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(inflated_pages_go), TEST(a_file_shrinks), TEST(larger_pages_go_when_they_are_whole),
		TEST(statistics), TEST(foreign_pages_do_not), TEST(odd_and_endless_requests),
		TEST(reported_pages_go), TEST(a_turn_is_bounded), TEST(target_and_actual),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
