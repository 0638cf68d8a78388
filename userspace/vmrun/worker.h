/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread with an event loop of its own, for a device that blocks or has much to do.
 */
#ifndef VMRUN_WORKER_H
#define VMRUN_WORKER_H

#include <pthread.h>

#include "loop.h"
#include "sandbox/sandbox.h"

struct worker {
	struct loop loop;
	char name[16];	/* the thread's, as ps(1) shows it */
	pthread_t thread;
	const struct sandbox *sandbox;
	enum sandbox_thread policy;
	bool started;
	int stop_fd;	/* an eventfd that ends the loop */
};

/*
 * Makes the loop, in which the caller then watches what it wants (loop_watch(),
 * virtio_pci_add()); the thread comes with worker_start(). Returns 0, or -1 with @err
 * filled in and nothing left behind.
 */
int worker_create(struct worker *worker, const char *name, struct vm_error *err);

/*
 * Starts the thread, all signals blocked in it, in @sandbox as its @policy says (NULL: in
 * none, as in unit tests). From here on the loop is the thread's. After sandbox_jail().
 */
int worker_start(struct worker *worker, const struct sandbox *sandbox, enum sandbox_thread policy,
		 struct vm_error *err);

/*
 * Ends the thread after the function that it is in and waits for it; the loop is the
 * caller's again. Not from the thread itself, and without a lock that its functions take.
 */
void worker_stop(struct worker *worker);

/* worker_stop(), then gives back the loop. */
void worker_destroy(struct worker *worker);

#endif
