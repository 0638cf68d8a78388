// SPDX-License-Identifier: GPL-2.0
/*
 * Reserves the guest's memory as anonymous memory of this process and
 * translates guest-physical addresses. Giving it to the accelerator is
 * machine.c's work. The layout is fixed once memory_create() has returned, so
 * any thread may translate without a lock.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "memory.h"

/* Align as large pages are, so that the accelerator can map them as such. */
#define MEMORY_ALIGN	MIB(2)

int memory_create(struct memory *mem, u64 size, struct vm_error *err)
{
	u64 low = min_u64(size, MEMORY_HOLE_START);
	u8 *base;

	memset(mem, 0, sizeof(*mem));
	mem->mapping_size = size + MEMORY_ALIGN;
	mem->mapping = mmap(NULL, mem->mapping_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->mapping == MAP_FAILED) {
		mem->mapping = NULL;
		return vm_fail(err, VM_STATUS_FAILURE,
			       "give the guest less memory with -m",
			       "cannot reserve %llu MiB of guest memory: %s",
			       (unsigned long long)(size >> 20), strerror(errno));
	}
	base = (u8 *)align_up((uintptr_t)mem->mapping, MEMORY_ALIGN);
	/* A wish only: without large pages the guest runs all the same. */
	madvise(base, size, MADV_HUGEPAGE);

	mem->region[mem->nr_regions++] = (struct memory_region){
		.guest_addr = 0, .size = low, .host_addr = base,
	};
	if (size > low)
		mem->region[mem->nr_regions++] = (struct memory_region){
			.guest_addr = MEMORY_HOLE_END, .size = size - low,
			.host_addr = base + low,
		};
	return 0;
}

void memory_destroy(struct memory *mem)
{
	if (mem->mapping)
		munmap(mem->mapping, mem->mapping_size);
	memset(mem, 0, sizeof(*mem));
}

void *guest_buf(const struct memory *mem, u64 addr, u64 len)
{
	unsigned int i;

	for (i = 0; i < mem->nr_regions; i++) {
		const struct memory_region *r = &mem->region[i];

		/* Compare differences: a sum of guest values may wrap. */
		if (addr < r->guest_addr || addr - r->guest_addr > r->size)
			continue;
		if (len > r->size - (addr - r->guest_addr))
			continue;
		return r->host_addr + (addr - r->guest_addr);
	}
	return NULL;
}

void memory_give_back(const struct memory *mem, void *start, u64 len)
{
	(void)mem;
	/* Pages that are locked stay: nothing is lost but the chance. */
	madvise(start, len, MADV_DONTNEED);
}

u64 memory_low_end(const struct memory *mem)
{
	return mem->region[0].size;
}
