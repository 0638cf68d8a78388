/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The event loop of the main thread.
 */
#ifndef VMRUN_LOOP_H
#define VMRUN_LOOP_H

#include "log.h"
#include "types.h"

#define LOOP_MAX_WATCHES	8

typedef void loop_fn(void *ctx, u32 events);

struct loop_watch {
	int fd;
	u32 events;
	loop_fn *fn;
	void *ctx;
};

struct loop {
	int epoll_fd;
	bool stop;
	struct loop_watch watch[LOOP_MAX_WATCHES];
	unsigned int nr_watches;
};

int loop_create(struct loop *loop, struct vm_error *err);
void loop_destroy(struct loop *loop);

/*
 * Calls @fn when one of @events (EPOLLIN, EPOLLOUT; 0: none yet) is there.
 * Returns the watch's index, or -errno: -EPERM for a file that cannot be
 * waited for (a regular file), which is always ready.
 */
int loop_watch(struct loop *loop, int fd, u32 events, loop_fn *fn, void *ctx);

/* Changes what watch @index, from loop_watch(), waits for. */
void loop_change(struct loop *loop, int index, u32 events);

/* Runs until loop_stop(), which only the loop's own functions may call. */
int loop_run(struct loop *loop, struct vm_error *err);
void loop_stop(struct loop *loop);

#endif
