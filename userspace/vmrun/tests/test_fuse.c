// SPDX-License-Identifier: GPL-2.0
/*
 * The FUSE server against requests made by hand, good and bad, over a temporary directory.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../fs/fs.h"
#include "ktap.h"

#define REPLY_SIZE	(MIB(1) + 4096)

static struct fs *fs;
static char top[] = "/tmp/test_fuse.XXXXXX";
static _Alignas(8) u8 reply[REPLY_SIZE];	/* what came, header first */
static size_t room = 65536;	/* for a reply, header included */

static const struct fuse_out_header *head(void)
{
	return (const void *)reply;
}

static void *body(void)
{
	return reply + sizeof(struct fuse_out_header);
}

static size_t body_len(void)
{
	return head()->len - sizeof(struct fuse_out_header);
}

/*
 * Sends @opcode with @args and @data. The buffers are cut at odd places, and those for
 * the reply end where @room says, so that the sanitizer sees who goes beyond. Returns the
 * reply's error, 0, or 1 when there was no reply.
 */
static int call(u32 opcode, u64 node, const void *args, size_t len, const void *data, size_t more)
{
	struct fuse_in_header in = {
		.len = sizeof(in) + len + more, .opcode = opcode, .unique = 0x1234, .nodeid = node,
	};
	size_t total = sizeof(in) + len + more;
	u8 *out = malloc(total), *to = malloc(room ? room : 1);
	struct iovec from[3], into[2];
	struct fs_request request = {
		.out = from, .nr_out = 3, .out_len = total, .in = into, .nr_in = 2, .in_len = room,
	};
	ssize_t got;

	memcpy(out, &in, sizeof(in));
	if (len)
		memcpy(out + sizeof(in), args, len);
	if (more)
		memcpy(out + sizeof(in) + len, data, more);
	from[0] = (struct iovec){ out, 13 };
	from[1] = (struct iovec){ out + 13, total - 20 };
	from[2] = (struct iovec){ out + total - 7, 7 };
	into[0] = (struct iovec){ to, room / 3 };
	into[1] = (struct iovec){ to + room / 3, room - room / 3 };
	got = fs_serve(fs, &request);
	if (got > 0)
		memcpy(reply, to, got);
	free(out);
	free(to);
	if (got < 0)
		return -1000;
	if (!got)
		return 1;
	EXPECT_EQ(got, head()->len);
	EXPECT((size_t)got <= room);
	EXPECT_EQ(head()->unique, 0x1234);
	return head()->error;
}

static int named(u32 opcode, u64 node, const void *args, size_t len, const char *name)
{
	return call(opcode, node, args, len, name, strlen(name) + 1);
}

static int init(void)
{
	struct fuse_init_in in = { .major = 7, .minor = 38, .max_readahead = 131072, .flags = ~0u };

	return call(FUSE_INIT, 0, &in, sizeof(in), NULL, 0);
}

/* The node of @name in @node; 0: there is none. */
static u64 lookup(u64 node, const char *name)
{
	const struct fuse_entry_out *entry = body();

	ASSERT_EQ(named(FUSE_LOOKUP, node, NULL, 0, name), 0);
	return entry->nodeid;
}

static s64 open_node(u32 opcode, u64 node, u32 flags)
{
	struct fuse_open_in in = { .flags = flags };
	const struct fuse_open_out *out = body();
	int error = call(opcode, node, &in, sizeof(in), NULL, 0);

	return error ? error : (s64)out->fh;
}

static int read_at(u64 node, u64 fh, u64 offset, u32 size)
{
	struct fuse_read_in in = { .fh = fh, .offset = offset, .size = size };

	return call(FUSE_READ, node, &in, sizeof(in), NULL, 0);
}

static int write_at(u64 node, u64 fh, u64 offset, u32 size, const void *data, size_t len)
{
	struct fuse_write_in in = { .fh = fh, .offset = offset, .size = size };

	return call(FUSE_WRITE, node, &in, sizeof(in), data, len);
}

static int forget(u64 node, u64 times)
{
	return call(FUSE_FORGET, node, &times, sizeof(times), NULL, 0);
}

static void put_file(const char *name, const char *text)
{
	int fd = ASSERT_OK(open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644));

	ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The share is top/share; beside it lies what must not be reached. */
static void begin(enum fs_access access)
{
	struct vm_error err = { 0 };

	umask(0);
	ASSERT(mkdtemp(top));
	ASSERT_OK(chdir(top));
	ASSERT_OK(mkdir("share", 0755));
	ASSERT_OK(mkdir("share/dir", 0755));
	put_file("secret", "secret");
	put_file("share/file", "hello");
	put_file("share/dir/inner", "inner");
	ASSERT_OK(symlink("../secret", "share/link"));
	ASSERT_OK(symlink("..", "share/up"));
	ASSERT_OK(mkfifo("share/fifo", 0666));
	fs = fs_open("share", access, &err);
	ASSERT(fs);
	ASSERT_EQ(init(), 0);
}

static void end(void)
{
	char command[64];

	fs_close(fs);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	EXPECT_EQ(system(command), 0);
}

