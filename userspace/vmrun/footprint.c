// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of vmrun's own that need not be there while a machine runs. What its parts allocate is
 * theirs; what guests' memory takes is memory.c's.
 */
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "footprint.h"
#include "types.h"

#define STACK_SIZE	(1 << 20)

/*
 * A stack that can hold a large page becomes one where the host gives them to everybody,
 * and a thread that needs 8 KiB then has 2 MiB.
 */
void footprint_small_stacks(void)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr))
		return;
	if (!pthread_attr_setstacksize(&attr, STACK_SIZE))
		pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
}

static int give_back(struct dl_phdr_info *info, size_t size, void *ctx)
{
	const uintptr_t page = sysconf(_SC_PAGESIZE);
	unsigned int i;

	(void)size;
	(void)ctx;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + part->p_vaddr;
		uintptr_t to = from + part->p_memsz;

		if (part->p_type != PT_LOAD || (part->p_flags & PF_W))
			continue;
		from &= ~(page - 1);
		to = (to + page - 1) & ~(page - 1);
		/* The vDSO is in no file: the kernel refuses, or gives it again. */
		if (madvise((void *)from, to - from, MADV_DONTNEED))
			break;
	}
	return 0;
}

/*
 * Building a machine reads much that running it does not: libkmod, libseccomp's compiler of
 * filters, the parsers of options and images, relocations, the start of glib. That is 1 MiB.
 */
void footprint_give_back(void)
{
	dl_iterate_phdr(give_back, NULL);
}
