// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's FUSE server against a guest that lies: the input is a series of requests, over a small tree. A reply must stay
 * within its buffers, and nothing that lies beside the tree may be read or changed.
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs.h"
#include "fuzz.h"

#define SECRET	"what no guest may read"
#define AGAIN	500	/* inputs, then the tree is made anew */

/* A request: the opcode, an inode among the first few, lengths; then its arguments. */
struct step {
	u8 opcode, node, cut, args;
	u16 room;
	int8_t lie;		/* how much the header's length is wrong */
	u8 flags;	/* 1: room as said, not plenty; 2: any opcode; 4: a name at the end; 4 and 8: two; 8: of an open handle */
};

#define MAX_ARGS	512

static char top[64];
static pid_t owner;

static void run(const char *format)
{
	char command[256];

	snprintf(command, sizeof(command), format, top);
	if (system(command))
		return;
}

static void clean(void)
{
	if (top[0] && getpid() == owner)
		run("rm -rf '%s'");
}

static void put(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void plant(void)
{
	static const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 2 } };
	static const struct rlimit size = { .rlim_cur = 1 << 20, .rlim_max = 1 << 20 };

	if (!top[0]) {
		strcpy(top, access("/dev/shm", W_OK) ? "/tmp/fuzz.XXXXXX" : "/dev/shm/fuzz.XXXXXX");
		MUST(mkdtemp(top));
		owner = getpid();
		atexit(clean);
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &size);
		umask(0);
		MUST(!chdir(top));
		put("secret", SECRET);
		MUST(!utimensat(AT_FDCWD, "secret", times, 0));
	}
	run("chmod -R u+rwx '%s'/share 2>/dev/null; rm -rf share");
	MUST(!mkdir("share", 0755) && !mkdir("share/d", 0755) && !mkdir("share/d/e", 0755));
	put("share/f", "hello");
	put("share/d/g", "inner");
	MUST(!symlink("../secret", "share/l") && !symlink("..", "share/u") && !mkfifo("share/p", 0666));
}

static void check_secret(void)
{
	char text[64] = "";
	struct stat s;
	int fd = open("secret", O_RDONLY | O_NOATIME);

	MUST(fd >= 0 && read(fd, text, sizeof(text)) == (ssize_t)strlen(SECRET) && !memcmp(text, SECRET, strlen(SECRET)));
	/* Read by nobody: whoever does moves the time, since it is before the last change. */
	MUST(!fstat(fd, &s) && s.st_nlink == 1 && (s.st_mode & 07777) == 0644 && s.st_atime == 1 && s.st_mtime == 2);
	close(fd);
}

/* Appends one of a few names to the @len bytes of @args; returns how many they are then. */
static size_t append(uint8_t *args, size_t len, unsigned int which)
{
	static const char * const names[] = { "f", "d", "l", "p", "u", "g", "e", "new" };
	size_t more = strlen(names[which % 8]) + 1;

	memcpy(args + len, names[which % 8], more);
	return len + more;
}

/* What stands before the names. */
static size_t structure(unsigned int opcode)
{
	static const uint8_t sizes[] = {
		[FUSE_MKNOD] = sizeof(struct fuse_mknod_in), [FUSE_MKDIR] = sizeof(struct fuse_mkdir_in),
		[FUSE_RENAME] = sizeof(struct fuse_rename_in), [FUSE_RENAME2] = sizeof(struct fuse_rename2_in),
		[FUSE_LINK] = sizeof(struct fuse_link_in), [FUSE_CREATE] = sizeof(struct fuse_create_in),
		[FUSE_SETXATTR] = 8, [FUSE_GETXATTR] = sizeof(struct fuse_getxattr_in),
	};

	return opcode < sizeof(sizes) ? sizes[opcode] : 0;
}

