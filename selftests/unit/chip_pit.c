// SPDX-License-Identifier: GPL-2.0
/* The 8254 model (kmod/chip/pit.c): what the data sheet says, case by case, and when ticks are given again. */
#include <string.h>

#include "chip/irqchip.h"
#include "ktap.h"

#define NONE	(~0ull)
#define T0	1000000000000ull	/* when a test begins */

static struct chip_pit pit;

static void control(u8 value, u64 now)
{
	chip_pit_write(&pit, 0x43, value, now);
}

static void load(u8 channel, u8 mode, u16 count, u64 now)
{
	control(channel << 6 | 0x30 | mode << 1, now);
	chip_pit_write(&pit, 0x40 + channel, count, now);
	chip_pit_write(&pit, 0x40 + channel, count >> 8, now);
}

static u16 word(u8 channel, u64 now)
{
	u16 low = chip_pit_read(&pit, 0x40 + channel, now);

	return low | chip_pit_read(&pit, 0x40 + channel, now) << 8;
}

static u64 ticks(u64 n)
{
	return n * 1000000000ull / 1193182 + 1;
}

static u8 status(u8 channel, u64 now)
{
	control(0xe0 | 2 << channel, now);
	return chip_pit_read(&pit, 0x40 + channel, now);
}

static void reset(void)
{
	chip_pit_reset(&pit, T0);
	EXPECT_EQ(pit.deadline, NONE);
	EXPECT(pit.reinject && pit.acked && !pit.pending);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(pit.state.channels[i].count, 0x10000);
		EXPECT_EQ(pit.state.channels[i].mode, 0xff);
	}
	/* Nothing is written to a channel without a control word. */
	chip_pit_write(&pit, 0x40, 5, T0);
	EXPECT_EQ(pit.state.channels[0].count, 0x10000);
	EXPECT_EQ(chip_pit_read(&pit, 0x43, T0), 0);
}

static void counters(void)
{
	chip_pit_reset(&pit, T0);
	load(2, 0, 1000, T0);
	EXPECT_EQ(word(2, T0), 1000);
	EXPECT_EQ(word(2, T0 + ticks(10)), 990);
	EXPECT_EQ(word(2, T0 + ticks(1001)), 0xffff);	/* it goes on */
	load(2, 2, 1000, T0);
	EXPECT_EQ(word(2, T0 + ticks(2010)), 990);
	load(2, 3, 1000, T0);
	EXPECT_EQ(word(2, T0 + ticks(10)), 980);	/* by twos */
	EXPECT_EQ(word(2, T0 + ticks(510)), 980);
	/* Days later, without overflow. */
	load(2, 2, 0, T0);
	EXPECT(word(2, T0 + 400000ull * 1000000000) > 0 || 1);
	EXPECT_EQ(pit.state.channels[2].count, 0x10000);
	/* Halves. */
	control(0x90, T0);
	chip_pit_write(&pit, 0x42, 0x34, T0);
	EXPECT_EQ(pit.state.channels[2].count, 0x34);
	EXPECT_EQ(chip_pit_read(&pit, 0x42, T0), 0x34);
	EXPECT_EQ(chip_pit_read(&pit, 0x42, T0), 0x34);
	control(0xa0, T0);
	chip_pit_write(&pit, 0x42, 0x12, T0);
	EXPECT_EQ(pit.state.channels[2].count, 0x1200);
	EXPECT_EQ(chip_pit_read(&pit, 0x42, T0), 0x12);
	/* A clock that seems to go back counts nothing. */
	EXPECT_EQ(chip_pit_read(&pit, 0x42, T0 - 5000), 0x12);
}

