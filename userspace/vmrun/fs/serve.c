// SPDX-License-Identifier: GPL-2.0
/*
 * A request from its first byte to its reply: the header, the table that says what each
 * opcode carries, and the check of all that before its handler sees it. Also INIT, which
 * agrees on what the two sides can, and the server's own begin and end.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

/*
 * What is not among them: WRITEBACK_CACHE, since the guest would then be the only one to
 * say a file's size and times, and the host changes them too; locks, which are the
 * guest's own affair; NO_OPEN, since a file that the host replaces must stay readable for
 * who has it open; EXPORT_SUPPORT, which needs "." and ".." looked up.
 */
#define INIT_FLAGS							\
	(FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ATOMIC_O_TRUNC |	\
	 FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS |			\
	 FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | \
	 FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS | FUSE_HANDLE_KILLPRIV_V2)

#define INIT_MINOR		31
/* The oldest driver that has all of what replies contain here. */
#define INIT_OLDEST_MINOR	27
#define INIT_IN_SIZE		16	/* before 7.36; later ones are longer */
#define INIT_BACKGROUND		64
#define PAGE			4096

static int serve_init(struct fs *fs, struct fs_call *call)
{
	const struct fuse_init_in *in = call->args;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = INIT_MINOR,
		.max_readahead = in->max_readahead, .max_background = INIT_BACKGROUND,
		.congestion_threshold = INIT_BACKGROUND / 4 * 3, .max_write = FS_MAX_TRANSFER,
		.time_gran = 1, .max_pages = FS_MAX_TRANSFER / PAGE,
	};

	if (in->major < FUSE_KERNEL_VERSION ||
	    (in->major == FUSE_KERNEL_VERSION && in->minor < INIT_OLDEST_MINOR))
		return -EPROTO;
	fs_reset(fs);
	/* A newer major reads ours in the answer and asks again. */
	if (in->major == FUSE_KERNEL_VERSION) {
		out.flags = in->flags & INIT_FLAGS;
		out.minor = in->minor < INIT_MINOR ? in->minor : INIT_MINOR;
		fs->ready = true;
	}
	fs_reply(fs, call, &out, sizeof(out));
	return 0;
}

static int serve_destroy(struct fs *fs, struct fs_call *call)
{
	(void)call;
	fs_reset(fs);
	return 0;
}

/* Requests are served one after the other: what could be interrupted is done. */
static int serve_interrupt(struct fs *fs, struct fs_call *call)
{
	(void)fs;
	(void)call;
	return 0;
}

/*
 * Without an answer the driver asks each time; ENOSYS it asks once. For a share that
 * nobody writes to attributes say nothing that matters (overlayfs asks at every turn).
 */
static int serve_getxattr(struct fs *fs, struct fs_call *call)
{
	return fs->access == FS_READ_ONLY ? -ENOSYS : fs_getxattr(fs, call);
}

static int serve_listxattr(struct fs *fs, struct fs_call *call)
{
	return fs->access == FS_READ_ONLY ? -ENOSYS : fs_listxattr(fs, call);
}

enum {
	CHANGES		= BIT(0),	/* refused where the share is read-only */
	NO_REPLY	= BIT(1),
	NO_INODE	= BIT(2),	/* the header's node id means nothing */
	BODY		= BIT(3),	/* more follows that is not copied */
	REST		= BIT(4),	/* more follows the last string */
	BEFORE_INIT	= BIT(5),
};

/*
 * What a request carries: a structure of @size bytes, then strings, each with its end,
 * of which the first @names are names of one component. @out: what its reply needs.
 */
struct operation {
	fs_handler *handler;
	u16 size;
	u16 out;
	u8 strings;
	u8 names;
	u8 flags;
};