/* A request about one of the handles that are open from the start, long enough for any. */
static size_t with_handle(uint8_t *args, size_t len, struct step *s)
{
	uint64_t fh = (s->flags >> 4) % 3;

	memcpy(args, &fh, sizeof(fh));
	s->node = fh == 1 ? 3 : 2;
	return len < 64 ? 64 : len;
}

static void send(struct fs *fs, const struct step *s, const uint8_t *args, size_t len)
{
	struct fuse_in_header head = {
		.len = sizeof(head) + len + s->lie, .opcode = s->opcode, .unique = 1, .nodeid = s->node % 16,
	};
	size_t total = sizeof(head) + len, cut = s->cut % total, room = s->flags & 1 ? s->room : 4096;
	u8 *out = malloc(total), *in = malloc(room ? room : 1);
	struct iovec from[2] = { { out, cut }, { out + cut, total - cut } };
	struct iovec to[2] = { { in, room / 2 }, { in + room / 2, room - room / 2 } };
	struct fs_request request = { from, 2, total, to, 2, room };
	struct fuse_out_header reply;
	ssize_t got;

	memcpy(out, &head, sizeof(head));
	memcpy(out + sizeof(head), args, len);
	got = fs_serve(fs, &request);
	MUST(got >= -1 && got <= (ssize_t)room && (got <= 0 || got >= (ssize_t)sizeof(reply)));
	if (got > 0) {
		memcpy(&reply, in, sizeof(reply));
		MUST(reply.len == got && reply.unique == 1 && reply.error <= 0 && reply.error > -4096);
	}
	free(out);
	free(in);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	static const struct fuse_init_in init = { .major = 7, .minor = 38, .flags = ~0u };
	static const struct fuse_open_in readable = { .flags = O_RDONLY }, writable = { .flags = O_RDWR };
	static const struct step first = { .opcode = FUSE_INIT }, look = { .opcode = FUSE_LOOKUP, .node = 1 };
	static const struct step open_file = { .opcode = FUSE_OPEN, .node = 2 }, open_dir = { .opcode = FUSE_OPENDIR, .node = 3 };
	static unsigned int inputs;
	struct vm_error err = { 0 };
	uint8_t args[MAX_ARGS];
	struct step s;
	struct fs *fs;
	size_t len;

	if (inputs++ % AGAIN == 0)
		plant();
	fs = fs_open("share", size & 1 ? FS_READ_WRITE : FS_READ_ONLY, &err);
	if (!fs) {
		plant();
		return;
	}
	send(fs, &first, (const uint8_t *)&init, sizeof(init));
	for (len = 0; len < 4; len++)
		send(fs, &look, (const uint8_t *)&"f\0d\0l\0p"[len * 2], 2);
	/* Handles 0 and 1, and 2 where that may be. */
	send(fs, &open_file, (const uint8_t *)&readable, sizeof(readable));
	send(fs, &open_dir, (const uint8_t *)&readable, sizeof(readable));
	send(fs, &open_file, (const uint8_t *)&writable, sizeof(writable));
	while (fuzz_take(&data, &size, &s, sizeof(s))) {
		if (s.args > size)
			s.args = size;
		/* Mostly what exists and is spelled right. */
		if (!(s.flags & 2)) {
			s.opcode %= 52;
			s.lie = 0;
		}
		/* SYNCFS and FSYNC would wait for the disk. */
		len = s.args;
		memset(args, 0, sizeof(args));
		memcpy(args, data, len);
		if (s.flags & 4)
			len = structure(s.opcode);
		else if (s.flags & 8)
			len = with_handle(args, len, &s);
		if (s.flags & 4)
			len = append(args, len, s.flags >> 4);
		if ((s.flags & 12) == 12)
			len = append(args, len, s.room);
		if (s.opcode != FUSE_SYNCFS && s.opcode != FUSE_FSYNC)
			send(fs, &s, args, len);
		data += s.args;
		size -= s.args;
	}
	fs_close(fs);
	check_secret();
}
