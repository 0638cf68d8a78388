/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of buffers that are used up from their front, between memory and files.
 */
#ifndef VMRUN_DISK_VEC_H
#define VMRUN_DISK_VEC_H

#include <sys/uio.h>

#include "../types.h"

/* What is left of a list; the buffers in @iov are shortened as it is used up. */
struct disk_vec {
	struct iovec *iov;
	unsigned int nr;
};

enum disk_direction { DISK_READ, DISK_WRITE };

/* Bytes in all. */
u64 disk_vec_len(const struct disk_vec *vec);

/* Takes @len bytes off the front, or off the end; there must be that many. */
void disk_vec_skip(struct disk_vec *vec, u64 len);
void disk_vec_cut(struct disk_vec *vec, u64 len);

/* Moves the next @len bytes into @buf, or fills them from it; there must be that many. */
void disk_vec_gather(struct disk_vec *vec, void *buf, size_t len);

/*
 * Reads the next @len bytes of @vec from @fd at @offset, or writes them there, all of them:
 * 0 or -errno, -EIO where the file ends too early.
 */
int disk_vec_move(struct disk_vec *vec, enum disk_direction direction, int fd, u64 offset, u64 len);

/* The same of one buffer; it is not changed when written. */
int disk_buf_move(void *buf, enum disk_direction direction, int fd, u64 offset, size_t len);

/*
 * Makes @vec, with its buffers in @iov (DISK_ZERO_IOV of them), at most @len bytes of
 * zeroes to write; returns how many.
 */
#define DISK_ZERO_IOV	16
u64 disk_vec_zeroes(struct disk_vec *vec, struct iovec *iov, u64 len);

#endif
