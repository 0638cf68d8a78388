// SPDX-License-Identifier: GPL-2.0
/*
 * Registers after Motorola's MC146818A data sheet. Time is not kept but computed when it is
 * read; what the guest sets becomes an offset. The C library's calendar would open files
 * (time zones), which no vCPU's thread may, so there is one here, for UTC. Called by the bus.
 */
#include <string.h>
#include <time.h>

#include "rtc.h"

enum {
	REG_SECOND = 0, REG_MINUTE = 2, REG_HOUR = 4, REG_WEEKDAY = 6, REG_DAY = 7,
	REG_MONTH = 8, REG_YEAR = 9, REG_A = 10, REG_B = 11, REG_C = 12, REG_D = 13,
};

#define A_UPDATING	BIT(7)
#define A_32KHZ		0x26	/* the divider that a PC's firmware sets, and its rate */
#define B_SET		BIT(7)	/* the guest sets the time: it stands still */
#define B_BINARY	BIT(2)
#define B_24_HOURS	BIT(1)
#define B_KEPT		(B_SET | B_BINARY | B_24_HOURS)	/* no interrupts, no daylight saving */
#define D_VALID		BIT(7)
#define HOUR_PM		BIT(7)

#define NS		1000000000ull
#define UPDATE_NS	244000	/* "updating" comes that long before a second begins */

#define DAY		86400
#define DAYS_TO_1970	719468	/* from March 1 of year 0 */
#define DAYS_OF_ERA	146097	/* 400 years */

struct calendar {
	s64 year;
	unsigned int month, day, weekday, hour, minute, second;
};

static u64 host_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS + now.tv_nsec;
}

