// SPDX-License-Identifier: GPL-2.0
/*
 * Reserves the guest's memory, anonymous or a memfd, and translates guest-physical
 * addresses. Giving it to the accelerator is machine.c's work. The layout is fixed once
 * memory_create_as() has returned, so any thread may translate without a lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"

/* Of <linux/memfd.h>, which does not go with <sys/mman.h>: the logarithm of the size. */
#define HUGE_2M		(21u << 26)
#define HUGE_1G		(30u << 26)

#define POOLS		"/sys/kernel/mm/hugepages/hugepages-"

static const struct backing {
	const char *name;	/* as --backing says it */
	unsigned int flags;	/* of memfd_create() */
	u64 page;
	const char *pool;	/* where the host sets such pages apart; NULL: it does not */
	const char *page_name;
} backings[] = {
	[MEMORY_PRIVATE] = { "private", 0, KIB(4), NULL, NULL },
	[MEMORY_FILE] = { "memfd", 0, KIB(4), NULL, NULL },
	[MEMORY_HUGE_2M] = { "hugepages", MFD_HUGETLB | HUGE_2M, MIB(2), POOLS "2048kB", "2 MiB" },
	[MEMORY_HUGE_1G] = { "hugepages=1G", MFD_HUGETLB | HUGE_1G, GIB(1), POOLS "1048576kB", "1 GiB" },
};

int memory_check_backing(const char *arg, struct vm_error *err)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(backings); i++)
		if (!strcmp(arg, backings[i].name))
			return 0;
	return vm_fail(err, VM_STATUS_FAILURE, "use --backing private, memfd, hugepages or hugepages=1G",
		       "there is no memory of kind '%.64s'", arg);
}

enum memory_kind memory_kind_of(const char *arg)
{
	unsigned int i;

	for (i = ARRAY_SIZE(backings) - 1; i > MEMORY_PRIVATE; i--)
		if (!strcmp(arg, backings[i].name))
			break;
	return i;
}

/* A number that the pool tells; 0 where there is none. */
static u64 pool_number(const struct backing *backing, const char *name)
{
	unsigned long long n = 0;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", backing->pool, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &n) != 1)
		n = 0;
	fclose(file);
	return n;
}

/* Why there is no such memory, as errno says it. */
static int cannot_reserve(const struct backing *backing, u64 size, struct vm_error *err)
{
	u64 pages = size / backing->page, all, free;
	int error = errno;
	char hint[256];

	if (!backing->pool)
		return vm_fail(err, VM_STATUS_FAILURE, "give the guest less memory with -m",
			       "cannot reserve %llu MiB of guest memory: %s",
			       (unsigned long long)(size >> 20), strerror(error));
	/* Free ones may be promised to others already. */
	all = pool_number(backing, "nr_hugepages");
	free = pool_number(backing, "free_hugepages");
	free -= min_u64(free, pool_number(backing, "resv_hugepages"));
	if (error == ENOMEM)
		snprintf(hint, sizeof(hint), "set them apart as root: echo %llu > %s/nr_hugepages; or leave --backing away",
			 (unsigned long long)(all + pages - min_u64(free, pages)), backing->pool);
	else
		snprintf(hint, sizeof(hint), "leave --backing away: large pages are used where there are some all the same");
	return vm_fail(err, VM_STATUS_FAILURE, hint,
		       "cannot have %llu huge pages of %s, of which the host has %llu free: %s",
		       (unsigned long long)pages, backing->page_name, (unsigned long long)free,
		       strerror(error));
}