static unsigned int open_fds(void)
{
	unsigned int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void agrees_on_what_both_can(void)
{
	struct fuse_init_in in = { .major = 7, .minor = 31, .flags = FUSE_MAX_PAGES };
	const struct fuse_init_out *out = body();

	begin(FS_READ_WRITE);
	EXPECT_EQ(out->major, 7);
	EXPECT_EQ(out->minor, 31);
	EXPECT_EQ(out->max_write, MIB(1));
	EXPECT_EQ(out->max_pages, 256);
	EXPECT(out->flags & FUSE_DO_READDIRPLUS);
	EXPECT(!(out->flags & (FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS)));
	/* What the driver does not offer is not taken; old drivers' INIT is shorter. */
	EXPECT_EQ(call(FUSE_INIT, 0, &in, 16, NULL, 0), 0);
	EXPECT_EQ(out->flags, FUSE_MAX_PAGES);
	in.major = 8;
	EXPECT_EQ(call(FUSE_INIT, 0, &in, sizeof(in), NULL, 0), 0);
	EXPECT_EQ(out->major, 7);
	EXPECT_EQ(named(FUSE_LOOKUP, 1, NULL, 0, "file"), -EIO);
	in.major = 7;
	in.minor = 12;
	EXPECT_EQ(call(FUSE_INIT, 0, &in, sizeof(in), NULL, 0), -EPROTO);
	end();
}

static void reads_files(void)
{
	u64 node, inner;
	s64 fh;

	begin(FS_READ_ONLY);
	node = lookup(1, "file");
	EXPECT_EQ(((struct fuse_entry_out *)body())->attr.size, 5);
	EXPECT_EQ(lookup(1, "nothing"), 0);
	fh = open_node(FUSE_OPEN, node, O_RDONLY);
	ASSERT(fh >= 0);
	EXPECT_EQ(read_at(node, fh, 0, 4096), 0);
	EXPECT_EQ(body_len(), 5);
	EXPECT(!memcmp(body(), "hello", 5));
	EXPECT_EQ(read_at(node, fh, 3, 4096), 0);
	EXPECT_EQ(body_len(), 2);
	EXPECT_EQ(read_at(node, fh, 4096, 4096), 0);
	EXPECT_EQ(body_len(), 0);
	inner = lookup(lookup(1, "dir"), "inner");
	EXPECT(inner && inner != node);
	/* Another's handle, no handle, and beyond what a file can have. */
	EXPECT_EQ(read_at(inner, fh, 0, 16), -EBADF);
	EXPECT_EQ(read_at(node, fh + 1, 0, 16), -EBADF);
	EXPECT_EQ(read_at(node, ~0ull, 0, 16), -EBADF);
	EXPECT_EQ(read_at(node, fh, INT64_MAX, 16), -EINVAL);
	EXPECT_EQ(read_at(node, fh, ~0ull, 16), -EINVAL);
	EXPECT_EQ(read_at(node, fh, 0, ~0u), -EINVAL);
	EXPECT_EQ(read_at(node, fh, 0, 65536), -EINVAL);
	EXPECT_EQ(read_at(node, fh, 0, 65536 - 16), 0);
	end();
}

static void names_do_not_leave_the_share(void)
{
	static const char * const bad[] = { "", ".", "..", "/", "/etc", "a/b", "../secret", "dir/" };
	u64 dir;
	unsigned int i;
	char name[NAME_MAX + 2];

	begin(FS_READ_WRITE);
	dir = lookup(1, "dir");
	for (i = 0; i < COUNT(bad); i++) {
		struct fuse_mkdir_in mk = { .mode = 0755 };
		struct fuse_create_in create = { .flags = O_RDWR, .mode = 0644 };
		struct fuse_rename_in to = { .newdir = 1 };

		EXPECT_EQ(named(FUSE_LOOKUP, dir, NULL, 0, bad[i]), -EINVAL);
		EXPECT_EQ(named(FUSE_MKDIR, dir, &mk, sizeof(mk), bad[i]), -EINVAL);
		EXPECT_EQ(named(FUSE_CREATE, dir, &create, sizeof(create), bad[i]), -EINVAL);
		EXPECT_EQ(named(FUSE_UNLINK, dir, NULL, 0, bad[i]), -EINVAL);
		memcpy(name, "inner", 6);
		memcpy(name + 6, bad[i], strlen(bad[i]) + 1);
		EXPECT_EQ(call(FUSE_RENAME, dir, &to, sizeof(to), name, 7 + strlen(bad[i])), -EINVAL);
	}
	memset(name, 'x', sizeof(name));
	name[NAME_MAX + 1] = 0;
	EXPECT_EQ(named(FUSE_LOOKUP, 1, NULL, 0, name), -ENAMETOOLONG);
	name[NAME_MAX] = 0;
	EXPECT_EQ(lookup(1, name), 0);
	/* No end of the name. */
	EXPECT_EQ(call(FUSE_LOOKUP, 1, NULL, 0, "file", 4), -EINVAL);
	EXPECT_EQ(call(FUSE_LOOKUP, 1, NULL, 0, NULL, 0), -EINVAL);
	EXPECT_EQ(call(FUSE_SYMLINK, 1, NULL, 0, "new\0target", 10), -EINVAL);
	end();
}

static void links_are_not_followed(void)
{
	u64 link, up;

	begin(FS_READ_WRITE);
	link = lookup(1, "link");
	EXPECT(S_ISLNK(((struct fuse_entry_out *)body())->attr.mode));
	EXPECT_EQ(call(FUSE_READLINK, link, NULL, 0, NULL, 0), 0);
	EXPECT_EQ(body_len(), 9);
	EXPECT(!memcmp(body(), "../secret", 9));
	EXPECT_EQ(open_node(FUSE_OPEN, link, O_RDONLY), -ENXIO);
	EXPECT_EQ(open_node(FUSE_OPENDIR, link, O_RDONLY), -ENOTDIR);
	up = lookup(1, "up");
	EXPECT_EQ(named(FUSE_LOOKUP, up, NULL, 0, "secret"), -ENOTDIR);
	EXPECT_EQ(open_node(FUSE_OPENDIR, up, O_RDONLY), -ENOTDIR);
	end();
}

/* What the host puts in the place of a file that the guest knows. */
static void a_replaced_file_is_stale(void)
{
	struct fuse_setattr_in size = { .valid = FATTR_SIZE };
	struct fuse_create_in create = { .flags = O_WRONLY | O_TRUNC, .mode = 0644 };
	u64 node, dir;
	struct stat stat_secret;

	begin(FS_READ_WRITE);
	node = lookup(1, "file");
	ASSERT_OK(unlink("share/file"));
	ASSERT_OK(symlink("../secret", "share/file"));
	EXPECT_EQ(open_node(FUSE_OPEN, node, O_RDWR), -ESTALE);
	EXPECT_EQ(call(FUSE_GETATTR, node, &size, sizeof(struct fuse_getattr_in), NULL, 0), -ESTALE);
	EXPECT_EQ(call(FUSE_SETATTR, node, &size, sizeof(size), NULL, 0), -ESTALE);
	/* And a directory that became a link out of the share. */
	dir = lookup(1, "dir");
	ASSERT_OK(rename("share/dir", "share/other"));
	ASSERT_OK(symlink("..", "share/dir"));
	EXPECT_EQ(named(FUSE_LOOKUP, dir, NULL, 0, "secret"), -ESTALE);
	/* CREATE over a link, a fifo: neither followed nor opened. */
	EXPECT_EQ(named(FUSE_CREATE, 1, &create, sizeof(create), "link"), -ENXIO);
	EXPECT_EQ(named(FUSE_CREATE, 1, &create, sizeof(create), "fifo"), -ENXIO);
	ASSERT_OK(stat("secret", &stat_secret));
	EXPECT_EQ(stat_secret.st_size, 6);
	end();
}

/* A thread of the host swaps a directory and a link that leads out, for some time. */
static void races_do_not_leave_the_share(void)
{
	unsigned int i, found = 0;
	pid_t child;

	begin(FS_READ_WRITE);
	put_file("share/dir/secret", "inner");
	child = fork();
	if (!child) {
		for (;;) {
			renameat2(AT_FDCWD, "share/dir", AT_FDCWD, "share/up", RENAME_EXCHANGE);
			sched_yield();
		}
	}
	for (i = 0; i < 20000; i++) {
		const struct fuse_entry_out *entry = body();
		u64 dir = lookup(1, "dir");

		if (!named(FUSE_LOOKUP, dir, NULL, 0, "secret") && entry->nodeid) {
			found++;
			/* The one outside has six bytes. */
			EXPECT_EQ(entry->attr.size, 5);
			forget(entry->nodeid, 1);
		}
		forget(dir, 1);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	test_note("%u of %u found the directory", found, i);
	end();
}

static void only_files_and_directories_are_opened(void)
{
	struct fuse_mknod_in dev = { .mode = S_IFCHR | 0666, .rdev = 0x103 };
	struct fuse_mknod_in sock = { .mode = S_IFSOCK | 0666 };
	u64 node;

	begin(FS_READ_WRITE);
	/* Would block for ever. */
	node = lookup(1, "fifo");
	EXPECT(S_ISFIFO(((struct fuse_entry_out *)body())->attr.mode));
	EXPECT_EQ(open_node(FUSE_OPEN, node, O_RDONLY), -ENXIO);
	EXPECT_EQ(open_node(FUSE_OPEN, node, O_WRONLY), -ENXIO);
	EXPECT_EQ(named(FUSE_MKNOD, 1, &dev, sizeof(dev), "null"), -EPERM);
	EXPECT_EQ(named(FUSE_MKNOD, 1, &sock, sizeof(sock), "sock"), 0);
	node = ((struct fuse_entry_out *)body())->nodeid;
	EXPECT_EQ(open_node(FUSE_OPEN, node, O_RDWR), -ENXIO);
	if (!mknod("share/zero", S_IFCHR | 0666, 0x105)) {
		node = lookup(1, "zero");
		EXPECT_EQ(((struct fuse_entry_out *)body())->attr.rdev, 0x105);
		EXPECT_EQ(open_node(FUSE_OPEN, node, O_RDONLY), -ENXIO);
	}
	EXPECT_EQ(open_node(FUSE_OPEN, lookup(1, "dir"), O_RDONLY), -EISDIR);
	EXPECT_EQ(open_node(FUSE_OPENDIR, lookup(1, "file"), O_RDONLY), -ENOTDIR);
	end();
}

/* Wherever it lies, and if it is the share itself. */
static void what_is_hidden_stays_shut(void)
{
	struct fuse_rename_in to = { .newdir = 1 };
	struct fuse_mkdir_in mk = { .mode = 0755 };
	u64 dir;
	int fd;

	begin(FS_READ_WRITE);
	fd = ASSERT_OK(open("share/dir", O_PATH | O_DIRECTORY));
	fs_hide(fs, fd);
	/* A guest need not have looked it up. */
	EXPECT_EQ(call(FUSE_RENAME, 1, &to, sizeof(to), "dir\0other", 10), -EBUSY);
	EXPECT_EQ(call(FUSE_RENAME, 1, &to, sizeof(to), "file\0dir", 9), -EBUSY);
	dir = lookup(1, "dir");
	ASSERT(dir);
	EXPECT_EQ(lookup(dir, "inner"), 0);
	EXPECT_EQ(named(FUSE_MKDIR, dir, &mk, sizeof(mk), "new"), -EACCES);
	EXPECT_EQ(call(FUSE_RENAME, 1, &to, sizeof(to), "dir\0other", 10), -EBUSY);
	EXPECT_EQ(call(FUSE_RENAME, 1, &to, sizeof(to), "file\0dir", 9), -EBUSY);
	EXPECT(lookup(1, "file"));
	close(fd);
	fd = ASSERT_OK(open("share", O_PATH | O_DIRECTORY));
	fs_hide(fs, fd);
	EXPECT_EQ(lookup(1, "file"), 0);
	close(fd);
	end();
}

/* What is above a hidden directory would be found by its path, were it another. */
static void above_the_hidden_nothing_moves(void)
{
	struct fuse_rename2_in swap = { .newdir = 1, .flags = RENAME_EXCHANGE };
	struct fuse_rename_in to = { .newdir = 1 };
	u64 dir;
	int fd;

	begin(FS_READ_WRITE);
	ASSERT_OK(mkdir("share/dir/runtime", 0700));
	ASSERT_OK(mkdir("share/dir/runtime/machines", 0700));
	ASSERT_OK(mkdir("share/other", 0700));
	fd = ASSERT_OK(open("share/dir/runtime/machines", O_PATH | O_DIRECTORY));
	fs_hide(fs, fd);
	EXPECT_EQ(fs_fix_above(fs, fd), 0);
	close(fd);
	dir = lookup(1, "dir");
	ASSERT(dir);
	EXPECT_EQ(call(FUSE_RENAME, 1, &to, sizeof(to), "dir\0moved", 10), -EBUSY);
	EXPECT_EQ(call(FUSE_RENAME, dir, &to, sizeof(to), "runtime\0moved", 14), -EBUSY);
	EXPECT_EQ(call(FUSE_RENAME2, 1, &swap, sizeof(swap), "other\0dir", 10), -EBUSY);
	EXPECT_EQ(call(FUSE_RENAME2, 1, &swap, sizeof(swap), "dir\0other", 10), -EBUSY);
	/* What is beside them does. */
	EXPECT_EQ(call(FUSE_RENAME, 1, &to, sizeof(to), "other\0moved", 12), 0);
	EXPECT_EQ(call(FUSE_RENAME, dir, &to, sizeof(to), "inner\0out", 10), 0);
	ASSERT_OK(rename("share/out", "share/dir/inner"));
	ASSERT_OK(rmdir("share/moved"));
	ASSERT_OK(rmdir("share/dir/runtime/machines"));
	ASSERT_OK(rmdir("share/dir/runtime"));
	end();
}

static void the_kernels_file_systems_stay_shut(void)
{
	struct vm_error err = { 0 };
	u64 proc;
	s64 fh;

	begin(FS_READ_WRITE);
	EXPECT(!fs_open("/proc", FS_READ_ONLY, &err));
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
	fs_close(fs);
	memset(&err, 0, sizeof(err));
	fs = fs_open("/", FS_READ_WRITE, &err);
	ASSERT(fs);
	ASSERT_EQ(init(), 0);
	proc = lookup(1, "proc");
	ASSERT(proc);
	EXPECT_EQ(lookup(proc, "self"), 0);
	EXPECT_EQ(lookup(proc, "version"), 0);
	fh = open_node(FUSE_OPENDIR, proc, 0);
	ASSERT(fh >= 0);
	{
		struct fuse_read_in in = { .fh = fh, .size = 4096 };

		EXPECT_EQ(call(FUSE_READDIRPLUS, proc, &in, sizeof(in), NULL, 0), 0);
		EXPECT_EQ(body_len(), 0);
	}
	end();
}

static void lengths_are_checked(void)
{
	struct fuse_in_header in = { .len = sizeof(in), .opcode = FUSE_STATFS, .nodeid = 1 };
	u8 small[64];
	struct iovec from = { &in, sizeof(in) }, to = { small, sizeof(small) };
	struct fs_request request = {
		.out = &from, .nr_out = 1, .out_len = sizeof(in), .in = &to, .nr_in = 1,
		.in_len = sizeof(small),
	};
	const struct fuse_out_header *out = (const void *)small;
	u32 opcode;
	size_t len;

	begin(FS_READ_WRITE);
	/* No header, no room for one. */
	from.iov_len = request.out_len = 39;
	EXPECT_EQ(fs_serve(fs, &request), -1);
	from.iov_len = request.out_len = sizeof(in);
	to.iov_len = request.in_len = 15;
	EXPECT_EQ(fs_serve(fs, &request), -1);
	/* No room for what is asked: nothing is written but the header. */
	to.iov_len = request.in_len = 16;
	EXPECT_EQ(fs_serve(fs, &request), 16);
	EXPECT_EQ(out->error, -EINVAL);
	/* A length that is not there, one that is too little. */
	in.len = 41;
	EXPECT_EQ(fs_serve(fs, &request), 16);
	EXPECT_EQ(out->error, -EINVAL);
	in.len = ~0u;
	EXPECT_EQ(fs_serve(fs, &request), 16);
	in.len = 39;
	EXPECT_EQ(fs_serve(fs, &request), 16);
	EXPECT_EQ(out->error, -EINVAL);
	/* Every opcode with every length of arguments up to a hundred, and with little room. */
	for (opcode = 0; opcode < 70; opcode++) {
		for (len = 0; len < 100; len++) {
			u8 args[100] = { 0 };

			room = 16 + len % 50;
			if (opcode != FUSE_INIT && opcode != FUSE_DESTROY)
				call(opcode, 1, args, len, NULL, 0);
		}
	}
	room = 65536;
	EXPECT_EQ(call(99, 1, NULL, 0, NULL, 0), -ENOSYS);
	EXPECT_EQ(call(FUSE_POLL, 1, NULL, 0, NULL, 0), -ENOSYS);
	EXPECT_EQ(call(~0u, 1, NULL, 0, NULL, 0), -ENOSYS);
	EXPECT_EQ(call(FUSE_GETLK, 1, NULL, 0, NULL, 0), -ENOSYS);
	end();
}

/* The guest was told how much it may ask for at once. */
static void transfers_are_bounded(void)
{
	u8 *data = calloc(1, FS_MAX_TRANSFER + 1);
	u64 node;
	s64 fh;

	begin(FS_READ_WRITE);
	put_file("file", "");
	node = lookup(FUSE_ROOT_ID, "file");
	fh = open_node(FUSE_OPEN, node, O_RDWR);
	ASSERT(fh >= 0);
	EXPECT_EQ(write_at(node, fh, 0, FS_MAX_TRANSFER + 1, data, FS_MAX_TRANSFER + 1), -EINVAL);
	EXPECT_EQ(write_at(node, fh, 0, FS_MAX_TRANSFER, data, FS_MAX_TRANSFER), 0);
	EXPECT_EQ(((const struct fuse_write_out *)body())->size, FS_MAX_TRANSFER);
	free(data);
	end();
}

static void forgetting(void)
{
	struct fuse_forget_one one[3] = { { 0, 1 }, { 77777, 1 }, { 0, 5 } };
	struct fuse_batch_forget_in batch = { .count = 1000 };
	u64 node, dir, inner;

	begin(FS_READ_WRITE);
	node = lookup(1, "file");
	EXPECT_EQ(lookup(1, "file"), node);
	EXPECT_EQ(forget(node, 1), 1);
	EXPECT(open_node(FUSE_OPEN, node, O_RDONLY) >= 0);
	/* More than it was told; then it is not known. */
	EXPECT_EQ(forget(node, ~0ull), 1);
	EXPECT_EQ(open_node(FUSE_OPEN, node, O_RDONLY), -ESTALE);
	EXPECT_EQ(forget(node, 1), 1);
	EXPECT_EQ(forget(1, ~0ull), 1);
	EXPECT_EQ(forget(0, 1), 1);
	EXPECT_EQ(forget(~0ull, 1), 1);
	/* A directory that is forgotten before what is in it. */
	dir = lookup(1, "dir");
	inner = lookup(dir, "inner");
	forget(dir, 1);
	EXPECT_EQ(named(FUSE_LOOKUP, dir, NULL, 0, "inner"), -ESTALE);
	EXPECT(open_node(FUSE_OPEN, inner, O_RDONLY) >= 0);
	/* A batch that is shorter than it says. */
	one[0].nodeid = inner;
	EXPECT_EQ(call(FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), one, sizeof(one)), 1);
	EXPECT_EQ(open_node(FUSE_OPEN, inner, O_RDONLY), -ESTALE);
	end();
}

static unsigned int list(u64 node, u32 opcode, u32 size, u64 *first)
{
	struct fuse_read_in in = { .fh = open_node(FUSE_OPENDIR, node, 0), .size = size };
	unsigned int n = 0;

	for (;;) {
		size_t at = 0;

		ASSERT_EQ(call(opcode, node, &in, sizeof(in), NULL, 0), 0);
		EXPECT(body_len() <= size);
		if (!body_len())
			break;
		while (at < body_len()) {
			const struct fuse_direntplus *plus = (void *)((u8 *)body() + at);
			const struct fuse_dirent *entry = &plus->dirent;

			if (opcode == FUSE_READDIR) {
				entry = (void *)((u8 *)body() + at);
				at += FUSE_DIRENT_SIZE(entry);
			} else {
				at += FUSE_DIRENTPLUS_SIZE(plus);
				if (entry->name[0] != '.' && first && !*first)
					*first = plus->entry_out.nodeid;
			}
			in.offset = entry->off;
			n++;
		}
	}
	call(FUSE_RELEASEDIR, node, &(struct fuse_release_in){ .fh = in.fh },
	     sizeof(struct fuse_release_in), NULL, 0);
	return n;
}

static void directories(void)
{
	u64 node, first = 0;
	char name[64];
	int i;

	begin(FS_READ_ONLY);
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "share/dir/%0*d", i % 40 + 1, i);
		put_file(name, "");
	}
	node = lookup(1, "dir");
	EXPECT_EQ(list(node, FUSE_READDIR, 4096, NULL), 503);
	EXPECT_EQ(list(node, FUSE_READDIR, 300, NULL), 503);
	EXPECT_EQ(list(node, FUSE_READDIR, 65000, NULL), 503);
	EXPECT_EQ(list(node, FUSE_READDIRPLUS, 4096, &first), 503);
	EXPECT_EQ(list(node, FUSE_READDIRPLUS, 600, NULL), 503);
	EXPECT_EQ(list(node, FUSE_READDIRPLUS, 65000, NULL), 503);
	/* Each of the three told of it. */
	ASSERT(first);
	forget(first, 2);
	EXPECT(open_node(FUSE_OPEN, first, O_RDONLY) >= 0);
	forget(first, 1);
	EXPECT_EQ(open_node(FUSE_OPEN, first, O_RDONLY), -ESTALE);
	/* A handle of a file is none of a directory, and the reverse. */
	EXPECT_EQ(read_at(node, open_node(FUSE_OPENDIR, node, 0), 0, 16), -EBADF);
	end();
}

