// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring by liburing. What is asked of a ring is no system call that the thread's filter
 * sees, so the ring itself is confined before it is of any use: to reading one file, which
 * is open. Called by virtio/blk.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "uring.h"

/* Whether the file can say that it would have to wait. Else a ring hands all to threads of its own. */
static bool tells_waiting(const struct disk *disk)
{
	char bytes[DISK_SECTOR];
	struct iovec iov = { bytes, sizeof(bytes) };

	return preadv2(disk->fd, &iov, 1, 0, RWF_NOWAIT) >= 0 || errno == EAGAIN;
}

static int confine(struct io_uring *ring)
{
	struct io_uring_restriction rule[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE },
	};

	return io_uring_register_restrictions(ring, rule, ARRAY_SIZE(rule));
}

int disk_uring_create(struct disk_uring *uring, const struct disk *disk, unsigned int depth)
{
	int ret;

	memset(uring, 0, sizeof(*uring));
	if (disk->mode == DISK_COW || !tells_waiting(disk))
		return -EOPNOTSUPP;
	ret = io_uring_queue_init(depth, &uring->ring, IORING_SETUP_R_DISABLED);
	if (ret)
		return ret;
	uring->there = true;
	ret = io_uring_register_files(&uring->ring, &disk->fd, 1);
	if (!ret)
		ret = confine(&uring->ring);
	if (!ret)
		ret = io_uring_enable_rings(&uring->ring);
	if (ret)
		disk_uring_destroy(uring);
	return ret;
}

void disk_uring_destroy(struct disk_uring *uring)
{
	if (uring->there)
		io_uring_queue_exit(&uring->ring);
	uring->there = false;
}

int disk_uring_fd(const struct disk_uring *uring)
{
	return uring->ring.ring_fd;
}

void disk_uring_prepare(struct disk_uring *uring, const struct disk_vec *vec, u64 offset, void *user)
{
	/* There is one: the ring has as many as can be under way. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	io_uring_prep_readv(sqe, 0, vec->iov, vec->nr, offset);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, user);
	uring->nr_prepared++;
}

int disk_uring_submit(struct disk_uring *uring)
{
	int ret;

	while (uring->nr_prepared) {
		ret = io_uring_submit(&uring->ring);
		if (ret == -EINTR)
			continue;
		if (ret <= 0)
			return ret ? ret : -EAGAIN;
		uring->nr_prepared -= ret;
	}
	return 0;
}

/* The kernel looks at the queue in io_uring_submit() alone, by which all has gone into it. */
void *disk_uring_take_back(struct disk_uring *uring)
{
	struct io_uring_sq *sq = &uring->ring.sq;

	if (!uring->nr_prepared)
		return NULL;
	uring->nr_prepared--;
	sq->sqe_head = --sq->sqe_tail;
	(*sq->ktail)--;
	return (void *)sq->sqes[sq->sqe_tail & *sq->kring_mask].user_data;
}

void *disk_uring_reap(struct disk_uring *uring, s64 *result)
{
	struct io_uring_cqe *cqe;
	void *user;

	if (io_uring_peek_cqe(&uring->ring, &cqe))
		return NULL;
	*result = cqe->res;
	user = io_uring_cqe_get_data(cqe);
	io_uring_cqe_seen(&uring->ring, cqe);
	return user;
}
