/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An io_uring for reads of one image: they go to the kernel many at a time, and what the page
 * cache has comes back from the same call. Writes and the rest are not its business: the
 * usual file systems (ext4) cannot tell whether one would have to wait, and the kernel then
 * hands it to threads of its own, which takes more than ours do.
 */
#ifndef VMRUN_DISK_URING_H
#define VMRUN_DISK_URING_H

#include <liburing.h>

#include "disk.h"

struct disk_uring {
	struct io_uring ring;
	bool there;
	unsigned int nr_prepared;	/* and not submitted yet */
};

/*
 * Sets one up for @disk, which is no DISK_COW, with room for @depth requests. 0, or -errno:
 * where the kernel or an administrator does not allow it, and -EOPNOTSUPP where there is
 * nothing to be gained, since reading @disk always means to wait.
 */
int disk_uring_create(struct disk_uring *uring, const struct disk *disk, unsigned int depth);
void disk_uring_destroy(struct disk_uring *uring);

/* Readable while there is something for disk_uring_reap(). */
int disk_uring_fd(const struct disk_uring *uring);

/*
 * What follows is called under one lock. @vec, to be read at @offset, stays where it is until
 * @user comes back. No more than @depth may be under way.
 */
void disk_uring_prepare(struct disk_uring *uring, const struct disk_vec *vec, u64 offset,
			void *user);

/* Sends off what was prepared. 0, or -errno with some or all of it still prepared. */
int disk_uring_submit(struct disk_uring *uring);

/* Takes back what was prepared and could not be sent off, the last one first: @user. NULL: none. */
void *disk_uring_take_back(struct disk_uring *uring);

/* The next one that is done: @user and how many bytes it moved, or -errno. NULL: none. */
void *disk_uring_reap(struct disk_uring *uring, s64 *result);

#endif
