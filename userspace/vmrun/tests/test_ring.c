// SPDX-License-Identifier: GPL-2.0
/*
 * The split virtqueue against a driver that this file plays: requests of every shape, the
 * two ways of asking for kicks and interrupts, wrapping, and each lie a driver can tell.
 */
#include <stdlib.h>
#include <string.h>

#include "../virtio/ring.h"
#include "ktap.h"

#define SIZE		8
#define DESC		0x1000
#define AVAIL		0x2000
#define USED		0x3000
#define TABLE		0x4001		/* an indirect table: nothing says it is aligned */
#define BUFFERS		0x8000
#define REGION		0x10000		/* two regions, next to each other for the guest alone */

#define F_NEXT		1
#define F_WRITE		2
#define F_INDIRECT	4

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct driver {
	struct memory mem;
	struct ring ring;
	struct ring_chain chain;
	u16 avail_idx;
};

static void *at(struct driver *d, u64 addr, u64 len)
{
	void *p = guest_buf(&d->mem, addr, len);

	ASSERT(p);
	return p;
}

static u16 *half(struct driver *d, u64 addr)
{
	return at(d, addr, 2);
}

static void setup(struct driver *d, bool event_idx)
{
	unsigned int i;

	memset(d, 0, sizeof(*d));
	for (i = 0; i < 2; i++) {
		d->mem.region[i] = (struct memory_region){
			.guest_addr = i * REGION, .size = REGION,
			.host_addr = aligned_alloc(4096, REGION),
		};
		memset(d->mem.region[i].host_addr, 0, REGION);
	}
	d->mem.nr_regions = 2;
	d->ring.mem = &d->mem;
	d->ring.max_size = SIZE;
	ring_reset(&d->ring);
	EXPECT_EQ(d->ring.size, SIZE);
	d->ring.desc = DESC;
	d->ring.avail = AVAIL;
	d->ring.used = USED;
	ASSERT_EQ(ring_start(&d->ring, event_idx), 0);
}

static void teardown(struct driver *d)
{
	free(d->mem.region[0].host_addr);
	free(d->mem.region[1].host_addr);
}

static void put_desc(struct driver *d, u64 table, unsigned int i, struct desc desc)
{
	memcpy(at(d, table + i * sizeof(desc), sizeof(desc)), &desc, sizeof(desc));
}

static void offer(struct driver *d, u16 head)
{
	*half(d, AVAIL + 4 + d->avail_idx % SIZE * 2) = head;
	*half(d, AVAIL + 2) = ++d->avail_idx;
}

static u32 used_id(struct driver *d, unsigned int i)
{
	return *(u32 *)at(d, USED + 4 + i % SIZE * 8, 4);
}

static u32 used_len(struct driver *d, unsigned int i)
{
	return *(u32 *)at(d, USED + 8 + i % SIZE * 8, 4);
}

static u16 used_idx(struct driver *d)
{
	return *half(d, USED + 2);
}

static void a_request_there_and_back(void)
{
	struct driver d;
	char text[32];

	setup(&d, false);
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), 0);
	memcpy(at(&d, BUFFERS, 10), "0123456789", 10);
	put_desc(&d, DESC, 3, (struct desc){ BUFFERS, 4, F_NEXT, 5 });
	put_desc(&d, DESC, 5, (struct desc){ BUFFERS + 4, 6, F_NEXT, 0 });
	put_desc(&d, DESC, 0, (struct desc){ BUFFERS + 0x100, 3, F_WRITE | F_NEXT, 1 });
	put_desc(&d, DESC, 1, (struct desc){ REGION, 5, F_WRITE, 7 });
	offer(&d, 3);
	ASSERT_EQ(ring_pop(&d.ring, &d.chain), 1);
	EXPECT_EQ(d.chain.head, 3);
	EXPECT_EQ(d.chain.nr_out, 2);
	EXPECT_EQ(d.chain.nr_in, 2);
	EXPECT_EQ(d.chain.out_len, 10);
	EXPECT_EQ(d.chain.in_len, 8);
	EXPECT_EQ(ring_copy_from(&d.chain, 0, text, 32), 10);
	EXPECT(!memcmp(text, "0123456789", 10));
	EXPECT_EQ(ring_copy_from(&d.chain, 3, text, 3), 3);
	EXPECT(!memcmp(text, "345", 3));
	EXPECT_EQ(ring_copy_from(&d.chain, 10, text, 3), 0);
	EXPECT_EQ(ring_copy_from(&d.chain, SIZE_MAX, text, 3), 0);
	EXPECT_EQ(ring_copy_to(&d.chain, 0, "abcdefghij", 10), 8);
	EXPECT(!memcmp(at(&d, BUFFERS + 0x100, 3), "abc", 3));
	EXPECT(!memcmp(at(&d, REGION, 5), "defgh", 5));
	EXPECT_EQ(ring_copy_to(&d.chain, 2, "XY", 2), 2);
	EXPECT(!memcmp(at(&d, BUFFERS + 0x100, 3), "abX", 3));
	EXPECT(!memcmp(at(&d, REGION, 5), "Yefgh", 5));
	EXPECT(!ring_wants_interrupt(&d.ring));
	ring_push(&d.ring, &d.chain, 8);
	EXPECT_EQ(used_idx(&d), 1);
	EXPECT_EQ(used_id(&d, 0), 3);
	EXPECT_EQ(used_len(&d, 0), 8);
	EXPECT(ring_wants_interrupt(&d.ring));
	EXPECT(!ring_wants_interrupt(&d.ring));
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), 0);
	teardown(&d);
}

