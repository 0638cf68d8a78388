// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop and the threads that have one: growth, removal from inside a function,
 * places that are used again, start and stop.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../console.h"
#include "../loop.h"
#include "../virtio/vsock.h"
#include "../worker.h"
#include "ktap.h"

#define MANY	100

struct seen {
	struct loop *loop;
	int fd;
	int watch;
	unsigned int calls;
	struct seen *removes;	/* what the function takes out of the loop */
	bool off;		/* ... or only switches off */
	struct seen *adds;	/* what it puts in afterwards */
	unsigned int stops_at;	/* ends the loop with this call */
};

static void on_event(void *ctx, u32 events)
{
	struct seen *s = ctx;
	u64 count;

	EXPECT_EQ(events, EPOLLIN);
	EXPECT_EQ(read(s->fd, &count, sizeof(count)), (ssize_t)sizeof(count));
	s->calls++;
	if (s->removes && s->off)
		loop_change(s->loop, s->removes->watch, 0);
	else if (s->removes)
		loop_unwatch(s->loop, s->removes->watch);
	if (s->adds)
		s->adds->watch = loop_watch(s->loop, s->adds->fd, EPOLLIN, on_event, s->adds);
	s->removes = NULL;
	s->adds = NULL;
	if (s->calls == s->stops_at)
		loop_stop(s->loop);
}

static void poke(int fd)
{
	u64 one = 1;

	ASSERT_EQ(write(fd, &one, sizeof(one)), (ssize_t)sizeof(one));
}

static void setup(struct loop *loop, struct seen *s, unsigned int n)
{
	struct vm_error err = { 0 };
	unsigned int i;

	ASSERT_EQ(loop_create(loop, &err), 0);
	memset(s, 0, n * sizeof(*s));
	for (i = 0; i < n; i++) {
		s[i].loop = loop;
		s[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT(s[i].fd >= 0);
	}
}

static void watch_all(struct loop *loop, struct seen *s, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		s[i].watch = loop_watch(loop, s[i].fd, EPOLLIN, on_event, &s[i]);
		ASSERT(s[i].watch >= 0);
	}
}

static void teardown(struct loop *loop, struct seen *s, unsigned int n)
{
	while (n--)
		close(s[n].fd);
	loop_destroy(loop);
}

static void the_table_grows(void)
{
	struct vm_error err = { 0 };
	struct seen s[MANY];
	struct loop loop;
	unsigned int i;

	setup(&loop, s, MANY);
	watch_all(&loop, s, MANY);
	for (i = 0; i < MANY; i++) {
		s[i].stops_at = 1;
		poke(s[i].fd);
		EXPECT_EQ(loop_run(&loop, &err), 0);
		loop.stop = false;
		EXPECT_EQ(s[i].calls, 1);
	}
	teardown(&loop, s, MANY);
}

static void the_table_has_an_end(void)
{
	struct seen s[1];
	struct loop loop;
	int fd[LOOP_MAX_WATCHES + 1];
	unsigned int i;

	setup(&loop, s, 1);
	for (i = 0; i <= LOOP_MAX_WATCHES; i++) {
		fd[i] = dup(s[0].fd);
		if (fd[i] < 0)
			break;
		EXPECT_EQ(loop_watch(&loop, fd[i], EPOLLIN, on_event, &s[0]),
			  i == LOOP_MAX_WATCHES ? -ENOSPC : (int)i);
	}
	/* Where the limit of open files is lower there is no end to see. */
	while (i--)
		close(fd[i]);
	teardown(&loop, s, 1);
}

static void nobody(void *ctx, u32 events)
{
	(void)ctx;
	(void)events;
}

/* Who cannot be watched for want of a place says so, whatever failed before. */
static void a_full_table_is_told(void)
{
	static struct console console;
	static struct vsock vsock;
	struct vm_error err = { 0 };
	struct serial serial;
	struct loop loop;
	unsigned int i;

	ASSERT_EQ(loop_create(&loop, &err), 0);
	loop.watch = calloc(LOOP_MAX_WATCHES, sizeof(*loop.watch));
	loop.nr_watches = LOOP_MAX_WATCHES;
	for (i = 0; i < LOOP_MAX_WATCHES; i++)
		loop.watch[i].fn = nobody;
	errno = EILSEQ;
	EXPECT_EQ(vsock_init(&vsock, "vsock0", &loop, 3, &err), -1);
	EXPECT(strstr(err.text, strerror(ENOSPC)));
	memset(&err, 0, sizeof(err));
	errno = EILSEQ;
	EXPECT_EQ(console_keep(&console, &serial, &loop, &err), -1);
	EXPECT(strstr(err.text, strerror(ENOSPC)));
	console_close(&console);
	loop_destroy(&loop);
}

