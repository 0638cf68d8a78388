// SPDX-License-Identifier: GPL-2.0
/*
 * Opens, checks and locks disk images, and does what a guest asks of a raw one; overlay.c
 * does it for one that must stay as it is. Called by the block device (virtio/blk.c),
 * from the threads of its pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"

size_t disk_split(const char *arg, enum disk_mode *mode)
{
	static const struct { const char *suffix; enum disk_mode mode; } modes[] = {
		{ ":rw", DISK_RW }, { ":ro", DISK_RO }, { ":cow", DISK_COW },
	};
	size_t len = strlen(arg), n;
	unsigned int i;

	*mode = DISK_RW;
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		n = strlen(modes[i].suffix);
		if (len >= n && !strcmp(arg + len - n, modes[i].suffix)) {
			*mode = modes[i].mode;
			return len - n;
		}
	}
	return len;
}

/* Formats that would be destroyed, or be noise to the guest, as raw bytes. */
static const struct {
	const char *name;
	const char *magic;
} formats[] = {
	{ "qcow2", "QFI\xfb" },
	{ "VMDK", "KDMV" },
	{ "VHDX", "vhdxfile" },
	{ "VHD", "conectix" },
	{ "VDI", "<<< Orac" },
};

int disk_check_format(int fd, const char *path, struct vm_error *err)
{
	char head[8] = "";
	unsigned int i;

	/* What cannot be read is an I/O error of the guest's, later. */
	if (pread(fd, head, sizeof(head), 0) < 0)
		return 0;
	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (!memcmp(head, formats[i].magic, strlen(formats[i].magic)))
			return vm_fail(err, VM_STATUS_FAILURE,
				       "make a raw image of it first: qemu-img convert -O raw IMAGE NEW",
				       "the disk image %.300s is in %s format, and vmrun reads raw ones only",
				       path, formats[i].name);
	return 0;
}

static int check_size(struct disk *disk, const char *path, struct vm_error *err)
{
	struct stat st;
	off_t size;
	int block;

	if (fstat(disk->fd, &st))
		return vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot look at %.300s: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return vm_fail(err, VM_STATUS_FAILURE,
			       S_ISDIR(st.st_mode) ? "share a directory with -v" :
			       "give a raw image or a block device",
			       "cannot use %.300s as a disk: it is no file and no block device", path);
	size = lseek(disk->fd, 0, SEEK_END);
	if (size <= 0 || size % DISK_SECTOR)
		return vm_fail(err, VM_STATUS_FAILURE,
			       size > 0 ? "is it a disk image? 'truncate -s %512 FILE' makes it whole sectors" :
			       "make one, for example: truncate -s 10G FILE",
			       "cannot use %.300s as a disk: its size, %lld, is no multiple of 512",
			       path, (long long)size);
	disk->size = size;
	disk->block_size = DISK_SECTOR;
	if (S_ISBLK(st.st_mode) && !ioctl(disk->fd, BLKSSZGET, &block) && block > DISK_SECTOR)
		disk->block_size = block;
	return 0;
}

