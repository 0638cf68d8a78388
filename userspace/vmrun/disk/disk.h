/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk of the guest's: a raw image, or a view of one that the guest may write and
 * nobody keeps.
 */
#ifndef VMRUN_DISK_DISK_H
#define VMRUN_DISK_DISK_H

#include "../log.h"
#include "../types.h"
#include "overlay.h"
#include "vec.h"

#define DISK_SECTOR	512

enum disk_mode {
	DISK_RW,
	DISK_RO,
	DISK_COW,	/* written to an overlay that goes with the machine */
};

/* What zeroed blocks cost in the image afterwards. */
enum disk_zero {
	DISK_ZERO_ALLOCATED,
	DISK_ZERO_UNMAP,	/* nothing, where the file system can do that */
};

/* All const once it is open, but what overlay.c locks itself. */
struct disk {
	enum disk_mode mode;
	u64 size;		/* bytes, whole sectors */
	u32 block_size;		/* what the guest should not go below: 512, or the block device's own */
	int fd;			/* the image; read-only but for DISK_RW */
	struct overlay overlay;	/* DISK_COW */
};

/*
 * Takes "PATH", "PATH:ro", ":cow" or ":rw" apart: returns the length of PATH, 0 when there
 * is none. One that ends like a mode is given with one: "odd:ro:rw".
 */
size_t disk_split(const char *arg, enum disk_mode *mode);

/* Looks whether @fd is an image in a format that is not raw: 0, or -1 with @err filled in. */
int disk_check_format(int fd, const char *path, struct vm_error *err);

/*
 * Opens the file or block device @path, and locks it: one machine may write it, or several
 * read it. Returns 0, or -1 with @err filled in and nothing left open.
 */
int disk_open(struct disk *disk, const char *path, enum disk_mode mode, struct vm_error *err);
void disk_close(struct disk *disk);

/*
 * Each returns 0 or -errno; the range must lie inside the disk, whole sectors of it. Any
 * thread, any number at once. Those that write fail with -EROFS under DISK_RO. @vec is used up.
 */
int disk_read(struct disk *disk, struct disk_vec *vec, u64 offset);
int disk_write(struct disk *disk, struct disk_vec *vec, u64 offset);

/* What was written before is on stable storage afterwards; an overlay has none and needs none. */
int disk_flush(struct disk *disk);

/* The range is not needed any more: what it reads as afterwards is open. */
int disk_discard(struct disk *disk, u64 offset, u64 len);

int disk_write_zeroes(struct disk *disk, u64 offset, u64 len, enum disk_zero zero);

#endif
