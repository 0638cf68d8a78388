// SPDX-License-Identifier: GPL-2.0
/*
 * Names to inodes, and what is said of an inode: LOOKUP, FORGET, GETATTR, SETATTR,
 * READLINK, STATFS, SYNCFS. Called by serve.c's table.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "server.h"

/*
 * How long the guest may believe what it was told, in seconds. The host changes the
 * same files and the protocol has no word for that over virtio: one second is what
 * people who edit here and build there hardly notice, and spares nearly all questions.
 */
#define VALID	1

/* The kernel's 32-bit form of a device number. */
static u32 encode_dev(u32 major, u32 minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static void fill_attr(struct fs *fs, const struct statx *stat, struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = fs_ino(fs, fs_dev(stat), stat->stx_ino),
		.size = stat->stx_size, .blocks = stat->stx_blocks,
		.atime = stat->stx_atime.tv_sec, .atimensec = stat->stx_atime.tv_nsec,
		.mtime = stat->stx_mtime.tv_sec, .mtimensec = stat->stx_mtime.tv_nsec,
		.ctime = stat->stx_ctime.tv_sec, .ctimensec = stat->stx_ctime.tv_nsec,
		.mode = stat->stx_mode, .nlink = stat->stx_nlink,
		.uid = stat->stx_uid, .gid = stat->stx_gid,
		.rdev = encode_dev(stat->stx_rdev_major, stat->stx_rdev_minor),
		.blksize = stat->stx_blksize,
	};
}

void fs_fill_entry(struct fs *fs, const struct fs_inode *inode, const struct statx *stat,
		   struct fuse_entry_out *out)
{
	*out = (struct fuse_entry_out){
		.nodeid = inode->index + 1ull, .generation = inode->generation,
		.entry_valid = VALID, .attr_valid = VALID,
	};
	fill_attr(fs, stat, &out->attr);
}

