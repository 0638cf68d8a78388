// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the binary statistics of KVIRT_GET_STATS_FD: a header, descriptors with names and
 * 64-bit numbers, each where the header says. Only single numbers; histograms are left
 * out. Called by machine_control.c.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stats.h"

#define MAX_COUNTERS	256
#define MAX_NAME	64

struct stats {
	unsigned int nr;
	struct {
		char name[MAX_NAME];
		u64 value;
	} counter[MAX_COUNTERS];
};

struct stats *stats_create(struct vm_error *err)
{
	struct stats *stats = calloc(1, sizeof(*stats));

	if (!stats)
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	return stats;
}

void stats_destroy(struct stats *stats)
{
	free(stats);
}

static void add(struct stats *stats, const char *name, u64 value)
{
	unsigned int i;

	for (i = 0; i < stats->nr; i++)
		if (!strcmp(stats->counter[i].name, name))
			break;
	if (i == MAX_COUNTERS)
		return;
	if (i == stats->nr) {
		strcpy(stats->counter[i].name, name);
		stats->nr++;
	}
	stats->counter[i].value += value;
}

static bool read_at(int fd, void *to, size_t len, u64 offset)
{
	return pread(fd, to, len, offset) == (ssize_t)len;
}

static bool add_file(struct stats *stats, int fd)
{
	struct kvirt_stats_header header;
	struct {
		struct kvirt_stats_desc desc;
		char name[256];
	} row;
	u64 value, at;
	u32 i;

	if (!read_at(fd, &header, sizeof(header), 0) || header.name_size > sizeof(row.name) ||
	    header.num_desc > MAX_COUNTERS)
		return false;
	for (i = 0; i < header.num_desc; i++) {
		at = header.desc_offset + (u64)i * (sizeof(row.desc) + header.name_size);
		if (!read_at(fd, &row.desc, sizeof(row.desc), at) ||
		    !read_at(fd, row.name, header.name_size, at + sizeof(row.desc)))
			return false;
		if (row.desc.size != 1 || strnlen(row.name, header.name_size) >= MAX_NAME)
			continue;
		if (!read_at(fd, &value, sizeof(value), (u64)header.data_offset + row.desc.offset))
			return false;
		add(stats, row.name, value);
	}
	return true;
}

int stats_add(struct stats *stats, const struct kvirt_vcpu *vcpu, struct vm_error *err)
{
	if (vcpu->stats_fd >= 0 && add_file(stats, vcpu->stats_fd))
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE, "run the machine with --accel kvirt",
		       "the accelerator tells nothing of its exits");
}

struct json_t *stats_json(const struct stats *stats)
{
	json_t *counters = json_object();
	struct timespec now;
	unsigned int i;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (i = 0; i < stats->nr; i++)
		json_object_set_new(counters, stats->counter[i].name,
				    json_integer(stats->counter[i].value));
	return json_pack("{s:I, s:o}", "time", (json_int_t)now.tv_sec * 1000000000 + now.tv_nsec,
			 "counters", counters);
}