static void read_only_refuses_changes(void)
{
	static const u32 opcodes[] = {
		FUSE_SETATTR, FUSE_SYMLINK, FUSE_MKNOD, FUSE_MKDIR, FUSE_UNLINK, FUSE_RMDIR,
		FUSE_RENAME, FUSE_RENAME2, FUSE_LINK, FUSE_CREATE, FUSE_WRITE, FUSE_SETXATTR,
		FUSE_REMOVEXATTR, FUSE_FALLOCATE, FUSE_COPY_FILE_RANGE,
	};
	u8 args[128] = { 0 };
	unsigned int i;
	u64 node;

	begin(FS_READ_ONLY);
	node = lookup(1, "file");
	for (i = 0; i < COUNT(opcodes); i++)
		EXPECT_EQ(call(opcodes[i], 1, args, sizeof(args), NULL, 0), -EROFS);
	EXPECT_EQ(open_node(FUSE_OPEN, node, O_WRONLY), -EROFS);
	EXPECT_EQ(open_node(FUSE_OPEN, node, O_RDWR), -EROFS);
	EXPECT_EQ(open_node(FUSE_OPEN, node, O_RDONLY | O_TRUNC), -EROFS);
	EXPECT(open_node(FUSE_OPEN, node, O_RDONLY) >= 0);
	EXPECT_EQ(named(FUSE_GETXATTR, node, args, 8, "user.x"), -ENOSYS);
	end();
}

