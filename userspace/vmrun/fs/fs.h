/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A FUSE server over one directory of the host: a request in, a reply out, both as
 * buffers. The protocol is <linux/fuse.h>'s, 7.31 and later. Nothing here knows of
 * virtio or guests; virtio/fs.c is the caller, and the tests are.
 *
 * Requests are somebody's claims, never trusted: whatever they say, nothing outside the
 * directory is reached, nothing but regular files and directories is opened, and memory
 * and descriptors stay within the limits that inode.c states.
 */
#ifndef VMRUN_FS_FS_H
#define VMRUN_FS_FS_H

#include <sys/types.h>
#include <sys/uio.h>

#include "../log.h"
#include "../types.h"

enum fs_access {
	FS_READ_ONLY,		/* whatever would change something is EROFS */
	FS_READ_WRITE,
};

/* The largest READ or WRITE, if the driver and its ring go along. */
#define FS_MAX_TRANSFER	MIB(1)

/*
 * One request: buffers that it comes in (out of the guest) and those for the reply.
 * They may change under the server's hands: what it checks it has copied before.
 */
struct fs_request {
	const struct iovec *out;
	unsigned int nr_out;
	size_t out_len;		/* bytes in all */
	const struct iovec *in;
	unsigned int nr_in;
	size_t in_len;
};

struct fs;

/*
 * Serves directory @path. May raise the process' soft limit of open files to the hard
 * one. Returns NULL with @err filled in when it is no directory that can be opened.
 */
struct fs *fs_open(const char *path, enum fs_access access, struct vm_error *err);
void fs_close(struct fs *fs);

/*
 * How many bytes may be remembered of the files that a driver knows, FS_MIN_BYTES to
 * FS_MAX_BYTES of server.h, the latter unless this is called. Before the first request.
 */
void fs_limit(struct fs *fs, u64 bytes);

#define FS_MAX_HIDDEN	2

/*
 * The directory that is open as @fd is shown empty, wherever it lies in the share, and cannot
 * be moved: what vmrun keeps for itself. FS_MAX_HIDDEN times, before the first request.
 */
void fs_hide(struct fs *fs, int fd);

/*
 * No directory above the one that is open as @fd can be moved either, up to the host's
 * root: another in its place would be taken for what is hidden. Once, before the first
 * request. 0, or -errno.
 */
int fs_fix_above(struct fs *fs, int fd);

/* Forgets all that requests have made it remember: a driver starts or ends. */
void fs_reset(struct fs *fs);

/*
 * Serves one request. Returns the length of the reply, which begins with the first in
 * buffer; 0 for a request that has none; -1 for what is no request at all (no whole
 * header, or no room for the header of the reply). Blocks as the host's files do.
 * One thread at a time; that thread's umask should be 0, since modes come complete.
 */
ssize_t fs_serve(struct fs *fs, const struct fs_request *request);

#endif
