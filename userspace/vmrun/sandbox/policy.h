/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which system calls each thread of vmrun may make, and why: tables and nothing else.
 * Compiled into filters by compile.c when vmrun is built, printed by report.c.
 */
#ifndef VMRUN_SANDBOX_POLICY_H
#define VMRUN_SANDBOX_POLICY_H

#include "../types.h"

enum sandbox_thread {
	SANDBOX_MAIN,
	SANDBOX_MAIN_GDB,	/* the same thread, where there is --gdb */
	SANDBOX_VCPU,
	SANDBOX_BLK,
	SANDBOX_RING,
	SANDBOX_FS,
	SANDBOX_FS_WRITE,	/* a share that the guest may change */
	SANDBOX_NET,
	SANDBOX_THREADS
};

/* Stands for the process' own id, which is known when a filter is loaded. */
#define SANDBOX_OWN_PID		0x7fedcba9u

#define SANDBOX_MAX_CHECKS	2

/* The call is allowed where (argument & mask) == value. */
struct sandbox_check {
	u8 arg;			/* 0 is the first */
	u64 mask;		/* 0: there is no such check */
	u64 value;
};

struct sandbox_rule {
	int nr;
	const char *call;
	struct sandbox_check check[SANDBOX_MAX_CHECKS];
	const char *when;	/* the checks in words; NULL: there are none */
	const char *reason;
};

struct sandbox_set {
	const struct sandbox_rule *rule;
	unsigned int nr;
};

#define SANDBOX_MAX_SETS	6

/* What a thread may do is the union of its sets, the most frequent first. */
struct sandbox_policy {
	const char *name;	/* of the thread, a number behind it where there are several */
	const char *what;
	struct sandbox_set set[SANDBOX_MAX_SETS];
};

extern const struct sandbox_policy sandbox_policies[SANDBOX_THREADS];

#endif
