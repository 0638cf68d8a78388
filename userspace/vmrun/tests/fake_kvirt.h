/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An accelerator that only writes down what it is asked for: routes, messages, eventfds, and
 * the registers of vCPUs, whose kvirt_vcpu.fd is their number.
 */
#ifndef VMRUN_TESTS_FAKE_KVIRT_H
#define VMRUN_TESTS_FAKE_KVIRT_H

#include "../kvirt.h"

#define FAKE_MAX	64

#define FAKE_VCPUS	4

struct fake_vcpu {
	struct kvirt_regs regs;
	struct kvirt_sregs sregs;
	u8 xsave[KVIRT_XSAVE_SIZE];
	u64 kernel_gs_base;
	struct kvirt_guest_debug debug;
	unsigned int regs_set, sregs_set, xsave_set, debug_set, was_paused;
};

struct fake_kvirt {
	struct kvirt_route route[KVIRT_MAX_ROUTES];
	unsigned int nr_routes, routes_set, messages;
	struct { int fd; u32 gsi; } irqfd[FAKE_MAX];
	struct { int fd; u64 addr; } doorbell[FAKE_MAX];
	unsigned int nr_irqfds, nr_doorbells;
	bool no_doorbells;
	bool refuses;		/* registers */
};

extern struct fake_kvirt fake;
extern struct fake_vcpu fake_vcpu[FAKE_VCPUS];

/* The eventfd of the doorbell at @addr, or -1. */
int fake_doorbell(u64 addr);

#endif
