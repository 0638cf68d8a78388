/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of fs/ share: the server's state and one request on its way through.
 * Nobody else includes this. No locks: one thread serves one struct fs.
 */
#ifndef VMRUN_FS_SERVER_H
#define VMRUN_FS_SERVER_H

#include <linux/fuse.h>
#include <linux/stat.h>
#include <sys/stat.h>

#include "fs.h"

#define FS_MAX_INODES		(1u << 20)
#define FS_MAX_BYTES		MIB(128)
#define FS_MIN_BYTES		MIB(1)
#define FS_CHUNK_INODES		1024u
#define FS_MAX_CHUNKS		(FS_MAX_INODES / FS_CHUNK_INODES)
#define FS_MAX_DEPTH		2048	/* PATH_MAX of one-letter names */
#define FS_MAX_DEVS		64
#define FS_ARGS_SIZE		KIB(72)	/* an xattr's 64 KiB, its name and more */
#define FS_REPLY_SIZE		KIB(72)
#define FS_NONE			(~0u)

/* What an inode is known by. The time of birth tells a reused number apart. */
struct fs_key {
	u64 ino;
	s64 birth;		/* in ns; 0 where the file system does not tell */
	u32 dev;		/* fs_dev() */
	u32 mount;		/* a directory mounted in two places is two */
	u32 type;		/* S_IFMT of the mode */
};

/*
 * With its part of the table and a name of up to 23 letters such an inode takes some 128
 * bytes; fs_limit() bounds them all.
 *
 * What the guest may name: a file of the host, found again by the directory it was last
 * seen in and its name there. A descriptor (O_PATH) is only a cache of that, kept for
 * the last used; the key says whether what is found is still the same file.
 */
struct fs_inode {
	struct fs_key key;
	u64 nlookup;		/* how often the guest was told of it, less what it forgot */
	char *name;		/* NULL: a free slot; the root's is "" */
	u32 generation;		/* which use of this slot */
	u32 index;		/* of this slot: the node id is one more */
	u32 parent;		/* holds a reference on it; the root is its own */
	u32 refs;		/* children and open files */
	u32 hash_next;		/* in its bucket, or of the free slots */
	u32 newer, older;	/* in the order of use of cached descriptors */
	u32 holds;		/* the descriptor must stay */
	int fd;			/* -1: not open */
	bool lost;		/* its name is gone: the descriptor is all there is */
	bool sealed;		/* of a kernel's file system (proc, ...), or hidden: nothing in it is shown */
};

struct fs_handle {
	int fd;			/* -1: free */
	u32 inode;		/* held; or the next free handle */
	s64 position;		/* of a directory: where the descriptor stands */
};

struct fs {
	enum fs_access access;
	int root_fd;		/* readable, for statfs and syncfs */
	int proc_fd;		/* /proc/self/fd: turns an O_PATH descriptor into others */
	bool is_root;		/* the kernel checks less: drop_setuid() in file.c */
	bool ready;		/* INIT was served */

	struct fs_inode *chunk[FS_MAX_CHUNKS];
	u32 nr_slots, free_slot;
	u32 *bucket;
	u32 nr_buckets, nr_inodes;
	u64 hash_seed;
	u64 name_bytes;		/* what malloc() has for names */
	u64 max_bytes;		/* for all that is remembered of inodes */

	u32 newest, oldest;	/* cached descriptors that may be closed */
	u32 nr_cached, max_cached;
	u32 nr_lost;

	struct fs_handle *handle;
	u32 nr_handles, max_handles, free_handle;

	struct fs_key hidden[FS_MAX_HIDDEN];
	u32 nr_hidden;
	struct fs_key *fixed;	/* fs_fix_above(): the nearest first */
	u32 nr_fixed;

	u64 dev[FS_MAX_DEVS];	/* of the host, in the order they were met */
	u32 nr_devs;

	_Alignas(8) u8 args[FS_ARGS_SIZE + 1];
	_Alignas(8) u8 reply[FS_REPLY_SIZE];
};

/* One request. @args: what follows the header, copied once; its strings end in it. */
struct fs_call {
	const struct fs_request *request;
	struct fuse_in_header head;
	struct fs_inode *inode;	/* of head.nodeid */
	const void *args;
	const char *string[2];
	const u8 *rest;		/* what follows structure and strings */
	size_t rest_len;
	size_t body;		/* where in the out buffers lies what was not copied */
	size_t room;		/* bytes that a reply may have behind its header */
	size_t reply_len;	/* of fs->reply */
	size_t direct;		/* bytes that are in the in buffers already, behind the header */
};

/* Returns 0, or -errno for the guest. */
typedef int fs_handler(struct fs *fs, struct fs_call *call);

