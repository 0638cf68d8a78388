/* SPDX-License-Identifier: GPL-2.0 */
/* Counters that people and the benchmarks read: /sys/kernel/debug/kvirt. */
#ifndef KVIRT_HOST_STATS_H
#define KVIRT_HOST_STATS_H

/* Without debugfs there are none: no error. */
void host_stats_init(void);
void host_stats_exit(void);

#endif