static void an_indirect_table(void)
{
	struct driver d;
	unsigned int i;

	setup(&d, false);
	/* More than the ring has: a table may. One direct buffer comes before it. */
	for (i = 0; i < 20; i++)
		put_desc(&d, TABLE, i, (struct desc){
			BUFFERS + i, 1, (i < 12 ? 0 : F_WRITE) | (i < 19 ? F_NEXT : 0), i + 1,
		});
	put_desc(&d, DESC, 0, (struct desc){ BUFFERS + 100, 2, F_NEXT, 1 });
	/* The write flag of the descriptor of a table means nothing. */
	put_desc(&d, DESC, 1, (struct desc){ TABLE, 20 * 16, F_INDIRECT | F_WRITE, 0 });
	offer(&d, 0);
	ASSERT_EQ(ring_pop(&d.ring, &d.chain), 1);
	EXPECT_EQ(d.chain.nr_out, 13);
	EXPECT_EQ(d.chain.nr_in, 8);
	EXPECT_EQ(d.chain.out_len, 14);
	/* The order is the links', not the table's. */
	put_desc(&d, TABLE, 0, (struct desc){ BUFFERS, 1, F_NEXT, 2 });
	put_desc(&d, TABLE, 2, (struct desc){ BUFFERS + 7, 1, F_NEXT, 1 });
	put_desc(&d, TABLE, 1, (struct desc){ BUFFERS + 9, 1, 0, 0 });
	put_desc(&d, DESC, 2, (struct desc){ TABLE, 3 * 16, F_INDIRECT, 0 });
	offer(&d, 2);
	ASSERT_EQ(ring_pop(&d.ring, &d.chain), 1);
	ASSERT_EQ(d.chain.nr_out, 3);
	EXPECT(d.chain.iov[1].iov_base == at(&d, BUFFERS + 7, 1));
	EXPECT(d.chain.iov[2].iov_base == at(&d, BUFFERS + 9, 1));
	teardown(&d);
}

static void indices_wrap(void)
{
	struct driver d;
	unsigned int i;

	setup(&d, true);
	put_desc(&d, DESC, 6, (struct desc){ BUFFERS, 4, F_WRITE, 0 });
	for (i = 0; i < 0x10000 + 3 * SIZE; i++) {
		offer(&d, 6);
		/* Nothing may be lost, and nothing come twice. */
		if (ring_pop(&d.ring, &d.chain) != 1 || ring_pop(&d.ring, &d.chain) != 0)
			break;
		ring_push(&d.ring, &d.chain, i);
		if (used_id(&d, i) != 6 || used_len(&d, i) != i || used_idx(&d) != (u16)(i + 1))
			break;
		/* The driver was told where to kick next. */
		if (*half(&d, USED + 4 + 8 * SIZE) != (u16)(i + 1))
			break;
	}
	EXPECT_EQ(i, 0x10000 + 3 * SIZE);
	teardown(&d);
}

static void push(struct driver *d, unsigned int n)
{
	d->chain.head = 0;
	while (n--)
		ring_push(&d->ring, &d->chain, 0);
}

static void interrupts_by_flag(void)
{
	struct driver d;

	setup(&d, false);
	*half(&d, AVAIL) = 1;
	push(&d, 3);
	EXPECT(!ring_wants_interrupt(&d.ring));
	*half(&d, AVAIL) = 0;
	EXPECT(!ring_wants_interrupt(&d.ring));
	push(&d, 1);
	EXPECT(ring_wants_interrupt(&d.ring));
	teardown(&d);
}

