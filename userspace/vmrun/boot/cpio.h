/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes an archive in cpio's "newc" format, the one that the kernel unpacks as its
 * initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#ifndef VMRUN_BOOT_CPIO_H
#define VMRUN_BOOT_CPIO_H

#include "../types.h"

/* Of vmrun's archives: far more than an initramfs of a few modules needs. */
#define CPIO_MAX_SIZE	MIB(256)

struct cpio {
	int fd;
	u32 inode;		/* the last one given */
	u64 size;		/* bytes written */
	int error;		/* errno of the first failure; nothing is written after it */
};

/* Starts an archive at the beginning of @fd. */
void cpio_start(struct cpio *cpio, int fd);

/* @name is a path without a leading slash. Errors are kept until cpio_end(). */
void cpio_directory(struct cpio *cpio, const char *name, u32 mode);
void cpio_device(struct cpio *cpio, const char *name, u32 mode, u32 major, u32 minor);
void cpio_file(struct cpio *cpio, const char *name, u32 mode, const void *data, u64 size);

/* Writes the trailer. Returns 0, or the errno of the first thing that failed. */
int cpio_end(struct cpio *cpio);

#endif
