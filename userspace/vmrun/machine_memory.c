// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest was given, what it has given back, what the host has for it, and what it
 * says of it itself. Called by machine.c and machine_control.c.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "machine_memory.h"

#define MAX_STATUS	4096	/* /proc/self/status has half of that */

void machine_memory_open(struct machine *machine)
{
	/* Without /proc it is merely not told. */
	machine->status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
}

void machine_memory_close(struct machine *machine)
{
	if (machine->status_fd >= 0)
		close(machine->status_fd);
	machine->status_fd = -1;
}

/* KiB behind @name in @text; 0 where it is not. */
static u64 status_field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* What the host has for this process, all in all, in bytes; 0: nobody knows. */
static u64 resident(const struct machine *machine)
{
	char text[MAX_STATUS];
	ssize_t n = pread(machine->status_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = 0;
	return (status_field(text, "\nVmRSS:") + status_field(text, "\nHugetlbPages:")) << 10;
}

static json_t *guest_json(const struct balloon_stats *stats)
{
	static const struct {
		const char *name;
		bool bytes;
	} rows[] = {
		[BALLOON_SWAP_IN] = { "swapped_in", true },
		[BALLOON_SWAP_OUT] = { "swapped_out", true },
		[BALLOON_MAJOR_FAULTS] = { "major_faults", false },
		[BALLOON_MINOR_FAULTS] = { "minor_faults", false },
		[BALLOON_FREE] = { "free", true },
		[BALLOON_TOTAL] = { "total", true },
		[BALLOON_AVAILABLE] = { "available", true },
		[BALLOON_CACHES] = { "caches", true },
	};
	json_t *object = json_pack("{s:I}", "told", (json_int_t)stats->told);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (stats->known & BIT(i))
			json_object_set_new(object, rows[i].name,
					    json_integer(rows[i].bytes ? stats->value[i] >> 20 : stats->value[i]));
	return object;
}

struct json_t *machine_memory_json(struct machine *machine)
{
	u64 total = memory_size(&machine->memory), host = resident(machine);
	struct balloon_view view;
	json_t *object;

	balloon_look(&machine->balloon, &view);
	object = json_pack("{s:I, s:I, s:I, s:I, s:b}", "total", (json_int_t)(total >> 20),
			   "wanted", (json_int_t)((total - min_u64(view.target, total)) >> 20),
			   "balloon", (json_int_t)(view.actual >> 20),
			   "reported", (json_int_t)(view.reported >> 20), "heard", view.driven);
	if (host)
		json_object_set_new(object, "resident", json_integer(host >> 20));
	if (view.stats.told)
		json_object_set_new(object, "guest", guest_json(&view.stats));
	return object;
}

int machine_memory_set(struct machine *machine, unsigned int mib, struct vm_error *err)
{
	u64 total = memory_size(&machine->memory);
	char hint[64];

	snprintf(hint, sizeof(hint), "say %lluM to %lluM", (unsigned long long)CONFIG_MIN_MEMORY >> 20,
		 (unsigned long long)(total >> 20));
	if (MIB(mib) < CONFIG_MIN_MEMORY || MIB(mib) > total)
		return vm_fail(err, VM_STATUS_FAILURE, hint,
			       "a machine that was given %lluM cannot get along with %uM",
			       (unsigned long long)(total >> 20), mib);
	balloon_set_target(&machine->balloon, total - MIB(mib));
	return 0;
}
