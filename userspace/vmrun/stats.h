/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The accelerator's counters, summed over vCPUs, by name.
 */
#ifndef VMRUN_STATS_H
#define VMRUN_STATS_H

#include "kvirt.h"
#include "log.h"

struct json_t;
struct stats;

struct stats *stats_create(struct vm_error *err);
void stats_destroy(struct stats *stats);

/* Adds what @vcpu has counted; -1 when the accelerator has no such counters. */
int stats_add(struct stats *stats, const struct kvirt_vcpu *vcpu, struct vm_error *err);

/* {"time": nanoseconds, "counters": {name: sum, ...}}, to be released. */
struct json_t *stats_json(const struct stats *stats);

#endif