/* An open for reading can bear the wish that what runs as its owner no longer does. */
static void reading_changes_no_mode(void)
{
	struct fuse_open_in in = { .flags = O_RDONLY, .open_flags = FUSE_OPEN_KILL_SUIDGID };
	enum fs_access access;
	struct stat stat;

	for (access = FS_READ_ONLY; access <= FS_READ_WRITE; access++) {
		begin(access);
		ASSERT_OK(chmod("share/file", 04755));
		EXPECT_EQ(call(FUSE_OPEN, lookup(1, "file"), &in, sizeof(in), NULL, 0), 0);
		ASSERT_OK(lstat("share/file", &stat));
		EXPECT_EQ(stat.st_mode & 07777, 04755);
		end();
		ASSERT_OK(chdir("/"));
		memcpy(top + sizeof(top) - 7, "XXXXXX", 6);
	}
}

/* Files with long names, until the share knows no more: they take no more memory than it may have. */
static void memory_is_bounded(void)
{
	struct fuse_mknod_in mk = { .mode = S_IFREG | 0600 };
	unsigned int known = 0, again = 0;
	char name[300], tail[246];
	u64 first;
	int error;

	begin(FS_READ_WRITE);
	fs_limit(fs, 1);
	memset(tail, 'n', 245);
	tail[245] = 0;
	for (;;) {
		snprintf(name, sizeof(name), "%010u%s", known, tail);
		error = named(FUSE_MKNOD, 1, &mk, sizeof(mk), name);
		if (error || known == 10000)
			break;
		known++;
	}
	EXPECT_EQ(error, -ENFILE);
	test_note("%u files in 1 MiB: %u bytes for one with a name of 255 letters", known,
		  (unsigned int)MIB(1) / known);
	EXPECT(known >= MIB(1) / 400 && known < MIB(1) / 256);
	/* What is forgotten makes room, for as many. */
	EXPECT_EQ(named(FUSE_LOOKUP, 1, NULL, 0, name), -ENFILE);
	snprintf(name, sizeof(name), "%010u%s", 0, tail);
	first = lookup(1, name);
	forget(first, 2);
	snprintf(name, sizeof(name), "%010u%s", known, tail);
	EXPECT_EQ(lookup(1, name), first);
	/* A driver that begins anew begins with nothing. */
	ASSERT_EQ(init(), 0);
	for (again = 0; again < known; again++) {
		snprintf(name, sizeof(name), "%010u%s", again, tail);
		ASSERT(lookup(1, name));
	}
	end();
}

