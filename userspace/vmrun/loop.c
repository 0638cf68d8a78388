// SPDX-License-Identifier: GPL-2.0
/*
 * epoll(7) around a small table of watches. Only the main thread is in here;
 * other threads reach it by an eventfd that it watches.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

int loop_create(struct loop *loop, struct vm_error *err)
{
	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "cannot create the event loop: %s", strerror(errno));
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

int loop_watch(struct loop *loop, int fd, u32 events, loop_fn *fn, void *ctx)
{
	unsigned int index = loop->nr_watches;
	struct epoll_event event = { .events = events, .data.u32 = index };

	if (index == LOOP_MAX_WATCHES)
		return -ENOSPC;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	loop->watch[index] = (struct loop_watch){
		.fd = fd, .events = events, .fn = fn, .ctx = ctx,
	};
	/* See loop_change(): a watch that waits for nothing is not in the set. */
	if (!events)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	loop->nr_watches++;
	return index;
}

void loop_change(struct loop *loop, int index, u32 events)
{
	struct epoll_event event = { .events = events, .data.u32 = index };
	struct loop_watch *w = &loop->watch[index];
	int op = EPOLL_CTL_MOD;

	if (events == w->events)
		return;
	/* EPOLLHUP cannot be masked and would spin: leave the set instead. */
	if (!events)
		op = EPOLL_CTL_DEL;
	else if (!w->events)
		op = EPOLL_CTL_ADD;
	epoll_ctl(loop->epoll_fd, op, w->fd, &event);
	w->events = events;
}

int loop_run(struct loop *loop, struct vm_error *err)
{
	struct epoll_event events[LOOP_MAX_WATCHES];
	int i, n;

	while (!loop->stop) {
		n = epoll_wait(loop->epoll_fd, events, LOOP_MAX_WATCHES, -1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vm_fail(err, VM_STATUS_FAILURE, NULL,
				       "cannot wait for events: %s", strerror(errno));
		for (i = 0; i < n && !loop->stop; i++) {
			struct loop_watch *w = &loop->watch[events[i].data.u32];

			w->fn(w->ctx, events[i].events);
		}
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
