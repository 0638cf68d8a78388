// SPDX-License-Identifier: GPL-2.0
/*
 * Regular files: OPEN, CREATE, READ, WRITE and what else is done with an open one. Data
 * goes straight between file and the request's buffers. Called by serve.c's table.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

/* Of one READ or WRITE: as many as preadv(2) takes. */
#define MAX_IOV		1024
/* What a guest's open may ask of the host's; the rest is the guest kernel's affair. */
#define OPEN_FLAGS	(O_ACCMODE | O_APPEND | O_TRUNC | O_DSYNC | O_SYNC)

static bool wants_to_change(u32 flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

/*
 * The kernel takes a program's power to run as somebody else when its file is written
 * to, unless root writes. Then it is done here, where the guest asks for it.
 */
static void drop_setuid(struct fs *fs, int fd)
{
	struct stat stat;

	if (!fs->is_root || fstat(fd, &stat))
		return;
	if (stat.st_mode & (S_ISUID | S_ISGID))
		fchmod(fd, stat.st_mode & 0777);
}

/* Opens @inode, which is a regular file and nothing else. */
static s64 open_inode(struct fs *fs, struct fs_inode *inode, const struct fuse_open_in *in)
{
	int fd;

	if (!S_ISREG(inode->key.type))
		return S_ISDIR(inode->key.type) ? -EISDIR : -ENXIO;
	if (inode->sealed)
		return -EACCES;
	if (fs->access == FS_READ_ONLY && wants_to_change(in->flags))
		return -EROFS;
	fd = fs_inode_fd(fs, inode);
	if (fd < 0)
		return fd;
	fd = fs_reopen(fs, fd, in->flags & OPEN_FLAGS);
	if (fd < 0)
		return fd;
	/* A guest may say that of an open for reading, and of a share that it may only read. */
	if ((in->open_flags & FUSE_OPEN_KILL_SUIDGID) && wants_to_change(in->flags))
		drop_setuid(fs, fd);
	return fs_handle_add(fs, inode, fd);
}

int fs_open_file(struct fs *fs, struct fs_call *call)
{
	/* AUTO_INVAL_DATA drops what the guest has cached when the file has changed. */
	struct fuse_open_out out = { .open_flags = FOPEN_KEEP_CACHE };
	s64 fh = open_inode(fs, call->inode, call->args);

	if (fh < 0)
		return fh;
	out.fh = fh;
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

/* Makes the file. -EEXIST when there is anything of that name. */
static int make_file(struct fs *fs, struct fs_call *call, const struct fuse_create_in *in)
{
	int fd = fs_inode_fd(fs, call->inode);

	if (fd < 0)
		return fd;
	if (call->inode->sealed)
		return -EACCES;
	return fs_openat(fs, fd, call->string[0],
			 (in->flags & OPEN_FLAGS) | O_CREAT | O_EXCL | O_NOCTTY | O_NONBLOCK,
			 in->mode & 0777);
}

/*
 * A file that is there already is opened as by OPEN, never by O_CREAT: it could be a
 * fifo or a device by now.
 */
int fs_create(struct fs *fs, struct fs_call *call)
{
	const struct fuse_create_in *in = call->args;
	const struct fuse_open_in open = { .flags = in->flags, .open_flags = in->open_flags };
	struct fuse_open_out out = { .open_flags = FOPEN_KEEP_CACHE };
	struct fuse_entry_out entry;
	struct fs_inode *inode;
	struct statx stat;
	s64 fh;
	int fd, ret;

	fd = make_file(fs, call, in);
	if (fd < 0 && (fd != -EEXIST || (in->flags & O_EXCL)))
		return fd;
	ret = fs_inode_enter(fs, call->inode, call->string[0], &inode, &stat);
	if (ret) {
		if (fd >= 0)
			close(fd);
		return ret;
	}
	fh = fd < 0 ? open_inode(fs, inode, &open) : fs_handle_add(fs, inode, fd);
	if (fh < 0) {
		fs_inode_forget(fs, inode, 1);
		return fh;
	}
	out.fh = fh;
	if (fd < 0 && (in->flags & O_TRUNC))
		fs_inode_stat(fs, inode, &stat);
	fs_fill_entry(fs, inode, &stat, &entry);
	fs_reply(fs, call, &entry, sizeof(entry));
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

/* Until all is done, an end comes or an error: to the guest, short means the end. */
static ssize_t transfer(int fd, u64 offset, struct iovec *iov, unsigned int nr,
			ssize_t (*move)(int fd, const struct iovec *iov, int nr, off_t offset))
{
	ssize_t done = 0;

	while (nr) {
		ssize_t n = move(fd, iov, nr, offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return done ? done : -errno;
		if (!n)
			break;
		done += n;
		while (nr && (size_t)n >= iov->iov_len) {
			n -= iov->iov_len;
			iov++;
			nr--;
		}
		if (nr) {
			iov->iov_base = (u8 *)iov->iov_base + n;
			iov->iov_len -= n;
		}
	}
	return done;
}

static bool fits(u64 offset, u64 len)
{
	return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

int fs_read(struct fs *fs, struct fs_call *call)
{
	const struct fuse_read_in *in = call->args;
	const struct fs_request *request = call->request;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFREG);
	struct iovec iov[MAX_IOV];
	unsigned int nr;
	ssize_t done;

	if (!handle)
		return -EBADF;
	if (!fits(in->offset, in->size) || in->size > call->room ||
	    in->size > FS_MAX_TRANSFER || request->nr_in > MAX_IOV)
		return -EINVAL;
	nr = fs_slice(request->in, request->nr_in, sizeof(struct fuse_out_header), in->size, iov);
	done = transfer(handle->fd, in->offset, iov, nr, preadv);
	if (done < 0)
		return done;
	call->direct = done;
	return 0;
}

int fs_write(struct fs *fs, struct fs_call *call)
{
	const struct fuse_write_in *in = call->args;
	const struct fs_request *request = call->request;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFREG);
	struct fuse_write_out out = { 0 };
	struct iovec iov[MAX_IOV];
	unsigned int nr;
	ssize_t done;

	if (!handle)
		return -EBADF;
	if (!fits(in->offset, in->size) || in->size > call->head.len - call->body ||
	    in->size > FS_MAX_TRANSFER || request->nr_out > MAX_IOV)
		return -EINVAL;
	nr = fs_slice(request->out, request->nr_out, call->body, in->size, iov);
	done = transfer(handle->fd, in->offset, iov, nr, pwritev);
	if (done < 0)
		return done;
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		drop_setuid(fs, handle->fd);
	out.size = done;
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

int fs_release(struct fs *fs, struct fs_call *call)
{
	const struct fuse_release_in *in = call->args;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFREG);

	if (!handle)
		return -EBADF;
	fs_handle_close(fs, call->inode, handle);
	return 0;
}

int fs_fsync(struct fs *fs, struct fs_call *call)
{
	const struct fuse_fsync_in *in = call->args;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFREG);
	int ret;

	if (!handle)
		return -EBADF;
	if (fs->access == FS_READ_ONLY)
		return 0;
	ret = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(handle->fd) : fsync(handle->fd);
	return ret ? -errno : 0;
}

int fs_fallocate(struct fs *fs, struct fs_call *call)
{
	const struct fuse_fallocate_in *in = call->args;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFREG);

	if (!handle)
		return -EBADF;
	if (!fits(in->offset, in->length))
		return -EFBIG;
	if (in->mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	return fallocate(handle->fd, in->mode, in->offset, in->length) ? -errno : 0;
}

int fs_lseek(struct fs *fs, struct fs_call *call)
{
	const struct fuse_lseek_in *in = call->args;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFREG);
	struct fuse_lseek_out out;
	off_t at;

	if (!handle)
		return -EBADF;
	/* The others need no server; nothing here depends on where the descriptor stands. */
	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	at = lseek(handle->fd, in->offset, in->whence);
	if (at < 0)
		return -errno;
	out.offset = at;
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

int fs_copy_file_range(struct fs *fs, struct fs_call *call)
{
	const struct fuse_copy_file_range_in *in = call->args;
	struct fs_handle *from = fs_handle_find(fs, call->inode, in->fh_in, S_IFREG);
	struct fs_inode *to_inode = fs_inode_find(fs, in->nodeid_out);
	struct fs_handle *to = NULL;
	off64_t off_in = in->off_in, off_out = in->off_out;
	struct fuse_write_out out = { 0 };
	ssize_t done;

	if (to_inode)
		to = fs_handle_find(fs, to_inode, in->fh_out, S_IFREG);
	if (!from || !to)
		return -EBADF;
	if (!fits(in->off_in, in->len) || !fits(in->off_out, in->len) || in->flags)
		return -EINVAL;
	/* A bounded part of it: others wait meanwhile, and the guest asks again. */
	done = copy_file_range(from->fd, &off_in, to->fd, &off_out, min_u64(in->len, MIB(64)), 0);
	if (done < 0)
		return -errno;
	drop_setuid(fs, to->fd);
	out.size = done;
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}