static void changes(void)
{
	struct fuse_create_in create = { .flags = O_RDWR | O_EXCL, .mode = 04755 };
	struct fuse_entry_out *entry = body();
	struct fuse_setattr_in set = { .valid = FATTR_SIZE | FATTR_MODE, .size = 3, .mode = 0640 };
	struct fuse_rename_in to = { 0 };
	struct fuse_link_in link = { 0 };
	struct stat s;
	char data[10000], text[16] = { 0 };
	u64 node, dir, fh;
	int fd;

	begin(FS_READ_WRITE);
	memset(data, 'd', sizeof(data));
	dir = lookup(1, "dir");
	ASSERT_EQ(named(FUSE_CREATE, 1, &create, sizeof(create), "new"), 0);
	node = entry->nodeid;
	fh = ((struct fuse_open_out *)(entry + 1))->fh;
	EXPECT_EQ(named(FUSE_CREATE, 1, &create, sizeof(create), "new"), -EEXIST);
	EXPECT_EQ(write_at(node, fh, 0, sizeof(data), data, sizeof(data)), 0);
	/* More than came, less than came, and nowhere. */
	EXPECT_EQ(write_at(node, fh, 0, sizeof(data) + 1, data, sizeof(data)), -EINVAL);
	EXPECT_EQ(write_at(node, fh, 20000, 10, data, sizeof(data)), 0);
	EXPECT_EQ(write_at(node, fh, INT64_MAX, 10, data, sizeof(data)), -EINVAL);
	ASSERT_OK(stat("share/new", &s));
	EXPECT_EQ(s.st_size, 20010);
	EXPECT_EQ(s.st_mode & 07777, 0755);	/* no setuid from a guest */
	EXPECT_EQ(call(FUSE_SETATTR, node, &set, sizeof(set), NULL, 0), 0);
	ASSERT_OK(stat("share/new", &s));
	EXPECT_EQ(s.st_size, 3);
	EXPECT_EQ(s.st_mode & 07777, 0640);
	set.mode = 04755;
	EXPECT_EQ(call(FUSE_SETATTR, node, &set, sizeof(set), NULL, 0), -EPERM);
	/* Its name moves; the inode stays. */
	to.newdir = dir;
	EXPECT_EQ(call(FUSE_RENAME, 1, &to, sizeof(to), "new\0inner", 10), 0);
	EXPECT_EQ(lookup(dir, "inner"), node);
	link.oldnodeid = node;
	EXPECT_EQ(named(FUSE_LINK, 1, &link, sizeof(link), "hard"), 0);
	EXPECT_EQ(entry->nodeid, node);
	EXPECT_EQ(entry->attr.nlink, 2);
	EXPECT_EQ(named(FUSE_UNLINK, 1, NULL, 0, "hard"), 0);
	EXPECT_EQ(named(FUSE_UNLINK, dir, NULL, 0, "inner"), 0);
	/* Without a name it lives on. */
	EXPECT_EQ(read_at(node, fh, 0, 100), 0);
	EXPECT_EQ(body_len(), 3);
	EXPECT_EQ(call(FUSE_GETATTR, node, &set, sizeof(struct fuse_getattr_in), NULL, 0), 0);
	EXPECT_EQ(named(FUSE_RMDIR, 1, NULL, 0, "dir"), 0);
	EXPECT_EQ(named(FUSE_LOOKUP, dir, NULL, 0, "inner"), 0);
	EXPECT_EQ(call(FUSE_SYMLINK, 1, NULL, 0, "s\0/etc/passwd", 14), 0);
	EXPECT_EQ(readlink("share/s", text, 12), 11);
	/* The append of a descriptor, wherever the guest believes the end to be. */
	node = lookup(1, "file");
	fh = open_node(FUSE_OPEN, node, O_WRONLY | O_APPEND);
	EXPECT_EQ(write_at(node, fh, 0, 3, "abc", 3), 0);
	fd = ASSERT_OK(open("share/file", O_RDONLY));
	EXPECT_EQ(read(fd, text, 16), 8);
	EXPECT(!memcmp(text, "helloabc", 8));
	end();
}

