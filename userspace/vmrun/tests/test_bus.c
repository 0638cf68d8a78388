// SPDX-License-Identifier: GPL-2.0
/*
 * The buses and the translator of guest addresses: ranges, edges, wrapping.
 */
#include <string.h>

#include "../bus.h"
#include "../memory.h"
#include "ktap.h"

struct recorder {
	u64 offset;
	unsigned int len;
	unsigned int calls;
	u8 last;
};

static void record_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct recorder *r = dev;

	r->offset = offset;
	r->len = len;
	r->calls++;
	memset(data, 0x11 * (int)r->calls, len);
}

static void record_write(void *dev, u64 offset, const u8 *data, unsigned int len)
{
	struct recorder *r = dev;

	r->offset = offset;
	r->len = len;
	r->calls++;
	r->last = data[0];
}

static const struct bus_ops record_ops = { record_read, record_write, false };

static void device_learns_the_offset(void)
{
	struct recorder r = { 0 };
	struct bus bus = { 0 };
	u8 data[4] = { 0 };

	ASSERT_EQ(bus_add(&bus, 0xfec00000, 0x1000, &record_ops, &r), 0);
	bus_read(&bus, 0xfec00010, data, 4);
	EXPECT_EQ(r.offset, 0x10);
	EXPECT_EQ(r.len, 4);
	EXPECT_EQ(data[3], 0x11);
}

static void nobody_reads_as_ones(void)
{
	struct recorder r = { 0 };
	struct bus bus = { 0 };
	u8 data[8] = { 0 };
	unsigned int i;

	ASSERT_EQ(bus_add(&bus, 0x100, 4, &record_ops, &r), 0);
	bus_read(&bus, 0xff, data, 1);
	bus_write(&bus, 0x104, data, 8);
	bus_read(&bus, UINT64_MAX - 3, data, 8);
	EXPECT_EQ(r.calls, 0);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(data[i], 0xff);
}

static void access_across_the_edge_reaches_nobody(void)
{
	struct recorder r = { 0 };
	struct bus bus = { 0 };
	u8 data[8] = { 0 };

	ASSERT_EQ(bus_add(&bus, 0x100, 4, &record_ops, &r), 0);
	bus_read(&bus, 0x102, data, 4);
	EXPECT_EQ(r.calls, 0);
	EXPECT_EQ(data[0], 0xff);
}

static void ports_go_byte_by_byte(void)
{
	struct recorder r = { 0 };
	struct bus bus = { .bytes = true };
	u8 data[4] = { 0 };

	ASSERT_EQ(bus_add(&bus, 0x100, 2, &record_ops, &r), 0);
	bus_read(&bus, 0x100, data, 4);
	EXPECT_EQ(r.calls, 2);
	EXPECT_EQ(r.len, 1);
	EXPECT_EQ(data[0], 0x11);
	EXPECT_EQ(data[1], 0x22);
	EXPECT_EQ(data[2], 0xff);
	EXPECT_EQ(data[3], 0xff);
}

static void a_port_may_want_whole_accesses(void)
{
	static const struct bus_ops whole_ops = { record_read, record_write, .whole = true };
	struct recorder r = { 0 };
	struct bus bus = { .bytes = true };
	u8 data[4] = { 0 };

	ASSERT_EQ(bus_add(&bus, 0xcf8, 8, &whole_ops, &r), 0);
	bus_read(&bus, 0xcfc, data, 4);
	EXPECT_EQ(r.calls, 1);
	EXPECT_EQ(r.len, 4);
	bus_write(&bus, 0xcfe, data, 2);
	EXPECT_EQ(r.calls, 2);
	EXPECT_EQ(r.len, 2);
	/* One that reaches beyond it is taken apart. */
	bus_write(&bus, 0xcfe, data, 4);
	EXPECT_EQ(r.calls, 4);
	EXPECT_EQ(r.len, 1);
}

static void bad_ranges_are_refused(void)
{
	struct recorder r = { 0 };
	struct bus bus = { 0 };
	unsigned int i;

	EXPECT_EQ(bus_add(&bus, 0x100, 0, &record_ops, &r), -1);
	EXPECT_EQ(bus_add(&bus, UINT64_MAX, 2, &record_ops, &r), -1);
	EXPECT_EQ(bus_add(&bus, 0x100, 0x10, &record_ops, &r), 0);
	EXPECT_EQ(bus_add(&bus, 0x10f, 1, &record_ops, &r), -1);
	EXPECT_EQ(bus_add(&bus, 0xf0, 0x11, &record_ops, &r), -1);
	EXPECT_EQ(bus_add(&bus, 0, UINT64_MAX, &record_ops, &r), -1);
	EXPECT_EQ(bus_add(&bus, 0x110, 1, &record_ops, &r), 0);
	EXPECT_EQ(bus_add(&bus, UINT64_MAX, 1, &record_ops, &r), 0);
	for (i = bus.nr_ranges; i < BUS_MAX_RANGES; i++)
		EXPECT_EQ(bus_add(&bus, 0x1000 + i, 1, &record_ops, &r), 0);
	EXPECT_EQ(bus_add(&bus, 0x2000, 1, &record_ops, &r), -1);
}

static void guest_addresses(void)
{
	struct vm_error err = { 0 };
	struct memory mem;
	u8 *low, *high;

	ASSERT_EQ(memory_create(&mem, GIB(3) + MIB(16), &err), 0);
	EXPECT_EQ(mem.nr_regions, 2);
	EXPECT_EQ(memory_low_end(&mem), GIB(3));
	low = guest_buf(&mem, 0, 1);
	high = guest_buf(&mem, GIB(4), MIB(16));
	ASSERT(low && high);
	/* Each end can be touched, one byte beyond cannot be had. */
	*(u8 *)guest_buf(&mem, GIB(3) - 1, 1) = 1;
	*(u8 *)guest_buf(&mem, GIB(4) + MIB(16) - 1, 1) = 1;
	EXPECT(!guest_buf(&mem, GIB(3) - 1, 2));
	EXPECT(!guest_buf(&mem, GIB(3), 1));
	EXPECT(!guest_buf(&mem, GIB(4) - 1, 2));
	EXPECT(!guest_buf(&mem, GIB(4) + MIB(16) - 1, 2));
	EXPECT(!guest_buf(&mem, 0, GIB(3) + 1));
	EXPECT(!guest_buf(&mem, 1, UINT64_MAX));
	EXPECT(!guest_buf(&mem, UINT64_MAX, 2));
	EXPECT(!guest_buf(&mem, UINT64_MAX, UINT64_MAX));
	memory_destroy(&mem);
}

static void guest_memory_is_zero_and_aligned(void)
{
	struct vm_error err = { 0 };
	struct memory mem;
	u8 *p;

	ASSERT_EQ(memory_create(&mem, MIB(16), &err), 0);
	p = guest_buf(&mem, 0, MIB(16));
	ASSERT(p);
	EXPECT_EQ((uintptr_t)p & (MIB(2) - 1), 0);
	EXPECT_EQ(p[0] | p[MIB(8)] | p[MIB(16) - 1], 0);
	memory_destroy(&mem);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(device_learns_the_offset), TEST(nobody_reads_as_ones),
		TEST(access_across_the_edge_reaches_nobody),
		TEST(ports_go_byte_by_byte), TEST(a_port_may_want_whole_accesses),
		TEST(bad_ranges_are_refused),
		TEST(guest_addresses), TEST(guest_memory_is_zero_and_aligned),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