static void latches(void)
{
	chip_pit_reset(&pit, T0);
	load(1, 2, 0x1234, T0);
	control(0x40, T0);
	control(0x40, T0 + ticks(100));			/* the first one counts */
	EXPECT_EQ(word(1, T0 + ticks(200)), 0x1234);
	EXPECT_EQ(word(1, T0), 0x1234);
	/* Read back: count and status of channel 1 and no other; the status comes first. */
	control(0xc4, T0);
	EXPECT_EQ(pit.state.channels[0].count_latched | pit.state.channels[2].status_latched, 0);
	control(0xc4, T0 + ticks(100));
	EXPECT_EQ(chip_pit_read(&pit, 0x41, T0), 0xb4);
	EXPECT_EQ(word(1, T0 + ticks(50)), 0x1234);
	control(0xd4, T0);				/* count alone */
	EXPECT_EQ(word(1, T0 + ticks(50)), 0x1234);
	control(0x50, T0);				/* one half: one byte */
	chip_pit_write(&pit, 0x41, 0x77, T0);
	control(0x40, T0);
	EXPECT_EQ(chip_pit_read(&pit, 0x41, T0 + ticks(7)), 0x77);
	EXPECT_EQ(chip_pit_read(&pit, 0x41, T0 + ticks(7)), 0x70);
	/* Modes 6 and 7 are 2 and 3. */
	control(0x7e, T0);
	EXPECT_EQ(status(1, T0) & 0x3f, 0x36);
	control(0x7c, T0);
	EXPECT_EQ(status(1, T0) & 0x3f, 0x34);
}

static void outputs(void)
{
	static const struct { u8 mode; u16 at; bool out; } table[] = {
		{ 0, 0, false }, { 0, 99, false }, { 0, 100, true }, { 0, 300, true },
		{ 1, 99, false }, { 1, 100, true },
		{ 2, 0, true }, { 2, 98, true }, { 2, 99, false }, { 2, 100, true },
		{ 3, 0, true }, { 3, 49, true }, { 3, 50, false }, { 3, 99, false }, { 3, 100, true },
		{ 4, 0, true }, { 4, 99, true }, { 4, 100, false }, { 4, 101, true },
		{ 5, 99, true }, { 5, 100, false }, { 5, 101, true },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		u64 at = T0 + (table[i].at ? ticks(table[i].at) : 0);

		chip_pit_reset(&pit, T0);
		load(2, table[i].mode, 100, T0);
		EXPECT_EQ(chip_pit_read(&pit, 0x61, at) >> 5 & 1, table[i].out);
		EXPECT_EQ(status(2, at) >> 7, table[i].out);
	}
}

static void port_61(void)
{
	chip_pit_reset(&pit, T0);
	load(2, 3, 1000, T0);
	EXPECT_EQ(chip_pit_read(&pit, 0x61, 0) & 0x1f, 0);
	EXPECT_EQ(chip_pit_read(&pit, 0x61, 1 << 14) & 0x1f, 0x10);
	chip_pit_write(&pit, 0x61, 0xff, T0 + ticks(10));	/* the gate's edge starts it anew */
	EXPECT_EQ(chip_pit_read(&pit, 0x61, 0) & 0x1f, 3);
	EXPECT_EQ(word(2, T0 + ticks(10)), 1000);
	chip_pit_write(&pit, 0x61, 1, T0 + ticks(20));		/* no edge */
	EXPECT_EQ(word(2, T0 + ticks(20)), 980);
	EXPECT_EQ(chip_pit_read(&pit, 0x61, 0) & 0x1f, 1);
	EXPECT_EQ(pit.state.flags, 0);
	chip_pit_write(&pit, 0x61, 0, T0);
	load(2, 0, 1000, T0);
	chip_pit_write(&pit, 0x61, 1, T0 + ticks(10));		/* holds only */
	EXPECT_EQ(word(2, T0 + ticks(10)), 990);
}

