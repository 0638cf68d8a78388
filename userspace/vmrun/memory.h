/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory and the one translator from guest-physical addresses.
 */
#ifndef VMRUN_MEMORY_H
#define VMRUN_MEMORY_H

#include "log.h"
#include "types.h"

/* RAM stops here and goes on at 4 GiB; in between are the APICs. */
#define MEMORY_HOLE_START	GIB(3)
#define MEMORY_HOLE_END		GIB(4)
#define MEMORY_MAX_REGIONS	2

struct memory_region {
	u64 guest_addr;
	u64 size;
	u8 *host_addr;
};

struct memory {
	struct memory_region region[MEMORY_MAX_REGIONS];
	unsigned int nr_regions;
	void *mapping;		/* what munmap() needs */
	size_t mapping_size;
};

/* Reserves @size bytes (whole MiB). Returns 0, or -1 with @err filled in. */
int memory_create(struct memory *mem, u64 size, struct vm_error *err);
void memory_destroy(struct memory *mem);

/*
 * The host's address of guest memory [@addr, @addr + @len), or NULL when any
 * byte of it is not RAM, or lies in another region than the first.
 */
void *guest_buf(const struct memory *mem, u64 addr, u64 len);

/*
 * The guest does not need [@start, @start + @len), whole pages inside one region, as it
 * says: the host may have them, and they read as zeroes afterwards. Any thread.
 */
void memory_give_back(const struct memory *mem, void *start, u64 len);

/* The end of RAM below the hole: where the loaders place things. */
u64 memory_low_end(const struct memory *mem);

#endif