/* Its size cannot change any more: a process that maps it need not fear SIGBUS. */
static int open_file(const struct backing *backing, u64 size, const char *name)
{
	char full[128];
	int fd, error;

	snprintf(full, sizeof(full), "vmrun-%s", name);
	fd = memfd_create(full, MFD_CLOEXEC | MFD_ALLOW_SEALING | backing->flags);
	if (fd < 0)
		return -1;
	if (!ftruncate(fd, size) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Maps @size bytes at @base, which are reserved. NULL: errno says why. */
static void *map_at(const struct memory *mem, void *base, u64 size)
{
	int flags = MAP_FIXED;
	void *p;

	/* Huge pages are promised now, so that the guest does not die for want of one. */
	if (mem->kind < MEMORY_HUGE_2M)
		flags |= MAP_NORESERVE;
	flags |= mem->kind == MEMORY_PRIVATE ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	p = mmap(base, size, PROT_READ | PROT_WRITE, flags, mem->fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void add_regions(struct memory *mem, u8 *base, u64 size)
{
	u64 low = min_u64(size, MEMORY_HOLE_START);

	mem->region[mem->nr_regions++] = (struct memory_region){
		.guest_addr = 0, .size = low, .host_addr = base,
	};
	if (size > low)
		mem->region[mem->nr_regions++] = (struct memory_region){
			.guest_addr = MEMORY_HOLE_END, .size = size - low,
			.host_addr = base + low,
		};
}

int memory_create_as(struct memory *mem, u64 size, enum memory_kind kind, const char *name,
		     struct vm_error *err)
{
	const struct backing *backing = &backings[kind];
	/* As large pages are, so that the accelerator can map them as such. */
	u64 align = backing->page > MIB(2) ? backing->page : MIB(2);
	u8 *base = NULL;

	*mem = (struct memory){ .kind = kind, .fd = -1 };
	if (size % backing->page && backing->pool)
		return vm_fail(err, VM_STATUS_FAILURE, "give the guest a multiple of that with -m",
			       "%llu MiB of memory are not made of pages of %s",
			       (unsigned long long)(size >> 20), backing->page_name);
	mem->mapping_size = size + align;
	mem->mapping = mmap(NULL, mem->mapping_size, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->mapping == MAP_FAILED)
		mem->mapping = NULL;
	else if (kind != MEMORY_PRIVATE)
		mem->fd = open_file(backing, size, name);
	if (mem->mapping && (kind == MEMORY_PRIVATE || mem->fd >= 0))
		base = map_at(mem, (void *)align_up((uintptr_t)mem->mapping, align), size);
	if (!base) {
		cannot_reserve(backing, size, err);
		memory_destroy(mem);
		return -1;
	}
	/* A wish only: without large pages the guest runs all the same. */
	if (!backing->pool)
		madvise(base, size, MADV_HUGEPAGE);
	add_regions(mem, base, size);
	return 0;
}

int memory_create(struct memory *mem, u64 size, struct vm_error *err)
{
	return memory_create_as(mem, size, MEMORY_PRIVATE, NULL, err);
}

void memory_destroy(struct memory *mem)
{
	if (mem->mapping)
		munmap(mem->mapping, mem->mapping_size);
	if (mem->kind != MEMORY_PRIVATE && mem->fd >= 0)
		close(mem->fd);
	memset(mem, 0, sizeof(*mem));
}

u64 memory_size(const struct memory *mem)
{
	u64 size = 0;
	unsigned int i;

	for (i = 0; i < mem->nr_regions; i++)
		size += mem->region[i].size;
	return size;
}

u64 memory_page(const struct memory *mem)
{
	return backings[mem->kind].page;
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

u64 memory_give_back(const struct memory *mem, void *start, u64 len)
{
	u64 page = memory_page(mem);
	u64 first = align_up((uintptr_t)start, page);
	u64 end = align_down((uintptr_t)start + len, page);

	if (first >= end)
		return 0;
	/*
	 * Of a file the page stays though nobody maps it, unless there is a hole in its place.
	 * Pages that are locked stay: nothing is lost but the chance.
	 */
	if (madvise((void *)(uintptr_t)first, end - first,
		    mem->kind == MEMORY_PRIVATE ? MADV_DONTNEED : MADV_REMOVE))
		return 0;
	return end - first;
}

u64 memory_low_end(const struct memory *mem)
{
	return mem->region[0].size;
}