/* Years that begin in March have their leap day last, so months follow a rule. */
static s64 days_before(s64 year, unsigned int month, unsigned int day)
{
	s64 era, of_era;
	unsigned int of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	of_era = year - era * 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

static struct calendar to_calendar(s64 seconds)
{
	s64 days = (seconds >= 0 ? seconds : seconds - (DAY - 1)) / DAY;
	unsigned int rest = seconds - days * DAY, of_era, year, of_year, month;
	s64 era, shifted = days + DAYS_TO_1970;
	struct calendar c;

	era = (shifted >= 0 ? shifted : shifted - (DAYS_OF_ERA - 1)) / DAYS_OF_ERA;
	of_era = shifted - era * DAYS_OF_ERA;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	c.day = of_year - (153 * month + 2) / 5 + 1;
	c.month = month < 10 ? month + 3 : month - 9;
	c.year = era * 400 + year + (c.month <= 2);
	/* 1970 began on a Thursday; the chip's week on Sunday, by 1. */
	c.weekday = ((days + 4) % 7 + 7) % 7 + 1;
	c.hour = rest / 3600;
	c.minute = rest / 60 % 60;
	c.second = rest % 60;
	return c;
}

/* ---- how registers show numbers ---- */

static u8 encode(const struct rtc *rtc, unsigned int n)
{
	return rtc->memory[REG_B] & B_BINARY ? n : n / 10 << 4 | n % 10;
}

static unsigned int decode(const struct rtc *rtc, u8 value)
{
	if (rtc->memory[REG_B] & B_BINARY)
		return value;
	/* What is no number is none of a calendar's either. */
	return (value & 0xf) > 9 || value >> 4 > 9 ? 255 : (value >> 4) * 10 + (value & 0xf);
}

static u8 encode_hour(const struct rtc *rtc, unsigned int hour)
{
	if (rtc->memory[REG_B] & B_24_HOURS)
		return encode(rtc, hour);
	return encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned int decode_hour(const struct rtc *rtc, u8 value)
{
	unsigned int hour;

	if (rtc->memory[REG_B] & B_24_HOURS)
		return decode(rtc, value);
	hour = decode(rtc, value & ~HOUR_PM);
	if (!hour || hour > 12)
		return 255;
	return hour % 12 + (value & HOUR_PM ? 12 : 0);
}

/* Puts the time as it is now into the registers. */
static void latch(struct rtc *rtc)
{
	struct calendar c = to_calendar((s64)(rtc->now() / NS) + rtc->offset);
	u8 *m = rtc->memory;

	m[REG_SECOND] = encode(rtc, c.second);
	m[REG_MINUTE] = encode(rtc, c.minute);
	m[REG_HOUR] = encode_hour(rtc, c.hour);
	m[REG_WEEKDAY] = encode(rtc, c.weekday);
	m[REG_DAY] = encode(rtc, c.day);
	m[REG_MONTH] = encode(rtc, c.month);
	m[REG_YEAR] = encode(rtc, c.year % 100);
	m[RTC_CENTURY] = encode(rtc, c.year / 100 % 100);
}

/* The registers are the time from now on, where they are one. */
static void commit(struct rtc *rtc)
{
	const u8 *m = rtc->memory;
	unsigned int second = decode(rtc, m[REG_SECOND]), minute = decode(rtc, m[REG_MINUTE]);
	unsigned int hour = decode_hour(rtc, m[REG_HOUR]), day = decode(rtc, m[REG_DAY]);
	unsigned int month = decode(rtc, m[REG_MONTH]), year = decode(rtc, m[REG_YEAR]);
	unsigned int century = decode(rtc, m[RTC_CENTURY]);

	if (second > 59 || minute > 59 || hour > 23 || !day || day > 31 || !month || month > 12 ||
	    year > 99 || century > 99)
		return;
	rtc->offset = days_before(century * 100 + year, month, day) * DAY + hour * 3600 +
		      minute * 60 + second - (s64)(rtc->now() / NS);
}

static bool is_time(u8 index)
{
	switch (index) {
	case REG_SECOND: case REG_MINUTE: case REG_HOUR: case REG_WEEKDAY: case REG_DAY:
	case REG_MONTH: case REG_YEAR: case RTC_CENTURY:
		return true;
	default:
		return false;
	}
}

static u8 read_register(struct rtc *rtc)
{
	bool stands = rtc->memory[REG_B] & B_SET;

	if (is_time(rtc->index) && !stands)
		latch(rtc);
	if (rtc->index == REG_A)
		return A_32KHZ | (!stands && rtc->now() % NS >= NS - UPDATE_NS ? A_UPDATING : 0);
	return rtc->memory[rtc->index];
}

static void write_register(struct rtc *rtc, u8 value)
{
	bool stands = rtc->memory[REG_B] & B_SET;

	switch (rtc->index) {
	case REG_A:
	case REG_C:
	case REG_D:
		break;
	case REG_B:
		/* The registers have the time as the old settings show it. */
		if (stands && !(value & B_SET))
			commit(rtc);
		if (!stands && (value & B_SET))
			latch(rtc);
		rtc->memory[REG_B] = value & B_KEPT;
		break;
	default:
		if (is_time(rtc->index) && !stands)
			latch(rtc);
		rtc->memory[rtc->index] = value;
		if (is_time(rtc->index) && !stands)
			commit(rtc);
		break;
	}
}

static void rtc_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct rtc *rtc = dev;
	unsigned int i;

	pthread_mutex_lock(&rtc->lock);
	/* The index cannot be read back. */
	for (i = 0; i < len; i++)
		data[i] = offset + i == 1 ? read_register(rtc) : 0xff;
	pthread_mutex_unlock(&rtc->lock);
}

static void rtc_write(void *dev, u64 offset, const u8 *data, unsigned int len)
{
	struct rtc *rtc = dev;
	unsigned int i;

	pthread_mutex_lock(&rtc->lock);
	for (i = 0; i < len; i++) {
		/* The highest bit is a PC's gate for NMIs, of which there is none. */
		if (offset + i == 0)
			rtc->index = data[i] % RTC_SIZE;
		else
			write_register(rtc, data[i]);
	}
	pthread_mutex_unlock(&rtc->lock);
}

const struct bus_ops rtc_bus_ops = {
	.read = rtc_read,
	.write = rtc_write,
};

void rtc_init(struct rtc *rtc, rtc_now_fn *now)
{
	memset(rtc, 0, sizeof(*rtc));
	pthread_mutex_init(&rtc->lock, NULL);
	rtc->now = now ? now : host_now;
	rtc->memory[REG_B] = B_24_HOURS;
	rtc->memory[REG_D] = D_VALID;
}

void rtc_destroy(struct rtc *rtc)
{
	pthread_mutex_destroy(&rtc->lock);
}