static const struct operation operations[] = {
	[FUSE_LOOKUP] = { fs_lookup, 0, sizeof(struct fuse_entry_out), 1, 1, 0 },
	[FUSE_FORGET] = { fs_forget, sizeof(struct fuse_forget_in), 0, 0, 0, NO_REPLY },
	[FUSE_BATCH_FORGET] = { fs_batch_forget, sizeof(struct fuse_batch_forget_in), 0, 0, 0,
				NO_REPLY | NO_INODE | BODY },
	[FUSE_GETATTR] = { fs_getattr, sizeof(struct fuse_getattr_in),
			   sizeof(struct fuse_attr_out), 0, 0, 0 },
	[FUSE_SETATTR] = { fs_setattr, sizeof(struct fuse_setattr_in),
			   sizeof(struct fuse_attr_out), 0, 0, CHANGES },
	[FUSE_READLINK] = { fs_readlink, 0, 0, 0, 0, 0 },
	[FUSE_SYMLINK] = { fs_symlink, 0, sizeof(struct fuse_entry_out), 2, 1, CHANGES },
	[FUSE_MKNOD] = { fs_mknod, sizeof(struct fuse_mknod_in),
			 sizeof(struct fuse_entry_out), 1, 1, CHANGES },
	[FUSE_MKDIR] = { fs_mkdir, sizeof(struct fuse_mkdir_in),
			 sizeof(struct fuse_entry_out), 1, 1, CHANGES },
	[FUSE_UNLINK] = { fs_unlink, 0, 0, 1, 1, CHANGES },
	[FUSE_RMDIR] = { fs_rmdir, 0, 0, 1, 1, CHANGES },
	[FUSE_RENAME] = { fs_rename, sizeof(struct fuse_rename_in), 0, 2, 2, CHANGES },
	[FUSE_RENAME2] = { fs_rename2, sizeof(struct fuse_rename2_in), 0, 2, 2, CHANGES },
	[FUSE_LINK] = { fs_link, sizeof(struct fuse_link_in),
			sizeof(struct fuse_entry_out), 1, 1, CHANGES },
	[FUSE_OPEN] = { fs_open_file, sizeof(struct fuse_open_in),
			sizeof(struct fuse_open_out), 0, 0, 0 },
	[FUSE_CREATE] = { fs_create, sizeof(struct fuse_create_in),
			  sizeof(struct fuse_entry_out) + sizeof(struct fuse_open_out), 1, 1,
			  CHANGES },
	[FUSE_READ] = { fs_read, sizeof(struct fuse_read_in), 0, 0, 0, 0 },
	[FUSE_WRITE] = { fs_write, sizeof(struct fuse_write_in),
			 sizeof(struct fuse_write_out), 0, 0, CHANGES | BODY },
	[FUSE_STATFS] = { fs_statfs, 0, sizeof(struct fuse_statfs_out), 0, 0, 0 },
	[FUSE_RELEASE] = { fs_release, sizeof(struct fuse_release_in), 0, 0, 0, 0 },
	[FUSE_FSYNC] = { fs_fsync, sizeof(struct fuse_fsync_in), 0, 0, 0, 0 },
	[FUSE_SETXATTR] = { fs_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 0, 1, 0, CHANGES | REST },
	[FUSE_GETXATTR] = { serve_getxattr, sizeof(struct fuse_getxattr_in), 0, 1, 0, 0 },
	[FUSE_LISTXATTR] = { serve_listxattr, sizeof(struct fuse_getxattr_in), 0, 0, 0, 0 },
	[FUSE_REMOVEXATTR] = { fs_removexattr, 0, 0, 1, 0, CHANGES },
	[FUSE_INIT] = { serve_init, INIT_IN_SIZE, sizeof(struct fuse_init_out), 0, 0,
			NO_INODE | BEFORE_INIT },
	[FUSE_OPENDIR] = { fs_open_dir, sizeof(struct fuse_open_in),
			   sizeof(struct fuse_open_out), 0, 0, 0 },
	[FUSE_READDIR] = { fs_readdir, sizeof(struct fuse_read_in), 0, 0, 0, 0 },
	[FUSE_READDIRPLUS] = { fs_readdirplus, sizeof(struct fuse_read_in), 0, 0, 0, 0 },
	[FUSE_RELEASEDIR] = { fs_release_dir, sizeof(struct fuse_release_in), 0, 0, 0, 0 },
	[FUSE_FSYNCDIR] = { fs_fsync_dir, sizeof(struct fuse_fsync_in), 0, 0, 0, 0 },
	[FUSE_INTERRUPT] = { serve_interrupt, sizeof(struct fuse_interrupt_in), 0, 0, 0,
			     NO_REPLY | NO_INODE },
	[FUSE_DESTROY] = { serve_destroy, 0, 0, 0, 0, NO_INODE | BEFORE_INIT },
	[FUSE_FALLOCATE] = { fs_fallocate, sizeof(struct fuse_fallocate_in), 0, 0, 0, CHANGES },
	[FUSE_LSEEK] = { fs_lseek, sizeof(struct fuse_lseek_in),
			 sizeof(struct fuse_lseek_out), 0, 0, 0 },
	[FUSE_COPY_FILE_RANGE] = { fs_copy_file_range, sizeof(struct fuse_copy_file_range_in),
				   sizeof(struct fuse_write_out), 0, 0, CHANGES },
	[FUSE_SYNCFS] = { fs_syncfs, sizeof(struct fuse_syncfs_in), 0, 0, 0, 0 },
};

void fs_reply(struct fs *fs, struct fs_call *call, const void *data, size_t len)
{
	memcpy(fs->reply + call->reply_len, data, len);
	call->reply_len += len;
}

