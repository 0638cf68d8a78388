// SPDX-License-Identifier: GPL-2.0
/*
 * Copy on write: blocks that the guest wrote (or discarded: holes) are read from the
 * overlay, all others from the image. Called by disk.c, from any thread.
 *
 * A block's bit is set after its bytes are there and never cleared, so that whoever sees
 * it needs no lock. Whoever does not takes the lock and looks again: two that write to
 * different parts of one block would each copy the rest of it, over the other's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "overlay.h"

static bool is_present(const struct overlay *overlay, u64 block)
{
	u64 word = __atomic_load_n(&overlay->present[block / 64], __ATOMIC_ACQUIRE);

	return word >> block % 64 & 1;
}

static void set_present(struct overlay *overlay, u64 offset, u64 len)
{
	u64 block = offset / OVERLAY_BLOCK, end = (offset + len + OVERLAY_BLOCK - 1) / OVERLAY_BLOCK;

	for (; block < end; block++)
		__atomic_fetch_or(&overlay->present[block / 64], 1ull << block % 64,
				  __ATOMIC_RELEASE);
}

/* How many of the @len bytes at @offset are alike: in the overlay, or not; says which. */
static u64 run(const struct overlay *overlay, u64 offset, u64 len, bool *present)
{
	u64 block = offset / OVERLAY_BLOCK, end = offset + len;

	*present = is_present(overlay, block);
	do
		block++;
	while (block * OVERLAY_BLOCK < end && is_present(overlay, block) == *present);
	return min_u64(block * OVERLAY_BLOCK, end) - offset;
}

int overlay_read(struct overlay *overlay, struct disk_vec *vec, u64 offset)
{
	u64 len = disk_vec_len(vec), n;
	bool present;
	int ret;

	for (; len; offset += n, len -= n) {
		n = run(overlay, offset, len, &present);
		ret = disk_vec_move(vec, DISK_READ, present ? overlay->fd : overlay->base_fd,
				    offset, n);
		if (ret)
			return ret;
	}
	return 0;
}

/* A part of a block that is not present: the whole of it, from image and @vec. Locked. */
static int copy_up(struct overlay *overlay, struct disk_vec *vec, u64 offset, u64 len)
{
	u64 start = align_down(offset, OVERLAY_BLOCK);
	/* The image may end inside its last block. */
	size_t size = min_u64(OVERLAY_BLOCK, overlay->size - start);
	u8 block[OVERLAY_BLOCK];
	int ret;

	ret = disk_buf_move(block, DISK_READ, overlay->base_fd, start, size);
	if (ret)
		return ret;
	disk_vec_gather(vec, block + (offset - start), len);
	ret = disk_buf_move(block, DISK_WRITE, overlay->fd, start, size);
	if (!ret)
		set_present(overlay, start, size);
	return ret;
}

/* How many bytes at @offset are whole blocks, of @len; what ends with the image is whole. */
static u64 whole_blocks(const struct overlay *overlay, u64 offset, u64 len)
{
	if (offset % OVERLAY_BLOCK)
		return 0;
	return offset + len == overlay->size ? len : align_down(len, OVERLAY_BLOCK);
}

/* Writes some of the @len bytes at @offset, where the first is not present: how many, or -errno. */
static s64 write_absent(struct overlay *overlay, struct disk_vec *vec, u64 offset, u64 len)
{
	bool present;
	int ret;
	u64 n;

	pthread_mutex_lock(&overlay->lock);
	n = run(overlay, offset, len, &present);
	if (present) {
		/* Somebody was faster. */
		ret = disk_vec_move(vec, DISK_WRITE, overlay->fd, offset, n);
	} else if (whole_blocks(overlay, offset, n)) {
		n = whole_blocks(overlay, offset, n);
		ret = disk_vec_move(vec, DISK_WRITE, overlay->fd, offset, n);
		if (!ret)
			set_present(overlay, offset, n);
	} else {
		n = min_u64(n, OVERLAY_BLOCK - offset % OVERLAY_BLOCK);
		ret = copy_up(overlay, vec, offset, n);
	}
	pthread_mutex_unlock(&overlay->lock);
	return ret ? ret : (s64)n;
}