int fs_reply_entry(struct fs *fs, struct fs_call *call, struct fs_inode *parent, const char *name)
{
	struct fuse_entry_out out;
	struct fs_inode *inode;
	struct statx stat;
	int ret = fs_inode_enter(fs, parent, name, &inode, &stat);

	if (ret)
		return ret;
	fs_fill_entry(fs, inode, &stat, &out);
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

int fs_lookup(struct fs *fs, struct fs_call *call)
{
	static const struct fuse_entry_out nothing = { .entry_valid = VALID };
	int ret = fs_reply_entry(fs, call, call->inode, call->string[0]);

	/* That there is none is worth remembering too: a PATH is full of those. */
	if (ret == -ENOENT) {
		fs_reply(fs, call, &nothing, sizeof(nothing));
		ret = 0;
	}
	return ret;
}

int fs_forget(struct fs *fs, struct fs_call *call)
{
	const struct fuse_forget_in *in = call->args;

	fs_inode_forget(fs, call->inode, in->nlookup);
	return 0;
}

int fs_batch_forget(struct fs *fs, struct fs_call *call)
{
	const struct fuse_batch_forget_in *in = call->args;
	struct fuse_forget_one one;
	size_t offset = call->body;
	/* A request can be as long as its buffers overlap; no more are known than that. */
	u32 left = min_u64(in->count, FS_MAX_INODES);

	for (; left && call->head.len - offset >= sizeof(one); left--, offset += sizeof(one)) {
		struct fs_inode *inode;

		fs_copy_out(call->request, offset, &one, sizeof(one));
		inode = fs_inode_find(fs, one.nodeid);
		if (inode)
			fs_inode_forget(fs, inode, one.nlookup);
	}
	return 0;
}

static int reply_attr(struct fs *fs, struct fs_call *call, const struct fs_handle *handle)
{
	struct fuse_attr_out out = { .attr_valid = VALID };
	struct statx stat;
	int ret;

	ret = handle ? fs_stat(handle->fd, "", &stat) : fs_inode_stat(fs, call->inode, &stat);
	if (ret)
		return ret;
	fill_attr(fs, &stat, &out.attr);
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

int fs_getattr(struct fs *fs, struct fs_call *call)
{
	const struct fuse_getattr_in *in = call->args;
	struct fs_handle *handle = NULL;

	if (in->getattr_flags & FUSE_GETATTR_FH)
		handle = fs_handle_find(fs, call->inode, in->fh, S_IFREG);
	return reply_attr(fs, call, handle);
}

/* Programs that run as the user must not come from a guest. */
static int set_mode(struct fs *fs, struct fs_inode *inode, int fd, u32 mode)
{
	u32 forbidden = S_ISDIR(inode->key.type) ? S_ISUID : S_ISUID | S_ISGID;
	char name[16];

	if (mode & forbidden)
		return -EPERM;
	snprintf(name, sizeof(name), "%d", fd);
	return fchmodat(fs->proc_fd, name, mode & 07777, 0) ? -errno : 0;
}

static int set_size(struct fs *fs, struct fs_inode *inode, int fd,
		    const struct fuse_setattr_in *in)
{
	struct fs_handle *handle = NULL;
	int file, ret = 0;

	if (!S_ISREG(inode->key.type))
		return S_ISDIR(inode->key.type) ? -EISDIR : -EINVAL;
	if (inode->sealed)
		return -EACCES;
	if (in->size > INT64_MAX)
		return -EFBIG;
	if (in->valid & FATTR_FH)
		handle = fs_handle_find(fs, inode, in->fh, S_IFREG);
	if (handle)
		return ftruncate(handle->fd, in->size) ? -errno : 0;
	file = fs_reopen(fs, fd, O_WRONLY);
	if (file < 0)
		return file;
	if (ftruncate(file, in->size))
		ret = -errno;
	close(file);
	return ret;
}

static int set_times(int fd, const struct fuse_setattr_in *in)
{
	struct timespec times[2] = {
		{ .tv_sec = in->atime, .tv_nsec = in->atimensec },
		{ .tv_sec = in->mtime, .tv_nsec = in->mtimensec },
	};

	if (!(in->valid & FATTR_ATIME))
		times[0].tv_nsec = UTIME_OMIT;
	else if (in->valid & FATTR_ATIME_NOW)
		times[0].tv_nsec = UTIME_NOW;
	else if (in->atimensec >= 1000000000)
		return -EINVAL;
	if (!(in->valid & FATTR_MTIME))
		times[1].tv_nsec = UTIME_OMIT;
	else if (in->valid & FATTR_MTIME_NOW)
		times[1].tv_nsec = UTIME_NOW;
	else if (in->mtimensec >= 1000000000)
		return -EINVAL;
	return utimensat(fd, "", times, AT_EMPTY_PATH) ? -errno : 0;
}

static int set_all(struct fs *fs, struct fs_inode *inode, int fd, const struct fuse_setattr_in *in)
{
	u32 owner = FATTR_UID | FATTR_GID, times = FATTR_ATIME | FATTR_MTIME;
	int ret = 0;

	if (inode->sealed)
		return -EACCES;
	if ((in->valid & owner) &&
	    fchownat(fd, "", in->valid & FATTR_UID ? in->uid : ~0u,
		     in->valid & FATTR_GID ? in->gid : ~0u, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -errno;
	/* After the owner, whose change takes away bits of the mode. */
	if (in->valid & FATTR_MODE)
		ret = set_mode(fs, inode, fd, in->mode);
	if (!ret && (in->valid & FATTR_SIZE))
		ret = set_size(fs, inode, fd, in);
	if (!ret && (in->valid & times))
		ret = set_times(fd, in);
	return ret;
}

int fs_setattr(struct fs *fs, struct fs_call *call)
{
	const struct fuse_setattr_in *in = call->args;
	int fd = fs_inode_fd(fs, call->inode);
	int ret;

	if (fd < 0)
		return fd;
	ret = set_all(fs, call->inode, fd, in);
	return ret ? ret : reply_attr(fs, call, NULL);
}

int fs_readlink(struct fs *fs, struct fs_call *call)
{
	size_t size = min_u64(call->room, PATH_MAX);
	ssize_t len;
	int fd;

	if (!S_ISLNK(call->inode->key.type))
		return -EINVAL;
	fd = fs_inode_fd(fs, call->inode);
	if (fd < 0)
		return fd;
	len = readlinkat(fd, "", (char *)fs->reply, size);
	if (len < 0)
		return -errno;
	call->reply_len = len;
	return 0;
}

int fs_statfs(struct fs *fs, struct fs_call *call)
{
	struct fuse_statfs_out out = { 0 };
	struct statvfs stat;

	if (fstatvfs(fs->root_fd, &stat))
		return -errno;
	out.st = (struct fuse_kstatfs){
		.blocks = stat.f_blocks, .bfree = stat.f_bfree, .bavail = stat.f_bavail,
		.files = stat.f_files, .ffree = stat.f_ffree, .bsize = stat.f_bsize,
		.namelen = stat.f_namemax, .frsize = stat.f_frsize,
	};
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

int fs_syncfs(struct fs *fs, struct fs_call *call)
{
	(void)call;
	if (fs->access == FS_READ_ONLY)
		return -ENOSYS;
	return syncfs(fs->root_fd) ? -errno : 0;
}