static int check_name(const char *name)
{
	size_t len = strlen(name);

	if (!len || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return -EINVAL;
	return len > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* Copies the arguments, once, and finds the strings in them. */
static int take_args(struct fs *fs, struct fs_call *call, const struct operation *op)
{
	size_t len = call->head.len - sizeof(call->head);
	const u8 *at, *end;
	unsigned int i;
	int ret;

	if (op->flags & BODY)
		len = min_u64(len, op->size);
	if (len < op->size)
		return -EINVAL;
	if (len > FS_ARGS_SIZE)
		return -E2BIG;
	fs_copy_out(call->request, sizeof(call->head), fs->args, len);
	call->args = fs->args;
	call->body = sizeof(call->head) + len;
	at = fs->args + op->size;
	end = fs->args + len;
	for (i = 0; i < op->strings; i++) {
		const u8 *nul = memchr(at, 0, end - at);

		if (!nul)
			return -EINVAL;
		call->string[i] = (const char *)at;
		at = nul + 1;
		ret = i < op->names ? check_name(call->string[i]) : 0;
		if (ret)
			return ret;
	}
	call->rest = at;
	call->rest_len = op->flags & REST ? end - at : 0;
	return 0;
}

static int serve(struct fs *fs, struct fs_call *call, const struct operation *op)
{
	int ret;

	if (!op->handler)
		return -ENOSYS;
	if (!fs->ready && !(op->flags & BEFORE_INIT))
		return -EIO;
	if ((op->flags & CHANGES) && fs->access == FS_READ_ONLY)
		return -EROFS;
	if (!(op->flags & NO_REPLY) && call->room < op->out)
		return -EINVAL;
	ret = take_args(fs, call, op);
	if (ret)
		return ret;
	if (!(op->flags & NO_INODE)) {
		call->inode = fs_inode_find(fs, call->head.nodeid);
		if (!call->inode)
			return -ESTALE;
	}
	return op->handler(fs, call);
}

ssize_t fs_serve(struct fs *fs, const struct fs_request *request)
{
	static const struct operation unknown = { 0 };
	struct fs_call call = { .request = request };
	struct fuse_out_header out = { 0 };
	const struct operation *op = &unknown;
	int error;

	if (fs_copy_out(request, 0, &call.head, sizeof(call.head)) < sizeof(call.head))
		return -1;
	if (call.head.opcode < ARRAY_SIZE(operations))
		op = &operations[call.head.opcode];
	if (!(op->flags & NO_REPLY) && request->in_len < sizeof(out))
		return -1;
	if (!(op->flags & NO_REPLY))
		call.room = request->in_len - sizeof(out);
	if (call.head.len < sizeof(call.head) || call.head.len > request->out_len)
		error = -EINVAL;
	else
		error = serve(fs, &call, op);
	if (op->flags & NO_REPLY)
		return 0;
	/* Handlers keep to their room; should one not, the guest gets no half a reply. */
	if (!error && call.reply_len > call.room)
		error = -EIO;
	if (error)
		call.reply_len = call.direct = 0;
	fs_copy_in(request, sizeof(out), fs->reply, call.reply_len);
	out.len = sizeof(out) + call.reply_len + call.direct;
	out.error = error;
	out.unique = call.head.unique;
	fs_copy_in(request, 0, &out, sizeof(out));
	return out.len;
}

void fs_reset(struct fs *fs)
{
	fs_handles_clear(fs);
	fs_inodes_clear(fs);
	fs->ready = false;
}

struct fs *fs_open(const char *path, enum fs_access access, struct vm_error *err)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs) {
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
		return NULL;
	}
	fs->access = access;
	fs->is_root = geteuid() == 0;
	fs->free_handle = FS_NONE;
	fs->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fs->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs->root_fd < 0)
		vm_fail(err, VM_STATUS_FAILURE, "name a directory that you may read",
			"cannot share %.200s: %s", path, strerror(errno));
	else if (fs->proc_fd < 0)
		vm_fail(err, VM_STATUS_FAILURE, errno == ENOENT ? "mount /proc" : "are too many files open?",
			"cannot open /proc/self/fd: %s", strerror(errno));
	else if (!fs_inodes_create(fs, path, err))
		return fs;
	fs_close(fs);
	return NULL;
}

void fs_close(struct fs *fs)
{
	fs_handles_clear(fs);
	fs_inodes_destroy(fs);
	if (fs->root_fd >= 0)
		close(fs->root_fd);
	if (fs->proc_fd >= 0)
		close(fs->proc_fd);
	free(fs->fixed);
	free(fs);
}