/* Belongs to the open file, so that it goes with it, however vmrun ends. */
static int lock_image(const struct disk *disk, const char *path, struct vm_error *err)
{
	struct flock lock = {
		.l_type = disk->mode == DISK_RW ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET,
	};

	if (!fcntl(disk->fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return vm_fail(err, VM_STATUS_FAILURE,
			       disk->mode == DISK_RW ?
			       "machines share an image when all of them take it with :ro or :cow" :
			       "wait for that one's end, or start it with :ro or :cow too",
			       "the disk image %.300s is %s", path, disk->mode == DISK_RW ?
			       "in use" : "being written by another machine");
	log_note("cannot lock %s (%s): take care that no other machine uses it", path,
		 strerror(errno));
	return 0;
}

static int open_image(struct disk *disk, const char *path, struct vm_error *err)
{
	int flags = disk->mode == DISK_RW ? O_RDWR : O_RDONLY;

	/* Not to wait for the other end of a fifo. */
	disk->fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (disk->fd >= 0)
		return 0;
	return vm_fail(err, VM_STATUS_FAILURE,
		       errno == ENOENT ? "make one, for example: truncate -s 10G FILE" :
		       errno == EISDIR ? "share a directory with -v" :
		       errno != EACCES && errno != EPERM && errno != EROFS ? "check the path" :
		       disk->mode == DISK_RW ?
		       "add :cow, and the guest writes to a temporary file, or :ro" :
		       "make it readable: chmod u+r FILE, or of a block device, join its group (ls -l names it)",
		       "cannot open the disk image %.300s: %s", path, strerror(errno));
}

int disk_open(struct disk *disk, const char *path, enum disk_mode mode, struct vm_error *err)
{
	memset(disk, 0, sizeof(*disk));
	disk->mode = mode;
	if (open_image(disk, path, err))
		return -1;
	if (!check_size(disk, path, err) && !disk_check_format(disk->fd, path, err) &&
	    !lock_image(disk, path, err) &&
	    (mode != DISK_COW || !overlay_create(&disk->overlay, disk->fd, disk->size, err)))
		return 0;
	close(disk->fd);
	disk->fd = -1;
	return -1;
}

void disk_close(struct disk *disk)
{
	if (disk->fd < 0)
		return;
	if (disk->mode == DISK_COW)
		overlay_destroy(&disk->overlay);
	close(disk->fd);
	disk->fd = -1;
}

int disk_read(struct disk *disk, struct disk_vec *vec, u64 offset)
{
	if (disk->mode == DISK_COW)
		return overlay_read(&disk->overlay, vec, offset);
	return disk_vec_move(vec, DISK_READ, disk->fd, offset, disk_vec_len(vec));
}

int disk_write(struct disk *disk, struct disk_vec *vec, u64 offset)
{
	switch (disk->mode) {
	case DISK_RW:
		return disk_vec_move(vec, DISK_WRITE, disk->fd, offset, disk_vec_len(vec));
	case DISK_COW:
		return overlay_write(&disk->overlay, vec, offset);
	case DISK_RO:
		break;
	}
	return -EROFS;
}

int disk_flush(struct disk *disk)
{
	if (disk->mode != DISK_RW)
		return 0;
	return fdatasync(disk->fd) ? -errno : 0;
}

static int raw_fallocate(struct disk *disk, int mode, u64 offset, u64 len)
{
	int ret;

	do
		ret = fallocate(disk->fd, mode | FALLOC_FL_KEEP_SIZE, offset, len);
	while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

int disk_discard(struct disk *disk, u64 offset, u64 len)
{
	int ret;

	switch (disk->mode) {
	case DISK_RW:
		ret = raw_fallocate(disk, FALLOC_FL_PUNCH_HOLE, offset, len);
		/* A wish that the file system or device does not know. */
		return ret == -EOPNOTSUPP ? 0 : ret;
	case DISK_COW:
		return overlay_discard(&disk->overlay, offset, len);
	case DISK_RO:
		break;
	}
	return -EROFS;
}

static int raw_write_zeroes(struct disk *disk, u64 offset, u64 len, enum disk_zero zero)
{
	struct iovec iov[DISK_ZERO_IOV];
	struct disk_vec vec;
	int ret;
	u64 n;

	ret = raw_fallocate(disk, zero == DISK_ZERO_UNMAP ? FALLOC_FL_PUNCH_HOLE :
			    FALLOC_FL_ZERO_RANGE, offset, len);
	if (ret != -EOPNOTSUPP)
		return ret;
	for (ret = 0; len && !ret; offset += n, len -= n) {
		n = disk_vec_zeroes(&vec, iov, len);
		ret = disk_vec_move(&vec, DISK_WRITE, disk->fd, offset, n);
	}
	return ret;
}

int disk_write_zeroes(struct disk *disk, u64 offset, u64 len, enum disk_zero zero)
{
	if (!len)
		return 0;
	switch (disk->mode) {
	case DISK_RW:
		return raw_write_zeroes(disk, offset, len, zero);
	case DISK_COW:
		return overlay_write_zeroes(&disk->overlay, offset, len);
	case DISK_RO:
		break;
	}
	return -EROFS;
}
