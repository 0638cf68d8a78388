// SPDX-License-Identifier: GPL-2.0
/*
 * Names that come and go: MKDIR, MKNOD, SYMLINK, LINK, UNLINK, RMDIR, RENAME. Called by
 * serve.c's table, which has checked the names.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server.h"

/* The directory of the call, as a descriptor. */
static int dir_fd(struct fs *fs, struct fs_inode *dir)
{
	if (!S_ISDIR(dir->key.type))
		return -ENOTDIR;
	return dir->sealed ? -EACCES : fs_inode_fd(fs, dir);
}

int fs_mkdir(struct fs *fs, struct fs_call *call)
{
	const struct fuse_mkdir_in *in = call->args;
	int fd = dir_fd(fs, call->inode);

	if (fd < 0)
		return fd;
	if (mkdirat(fd, call->string[0], in->mode & 01777))
		return -errno;
	return fs_reply_entry(fs, call, call->inode, call->string[0]);
}

/*
 * Fifos and sockets are mere names on the host, as is overlayfs' mark of a removed file,
 * the device 0:0. No other device, whoever runs vmrun.
 */
int fs_mknod(struct fs *fs, struct fs_call *call)
{
	const struct fuse_mknod_in *in = call->args;
	int fd = dir_fd(fs, call->inode);
	u32 type = in->mode & S_IFMT;

	if (fd < 0)
		return fd;
	if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK &&
	    !(type == S_IFCHR && !in->rdev))
		return -EPERM;
	if (mknodat(fd, call->string[0], in->mode & (S_IFMT | 0777), 0))
		return -errno;
	return fs_reply_entry(fs, call, call->inode, call->string[0]);
}

int fs_symlink(struct fs *fs, struct fs_call *call)
{
	int fd = dir_fd(fs, call->inode);

	if (fd < 0)
		return fd;
	/* Where it leads is the guest's to see: nothing here ever follows it. */
	if (symlinkat(call->string[1], fd, call->string[0]))
		return -errno;
	return fs_reply_entry(fs, call, call->inode, call->string[0]);
}

int fs_link(struct fs *fs, struct fs_call *call)
{
	const struct fuse_link_in *in = call->args;
	struct fs_inode *inode = fs_inode_find(fs, in->oldnodeid);
	char name[16];
	int fd, ret = 0;

	if (!inode)
		return -ESTALE;
	fd = fs_inode_hold(fs, inode);
	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "%d", fd);
	fd = dir_fd(fs, call->inode);
	if (fd < 0)
		ret = fd;
	else if (linkat(fs->proc_fd, name, fd, call->string[0], AT_SYMLINK_FOLLOW))
		ret = -errno;
	else
		ret = fs_reply_entry(fs, call, call->inode, call->string[0]);
	fs_inode_drop(fs, inode);
	return ret;
}

static int remove_name(struct fs *fs, struct fs_call *call, int flags)
{
	struct fs_inode *inode;
	int ret = 0;
	int fd = dir_fd(fs, call->inode);

	if (fd < 0)
		return fd;
	inode = fs_inode_before(fs, call->inode, call->string[0]);
	fd = dir_fd(fs, call->inode);
	if (fd < 0 || unlinkat(fd, call->string[0], flags))
		ret = fd < 0 ? fd : -errno;
	if (inode && ret)
		fs_inode_drop(fs, inode);
	else if (inode)
		fs_inode_gone(fs, inode);
	return ret;
}

int fs_unlink(struct fs *fs, struct fs_call *call)
{
	return remove_name(fs, call, 0);
}

int fs_rmdir(struct fs *fs, struct fs_call *call)
{
	return remove_name(fs, call, AT_REMOVEDIR);
}

/* Both directories are held. Whatever is known by either name follows it. */
static int rename_held(struct fs *fs, struct fs_call *call, struct fs_inode *to_dir, u32 flags)
{
	const char *from = call->string[0], *to = call->string[1];
	struct fs_inode *moved = fs_inode_before(fs, call->inode, from);
	struct fs_inode *there = fs_inode_before(fs, to_dir, to);
	int ret = 0;

	if (fs_inode_is_fixed(fs, call->inode, from) || fs_inode_is_fixed(fs, to_dir, to))
		ret = -EBUSY;
	else if (syscall(SYS_renameat2, call->inode->fd, from, to_dir->fd, to, flags))
		ret = -errno;
	if (there && (ret || there == moved))
		fs_inode_drop(fs, there);
	else if (there && (flags & RENAME_EXCHANGE))
		fs_inode_moved(fs, there, call->inode, from);
	else if (there)
		fs_inode_gone(fs, there);
	if (moved && ret)
		fs_inode_drop(fs, moved);
	else if (moved)
		fs_inode_moved(fs, moved, to_dir, to);
	return ret;
}

static int rename_to(struct fs *fs, struct fs_call *call, u64 newdir, u32 flags)
{
	struct fs_inode *from_dir = call->inode, *to_dir = fs_inode_find(fs, newdir);
	int ret;

	if (!to_dir)
		return -ESTALE;
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	ret = dir_fd(fs, from_dir);
	if (ret < 0)
		return ret;
	ret = dir_fd(fs, to_dir);
	if (ret < 0)
		return ret;
	ret = fs_inode_hold(fs, from_dir);
	if (ret < 0)
		return ret;
	ret = fs_inode_hold(fs, to_dir);
	if (ret >= 0) {
		ret = rename_held(fs, call, to_dir, flags);
		fs_inode_drop(fs, to_dir);
	}
	fs_inode_drop(fs, from_dir);
	return ret;
}

int fs_rename(struct fs *fs, struct fs_call *call)
{
	const struct fuse_rename_in *in = call->args;

	return rename_to(fs, call, in->newdir, 0);
}

int fs_rename2(struct fs *fs, struct fs_call *call)
{
	const struct fuse_rename2_in *in = call->args;

	return rename_to(fs, call, in->newdir, in->flags);
}
