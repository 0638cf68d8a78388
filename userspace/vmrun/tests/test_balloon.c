// SPDX-License-Identifier: GPL-2.0
/*
 * The balloon against a driver that this file plays: exactly the pages that it names, or
 * reports as free, are given back, and none that are not the guest's.
 */
#include <sys/stat.h>

#include "../virtio/balloon.h"
#include "ktap.h"
#include "driver_queue.h"

#define SIZE	16		/* of the queues, as this driver sets them up */
#define NUMBERS	0x9000
#define MEMORY	MIB(16)
#define PAGES	(MEMORY / BALLOON_PAGE)
#define FIRST	0x100		/* pages from here on are filled */

struct guest {
	struct driver driver;
	struct loop loop;
	struct balloon balloon;
};

static struct guest *make_of(enum memory_kind kind)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct vm_error err = { 0 };
	unsigned int i;

	ASSERT_EQ(memory_create_as(&g->driver.mem, MEMORY, kind, "test", &err), 0);
	balloon_init(&g->balloon, &g->driver.mem, &g->loop);
	driver_init(&g->driver, &g->balloon.dev, SIZE);
	memset(driver_at(&g->driver, 0, FIRST * BALLOON_PAGE), 0, FIRST * BALLOON_PAGE);
	for (i = FIRST; i < PAGES; i++)
		memset(driver_at(&g->driver, i * BALLOON_PAGE, BALLOON_PAGE), 0xaa, BALLOON_PAGE);
	driver_start(&g->driver, 5);
	return g;
}

static struct guest *make(void)
{
	return make_of(MEMORY_PRIVATE);
}

static void destroy(struct guest *g)
{
	balloon_destroy(&g->balloon);
	memory_destroy(&g->driver.mem);
	free(g);
}

/* Says page numbers to queue @q, cut in the middle of one. */
static void tell(struct guest *g, unsigned int q, const u32 *pfn, unsigned int nr)
{
	struct desc desc[] = {
		{ NUMBERS, 6, F_NEXT, 1 }, { NUMBERS + 6, nr * 4 - 6, 0, 0 },
	};

	memcpy(driver_at(&g->driver, NUMBERS, nr * 4), pfn, nr * 4);
	driver_offer(&g->driver, q, 0, desc, 2);
	driver_kick(&g->driver, q);
}

static bool is_there(struct guest *g, u32 page)
{
	u8 *data = driver_at(&g->driver, (u64)page * BALLOON_PAGE, BALLOON_PAGE);
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
	EXPECT_EQ(driver_used(&g->driver, 0), 1);
	EXPECT_EQ(g->driver.interrupts, 1);
	for (i = 0; i < COUNT(pages); i++)
		EXPECT(!is_there(g, pages[i]));
	EXPECT_EQ(count_there(g), PAGES - FIRST - COUNT(pages));
	/* Deflated, they are simply used again. */
	tell(g, 1, pages, COUNT(pages));
	EXPECT_EQ(driver_used(&g->driver, 1), 1);
	EXPECT_EQ(count_there(g), PAGES - FIRST - COUNT(pages));
	EXPECT_EQ(g->driver.config_changes, 0);
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

	ASSERT_EQ(fstat(g->driver.mem.fd, &stat), 0);
	return stat.st_blocks * 512ull;
}

/* From a file pages go for everybody, not from vmrun's view alone. */
static void a_file_shrinks(void)
{
	struct guest *g = make_of(MEMORY_FILE);
	u64 before = blocks(g);
	struct balloon_view view;
	struct desc desc = { 0x200 * BALLOON_PAGE, MIB(2), F_WRITE, 0 };

	driver_offer(&g->driver, 4, 0, &desc, 1);
	driver_kick(&g->driver, 4);
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
	g->driver.mem.kind = MEMORY_HUGE_2M;
	balloon_pages_init(&g->balloon.pages, &g->driver.mem);
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
	memset(driver_at(&g->driver, 0x400 * BALLOON_PAGE, BALLOON_PAGE), 1, BALLOON_PAGE);
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
	g->driver.mem.kind = MEMORY_FILE;
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

	memcpy(driver_at(&g->driver, NUMBERS, nr * sizeof(*stats)), stats, nr * sizeof(*stats));
	driver_offer(&g->driver, 2, 0, desc, 2);
	driver_kick(&g->driver, 2);
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
	EXPECT_EQ(driver_used(&g->driver, 2), 0);
	balloon_look(&g->balloon, &view);
	EXPECT_EQ(view.stats.told, 1);
	EXPECT_EQ(view.stats.known, BIT(BALLOON_FREE) | BIT(BALLOON_AVAILABLE));
	EXPECT_EQ(view.stats.value[BALLOON_FREE], MIB(5));
	EXPECT_EQ(driver_used(&g->driver, 2), 1);
	EXPECT_EQ(g->driver.interrupts, 1);
	balloon_look(&g->balloon, &view);
	EXPECT_EQ(driver_used(&g->driver, 2), 1);
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
		EXPECT_EQ(driver_used(&g->driver, 0), 0);
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

		driver_offer(&g->driver, 0, 0, &desc, 1);
		driver_kick(&g->driver, 0);
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

		driver_offer(&g->driver, q, 0, desc, 3);
		driver_kick(&g->driver, q);
		EXPECT_EQ(driver_used(&g->driver, q), 1);
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
		driver_offer(&g->driver, 4, 0, &desc, 1);
	driver_kick(&g->driver, 4);
	EXPECT(driver_used(&g->driver, 4) < SIZE);
	EXPECT_EQ(g->driver.nr_again, 1);
	for (i = 0; i < 3; i++)
		driver_kick(&g->driver, 4);
	EXPECT_EQ(driver_used(&g->driver, 4), SIZE);
	destroy(g);
}

static void target_and_actual(void)
{
	struct guest *g = make();
	const struct virtio_device_ops *ops = g->balloon.dev.ops;
	u32 value = 0x12345;
	u8 all[12];

	balloon_set_target(&g->balloon, MIB(3));
	EXPECT_EQ(g->driver.config_changes, 1);
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
