// SPDX-License-Identifier: GPL-2.0
/*
 * The inodes that the guest knows: how they are found again, which of them have a
 * descriptor open, and when they go. The handlers of attr.c, name.c, file.c and dir.c
 * call in here.
 *
 * A guest with the host's root for its own knows hundreds of thousands of files and
 * forgets them only when it is short of memory. Descriptors for all would exhaust any
 * limit, and file handles (open_by_handle_at) need a privilege. So an inode is a name in
 * a directory that is an inode too, with the key that says whether what is there now is
 * still the same file; looking one up is one statx(2) and opens nothing. O_PATH
 * descriptors are a cache of bounded size, in the order of use. What loses its name while
 * the guest knows it keeps its descriptor; what the host moves or replaces is ESTALE,
 * upon which Linux looks the path up again.
 *
 * Limits: max_bytes (fs_limit()) and FS_MAX_INODES; max_cached and max_handles, by
 * RLIMIT_NOFILE. Beyond them the guest reads ENFILE.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "server.h"

/* Some are newer than the oldest headers that this is compiled with. */
#define MAGIC_CONFIGFS	0x62656570
#define MAGIC_MQUEUE	0x19800202
#define MAGIC_FUSECTL	0x65735543

#define STAT_WANTED	(STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
/* What the rest of vmrun needs, and how many shares a machine may have besides. */
#define FDS_RESERVED	256
#define FDS_SHARES	8
#define MAX_CACHED	4096
#define MAX_HANDLES	32768

static struct fs_inode *at(struct fs *fs, u32 index)
{
	return &fs->chunk[index / FS_CHUNK_INODES][index % FS_CHUNK_INODES];
}

/* As the kernel has it: 12 bits and 20. */
u32 fs_dev(const struct statx *stat)
{
	return stat->stx_dev_major << 20 | stat->stx_dev_minor;
}

static struct fs_key key_of(const struct statx *stat)
{
	struct fs_key key = {
		.dev = fs_dev(stat), .ino = stat->stx_ino, .mount = stat->stx_mnt_id,
		.type = stat->stx_mode & S_IFMT,
	};

	if (stat->stx_mask & STATX_BTIME)
		key.birth = stat->stx_btime.tv_sec * 1000000000ll + stat->stx_btime.tv_nsec;
	return key;
}

static bool same_key(const struct fs_key *a, const struct fs_key *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->mount == b->mount &&
	       a->birth == b->birth && a->type == b->type;
}

int fs_stat(int fd, const char *name, struct statx *stat)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] ? 0 : AT_EMPTY_PATH);

	return statx(fd, name, flags, STAT_WANTED, stat) ? -errno : 0;
}

/* ---- descriptors: the cache in the order of use ---- */

static void unlink_cached(struct fs *fs, struct fs_inode *inode)
{
	if (inode->newer != FS_NONE)
		at(fs, inode->newer)->older = inode->older;
	else
		fs->newest = inode->older;
	if (inode->older != FS_NONE)
		at(fs, inode->older)->newer = inode->newer;
	else
		fs->oldest = inode->newer;
	fs->nr_cached--;
}

static void close_oldest(struct fs *fs)
{
	struct fs_inode *inode = at(fs, fs->oldest);

	unlink_cached(fs, inode);
	close(inode->fd);
	inode->fd = -1;
}

static void link_cached(struct fs *fs, struct fs_inode *inode)
{
	inode->newer = FS_NONE;
	inode->older = fs->newest;
	if (fs->newest != FS_NONE)
		at(fs, fs->newest)->newer = inode->index;
	else
		fs->oldest = inode->index;
	fs->newest = inode->index;
	fs->nr_cached++;
	while (fs->nr_cached > fs->max_cached)
		close_oldest(fs);
}

/* Held, lost and the root: not in the order, never closed for want of room. */
static bool is_pinned(const struct fs_inode *inode)
{
	return inode->holds || inode->lost || inode->parent == inode->index;
}

static void pin(struct fs *fs, struct fs_inode *inode)
{
	if (!is_pinned(inode))
		unlink_cached(fs, inode);
	inode->holds++;
}

