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

/* What it is to the host; docs/vmrun.md says when which is worth its price. */
enum memory_kind {
	MEMORY_PRIVATE,		/* anonymous memory of this process */
	MEMORY_FILE,		/* a memfd, which another process can map too */
	MEMORY_HUGE_2M,		/* the same, of pages that the host has set apart */
	MEMORY_HUGE_1G,
};

struct memory {
	struct memory_region region[MEMORY_MAX_REGIONS];
	unsigned int nr_regions;
	enum memory_kind kind;
	int fd;			/* of a kind that is a file; it stays as long as it is as it is (seals) */
	void *mapping;		/* what munmap() needs */
	size_t mapping_size;
};

/* A check of options.def: @arg is one of --backing's words. */
int memory_check_backing(const char *arg, struct vm_error *err);

/* @arg is one of them. */
enum memory_kind memory_kind_of(const char *arg);

/*
 * Reserves @size bytes (whole MiB), of which the host gives none before they are touched. A
 * file is seen as memfd:vmrun-@name in /proc/PID/maps. Returns 0, or -1 with @err filled in.
 */
int memory_create_as(struct memory *mem, u64 size, enum memory_kind kind, const char *name,
		     struct vm_error *err);
/* The same, private. */
int memory_create(struct memory *mem, u64 size, struct vm_error *err);
void memory_destroy(struct memory *mem);

/* All of it, as -m said. */
u64 memory_size(const struct memory *mem);

/* The least that the host can have back: what is smaller stays, and as it is. */
u64 memory_page(const struct memory *mem);

/*
 * The host's address of guest memory [@addr, @addr + @len), or NULL when any
 * byte of it is not RAM, or lies in another region than the first.
 */
void *guest_buf(const struct memory *mem, u64 addr, u64 len);

/*
 * The guest does not need [@start, @start + @len), pages inside one region, as it says: the
 * host gets what of it are whole pages of its own, which read as zeroes afterwards. Returns
 * how many bytes that are. Any thread.
 */
u64 memory_give_back(const struct memory *mem, void *start, u64 len);

/* The end of RAM below the hole: where the loaders place things. */
u64 memory_low_end(const struct memory *mem);

#endif
