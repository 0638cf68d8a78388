// SPDX-License-Identifier: GPL-2.0
/*
 * The CMOS clock: what it shows against the C library's calendar, what a guest sets, and
 * that nothing that a guest writes does more than that.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../dev/rtc.h"
#include "ktap.h"

#define NS 1000000000ull

static u64 now_ns;

static u64 now(void)
{
	return now_ns;
}

static void out(struct rtc *rtc, u64 port, u8 value)
{
	rtc_bus_ops.write(rtc, port, &value, 1);
}

static u8 get(struct rtc *rtc, u8 index)
{
	u8 value;

	out(rtc, 0, index);
	rtc_bus_ops.read(rtc, 1, &value, 1);
	return value;
}

static void set(struct rtc *rtc, u8 index, u8 value)
{
	out(rtc, 0, index);
	out(rtc, 1, value);
}

static unsigned int bcd(u8 value)
{
	EXPECT((value & 0xf) < 10 && value >> 4 < 10);
	return (value >> 4) * 10 + (value & 0xf);
}

/* As the registers show it in BCD and 24 hours. */
static void expect_time(struct rtc *rtc, time_t seconds)
{
	struct tm tm;

	gmtime_r(&seconds, &tm);
	EXPECT_EQ(bcd(get(rtc, 0)), tm.tm_sec);
	EXPECT_EQ(bcd(get(rtc, 2)), tm.tm_min);
	EXPECT_EQ(bcd(get(rtc, 4)), tm.tm_hour);
	EXPECT_EQ(bcd(get(rtc, 6)), tm.tm_wday + 1);
	EXPECT_EQ(bcd(get(rtc, 7)), tm.tm_mday);
	EXPECT_EQ(bcd(get(rtc, 8)), tm.tm_mon + 1);
	EXPECT_EQ(bcd(get(rtc, 0x32)) * 100 + bcd(get(rtc, 9)), tm.tm_year + 1900);
}

static void shows_the_hosts_time(void)
{
	static const time_t odd[] = {
		0, 951782399, 951782400, 951868800, 4107542399, 4107542400, 1709164800, 1735689599,
		253402300799, 32503680000,
	};
	struct rtc rtc;
	unsigned int i;

	rtc_init(&rtc, now);
	for (i = 0; i < COUNT(odd); i++) {
		/* What nanoseconds of 64 bits can say. */
		if ((u64)odd[i] > UINT64_MAX / NS)
			continue;
		now_ns = odd[i] * NS + 17;
		expect_time(&rtc, odd[i]);
	}
	srand(1);
	for (i = 0; i < 2000; i++) {
		time_t at = (u64)rand() * 8 + i;

		now_ns = at * NS;
		expect_time(&rtc, at);
	}
	rtc_destroy(&rtc);
}

static void status_registers(void)
{
	struct rtc rtc;

	rtc_init(&rtc, now);
	now_ns = 100 * NS + NS - 100000;
	EXPECT_EQ(get(&rtc, 10), 0xa6);
	now_ns = 100 * NS + NS / 2;
	EXPECT_EQ(get(&rtc, 10), 0x26);
	EXPECT_EQ(get(&rtc, 11), 0x02);
	EXPECT_EQ(get(&rtc, 12), 0);
	EXPECT_EQ(get(&rtc, 13), 0x80);
	/* Interrupts cannot be switched on, and nothing else there is written. */
	set(&rtc, 11, 0x72);
	EXPECT_EQ(get(&rtc, 11), 0x02);
	set(&rtc, 10, 0xff);
	set(&rtc, 12, 0xff);
	set(&rtc, 13, 0);
	EXPECT_EQ(get(&rtc, 10), 0x26);
	EXPECT_EQ(get(&rtc, 12), 0);
	EXPECT_EQ(get(&rtc, 13), 0x80);
	/* The index is 7 bits wide and is not read back. */
	set(&rtc, 0x80 | 0x40, 0x5a);
	EXPECT_EQ(get(&rtc, 0x40), 0x5a);
	rtc_bus_ops.read(&rtc, 0, &(u8){ 0 }, 1);
	rtc_destroy(&rtc);
}