static void unpin(struct fs *fs, struct fs_inode *inode)
{
	inode->holds--;
	if (!is_pinned(inode))
		link_cached(fs, inode);
}

/* After an open that failed: true when it is worth another try. What was used last stays. */
static bool make_room(struct fs *fs)
{
	if ((errno != EMFILE && errno != ENFILE) || fs->nr_cached <= 8)
		return false;
	close_oldest(fs);
	return true;
}

int fs_openat(struct fs *fs, int dir_fd, const char *name, u64 flags, u32 mode)
{
	struct open_how how = {
		.flags = flags | O_NOFOLLOW | O_CLOEXEC, .mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do {
		fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	} while (fd < 0 && make_room(fs));
	if (fd < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	return fd;
}

int fs_reopen(struct fs *fs, int fd, int flags)
{
	char name[16];
	int new_fd;

	snprintf(name, sizeof(name), "%d", fd);
	do {
		new_fd = openat(fs->proc_fd, name, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	} while (new_fd < 0 && make_room(fs));
	if (new_fd < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	return new_fd;
}

/* Opens @child of @parent, which has a descriptor, and sees that it still is that. */
static int open_child(struct fs *fs, struct fs_inode *parent, struct fs_inode *child)
{
	struct statx stat;
	struct fs_key key;
	int fd, ret;

	fd = fs_openat(fs, parent->fd, child->name, O_PATH, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
	ret = fs_stat(fd, "", &stat);
	key = key_of(&stat);
	if (!ret && !same_key(&key, &child->key))
		ret = -ESTALE;
	if (ret) {
		close(fd);
		return ret;
	}
	child->fd = fd;
	if (!is_pinned(child))
		link_cached(fs, child);
	return 0;
}

int fs_inode_fd(struct fs *fs, struct fs_inode *inode)
{
	u32 chain[FS_MAX_DEPTH];
	struct fs_inode *dir;
	unsigned int n = 0;
	int ret = 0;

	if (inode->fd >= 0) {
		if (!is_pinned(inode) && fs->newest != inode->index) {
			unlink_cached(fs, inode);
			link_cached(fs, inode);
		}
		return inode->fd;
	}
	/* Up to the first directory that is open, then down; stale parents can make a circle. */
	for (dir = inode; dir->fd < 0; dir = at(fs, dir->parent)) {
		if (n == FS_MAX_DEPTH || dir->lost)
			return -ESTALE;
		chain[n++] = dir->index;
	}
	while (n && !ret) {
		struct fs_inode *child = at(fs, chain[--n]);

		pin(fs, dir);
		ret = open_child(fs, dir, child);
		unpin(fs, dir);
		dir = child;
	}
	return ret ? ret : inode->fd;
}

int fs_inode_stat(struct fs *fs, struct fs_inode *inode, struct statx *stat)
{
	struct fs_key key;
	int fd, ret;

	if (inode->fd >= 0)
		return fs_stat(fs_inode_fd(fs, inode), "", stat);
	if (inode->lost)
		return -ESTALE;
	fd = fs_inode_fd(fs, at(fs, inode->parent));
	if (fd < 0)
		return fd;
	ret = fs_stat(fd, inode->name, stat);
	if (ret)
		return ret == -ENOENT || ret == -ENOTDIR ? -ESTALE : ret;
	key = key_of(stat);
	return same_key(&key, &inode->key) ? 0 : -ESTALE;
}

/* ---- the table ---- */

static u32 *bucket_of(struct fs *fs, const struct fs_key *key)
{
	u64 hash = (key->ino ^ fs->hash_seed) * 0x9e3779b97f4a7c15ull;

	hash = (hash ^ (u64)key->dev << 32 ^ (u64)key->birth) * 0xc2b2ae3d27d4eb4full;
	return &fs->bucket[(hash >> 32) & (fs->nr_buckets - 1)];
}

static struct fs_inode *find_key(struct fs *fs, const struct fs_key *key)
{
	u32 index;

	for (index = *bucket_of(fs, key); index != FS_NONE; index = at(fs, index)->hash_next)
		if (same_key(&at(fs, index)->key, key))
			return at(fs, index);
	return NULL;
}

static void hash_insert(struct fs *fs, struct fs_inode *inode)
{
	u32 *bucket = bucket_of(fs, &inode->key);

	inode->hash_next = *bucket;
	*bucket = inode->index;
}

static void hash_remove(struct fs *fs, struct fs_inode *inode)
{
	u32 *link = bucket_of(fs, &inode->key);

	while (*link != inode->index)
		link = &at(fs, *link)->hash_next;
	*link = inode->hash_next;
}

static void hash_all(struct fs *fs)
{
	u32 i;

	for (i = 0; i < fs->nr_buckets; i++)
		fs->bucket[i] = FS_NONE;
	for (i = 0; i < fs->nr_slots; i++)
		if (at(fs, i)->name)
			hash_insert(fs, at(fs, i));
}

/* A table that cannot grow works on, slower. */
static void hash_grow(struct fs *fs, u32 nr)
{
	u32 *bucket = malloc(nr * sizeof(*bucket));

	if (!bucket)
		return;
	free(fs->bucket);
	fs->bucket = bucket;
	fs->nr_buckets = nr;
	hash_all(fs);
}

/* Whether what is remembered may grow by so much. Slots that are free again stay in memory. */
static bool has_room(const struct fs *fs, u64 more)
{
	u64 slots = (u64)fs->nr_slots * (sizeof(struct fs_inode) + 2 * sizeof(*fs->bucket));

	return slots + fs->name_bytes + more <= fs->max_bytes;
}

/* The allocator's own word included. */
static u64 size_of_name(char *name)
{
	return malloc_usable_size(name) + sizeof(size_t);
}

/* NULL: there is no room for one more. */
static char *keep_name(struct fs *fs, const char *name)
{
	char *copy = has_room(fs, strlen(name) + 1) ? strdup(name) : NULL;

	if (copy)
		fs->name_bytes += size_of_name(copy);
	return copy;
}

static void drop_name(struct fs *fs, char *name)
{
	if (name)
		fs->name_bytes -= size_of_name(name);
	free(name);
}

static struct fs_inode *take_slot(struct fs *fs)
{
	struct fs_inode *inode;
	u32 chunk = fs->nr_slots / FS_CHUNK_INODES;

	if (fs->free_slot != FS_NONE) {
		inode = at(fs, fs->free_slot);
		fs->free_slot = inode->hash_next;
		return inode;
	}
	if (chunk == FS_MAX_CHUNKS)
		return NULL;
	if (!fs->chunk[chunk]) {
		fs->chunk[chunk] = calloc(FS_CHUNK_INODES, sizeof(*inode));
		if (!fs->chunk[chunk])
			return NULL;
	}
	inode = at(fs, fs->nr_slots);
	inode->index = fs->nr_slots++;
	return inode;
}

static struct fs_inode *add_inode(struct fs *fs, const struct fs_key *key,
				  struct fs_inode *parent, const char *name)
{
	char *copy = keep_name(fs, name);
	struct fs_inode *inode;
	u32 index, generation;

	inode = copy ? take_slot(fs) : NULL;
	if (!inode) {
		drop_name(fs, copy);
		return NULL;
	}
	index = inode->index;
	generation = inode->generation + 1;
	*inode = (struct fs_inode){
		.key = *key, .generation = generation, .name = copy, .index = index,
		.parent = parent ? parent->index : index, .fd = -1,
	};
	if (parent)
		parent->refs++;
	hash_insert(fs, inode);
	if (++fs->nr_inodes > fs->nr_buckets)
		hash_grow(fs, fs->nr_buckets * 2);
	return inode;
}

/* Frees @inode if nothing needs it any more, then its directory likewise, and so on. */
static void put(struct fs *fs, struct fs_inode *inode)
{
	while (!inode->nlookup && !inode->refs && inode->parent != inode->index) {
		struct fs_inode *parent = at(fs, inode->parent);

		if (inode->fd >= 0) {
			if (!is_pinned(inode))
				unlink_cached(fs, inode);
			close(inode->fd);
		}
		fs->nr_lost -= inode->lost;
		hash_remove(fs, inode);
		drop_name(fs, inode->name);
		inode->name = NULL;
		inode->fd = -1;
		inode->hash_next = fs->free_slot;
		fs->free_slot = inode->index;
		fs->nr_inodes--;
		inode = parent;
		inode->refs--;
	}
}

int fs_inode_hold(struct fs *fs, struct fs_inode *inode)
{
	int fd = fs_inode_fd(fs, inode);

	if (fd < 0)
		return fd;
	pin(fs, inode);
	inode->refs++;
	return fd;
}

void fs_inode_drop(struct fs *fs, struct fs_inode *inode)
{
	unpin(fs, inode);
	inode->refs--;
	put(fs, inode);
}

struct fs_inode *fs_inode_find(struct fs *fs, u64 nodeid)
{
	struct fs_inode *inode;

	if (nodeid - 1 >= fs->nr_slots)
		return NULL;
	inode = at(fs, nodeid - 1);
	if (!inode->name || (!inode->nlookup && nodeid != FUSE_ROOT_ID))
		return NULL;
	return inode;
}

void fs_inode_forget(struct fs *fs, struct fs_inode *inode, u64 nlookup)
{
	/* The guest's count is its own; below nothing there is nothing. */
	inode->nlookup -= min_u64(nlookup, inode->nlookup);
	put(fs, inode);
}

/* True when @inode is @dir, or a directory on the way to it. */
static bool is_above(struct fs *fs, const struct fs_inode *inode, const struct fs_inode *dir)
{
	unsigned int depth;

	for (depth = 0; depth < FS_MAX_DEPTH; depth++) {
		if (dir == inode)
			return true;
		if (dir->parent == dir->index)
			return false;
		dir = at(fs, dir->parent);
	}
	return true;
}

/* From now on @inode is @name in @parent, unless that made a circle of stale parents. */
static void relocate(struct fs *fs, struct fs_inode *inode, struct fs_inode *parent,
		     const char *name)
{
	struct fs_inode *old = at(fs, inode->parent);
	char *copy;

	if (inode->parent == inode->index || is_above(fs, inode, parent))
		return;
	if (strcmp(inode->name, name)) {
		copy = keep_name(fs, name);
		if (!copy)
			return;
		drop_name(fs, inode->name);
		inode->name = copy;
	}
	if (inode->lost) {
		inode->lost = false;
		fs->nr_lost--;
		if (inode->fd >= 0 && !is_pinned(inode))
			link_cached(fs, inode);
	}
	parent->refs++;
	inode->parent = parent->index;
	old->refs--;
	put(fs, old);
}

/*
 * File systems whose files are not files: what the kernel says of this machine and its
 * processes (vmrun's memory among them), and what blocks in an automounter.
 */
static bool is_kernels_own(int fd)
{
	static const unsigned int kernels[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC,
		CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, BPF_FS_MAGIC, PSTOREFS_MAGIC,
		EFIVARFS_MAGIC, SELINUX_MAGIC, SMACK_MAGIC, BINDERFS_SUPER_MAGIC, NSFS_MAGIC,
		DEVPTS_SUPER_MAGIC, AUTOFS_SUPER_MAGIC, BINFMTFS_MAGIC, RDTGROUP_SUPER_MAGIC,
		MAGIC_CONFIGFS, MAGIC_MQUEUE, MAGIC_FUSECTL,
	};
	struct statfs statfs;
	unsigned int i;

	if (fstatfs(fd, &statfs))
		return true;
	for (i = 0; i < ARRAY_SIZE(kernels); i++)
		if ((unsigned int)statfs.f_type == kernels[i])
			return true;
	return false;
}

static bool is_among(const struct fs_key *keys, u32 nr, const struct fs_key *key)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (keys[i].dev == key->dev && keys[i].ino == key->ino)
			return true;
	return false;
}

static bool is_hidden(const struct fs *fs, const struct fs_key *key)
{
	return is_among(fs->hidden, fs->nr_hidden, key);
}

void fs_hide(struct fs *fs, int fd)
{
	struct statx stat;

	if (fs->nr_hidden == FS_MAX_HIDDEN || fs_stat(fd, "", &stat))
		return;
	fs->hidden[fs->nr_hidden++] = key_of(&stat);
	at(fs, 0)->sealed |= is_hidden(fs, &at(fs, 0)->key);
}

/* 1: one more; 0: @fd is the host's root; -errno. */
static int fix(struct fs *fs, int fd)
{
	struct fs_key *more, key;
	struct statx stat;

	if (fs_stat(fd, "", &stat))
		return -errno;
	key = key_of(&stat);
	if (is_among(fs->fixed, fs->nr_fixed, &key))
		return 0;
	more = realloc(fs->fixed, (fs->nr_fixed + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	fs->fixed = more;
	fs->fixed[fs->nr_fixed++] = key;
	return 1;
}

int fs_fix_above(struct fs *fs, int fd)
{
	int above = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC), next, ret = 1;

	while (above >= 0 && (ret = fix(fs, above)) > 0) {
		next = openat(above, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(above);
		above = next;
	}
	/* Where vmrun may not enter the guest can change nothing either. */
	if (above < 0)
		return errno == EACCES ? 0 : -errno;
	close(above);
	return ret;
}

bool fs_inode_is_fixed(struct fs *fs, struct fs_inode *parent, const char *name)
{
	struct statx stat;
	struct fs_key key;
	int fd;

	if (!fs->nr_hidden)
		return false;
	fd = fs_inode_fd(fs, parent);
	if (fd < 0 || fs_stat(fd, name, &stat))
		return false;
	key = key_of(&stat);
	return is_hidden(fs, &key) || is_among(fs->fixed, fs->nr_fixed, &key);
}

int fs_inode_enter(struct fs *fs, struct fs_inode *parent, const char *name,
		   struct fs_inode **inode, struct statx *stat)
{
	struct fs_inode *found;
	struct fs_key key;
	int fd, ret;

	if (!S_ISDIR(parent->key.type))
		return -ENOTDIR;
	if (parent->sealed)
		return -ENOENT;
	fd = fs_inode_fd(fs, parent);
	if (fd < 0)
		return fd;
	ret = fs_stat(fd, name, stat);
	if (ret)
		return ret;
	key = key_of(stat);
	found = find_key(fs, &key);
	if (!found) {
		found = add_inode(fs, &key, parent, name);
		if (!found)
			return -ENFILE;
		/* Only a mount leads to another file system. */
		if (stat->stx_attributes & STATX_ATTR_MOUNT_ROOT) {
			fd = fs_inode_fd(fs, found);
			found->sealed = fd < 0 || is_kernels_own(fd);
		}
		found->sealed |= is_hidden(fs, &key);
	} else if (found->lost || found->parent != parent->index || strcmp(found->name, name)) {
		relocate(fs, found, parent, name);
	}
	found->nlookup++;
	*inode = found;
	return 0;
}

struct fs_inode *fs_inode_before(struct fs *fs, struct fs_inode *parent, const char *name)
{
	struct fs_inode *inode;
	struct statx stat;
	struct fs_key key;
	int fd = fs_inode_fd(fs, parent);

	if (fd < 0 || fs_stat(fd, name, &stat))
		return NULL;
	key = key_of(&stat);
	inode = find_key(fs, &key);
	if (!inode || inode->lost || inode->parent != parent->index || strcmp(inode->name, name))
		return NULL;
	/* More without a name than files may be open: those beyond are stale. */
	if (fs->nr_lost >= fs->max_handles || fs_inode_hold(fs, inode) < 0)
		return NULL;
	return inode;
}

void fs_inode_gone(struct fs *fs, struct fs_inode *inode)
{
	inode->lost = true;
	fs->nr_lost++;
	fs_inode_drop(fs, inode);
}

void fs_inode_moved(struct fs *fs, struct fs_inode *inode, struct fs_inode *parent,
		    const char *name)
{
	relocate(fs, inode, parent, name);
	fs_inode_drop(fs, inode);
}

u64 fs_ino(struct fs *fs, u64 dev, u64 ino)
{
	u32 i;

	for (i = 0; i < fs->nr_devs && fs->dev[i] != dev; i++)
		;
	if (i == fs->nr_devs && i < FS_MAX_DEVS)
		fs->dev[fs->nr_devs++] = dev;
	/* The guest sees one device: numbers of others must differ from the share's own. */
	return ino ^ (u64)i << 48;
}

/* ---- its begin and end ---- */

void fs_inodes_clear(struct fs *fs)
{
	u32 i;

	for (i = 1; i < fs->nr_slots; i++) {
		struct fs_inode *inode = at(fs, i);

		if (!inode->name)
			continue;
		if (inode->fd >= 0)
			close(inode->fd);
		drop_name(fs, inode->name);
		inode->name = NULL;
	}
	for (i = 0; i < FS_MAX_CHUNKS && fs->chunk[i]; i++) {
		if (i) {
			free(fs->chunk[i]);
			fs->chunk[i] = NULL;
		}
	}
	if (!fs->nr_slots)
		return;
	fs->nr_slots = 1;
	fs->nr_inodes = 1;
	fs->free_slot = FS_NONE;
	fs->newest = FS_NONE;
	fs->oldest = FS_NONE;
	fs->nr_cached = 0;
	fs->nr_lost = 0;
	at(fs, 0)->refs = 0;
	at(fs, 0)->nlookup = 0;
	at(fs, 0)->holds = 0;
	hash_all(fs);
}

/* Takes what this process may have open at most, and shares it out. */
static void set_limits(struct fs *fs)
{
	struct rlimit limit = { .rlim_cur = 1024, .rlim_max = 1024 };
	u64 share;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	share = limit.rlim_max > FDS_RESERVED ? (limit.rlim_max - FDS_RESERVED) / FDS_SHARES : 0;
	/* An open file takes two, its inode's and its own; one without a name takes one. */
	fs->max_cached = min_u64(share / 4 > 16 ? share / 4 : 16, MAX_CACHED);
	fs->max_handles = min_u64(share / 4 > 16 ? share / 4 : 16, MAX_HANDLES);
}

void fs_limit(struct fs *fs, u64 bytes)
{
	if (bytes < FS_MIN_BYTES)
		bytes = FS_MIN_BYTES;
	fs->max_bytes = min_u64(bytes, FS_MAX_BYTES);
}

int fs_inodes_create(struct fs *fs, const char *path, struct vm_error *err)
{
	struct fs_inode *root;
	struct statx stat;
	struct fs_key key;
	int fd;

	set_limits(fs);
	fs_limit(fs, FS_MAX_BYTES);
	fs->free_slot = fs->newest = fs->oldest = FS_NONE;
	if (getrandom(&fs->hash_seed, sizeof(fs->hash_seed), 0) < 0)
		fs->hash_seed = 0;
	hash_grow(fs, 1024);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fs_stat(fd, "", &stat))
		goto failed;
	if (is_kernels_own(fd)) {
		vm_fail(err, VM_STATUS_FAILURE, "share another directory",
			"cannot share %.200s: it belongs to a file system of the kernel's own",
			path);
		close(fd);
		return -1;
	}
	key = key_of(&stat);
	root = fs->bucket ? add_inode(fs, &key, NULL, "") : NULL;
	if (!root) {
		errno = ENOMEM;
		goto failed;
	}
	root->fd = fd;
	return 0;
failed:
	vm_fail(err, VM_STATUS_FAILURE, "name a directory that you may open",
		"cannot share %.200s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void fs_inodes_destroy(struct fs *fs)
{
	fs_inodes_clear(fs);
	if (fs->nr_slots) {
		close(at(fs, 0)->fd);
		free(at(fs, 0)->name);
		free(fs->chunk[0]);
	}
	free(fs->bucket);
}
