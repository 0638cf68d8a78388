// SPDX-License-Identifier: GPL-2.0
/*
 * Moves lists of buffers to and from files, whole, however little a system call takes at
 * once. Called by disk.c, overlay.c and the block device's requests; any thread.
 */
#include <errno.h>
#include <string.h>

#include "vec.h"

u64 disk_vec_len(const struct disk_vec *vec)
{
	u64 len = 0;
	unsigned int i;

	for (i = 0; i < vec->nr; i++)
		len += vec->iov[i].iov_len;
	return len;
}

void disk_vec_skip(struct disk_vec *vec, u64 len)
{
	while (vec->nr && len >= vec->iov->iov_len) {
		len -= vec->iov->iov_len;
		vec->iov++;
		vec->nr--;
	}
	if (!len)
		return;
	vec->iov->iov_base = (u8 *)vec->iov->iov_base + len;
	vec->iov->iov_len -= len;
}

void disk_vec_cut(struct disk_vec *vec, u64 len)
{
	while (vec->nr && len >= vec->iov[vec->nr - 1].iov_len)
		len -= vec->iov[--vec->nr].iov_len;
	if (len)
		vec->iov[vec->nr - 1].iov_len -= len;
}

void disk_vec_gather(struct disk_vec *vec, void *buf, size_t len)
{
	u8 *to = buf;
	size_t n;

	while (len) {
		n = min_u64(len, vec->iov->iov_len);
		memcpy(to, vec->iov->iov_base, n);
		disk_vec_skip(vec, n);
		to += n;
		len -= n;
	}
}

/* One system call for at most @len bytes of @vec: how many it moved, or -errno. */
static ssize_t move_some(const struct disk_vec *vec, enum disk_direction direction, int fd,
			 u64 offset, u64 len)
{
	unsigned int nr = 0;
	struct iovec *last;
	size_t whole;
	u64 sum = 0;
	ssize_t n;

	while (nr < vec->nr && sum < len)
		sum += vec->iov[nr++].iov_len;
	/* The last may reach beyond: shorten it for as long as the call lasts. */
	last = &vec->iov[nr - 1];
	whole = last->iov_len;
	if (sum > len)
		last->iov_len -= sum - len;
	if (direction == DISK_READ)
		n = preadv(fd, vec->iov, nr, offset);
	else
		n = pwritev(fd, vec->iov, nr, offset);
	last->iov_len = whole;
	return n < 0 ? -errno : n;
}

int disk_vec_move(struct disk_vec *vec, enum disk_direction direction, int fd, u64 offset, u64 len)
{
	ssize_t n;

	while (len) {
		n = move_some(vec, direction, fd, offset, len);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		disk_vec_skip(vec, n);
		offset += n;
		len -= n;
	}
	return 0;
}

int disk_buf_move(void *buf, enum disk_direction direction, int fd, u64 offset, size_t len)
{
	struct iovec iov = { buf, len };
	struct disk_vec vec = { &iov, 1 };

	return disk_vec_move(&vec, direction, fd, offset, len);
}

u64 disk_vec_zeroes(struct disk_vec *vec, struct iovec *iov, u64 len)
{
	static const u8 zeroes[4096];
	u64 sum = 0;

	*vec = (struct disk_vec){ iov, 0 };
	while (vec->nr < DISK_ZERO_IOV && sum < len) {
		/* Only written from. */
		iov[vec->nr].iov_base = (void *)zeroes;
		iov[vec->nr].iov_len = min_u64(sizeof(zeroes), len - sum);
		sum += iov[vec->nr++].iov_len;
	}
	return sum;
}
