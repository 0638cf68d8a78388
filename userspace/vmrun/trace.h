/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flight recorder: the last exits of a vCPU, as the module's ring has them
 * (struct kvirt_exit_ring), as JSON and as lines for people.
 */
#ifndef VMRUN_TRACE_H
#define VMRUN_TRACE_H

#include <stdio.h>

#include "../../include/uapi/linux/kvirt.h"

#include "types.h"

#define TRACE_MAX	64	/* records that are taken of one vCPU */
#define TRACE_FILE	"trace.json"	/* of a crashed guest, in the machine's folder */

struct json_t;

struct trace {
	u64 exits;	/* since the vCPU was created */
	u32 tsc_khz;
	unsigned int nr;
	struct kvirt_exit_record record[TRACE_MAX];	/* nr of them, the oldest first */
};

/*
 * Takes the last @max records of @ring, which is @size bytes long and may be written
 * meanwhile: only those that are whole. -1: it is no ring that is known here.
 */
int trace_copy(struct trace *trace, const struct kvirt_exit_ring *ring, size_t size,
	       unsigned int max);

/*
 * {"vcpu": @vcpu, "exits": how many there were, "records": [...]}, to be released. @now is
 * the host's TSC, before which a record's "ago" (nanoseconds) lies.
 */
struct json_t *trace_json(const struct trace *trace, unsigned int vcpu, u64 now);

/* The last @max lines of what trace_json() made, with a line before them. */
void trace_print(FILE *to, const struct json_t *vcpu, unsigned int max);

#endif
