/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process that can open nothing more while somebody wants to connect to it: for the
 * programs that test what listens.
 */
#ifndef VMRUN_TESTS_FEW_FDS_H
#define VMRUN_TESTS_FEW_FDS_H

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "../loop.h"
#include "ktap.h"

/* Of FEW_FDS_MS; who spins needs nearly all of them, also where others compute too. */
#define FEW_FDS_MS	300
#define FEW_FDS_BUSY_MS	40

static void few_fds_stop(void *ctx, u32 events)
{
	(void)events;
	loop_stop(ctx);
}

static void few_fds_run(struct loop *loop, unsigned int ms)
{
	const struct itimerspec when = { .it_value.tv_nsec = ms * 1000000l };
	int timer = ASSERT_OK(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	int watch = loop_watch(loop, timer, EPOLLIN, few_fds_stop, loop);
	struct vm_error err = { 0 };

	ASSERT(watch >= 0);
	ASSERT_OK(timerfd_settime(timer, 0, &when, NULL));
	loop->stop = false;
	ASSERT_EQ(loop_run(loop, &err), 0);
	loop->stop = false;
	loop_unwatch(loop, watch);
	close(timer);
}

static long few_fds_cpu_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/*
 * Runs @loop, to whose listening socket somebody has connected, first without a descriptor
 * for them and then with all there are. The loop must sleep in between.
 */
static void few_fds(struct loop *loop)
{
	struct rlimit limit, none;
	long before;
	int timer;

	/* The place that the timer has. */
	timer = ASSERT_OK(dup(STDERR_FILENO));
	close(timer);
	ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = timer + 1;
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &none));
	before = few_fds_cpu_ms();
	few_fds_run(loop, FEW_FDS_MS);
	EXPECT(few_fds_cpu_ms() - before < FEW_FDS_BUSY_MS);
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	few_fds_run(loop, FEW_FDS_MS);
}

#endif