static void interrupts_by_index(void)
{
	u64 event = AVAIL + 4 + 2 * SIZE;
	struct driver d;

	setup(&d, true);
	/* The flag counts for nothing here. */
	*half(&d, AVAIL) = 1;
	push(&d, 1);
	EXPECT(ring_wants_interrupt(&d.ring));
	*half(&d, event) = 3;
	push(&d, 2);
	EXPECT(!ring_wants_interrupt(&d.ring));
	push(&d, 1);
	EXPECT(ring_wants_interrupt(&d.ring));
	push(&d, 1);
	EXPECT(!ring_wants_interrupt(&d.ring));
	/* In the middle of a batch, at its end, just behind it. */
	*half(&d, event) = 7;
	push(&d, 5);
	EXPECT(ring_wants_interrupt(&d.ring));
	*half(&d, event) = 11;
	push(&d, 2);
	EXPECT(ring_wants_interrupt(&d.ring));
	*half(&d, event) = 14;
	push(&d, 2);
	EXPECT(!ring_wants_interrupt(&d.ring));
	/* A whole round of the index: one of them was the wanted one. */
	push(&d, 0x10000);
	EXPECT(ring_wants_interrupt(&d.ring));
	teardown(&d);
}

static void kicks_by_flag(void)
{
	struct driver d;

	setup(&d, false);
	EXPECT_EQ(*half(&d, USED), 0);
	ring_disable_kicks(&d.ring);
	EXPECT_EQ(*half(&d, USED), 1);
	EXPECT(!ring_enable_kicks(&d.ring));
	EXPECT_EQ(*half(&d, USED), 0);
	ring_disable_kicks(&d.ring);
	offer(&d, 0);
	EXPECT(ring_enable_kicks(&d.ring));
	teardown(&d);
}

static void kicks_by_index(void)
{
	u64 event = USED + 4 + 8 * SIZE;
	struct driver d;

	setup(&d, true);
	put_desc(&d, DESC, 0, (struct desc){ BUFFERS, 1, 0, 0 });
	ring_disable_kicks(&d.ring);
	offer(&d, 0);
	offer(&d, 0);
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), 1);
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), 1);
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), 0);
	/* Not asked for: the driver goes by the old index. */
	EXPECT_EQ(*half(&d, event), 0);
	EXPECT(!ring_enable_kicks(&d.ring));
	EXPECT_EQ(*half(&d, event), 2);
	EXPECT_EQ(*half(&d, USED), 0);
	offer(&d, 0);
	EXPECT(ring_enable_kicks(&d.ring));
	teardown(&d);
}

static void bad_setups_are_refused(void)
{
	static const struct { u16 size; u64 desc, avail, used; } bad[] = {
		{ 0, DESC, AVAIL, USED }, { 2 * SIZE, DESC, AVAIL, USED },
		{ 6, DESC, AVAIL, USED }, { SIZE, DESC + 8, AVAIL, USED },
		{ SIZE, DESC, AVAIL + 1, USED }, { SIZE, DESC, AVAIL, USED + 2 },
		{ SIZE, 2 * REGION, AVAIL, USED }, { SIZE, DESC, UINT64_MAX - 1, USED },
		{ SIZE, REGION - 16, AVAIL, USED }, { SIZE, DESC, REGION - 2, USED },
		{ SIZE, DESC, AVAIL, REGION - 8 * SIZE }, { SIZE, DESC, AVAIL, 2 * REGION - 4 },
		/* All but the event index fits. */
		{ SIZE, DESC, AVAIL, 2 * REGION - 4 - 8 * SIZE },
	};
	struct driver d;
	unsigned int i;

	setup(&d, false);
	for (i = 0; i < COUNT(bad); i++) {
		ring_reset(&d.ring);
		EXPECT(!d.ring.started);
		EXPECT_EQ(ring_pop(&d.ring, &d.chain), -1);
		d.ring.size = bad[i].size;
		d.ring.desc = bad[i].desc;
		d.ring.avail = bad[i].avail;
		d.ring.used = bad[i].used;
		if (!EXPECT_EQ(ring_start(&d.ring, true), -1))
			test_note("setup %u", i);
	}
	teardown(&d);
}

/* Each is one lie; after it the ring gives nothing until it is reset. */
static const struct lie {
	const char *what;
	struct desc desc[3], table[3];
	u16 head;
} lies[] = {
	{ "a head that is no descriptor", .head = SIZE },
	{ "a next that is no descriptor", .desc = { { BUFFERS, 1, F_NEXT, SIZE } } },
	{ "a circle", .desc = { { BUFFERS, 1, F_NEXT, 1 }, { BUFFERS, 1, F_NEXT, 0 } } },
	{ "a circle of nothing", .desc = { { 0, 0, F_NEXT, 0 } } },
	{ "a buffer beyond memory", .desc = { { 2 * REGION, 1, 0, 0 } } },
	{ "one that crosses regions", .desc = { { REGION - 1, 2, 0, 0 } } },
	{ "one that wraps", .desc = { { UINT64_MAX, 2, 0, 0 } } },
	{ "one that is too long", .desc = { { 0, UINT32_MAX, 0, 0 } } },
	{ "out after in", .desc = { { BUFFERS, 1, F_WRITE | F_NEXT, 1 }, { BUFFERS, 1, 0, 0 } } },
	{ "a table and a next", .desc = { { TABLE, 16, F_INDIRECT | F_NEXT, 1 } },
	  .table = { { BUFFERS, 1, 0, 0 } } },
	{ "an empty table", .desc = { { TABLE, 0, F_INDIRECT, 0 } } },
	{ "a table of no whole entries", .desc = { { TABLE, 24, F_INDIRECT, 0 } },
	  .table = { { BUFFERS, 1, 0, 0 } } },
	{ "a table beyond memory", .desc = { { 2 * REGION - 16, 32, F_INDIRECT, 0 } } },
	{ "a table in a table", .desc = { { TABLE, 32, F_INDIRECT, 0 } },
	  .table = { { TABLE, 32, F_INDIRECT, 0 } } },
	{ "a link out of a table", .desc = { { TABLE, 16, F_INDIRECT, 0 } },
	  .table = { { BUFFERS, 1, F_NEXT, 1 } } },
	{ "a circle in a table", .desc = { { TABLE, 16, F_INDIRECT, 0 } },
	  .table = { { BUFFERS, 1, F_NEXT, 0 } } },
};