static void attributes(void)
{
	struct fuse_setxattr_in set = { .size = 3 };
	struct fuse_getxattr_in get = { .size = 64 };
	u64 node;

	begin(FS_READ_WRITE);
	node = lookup(1, "file");
	if (setxattr("share/file", "user.have", "x", 1, 0))
		test_skip("the file system of /tmp has no attributes");
	EXPECT_EQ(call(FUSE_SETXATTR, node, &set, 8, "user.a\0abc", 10), 0);
	EXPECT_EQ(call(FUSE_SETXATTR, node, &set, 8, "user.a\0abcd", 11), -EINVAL);
	EXPECT_EQ(call(FUSE_SETXATTR, node, &set, 8, "user.a", 6), -EINVAL);
	EXPECT_EQ(call(FUSE_SETXATTR, node, &set, 8, "security.capability\0abc", 23), -EOPNOTSUPP);
	EXPECT_EQ(call(FUSE_SETXATTR, node, &set, 8, "trusted.x\0abc", 13), -EOPNOTSUPP);
	EXPECT_EQ(named(FUSE_GETXATTR, node, &get, 8, "user.a"), 0);
	EXPECT_EQ(body_len(), 3);
	EXPECT_EQ(named(FUSE_GETXATTR, node, &get, 8, "user.none"), -ENODATA);
	get.size = 2;
	EXPECT_EQ(named(FUSE_GETXATTR, node, &get, 8, "user.a"), -ERANGE);
	get.size = 0;
	EXPECT_EQ(call(FUSE_LISTXATTR, node, &get, 8, NULL, 0), 0);
	EXPECT_EQ(((struct fuse_getxattr_out *)body())->size, 17);
	end();
}

