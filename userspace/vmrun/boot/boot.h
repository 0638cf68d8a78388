/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From files to a guest that is ready to start: the kernel, its initramfs and
 * the tables it reads, placed in guest memory; and where vCPU 0 begins.
 */
#ifndef VMRUN_BOOT_BOOT_H
#define VMRUN_BOOT_BOOT_H

#include "../log.h"
#include "../memory.h"
#include "../types.h"

/* Guest-physical places below 1 MiB; a kernel is never loaded there. */
#define BOOT_GDT_ADDR		0x500
#define BOOT_PARAMS_ADDR	0x7000	/* boot_params, or PVH's start info */
#define BOOT_PAGE_TABLES_ADDR	0x9000
#define BOOT_CMDLINE_ADDR	0x20000
#define BOOT_CMDLINE_MAX	0x10000
#define BOOT_LOW_RAM_END	0xa0000
#define BOOT_ACPI_ADDR		0xe0000
#define BOOT_ACPI_SIZE		0x20000
#define BOOT_KERNEL_MIN		0x100000

enum boot_mode {
	BOOT_LONG,		/* 64-bit, paging on, 4 GiB mapped one to one */
	BOOT_PROTECTED,		/* 32-bit, flat, paging off */
};

struct boot_entry {
	enum boot_mode mode;
	u64 rip;
	u64 rsi;
	u64 rbx;
};

struct boot_source {
	const char *kernel;
	const char *initramfs;	/* NULL: none */
	int initramfs_fd;	/* one without a name; 0: none. It stays the caller's */
	const char *cmdline;
};

/*
 * Loads @source into @mem, whichever format its kernel has. The ACPI tables are
 * acpi_build()'s work. Returns 0 and *@entry, or -1 with @err filled in.
 */
int boot_load(const struct memory *mem, const struct boot_source *source,
	      struct boot_entry *entry, struct vm_error *err);

/* Whether @path is a kernel that can be loaded, as far as its header and size tell. */
int boot_check(const char *path, struct vm_error *err);

#endif
