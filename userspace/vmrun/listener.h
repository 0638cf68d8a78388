/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Unix sockets that vmrun listens on: machines' control sockets, gdb's, channels' and the
 * vsock's. Who accepts, and what is said, is theirs.
 */
#ifndef VMRUN_LISTENER_H
#define VMRUN_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

/* The mode that a socket has of itself, less the umask. */
#define LISTENER_ANYBODY	0777

/*
 * A socket that listens at @path, where nothing may be yet: its descriptor, which does not block,
 * or -errno, with nothing left behind. It has its mode before its name: at no moment may others
 * connect than those who may later.
 */
int listener_open(const char *path, mode_t mode, int backlog);

/* What the user can do about an error of listener_open(). */
const char *listener_hint(int error);

/* Whether who connected to @fd is the user that vmrun runs as, or root. */
bool listener_is_ours(int fd);

#endif
