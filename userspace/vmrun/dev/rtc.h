/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The clock that runs without power (MC146818 and the century of the PC/AT's CMOS memory),
 * in UTC: the host's time, or what the guest makes of it. No alarm and no interrupt.
 */
#ifndef VMRUN_DEV_RTC_H
#define VMRUN_DEV_RTC_H

#include <pthread.h>

#include "../bus.h"
#include "../types.h"

#define RTC_PORT	0x70	/* index, data */
#define RTC_PORTS	2
#define RTC_SIZE	128
#define RTC_CENTURY	0x32	/* its register; boot/acpi.c tells the guest */

/* Nanoseconds since 1970. */
typedef u64 rtc_now_fn(void);

struct rtc {
	pthread_mutex_t lock;	/* all below */
	rtc_now_fn *now;
	u8 index;
	u8 memory[RTC_SIZE];	/* time, while the guest sets it; else what nobody changes */
	s64 offset;		/* seconds that the guest's time is ahead of the host's */
};

extern const struct bus_ops rtc_bus_ops;

/* @now: the host's time; NULL: CLOCK_REALTIME. */
void rtc_init(struct rtc *rtc, rtc_now_fn *now);
void rtc_destroy(struct rtc *rtc);

#endif
