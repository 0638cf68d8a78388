/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file that is loaded into the guest. Its contents are not trusted: whatever
 * it says about itself is checked against its real size.
 */
#ifndef VMRUN_BOOT_IMAGE_H
#define VMRUN_BOOT_IMAGE_H

#include "../log.h"
#include "../types.h"

struct image {
	const char *path;
	const char *what;	/* "kernel", "initramfs", for messages */
	int fd;
	u64 size;
};

int image_open(struct image *image, const char *path, const char *what,
	       struct vm_error *err);

/* The same with @fd, which is taken; @path is a name for messages. */
int image_take(struct image *image, int fd, const char *path, const char *what,
	       struct vm_error *err);
void image_close(struct image *image);

/* Reads exactly @len bytes from @offset, or fails. */
int image_read(const struct image *image, u64 offset, void *buf, u64 len,
	       struct vm_error *err);

#endif