static void binary_and_twelve_hours(void)
{
	static const u8 hours[] = { 0x12, 0x01, 0x92, 0x81 }, at[] = { 0, 1, 12, 13 };
	struct rtc rtc;
	unsigned int i;

	rtc_init(&rtc, now);
	set(&rtc, 11, 0);
	for (i = 0; i < COUNT(at); i++) {
		now_ns = at[i] * 3600 * NS;
		EXPECT_EQ(get(&rtc, 4), hours[i]);
	}
	set(&rtc, 11, 0x06);
	now_ns = (23 * 3600 + 59 * 60 + 58) * NS;
	EXPECT_EQ(get(&rtc, 0), 58);
	EXPECT_EQ(get(&rtc, 2), 59);
	EXPECT_EQ(get(&rtc, 4), 23);
	EXPECT_EQ(get(&rtc, 9), 70);
	EXPECT_EQ(get(&rtc, 0x32), 19);
	/* Set by twelve hours: 12:30 in the morning. Another mode is for registers written in it. */
	set(&rtc, 11, 0x02);
	set(&rtc, 11, 0x80);
	set(&rtc, 4, 0x12);
	set(&rtc, 2, 0x30);
	set(&rtc, 11, 0);
	set(&rtc, 11, 0x02);
	EXPECT_EQ(get(&rtc, 4), 0);
	EXPECT_EQ(get(&rtc, 2), 0x30);
	rtc_destroy(&rtc);
}

/* As Linux does it: SET, the registers, SET away. */
static void write_time(struct rtc *rtc, const u8 *bcds)
{
	static const u8 index[] = { 0, 2, 4, 7, 8, 9, 0x32 };
	unsigned int i;

	set(rtc, 11, 0x82);
	for (i = 0; i < COUNT(index); i++)
		set(rtc, index[i], bcds[i]);
	/* It stands while it is set. */
	now_ns += 5 * NS;
	EXPECT_EQ(get(rtc, 0), bcds[0]);
	set(rtc, 11, 0x02);
}

static void is_set_and_goes_on(void)
{
	static const u8 time[] = { 0x56, 0x34, 0x12, 0x29, 0x02, 0x24, 0x20 };
	struct rtc rtc;

	rtc_init(&rtc, now);
	now_ns = 1000000000 * NS;
	write_time(&rtc, time);
	expect_time(&rtc, 1709210096);
	now_ns += 100 * NS;
	expect_time(&rtc, 1709210196);
	/* One register, without SET. */
	set(&rtc, 4, 0x13);
	expect_time(&rtc, 1709210196 + 3600);
	rtc_destroy(&rtc);
}

static void no_time_is_not_taken(void)
{
	static const u8 bad[][7] = {
		{ 0x60, 0, 0, 1, 1, 0, 0x20 }, { 0, 0x60, 0, 1, 1, 0, 0x20 }, { 0, 0, 0x24, 1, 1, 0, 0x20 },
		{ 0, 0, 0, 0, 1, 0, 0x20 }, { 0, 0, 0, 0x32, 1, 0, 0x20 }, { 0, 0, 0, 1, 0, 0, 0x20 },
		{ 0, 0, 0, 1, 0x13, 0, 0x20 }, { 0, 0, 0, 1, 1, 0xff, 0x20 }, { 0, 0, 0, 1, 1, 0, 0xfa },
	};
	struct rtc rtc;
	unsigned int i;

	rtc_init(&rtc, now);
	for (i = 0; i < COUNT(bad); i++) {
		now_ns = 1700000000 * NS;
		write_time(&rtc, bad[i]);
		expect_time(&rtc, 1700000005);
	}
	rtc_destroy(&rtc);
}

static void anything_may_be_written(void)
{
	struct rtc rtc;
	unsigned int i;

	rtc_init(&rtc, NULL);
	srand(2);
	for (i = 0; i < 200000; i++) {
		out(&rtc, rand() & 1, rand());
		get(&rtc, rand());
	}
	rtc_destroy(&rtc);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(shows_the_hosts_time), TEST(status_registers), TEST(binary_and_twelve_hours),
		TEST(is_set_and_goes_on), TEST(no_time_is_not_taken), TEST(anything_may_be_written),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