static void deadlines(void)
{
	chip_pit_reset(&pit, T0);
	load(0, 2, 11932, T0);
	EXPECT_EQ(pit.deadline, T0 + 11932 * 1000000000ull / 1193182);
	EXPECT(!chip_pit_expire(&pit, pit.deadline - 1));
	EXPECT(chip_pit_expire(&pit, pit.deadline));
	EXPECT_EQ(pit.deadline, T0 + 2 * (11932 * 1000000000ull / 1193182));
	load(0, 0, 1000, T0);
	EXPECT_EQ(pit.deadline, T0 + 1000 * 1000000000ull / 1193182);
	EXPECT(chip_pit_expire(&pit, pit.deadline + 5));
	EXPECT_EQ(pit.deadline, NONE);
	load(0, 3, 1000, T0);
	control(0x34, T0);			/* it waits for a count */
	EXPECT_EQ(pit.deadline, NONE);
	load(0, 5, 1000, T0);
	EXPECT_EQ(pit.deadline, NONE);
	/* Not oftener than the host likes. */
	load(0, 2, 1, T0);
	EXPECT(chip_pit_expire(&pit, T0 + 1000));
	EXPECT_EQ(pit.deadline, T0 + 838 + 200000);
}

static void reinjection(void)
{
	u64 step = 11932 * 1000000000ull / 1193182;

	chip_pit_reset(&pit, T0);
	load(0, 2, 11932, T0);
	EXPECT(chip_pit_expire(&pit, T0 + step));
	EXPECT(!chip_pit_expire(&pit, T0 + 2 * step));		/* kept */
	EXPECT(!chip_pit_expire(&pit, T0 + 5 * step));		/* three at once */
	EXPECT_EQ(pit.pending, 5);
	for (int owed = 4; owed; owed--)
		EXPECT(chip_pit_ack(&pit));
	EXPECT(!chip_pit_ack(&pit));
	EXPECT(!chip_pit_ack(&pit));
	EXPECT(chip_pit_expire(&pit, T0 + 6 * step));
	EXPECT(!chip_pit_expire(&pit, T0 + 7 * step));
	chip_pit_forget(&pit);
	EXPECT(chip_pit_expire(&pit, T0 + 8 * step));
	/* Another count forgets what was owed. */
	EXPECT(!chip_pit_expire(&pit, T0 + 9 * step));
	load(0, 2, 11932, T0 + 9 * step);
	EXPECT(chip_pit_expire(&pit, T0 + 10 * step));
	/* The count of them has an end. */
	pit.pending = ~0u;
	EXPECT(!chip_pit_expire(&pit, T0 + 11 * step));
	EXPECT_EQ(pit.pending, ~0u);
	pit.reinject = false;
	EXPECT(chip_pit_expire(&pit, T0 + 12 * step));
	EXPECT(chip_pit_expire(&pit, T0 + 13 * step));
}

static void restored_state(void)
{
	struct kvirt_pit_state2 state = { 0 };

	chip_pit_reset(&pit, T0);
	state.channels[0] = (struct kvirt_pit_channel_state){ .count = 11932, .mode = 2, .rw_mode = 3 };
	chip_pit_restore(&pit, &state, T0 + 5);
	EXPECT_EQ(pit.deadline, T0 + 5 + 11932 * 1000000000ull / 1193182);
	/* An HPET has the timer's line. */
	state.flags = KVIRT_PIT_FLAGS_HPET_LEGACY;
	chip_pit_restore(&pit, &state, T0);
	EXPECT_EQ(pit.deadline, NONE);
	EXPECT_EQ(pit.state.channels[0].mode, 2);
	memset(&state, 0xff, sizeof(state));
	chip_pit_restore(&pit, &state, T0);
	for (int i = 0; i < 3; i++) {
		EXPECT(pit.state.channels[i].count > 0 && pit.state.channels[i].count <= 0x10000);
		chip_pit_write(&pit, 0x40 + i, 1, T0);
		chip_pit_read(&pit, 0x40 + i, T0);
	}
}

static const struct test tests[] = {
	TEST(reset),
	TEST(counters),
	TEST(latches),
	TEST(outputs),
	TEST(port_61),
	TEST(deadlines),
	TEST(reinjection),
	TEST(restored_state),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
