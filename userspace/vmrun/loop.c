// SPDX-License-Identifier: GPL-2.0
/*
 * epoll(7) around a table of watches that grows as it is used. Places are used again;
 * what epoll hands back names a place and its generation, so that an event that was
 * fetched for a former user of the place is dropped. Connections are accepted here too,
 * since one that cannot be had concerns the loop. Called by machine.c, worker.c and
 * everything that waits for a descriptor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
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
	if (index < 0) {
		errno = -index;
		return index;
	}
	w = &loop->watch[index];
	event.data.u64 = (u64)w->generation << 32 | (u32)index;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	w->fd = fd;
	w->events = events;
	w->rests = false;
	w->fn = fn;
	w->ctx = ctx;
	/* See loop_change(): a watch that waits for nothing is not in the set. */
	if (!events)
		control(loop, EPOLL_CTL_DEL, index, 0);
	return index;
}

/* What the set has of @w. */
static u32 waits_for(const struct loop_watch *w)
{
	return w->rests ? 0 : w->events;
}

static void set(struct loop *loop, int index, u32 events, bool rests)
{
	struct loop_watch *w = &loop->watch[index];
	u32 before = waits_for(w), after;
	int op = EPOLL_CTL_MOD;

	w->events = events;
	w->rests = rests;
	after = waits_for(w);
	if (after == before)
		return;
	/* EPOLLHUP cannot be masked and would spin: leave the set instead. */
	if (!after)
		op = EPOLL_CTL_DEL;
	else if (!before)
		op = EPOLL_CTL_ADD;
	control(loop, op, index, after);
}

void loop_change(struct loop *loop, int index, u32 events)
{
	set(loop, index, events, loop->watch[index].rests);
}

void loop_unwatch(struct loop *loop, int index)
{
	struct loop_watch *w = &loop->watch[index];

	if (w->rests)
		loop->nr_resting--;
	set(loop, index, 0, false);
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
	if (!w->fn || w->generation != generation || !waits_for(w))
		return;
	w->fn(w->ctx, event->events);
}

static s64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Who rests while others do wakes with them: the first one's time is everybody's. */
static void rest(struct loop *loop, int index)
{
	struct loop_watch *w = &loop->watch[index];

	if (w->rests)
		return;
	if (!loop->nr_resting++)
		loop->rest_until = now_ms() + LOOP_REST_MS;
	set(loop, index, w->events, true);
}

/* What epoll_wait() may wait for, in ms; -1: without an end. Wakes who has rested. */
static int rest_left(struct loop *loop)
{
	unsigned int i;
	s64 left;

	if (!loop->nr_resting)
		return -1;
	left = loop->rest_until - now_ms();
	if (left > 0)
		return left;
	for (i = 0; i < loop->nr_watches; i++)
		if (loop->watch[i].rests)
			set(loop, i, loop->watch[i].events, false);
	loop->nr_resting = 0;
	return -1;
}

int loop_accept(struct loop *loop, int index)
{
	int fd = accept4(loop->watch[index].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int error = fd < 0 ? errno : 0;

	/* Of all others nobody knows when they end: EMFILE, ENFILE, ENOBUFS, ENOMEM, ... */
	if (error && error != EAGAIN && error != EINTR && error != ECONNABORTED)
		rest(loop, index);
	return error ? -error : fd;
}

int loop_run(struct loop *loop, struct vm_error *err)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int i, n;

	while (!loop->stop) {
		n = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, rest_left(loop));
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
