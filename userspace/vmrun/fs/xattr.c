// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes of files on read-write shares: the user's own, "user.". What gives
 * power (security., trusted.) is neither shown nor set, and lists of access (system.) are
 * not, since modes are all that the guest's kernel checks. Called by serve.c's table.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "server.h"

#define PREFIX		"user."
#define MAX_VALUE	KIB(64)
#define PATH_SIZE	32

static bool is_users(const char *name)
{
	return !strncmp(name, PREFIX, strlen(PREFIX));
}

/* Only files and directories have any of the user's. The path of the O_PATH descriptor. */
static int path_of(struct fs *fs, struct fs_inode *inode, char *path)
{
	int fd;

	if (!S_ISREG(inode->key.type) && !S_ISDIR(inode->key.type))
		return -EOPNOTSUPP;
	if (inode->sealed)
		return -EOPNOTSUPP;
	fd = fs_inode_fd(fs, inode);
	if (fd < 0)
		return fd;
	snprintf(path, PATH_SIZE, "/proc/self/fd/%d", fd);
	return 0;
}

/* The same, for the attribute that the call names. */
static int path_for_name(struct fs *fs, struct fs_call *call, char *path)
{
	return is_users(call->string[0]) ? path_of(fs, call->inode, path) : -EOPNOTSUPP;
}

int fs_setxattr(struct fs *fs, struct fs_call *call)
{
	const struct fuse_setxattr_in *in = call->args;
	char path[PATH_SIZE];
	int ret = path_for_name(fs, call, path);

	if (ret)
		return ret;
	if (in->size != call->rest_len || in->size > MAX_VALUE)
		return -EINVAL;
	return setxattr(path, call->string[0], call->rest, in->size, in->flags) ? -errno : 0;
}

int fs_removexattr(struct fs *fs, struct fs_call *call)
{
	char path[PATH_SIZE];
	int ret = path_for_name(fs, call, path);

	if (ret)
		return ret;
	return removexattr(path, call->string[0]) ? -errno : 0;
}

/* @len bytes lie in the reply; asked with size 0, only how many is wanted. */
static int reply_xattr(struct fs *fs, struct fs_call *call, size_t len)
{
	const struct fuse_getxattr_in *in = call->args;
	struct fuse_getxattr_out out = { .size = len };

	if (in->size) {
		call->reply_len = len;
		return len > in->size || len > call->room ? -ERANGE : 0;
	}
	if (call->room < sizeof(out))
		return -EINVAL;
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

int fs_getxattr(struct fs *fs, struct fs_call *call)
{
	char path[PATH_SIZE];
	ssize_t len;
	int ret = path_for_name(fs, call, path);

	if (ret)
		return ret;
	len = getxattr(path, call->string[0], fs->reply, MAX_VALUE);
	return len < 0 ? -errno : reply_xattr(fs, call, len);
}

int fs_listxattr(struct fs *fs, struct fs_call *call)
{
	char path[PATH_SIZE];
	ssize_t len, at, kept = 0;
	int ret = path_of(fs, call->inode, path);

	if (ret == -EOPNOTSUPP)
		return reply_xattr(fs, call, 0);
	if (ret)
		return ret;
	len = listxattr(path, (char *)fs->reply, MAX_VALUE);
	if (len < 0)
		return -errno;
	for (at = 0; at < len; ) {
		const char *name = (const char *)fs->reply + at;
		size_t size = strnlen(name, len - at - 1) + 1;

		at += size;
		if (!is_users(name))
			continue;
		memmove(fs->reply + kept, name, size);
		kept += size;
	}
	return reply_xattr(fs, call, kept);
}
