/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest wrote to an image that stays as it is: a sparse temporary file without a
 * name, as large as the image, and a bitmap of what is in it.
 */
#ifndef VMRUN_DISK_OVERLAY_H
#define VMRUN_DISK_OVERLAY_H

#include <pthread.h>

#include "../log.h"
#include "../types.h"
#include "vec.h"

/* The block of the usual file systems: what they write seldom needs the rest of one copied. */
#define OVERLAY_BLOCK	4096

struct overlay {
	/* const after overlay_create() */
	int base_fd;
	int fd;
	u64 size;		/* of the image */
	size_t bitmap_size;	/* bytes */

	u64 *present;		/* a bit a block; set under the lock, read without */
	pthread_mutex_t lock;	/* around every change of a block that is not present yet */
};

/*
 * Makes the file in $TMPDIR, else /var/tmp or /tmp. @base_fd stays the caller's. Returns 0,
 * or -1 with @err filled in.
 */
int overlay_create(struct overlay *overlay, int base_fd, u64 size, struct vm_error *err);
void overlay_destroy(struct overlay *overlay);

/* As disk.h's functions. */
int overlay_read(struct overlay *overlay, struct disk_vec *vec, u64 offset);
int overlay_write(struct overlay *overlay, struct disk_vec *vec, u64 offset);
int overlay_discard(struct overlay *overlay, u64 offset, u64 len);
int overlay_write_zeroes(struct overlay *overlay, u64 offset, u64 len);

#endif