/* More files than descriptors: all stay within reach, deep ones and open ones too. */
static void descriptors_run_short(void)
{
	struct rlimit limit = { .rlim_cur = 120, .rlim_max = 120 };
	u64 node[200], deep[100], at;
	char name[32];
	unsigned int i, opened = 0;
	s64 fh = 0;

	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	begin(FS_READ_WRITE);
	ASSERT_OK(chdir("share"));
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		put_file(name, name);
		node[i] = lookup(1, name);
		ASSERT(node[i]);
	}
	for (i = 0, at = 1; i < 100; i++) {
		struct fuse_mkdir_in mk = { .mode = 0755 };

		ASSERT_EQ(named(FUSE_MKDIR, at, &mk, sizeof(mk), "d"), 0);
		at = deep[i] = ((struct fuse_entry_out *)body())->nodeid;
	}
	for (i = 0; i < 200; i++) {
		struct fuse_release_in in = { .fh = open_node(FUSE_OPEN, node[i], O_RDONLY) };

		ASSERT((s64)in.fh >= 0);
		EXPECT_EQ(read_at(node[i], in.fh, 0, 100), 0);
		snprintf(name, sizeof(name), "f%u", i);
		EXPECT(!memcmp(body(), name, strlen(name)));
		EXPECT_EQ(call(FUSE_RELEASE, node[i], &in, sizeof(in), NULL, 0), 0);
	}
	EXPECT_EQ(lookup(deep[99], "none"), 0);
	EXPECT_EQ(lookup(deep[50], "d"), deep[51]);
	EXPECT(open_fds() < 50);
	/* A guest that opens without end is told so, and others go on. */
	for (i = 0; i < 200 && fh >= 0; i++, opened++)
		fh = open_node(FUSE_OPEN, node[i], O_RDONLY);
	EXPECT_EQ(fh, -ENFILE);
	EXPECT_EQ(lookup(deep[99], "none"), 0);
	EXPECT_OK(open("f1", O_RDONLY));
	test_note("%u files were open", opened - 1);
	ASSERT_EQ(init(), 0);
	EXPECT(open_node(FUSE_OPEN, lookup(1, "f7"), O_RDONLY) >= 0);
	EXPECT(open_fds() < 20);
	end();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(agrees_on_what_both_can), TEST(reads_files),
		TEST(names_do_not_leave_the_share), TEST(links_are_not_followed),
		TEST(a_replaced_file_is_stale), TEST(races_do_not_leave_the_share),
		TEST(only_files_and_directories_are_opened),
		TEST(the_kernels_file_systems_stay_shut), TEST(what_is_hidden_stays_shut),
		TEST(above_the_hidden_nothing_moves),
		TEST(lengths_are_checked),
		TEST(transfers_are_bounded), TEST(forgetting), TEST(directories),
		TEST(read_only_refuses_changes), TEST(reading_changes_no_mode),
		TEST(memory_is_bounded),
		TEST(changes), TEST(attributes), TEST(descriptors_run_short),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
