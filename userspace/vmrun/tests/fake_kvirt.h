/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An accelerator that only writes down what it is asked for: routes, messages, eventfds.
 */
#ifndef VMRUN_TESTS_FAKE_KVIRT_H
#define VMRUN_TESTS_FAKE_KVIRT_H

#include "../kvirt.h"

#define FAKE_MAX	64

struct fake_kvirt {
	struct kvirt_route route[KVIRT_MAX_ROUTES];
	unsigned int nr_routes, routes_set, messages;
	struct { int fd; u32 gsi; } irqfd[FAKE_MAX];
	struct { int fd; u64 addr; } doorbell[FAKE_MAX];
	unsigned int nr_irqfds, nr_doorbells;
	bool no_doorbells;
};

extern struct fake_kvirt fake;

/* The eventfd of the doorbell at @addr, or -1. */
int fake_doorbell(u64 addr);

#endif
