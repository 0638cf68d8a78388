// SPDX-License-Identifier: GPL-2.0
/*
 * epoll(7) around a table of watches that grows as it is used. Places are used again;
 * what epoll hands back names a place and its generation, so that an event that was
 * fetched for a former user of the place is dropped. Called by machine.c, worker.c and
 * everything that waits for a descriptor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

#define FIRST_WATCHES	16
#define EVENTS_AT_ONCE	32

int loop_create(struct loop *loop, struct vm_error *err)
{
	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
			       "cannot create an event loop: %s", strerror(errno));
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
	free(loop->watch);
	loop->watch = NULL;
	loop->nr_watches = 0;
}

/* A place that nobody uses, or -errno. */
static int find_place(struct loop *loop)
{
	unsigned int n = loop->nr_watches, more, i;
	struct loop_watch *watch;

	for (i = 0; i < n; i++)
		if (!loop->watch[i].fn)
			return i;
	if (n == LOOP_MAX_WATCHES)
		return -ENOSPC;
	more = n ? 2 * n : FIRST_WATCHES;
	watch = realloc(loop->watch, more * sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	memset(watch + n, 0, (more - n) * sizeof(*watch));
	loop->watch = watch;
	loop->nr_watches = more;
	return n;
}

static void control(struct loop *loop, int op, int index, u32 events)
{
	struct loop_watch *w = &loop->watch[index];
	struct epoll_event event = {
		.events = events, .data.u64 = (u64)w->generation << 32 | (u32)index,
	};

	epoll_ctl(loop->epoll_fd, op, w->fd, &event);
}

int loop_watch(struct loop *loop, int fd, u32 events, loop_fn *fn, void *ctx)
{
	struct epoll_event event = { .events = events };
	struct loop_watch *w;
	int index;

	index = find_place(loop);
	if (index < 0)
		return index;
	w = &loop->watch[index];
	event.data.u64 = (u64)w->generation << 32 | (u32)index;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	w->fd = fd;
	w->events = events;
	w->fn = fn;
	w->ctx = ctx;
	/* See loop_change(): a watch that waits for nothing is not in the set. */
	if (!events)
		control(loop, EPOLL_CTL_DEL, index, 0);
	return index;
}

void loop_change(struct loop *loop, int index, u32 events)
{
	struct loop_watch *w = &loop->watch[index];
	int op = EPOLL_CTL_MOD;

	if (events == w->events)
		return;
	/* EPOLLHUP cannot be masked and would spin: leave the set instead. */
	if (!events)
		op = EPOLL_CTL_DEL;
	else if (!w->events)
		op = EPOLL_CTL_ADD;
	control(loop, op, index, events);
	w->events = events;
}

void loop_unwatch(struct loop *loop, int index)
{
	struct loop_watch *w = &loop->watch[index];

	loop_change(loop, index, 0);
	w->fn = NULL;
	w->ctx = NULL;
	w->fd = -1;
	w->generation++;
}

/* The table may move and the watch may go while its function runs. */
static void deliver(struct loop *loop, const struct epoll_event *event)
{
	u32 index = event->data.u64, generation = event->data.u64 >> 32;
	const struct loop_watch *w = &loop->watch[index];

	/* Gone, or switched off, by a function that was called just before. */
	if (!w->fn || w->generation != generation || !w->events)
		return;
	w->fn(w->ctx, event->events);
}

int loop_run(struct loop *loop, struct vm_error *err)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int i, n;

	while (!loop->stop) {
		n = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, -1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vm_fail(err, VM_STATUS_FAILURE, NULL,
				       "cannot wait for events: %s", strerror(errno));
		for (i = 0; i < n && !loop->stop; i++)
			deliver(loop, &events[i]);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