static void lies_break_the_ring(void)
{
	struct driver d;
	unsigned int i, j;

	for (i = 0; i < COUNT(lies); i++) {
		setup(&d, i & 1);
		for (j = 0; j < 3; j++) {
			put_desc(&d, DESC, j, lies[i].desc[j]);
			put_desc(&d, TABLE, j, lies[i].table[j]);
		}
		offer(&d, lies[i].head);
		if (!EXPECT_EQ(ring_pop(&d.ring, &d.chain), -1))
			test_note("%s", lies[i].what);
		EXPECT(d.ring.broken);
		/* To mend it afterwards does not help. */
		put_desc(&d, DESC, 0, (struct desc){ BUFFERS, 1, 0, 0 });
		EXPECT_EQ(ring_pop(&d.ring, &d.chain), -1);
		EXPECT(!ring_enable_kicks(&d.ring));
		ring_reset(&d.ring);
		EXPECT(!d.ring.broken);
		teardown(&d);
	}
}

static void too_many_offered(void)
{
	struct driver d;

	setup(&d, false);
	put_desc(&d, DESC, 0, (struct desc){ BUFFERS, 1, 0, 0 });
	*half(&d, AVAIL + 2) = SIZE + 1;
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), -1);
	teardown(&d);
	setup(&d, true);
	put_desc(&d, DESC, 0, (struct desc){ BUFFERS, 1, 0, 0 });
	*half(&d, AVAIL + 2) = SIZE;
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), 1);
	/* The index goes back. */
	*half(&d, AVAIL + 2) = 0;
	EXPECT(ring_enable_kicks(&d.ring));
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), -1);
	teardown(&d);
}

/* A table's entries may be many; a request's buffers may not. */
static void longest_chain(void)
{
	unsigned int n, i;
	struct driver d;

	for (n = RING_MAX_IOV - 1; n <= RING_MAX_IOV + 1; n++) {
		setup(&d, false);
		for (i = 0; i < n; i++)
			put_desc(&d, TABLE, i, (struct desc){
				BUFFERS, 1, i < n - 1 ? F_NEXT : 0, i + 1,
			});
		put_desc(&d, DESC, 0, (struct desc){ TABLE, n * 16, F_INDIRECT, 0 });
		offer(&d, 0);
		EXPECT_EQ(ring_pop(&d.ring, &d.chain), n <= RING_MAX_IOV ? 1 : -1);
		teardown(&d);
	}
}

static void sums_fit_32_bits(void)
{
	struct driver d;
	unsigned int i;

	/* Memory as large as needed, of which none is touched. */
	setup(&d, false);
	d.mem.region[1].size = GIB(2);
	for (i = 0; i < 2; i++)
		put_desc(&d, DESC, i, (struct desc){ REGION, GIB(2) - i, i ? F_WRITE : F_NEXT, 1 });
	offer(&d, 0);
	ASSERT_EQ(ring_pop(&d.ring, &d.chain), 1);
	EXPECT_EQ(d.chain.out_len + d.chain.in_len, UINT32_MAX);
	put_desc(&d, DESC, 1, (struct desc){ REGION, GIB(2), F_WRITE, 0 });
	offer(&d, 0);
	EXPECT_EQ(ring_pop(&d.ring, &d.chain), -1);
	teardown(&d);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_request_there_and_back), TEST(an_indirect_table), TEST(indices_wrap),
		TEST(interrupts_by_flag), TEST(interrupts_by_index),
		TEST(kicks_by_flag), TEST(kicks_by_index),
		TEST(bad_setups_are_refused), TEST(lies_break_the_ring), TEST(too_many_offered),
		TEST(longest_chain), TEST(sums_fit_32_bits),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
