// SPDX-License-Identifier: GPL-2.0
/*
 * The life of worker threads. What they do is in the functions that are watched in their
 * loops. Called by the devices that have one, in machine.c's order.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker.h"

static void on_stop(void *ctx, u32 events)
{
	struct worker *worker = ctx;

	(void)events;
	loop_stop(&worker->loop);
}

int worker_create(struct worker *worker, const char *name, struct vm_error *err)
{
	memset(worker, 0, sizeof(*worker));
	snprintf(worker->name, sizeof(worker->name), "%s", name);
	worker->stop_fd = -1;
	if (loop_create(&worker->loop, err))
		return -1;
	worker->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->stop_fd >= 0 &&
	    loop_watch(&worker->loop, worker->stop_fd, EPOLLIN, on_stop, worker) >= 0)
		return 0;
	vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
		"cannot set up the thread %s: %s", worker->name, strerror(errno));
	worker_destroy(worker);
	return -1;
}

static void *run_thread(void *arg)
{
	struct worker *worker = arg;
	struct vm_error err = { 0 };

	/* Another thread would have to open a file for it, which it cannot in the sandbox. */
	pthread_setname_np(pthread_self(), worker->name);
	sandbox_enter(worker->sandbox, worker->policy);
	/* It ends early only by a fault of ours; the guest's device then stands still. */
	if (loop_run(&worker->loop, &err))
		log_error(&err);
	return NULL;
}

int worker_start(struct worker *worker, const struct sandbox *sandbox, enum sandbox_thread policy,
		 struct vm_error *err)
{
	sigset_t all, before;
	int error;

	worker->sandbox = sandbox;
	worker->policy = policy;
	/* A thread inherits its mask: no signal may come before it could set its own. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&worker->thread, NULL, run_thread, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return vm_fail(err, VM_STATUS_FAILURE, "are too many processes running?",
			       "cannot start the thread %s: %s", worker->name, strerror(error));
	worker->started = true;
	return 0;
}

void worker_stop(struct worker *worker)
{
	u64 count = 1;

	if (!worker->started)
		return;
	/* Cannot fail: the counter takes 2^64 - 1 of them. */
	if (write(worker->stop_fd, &count, sizeof(count)) < 0)
		log_note("cannot stop the thread %s: %s", worker->name, strerror(errno));
	pthread_join(worker->thread, NULL);
	worker->started = false;
	worker->loop.stop = false;
	if (read(worker->stop_fd, &count, sizeof(count)) < 0)
		return;
}

void worker_destroy(struct worker *worker)
{
	worker_stop(worker);
	if (worker->stop_fd >= 0)
		close(worker->stop_fd);
	worker->stop_fd = -1;
	loop_destroy(&worker->loop);
}