/* ---- wire.c: buffers ---- */

size_t fs_copy_out(const struct fs_request *request, size_t offset, void *buf, size_t len);
size_t fs_copy_in(const struct fs_request *request, size_t offset, const void *buf, size_t len);
/* The part of @from[] that has @len bytes from @offset on; @to has room for @nr. */
unsigned int fs_slice(const struct iovec *from, unsigned int nr, size_t offset, size_t len,
		      struct iovec *to);

/* ---- inode.c: the table ---- */

int fs_inodes_create(struct fs *fs, const char *path, struct vm_error *err);
void fs_inodes_destroy(struct fs *fs);
/* All but the root. Handles must be closed. */
void fs_inodes_clear(struct fs *fs);

/* NULL unless the guest knows @nodeid. */
struct fs_inode *fs_inode_find(struct fs *fs, u64 nodeid);
/* An O_PATH descriptor of @inode, its own, or -errno. Good until the next call in here. */
int fs_inode_fd(struct fs *fs, struct fs_inode *inode);
int fs_inode_stat(struct fs *fs, struct fs_inode *inode, struct statx *stat);
/* From hold, which gives the descriptor, to drop it stays open and the inode in the table. */
int fs_inode_hold(struct fs *fs, struct fs_inode *inode);
void fs_inode_drop(struct fs *fs, struct fs_inode *inode);

/* Whether it is what fs_hide() was told, or above it, known to the guest or not. */
bool fs_inode_is_fixed(struct fs *fs, struct fs_inode *parent, const char *name);

/* What @name in @parent is: its inode, one lookup more. */
int fs_inode_enter(struct fs *fs, struct fs_inode *parent, const char *name,
		   struct fs_inode **inode, struct statx *stat);
void fs_inode_forget(struct fs *fs, struct fs_inode *inode, u64 nlookup);

/*
 * @name in @parent is about to go: if it leads to an inode that the guest knows, that
 * one is held and returned, else NULL. Afterwards fs_inode_gone() or fs_inode_moved().
 */
struct fs_inode *fs_inode_before(struct fs *fs, struct fs_inode *parent, const char *name);
void fs_inode_gone(struct fs *fs, struct fs_inode *inode);
void fs_inode_moved(struct fs *fs, struct fs_inode *inode, struct fs_inode *parent,
		    const char *name);

/* openat() that makes room when too many files are open. -errno. */
int fs_openat(struct fs *fs, int dir_fd, const char *name, u64 flags, u32 mode);
/* Opens what O_PATH descriptor @fd stands for, with other flags. -errno. */
int fs_reopen(struct fs *fs, int fd, int flags);
int fs_stat(int fd, const char *name, struct statx *stat);
/* The number that the guest sees. */
u64 fs_ino(struct fs *fs, u64 dev, u64 ino);
u32 fs_dev(const struct statx *stat);

/* ---- handle.c: open files ---- */

/* Takes @fd, also when it fails. The handle, or -errno. */
s64 fs_handle_add(struct fs *fs, struct fs_inode *inode, int fd);
/* NULL unless @fh is one of @inode's, and @inode of @type (S_IFREG, S_IFDIR). */
struct fs_handle *fs_handle_find(struct fs *fs, const struct fs_inode *inode, u64 fh, u32 type);
/* @handle is @inode's, which may be gone afterwards. */
void fs_handle_close(struct fs *fs, struct fs_inode *inode, struct fs_handle *handle);
void fs_handles_clear(struct fs *fs);

/* ---- serve.c, attr.c: replies ---- */

void fs_reply(struct fs *fs, struct fs_call *call, const void *data, size_t len);
void fs_fill_entry(struct fs *fs, const struct fs_inode *inode, const struct statx *stat,
		   struct fuse_entry_out *out);
/* Replies what @name in the call's inode is; forgets it when there is no room. */
int fs_reply_entry(struct fs *fs, struct fs_call *call, struct fs_inode *parent, const char *name);

/* ---- the handlers ---- */

fs_handler fs_lookup, fs_getattr, fs_setattr, fs_statfs, fs_forget, fs_batch_forget,
	fs_readlink, fs_syncfs;
fs_handler fs_mkdir, fs_mknod, fs_symlink, fs_link, fs_unlink, fs_rmdir, fs_rename, fs_rename2;
fs_handler fs_open_file, fs_create, fs_read, fs_write, fs_release, fs_fsync, fs_fallocate,
	fs_lseek, fs_copy_file_range;
fs_handler fs_open_dir, fs_release_dir, fs_fsync_dir, fs_readdir, fs_readdirplus;
fs_handler fs_setxattr, fs_getxattr, fs_listxattr, fs_removexattr;

#endif
