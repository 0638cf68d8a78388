// SPDX-License-Identifier: GPL-2.0
/*
 * Directories: OPENDIR, READDIR, READDIRPLUS and their ends. Called by serve.c's table.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server.h"

/* The kernel's record of getdents64(2). */
struct record {
	u64 ino;
	s64 next;
	u16 len;
	u8 type;
	char name[];
};

#define RECORDS_SIZE	KIB(16)
#define RECORDS_MIN	1024	/* more than the longest record */

/* One READDIR: the buffer of records and what is said of each. */
struct listing {
	struct fs_inode *dir;
	u64 dev;		/* the directory's: its entries' but for mounts */
	size_t room;
	_Alignas(8) u8 records[RECORDS_SIZE];
};

int fs_open_dir(struct fs *fs, struct fs_call *call)
{
	struct fuse_open_out out = { 0 };
	s64 fh;
	int fd;

	if (!S_ISDIR(call->inode->key.type))
		return -ENOTDIR;
	fd = fs_inode_fd(fs, call->inode);
	if (fd < 0)
		return fd;
	fd = fs_reopen(fs, fd, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	fh = fs_handle_add(fs, call->inode, fd);
	if (fh < 0)
		return fh;
	out.fh = fh;
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

int fs_release_dir(struct fs *fs, struct fs_call *call)
{
	const struct fuse_release_in *in = call->args;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFDIR);

	if (!handle)
		return -EBADF;
	fs_handle_close(fs, call->inode, handle);
	return 0;
}

int fs_fsync_dir(struct fs *fs, struct fs_call *call)
{
	const struct fuse_fsync_in *in = call->args;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFDIR);

	if (!handle)
		return -EBADF;
	return fsync(handle->fd) ? -errno : 0;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Appends what @record says; false when it does not fit any more. */
static bool add_entry(struct fs *fs, struct fs_call *call, struct listing *list,
		      const struct record *record)
{
	size_t len = strlen(record->name);
	struct fuse_dirent entry = {
		.ino = fs_ino(fs, list->dev, record->ino), .off = record->next,
		.namelen = len, .type = record->type,
	};
	size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + len);

	if (list->room - call->reply_len < size)
		return false;
	memset(fs->reply + call->reply_len + size - 8, 0, 8);
	memcpy(fs->reply + call->reply_len, &entry, sizeof(entry));
	memcpy(fs->reply + call->reply_len + FUSE_NAME_OFFSET, record->name, len);
	call->reply_len += size;
	return true;
}

/* The same with attributes: a LOOKUP of each but "." and "..". */
static bool add_entry_plus(struct fs *fs, struct fs_call *call, struct listing *list,
			   const struct record *record)
{
	struct fuse_entry_out out = { 0 };
	struct fs_inode *inode;
	struct statx stat;
	size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + strlen(record->name));

	/* Before the look-up, which the guest would not hear of. */
	if (list->room - call->reply_len < size)
		return false;
	/* Without a node id the guest looks it up itself, should it want to. */
	if (!is_dot(record->name) &&
	    !fs_inode_enter(fs, list->dir, record->name, &inode, &stat))
		fs_fill_entry(fs, inode, &stat, &out);
	fs_reply(fs, call, &out, sizeof(out));
	return add_entry(fs, call, list, record);
}

typedef bool add_fn(struct fs *fs, struct fs_call *call, struct listing *list,
		    const struct record *record);

/* Fills the reply from one getdents64(2); what does not fit is read again next time. */
static int list_some(struct fs *fs, struct fs_call *call, struct fs_handle *handle,
		     struct listing *list, size_t ask, add_fn *add)
{
	long got = syscall(SYS_getdents64, handle->fd, list->records, ask);
	long at = 0;

	if (got < 0)
		return -errno;
	while (at < got) {
		const struct record *record = (const struct record *)(list->records + at);

		if (!add(fs, call, list, record))
			break;
		handle->position = record->next;
		at += record->len;
	}
	if (at < got)
		handle->position = -1;
	return 0;
}

static int list_dir(struct fs *fs, struct fs_call *call, size_t share, add_fn *add)
{
	const struct fuse_read_in *in = call->args;
	struct fs_handle *handle = fs_handle_find(fs, call->inode, in->fh, S_IFDIR);
	struct listing list = { .dir = call->inode, .dev = call->inode->key.dev };
	size_t ask;

	if (!handle)
		return -EBADF;
	if (call->inode->sealed)
		return 0;
	list.room = min_u64(min_u64(in->size, call->room), FS_REPLY_SIZE);
	if ((s64)in->offset != handle->position) {
		if (lseek(handle->fd, in->offset, SEEK_SET) < 0)
			return -errno;
		handle->position = in->offset;
	}
	/* As many records as will fit, about: more would be read for nothing. */
	ask = min_u64(list.room / share, RECORDS_SIZE);
	return list_some(fs, call, handle, &list, ask < RECORDS_MIN ? RECORDS_MIN : ask, add);
}

int fs_readdir(struct fs *fs, struct fs_call *call)
{
	return list_dir(fs, call, 1, add_entry);
}

int fs_readdirplus(struct fs *fs, struct fs_call *call)
{
	return list_dir(fs, call, 4, add_entry_plus);
}
