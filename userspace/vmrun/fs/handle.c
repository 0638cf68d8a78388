// SPDX-License-Identifier: GPL-2.0
/*
 * The files and directories that the guest has open. A handle holds its inode, so that
 * both go on when the file loses its name.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "server.h"

static s64 take(struct fs *fs)
{
	struct fs_handle *more;
	u32 index = fs->free_handle, n, i;

	if (index == FS_NONE) {
		index = fs->nr_handles;
		if (index >= fs->max_handles)
			return -ENFILE;
		n = min_u64(index ? index * 2 : 64, fs->max_handles);
		more = realloc(fs->handle, n * sizeof(*more));
		if (!more)
			return -ENOMEM;
		fs->handle = more;
		fs->nr_handles = n;
		for (i = index; i < n; i++)
			more[i] = (struct fs_handle){
				.fd = -1, .inode = i + 1 < n ? i + 1 : FS_NONE,
			};
	}
	fs->free_handle = fs->handle[index].inode;
	return index;
}

s64 fs_handle_add(struct fs *fs, struct fs_inode *inode, int fd)
{
	s64 fh = take(fs);
	int ret = 0;

	if (fh >= 0) {
		ret = fs_inode_hold(fs, inode);
		if (ret >= 0) {
			fs->handle[fh] = (struct fs_handle){ .fd = fd, .inode = inode->index };
			return fh;
		}
		fs->handle[fh].inode = fs->free_handle;
		fs->free_handle = fh;
		fh = ret;
	}
	close(fd);
	return fh;
}

struct fs_handle *fs_handle_find(struct fs *fs, const struct fs_inode *inode, u64 fh, u32 type)
{
	struct fs_handle *handle;

	if (fh >= fs->nr_handles || inode->key.type != type)
		return NULL;
	handle = &fs->handle[fh];
	return handle->fd >= 0 && handle->inode == inode->index ? handle : NULL;
}

void fs_handle_close(struct fs *fs, struct fs_inode *inode, struct fs_handle *handle)
{
	close(handle->fd);
	handle->fd = -1;
	handle->inode = fs->free_handle;
	fs->free_handle = handle - fs->handle;
	fs_inode_drop(fs, inode);
}

void fs_handles_clear(struct fs *fs)
{
	u32 i;

	for (i = 0; i < fs->nr_handles; i++)
		if (fs->handle[i].fd >= 0)
			close(fs->handle[i].fd);
	free(fs->handle);
	fs->handle = NULL;
	fs->nr_handles = 0;
	fs->free_handle = FS_NONE;
}