/* Two events of one batch: whichever comes first takes the other out. */
static void removed_in_the_same_batch(void)
{
	struct vm_error err = { 0 };
	struct seen s[2];
	struct loop loop;

	setup(&loop, s, 2);
	watch_all(&loop, s, 2);
	s[0].removes = &s[1];
	s[1].removes = &s[0];
	s[0].stops_at = s[1].stops_at = 2;
	poke(s[0].fd);
	poke(s[1].fd);
	/* Only one may be called; a third event ends the run. */
	{
		struct seen last = { .loop = &loop, .stops_at = 1 };

		last.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT(loop_watch(&loop, last.fd, EPOLLIN, on_event, &last) >= 0);
		poke(last.fd);
		EXPECT_EQ(loop_run(&loop, &err), 0);
		close(last.fd);
	}
	EXPECT_EQ(s[0].calls + s[1].calls, 1);
	teardown(&loop, s, 2);
}

/* The place of a removed watch is given away while its event still waits. */
static void a_place_used_again_gets_no_old_event(void)
{
	struct vm_error err = { 0 };
	struct seen s[4];
	struct loop loop;

	setup(&loop, s, 4);
	watch_all(&loop, s, 2);
	s[0].removes = &s[1];
	s[0].adds = &s[2];
	s[1].removes = &s[0];
	s[1].adds = &s[2];
	poke(s[0].fd);
	poke(s[1].fd);
	s[3].stops_at = 1;
	s[3].watch = loop_watch(&loop, s[3].fd, EPOLLIN, on_event, &s[3]);
	ASSERT(s[3].watch >= 0);
	poke(s[3].fd);
	EXPECT_EQ(loop_run(&loop, &err), 0);
	EXPECT_EQ(s[0].calls + s[1].calls, 1);
	EXPECT_EQ(s[2].calls, 0);
	EXPECT(s[2].watch == s[0].watch || s[2].watch == s[1].watch);
	/* The new user is served all the same. */
	loop.stop = false;
	s[2].stops_at = 1;
	poke(s[2].fd);
	EXPECT_EQ(loop_run(&loop, &err), 0);
	EXPECT_EQ(s[2].calls, 1);
	teardown(&loop, s, 4);
}

static void switched_off_in_the_same_batch(void)
{
	struct vm_error err = { 0 };
	struct seen s[3];
	struct loop loop;

	setup(&loop, s, 3);
	watch_all(&loop, s, 3);
	s[0].removes = &s[1];
	s[1].removes = &s[0];
	s[0].off = s[1].off = true;
	s[2].stops_at = 1;
	poke(s[0].fd);
	poke(s[1].fd);
	poke(s[2].fd);
	EXPECT_EQ(loop_run(&loop, &err), 0);
	EXPECT_EQ(s[0].calls + s[1].calls, 1);
	teardown(&loop, s, 3);
}

struct inside {
	struct worker worker;
	int fd, done;
	char name[16];
	bool masked;
	pthread_t thread;
};

static void in_the_worker(void *ctx, u32 events)
{
	struct inside *in = ctx;
	sigset_t mask;
	u64 count;

	(void)events;
	EXPECT_EQ(read(in->fd, &count, sizeof(count)), (ssize_t)sizeof(count));
	in->thread = pthread_self();
	pthread_getname_np(pthread_self(), in->name, sizeof(in->name));
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	in->masked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1;
	poke(in->done);
}

static void a_worker_has_a_loop_of_its_own(void)
{
	struct vm_error err = { 0 };
	struct inside in = { 0 };
	unsigned int round;
	sigset_t mask;
	u64 count;

	ASSERT_EQ(worker_create(&in.worker, "blk0-and-a-long-name", &err), 0);
	in.fd = eventfd(0, EFD_CLOEXEC);
	in.done = eventfd(0, EFD_CLOEXEC);
	ASSERT(loop_watch(&in.worker.loop, in.fd, EPOLLIN, in_the_worker, &in) >= 0);
	/* It can be stopped and started again. */
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(worker_start(&in.worker, NULL, SANDBOX_FS, &err), 0);
		poke(in.fd);
		EXPECT_EQ(read(in.done, &count, sizeof(count)), (ssize_t)sizeof(count));
		EXPECT(!pthread_equal(in.thread, pthread_self()));
		EXPECT(in.masked);
		worker_stop(&in.worker);
	}
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
	EXPECT(!strcmp(in.worker.name, "blk0-and-a-long"));
	worker_destroy(&in.worker);
	close(in.fd);
	close(in.done);
}

static void a_worker_that_never_ran_goes(void)
{
	struct vm_error err = { 0 };
	struct worker worker;

	ASSERT_EQ(worker_create(&worker, "idle", &err), 0);
	worker_stop(&worker);
	worker_destroy(&worker);
	ASSERT_EQ(worker_create(&worker, "idle", &err), 0);
	ASSERT_EQ(worker_start(&worker, NULL, SANDBOX_FS, &err), 0);
	worker_destroy(&worker);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_table_grows), TEST(the_table_has_an_end), TEST(a_full_table_is_told),
		TEST(removed_in_the_same_batch), TEST(a_place_used_again_gets_no_old_event),
		TEST(switched_off_in_the_same_batch),
		TEST(a_worker_has_a_loop_of_its_own), TEST(a_worker_that_never_ran_goes),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
