/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An event loop: the main thread's, and one in each worker. It belongs to the thread
 * that runs it: only this one calls the functions below, but before loop_run() and after
 * it whoever owns the loop may. Other threads reach it by an eventfd that it watches.
 */
#ifndef VMRUN_LOOP_H
#define VMRUN_LOOP_H

#include "log.h"
#include "types.h"

#define LOOP_MAX_WATCHES	1024
#define LOOP_REST_MS		100

typedef void loop_fn(void *ctx, u32 events);

struct loop_watch {
	int fd;
	u32 events;
	u32 generation;	/* counts the users of this place: tells events of an earlier one */
	bool rests;	/* out of the set until the loop's rest_until, whatever @events say */
	loop_fn *fn;	/* NULL: nobody's */
	void *ctx;
};

struct loop {
	int epoll_fd;
	bool stop;
	struct loop_watch *watch;
	unsigned int nr_watches;	/* places in the table, free ones included */
	unsigned int nr_resting;
	s64 rest_until;		/* ms, monotonic: one time for all that rest */
};

int loop_create(struct loop *loop, struct vm_error *err);
void loop_destroy(struct loop *loop);

/*
 * Calls @fn when one of @events (EPOLLIN, EPOLLOUT; 0: none yet) is there.
 * Returns the watch's index, or -errno, which errno is too: -EPERM for a file that cannot
 * be waited for (a regular file), which is always ready; -ENOSPC, -ENOMEM.
 */
int loop_watch(struct loop *loop, int fd, u32 events, loop_fn *fn, void *ctx);

/* Changes what watch @index, from loop_watch(), waits for. */
void loop_change(struct loop *loop, int index, u32 events);

/*
 * Forgets watch @index, before its descriptor is closed. Its function is not called
 * again, not even for an event that was fetched already; any watch's function may do that.
 */
void loop_unwatch(struct loop *loop, int index);

/*
 * Accepts a connection on the listening socket of watch @index, close-on-exec and not
 * blocking. Returns its descriptor, or -errno. Where the host lacks descriptors or memory
 * who wants to connect goes on to wait, and the watch rests for LOOP_REST_MS: it would be
 * called again at once, and that for ever.
 */
int loop_accept(struct loop *loop, int index);

/* Runs until loop_stop(), which only the loop's own functions may call. */
int loop_run(struct loop *loop, struct vm_error *err);
void loop_stop(struct loop *loop);

#endif