int overlay_write(struct overlay *overlay, struct disk_vec *vec, u64 offset)
{
	u64 len = disk_vec_len(vec);
	bool present;
	s64 n;

	for (; len; offset += n, len -= n) {
		n = run(overlay, offset, len, &present);
		if (present) {
			int ret = disk_vec_move(vec, DISK_WRITE, overlay->fd, offset, n);

			if (ret)
				return ret;
			continue;
		}
		n = write_absent(overlay, vec, offset, len);
		if (n < 0)
			return n;
	}
	return 0;
}

/* Whole blocks become a hole, and present: they read as zeroes. */
static int punch(struct overlay *overlay, u64 offset, u64 len)
{
	int ret = 0;

	pthread_mutex_lock(&overlay->lock);
	if (fallocate(overlay->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len))
		ret = -errno;
	else
		set_present(overlay, offset, len);
	pthread_mutex_unlock(&overlay->lock);
	return ret;
}

static int write_zeroes(struct overlay *overlay, u64 offset, u64 len)
{
	struct iovec iov[DISK_ZERO_IOV];
	struct disk_vec vec;
	int ret = 0;
	u64 n;

	for (; len && !ret; offset += n, len -= n) {
		n = disk_vec_zeroes(&vec, iov, len);
		ret = overlay_write(overlay, &vec, offset);
	}
	return ret;
}

int overlay_discard(struct overlay *overlay, u64 offset, u64 len)
{
	u64 head = min_u64(align_up(offset, OVERLAY_BLOCK) - offset, len);
	int ret;

	/* The parts of blocks at both ends stay as they are. */
	len = whole_blocks(overlay, offset + head, len - head);
	if (!len)
		return 0;
	ret = punch(overlay, offset + head, len);
	return ret == -EOPNOTSUPP ? 0 : ret;
}

int overlay_write_zeroes(struct overlay *overlay, u64 offset, u64 len)
{
	u64 head = min_u64(align_up(offset, OVERLAY_BLOCK) - offset, len);
	u64 whole = whole_blocks(overlay, offset + head, len - head);
	int ret;

	ret = write_zeroes(overlay, offset, head);
	if (!ret && whole) {
		ret = punch(overlay, offset + head, whole);
		if (ret == -EOPNOTSUPP)
			ret = write_zeroes(overlay, offset + head, whole);
	}
	if (!ret)
		ret = write_zeroes(overlay, offset + head + whole, len - head - whole);
	return ret;
}

/* A file without a name in @dir, which goes with its descriptor; -1 with errno. */
static int make_file(const char *dir)
{
	char path[4096];
	int fd;

	fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	/* File systems that cannot do that. */
	if (snprintf(path, sizeof(path), "%s/vmrun-XXXXXX", dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int make_temporary(const char **dir)
{
	int fd;

	*dir = getenv("TMPDIR");
	if (*dir && **dir)
		return make_file(*dir);
	/* It can grow large: where memory is not what files are made of, if there is such a place. */
	*dir = "/var/tmp";
	fd = make_file(*dir);
	if (fd < 0 && errno == ENOENT) {
		*dir = "/tmp";
		fd = make_file(*dir);
	}
	return fd;
}

int overlay_create(struct overlay *overlay, int base_fd, u64 size, struct vm_error *err)
{
	u64 blocks = align_up(size, OVERLAY_BLOCK) / OVERLAY_BLOCK;
	const char *dir;

	memset(overlay, 0, sizeof(*overlay));
	overlay->base_fd = base_fd;
	overlay->size = size;
	overlay->bitmap_size = align_up(blocks, 64) / 8;
	overlay->fd = make_temporary(&dir);
	/* Only the part of the bitmap that is used becomes memory. */
	overlay->present = mmap(NULL, overlay->bitmap_size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_mutex_init(&overlay->lock, NULL);
	if (overlay->fd >= 0 && overlay->present != MAP_FAILED && !ftruncate(overlay->fd, size))
		return 0;
	vm_fail(err, VM_STATUS_FAILURE, "set TMPDIR to a directory that can hold what the guest writes",
		"cannot make a temporary file of %llu MiB in %.200s for a disk's changes: %s",
		(unsigned long long)(size >> 20), dir, strerror(errno));
	overlay_destroy(overlay);
	return -1;
}

void overlay_destroy(struct overlay *overlay)
{
	if (overlay->fd >= 0)
		close(overlay->fd);
	if (overlay->present != MAP_FAILED)
		munmap(overlay->present, overlay->bitmap_size);
	pthread_mutex_destroy(&overlay->lock);
}
