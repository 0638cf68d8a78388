/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What boot.c asks of the two kernel formats. Each loads the kernel, tells what
 * it occupies and where the initramfs may lie, and is told afterwards where it
 * does lie, to write the block that the kernel reads first.
 */
#ifndef VMRUN_BOOT_KERNEL_H
#define VMRUN_BOOT_KERNEL_H

#include "boot.h"
#include "image.h"
#include "version.h"

struct kernel {
	u64 start;		/* [start, end): what it needs for itself */
	u64 end;
	u64 initramfs_max;	/* last byte the initramfs may have */
	u64 cmdline_max;	/* characters, without the final NUL */
	u64 entry;
};

struct initramfs {
	u64 addr;
	u64 size;		/* 0: none */
};

/* *_probe() tells the format; *_check() whether header and size are those of a kernel that loads. */
bool linux_probe(const struct image *image);
int linux_check(const struct image *image, struct vm_error *err);
int linux_load(const struct memory *mem, const struct image *image,
	       struct kernel *kernel, struct vm_error *err);
int linux_finish(const struct memory *mem, const struct image *image,
		 const struct kernel *kernel, const struct initramfs *initramfs,
		 struct boot_entry *entry, struct vm_error *err);

/* version.c: the release that its header tells; false when there is none. */
bool linux_release(const struct image *image, char release[KERNEL_RELEASE_SIZE]);

/*
 * sum.c: 0 when @image is sound as far as it tells; @setup_size bytes of it, at least
 * 0x200, and what is @loaded behind them, @size bytes, are what its checksum is for.
 */
int linux_check_sum(const struct image *image, u64 setup_size, const u8 *loaded, u64 size,
		    struct vm_error *err);

bool elf_probe(const struct image *image);
int elf_check(const struct image *image, struct vm_error *err);
int elf_load(const struct memory *mem, const struct image *image,
	     struct kernel *kernel, struct vm_error *err);
int elf_finish(const struct memory *mem, const struct kernel *kernel,
	       const struct initramfs *initramfs, struct boot_entry *entry,
	       struct vm_error *err);

/* Loads @source's initramfs as high as @kernel allows. */
int initramfs_load(const struct memory *mem, const struct boot_source *source,
		   const struct kernel *kernel, struct initramfs *initramfs,
		   struct vm_error *err);

#endif
