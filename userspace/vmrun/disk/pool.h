/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that wait for a disk, so that nobody else does.
 */
#ifndef VMRUN_DISK_POOL_H
#define VMRUN_DISK_POOL_H

#include <pthread.h>

#include "../log.h"
#include "../sandbox/sandbox.h"
#include "../types.h"

#define DISK_POOL_THREADS	4
#define DISK_POOL_WRITERS	2	/* where an io_uring reads */

/* Embedded in what is to be done. */
struct disk_job {
	struct disk_job *next;
	void (*run)(struct disk_job *job);
};

struct disk_pool {
	const struct sandbox *sandbox;
	pthread_mutex_t lock;		/* all below but the threads themselves */
	pthread_cond_t wake;
	struct disk_job *first, **last;
	bool stopping;
	unsigned int nr_named;
	char name[16];			/* const, as is sandbox */
	pthread_t thread[DISK_POOL_THREADS];
	unsigned int nr_threads;
};

/*
 * Starts @nr threads (DISK_POOL_THREADS at most), named after @name, all signals blocked in
 * them, in @sandbox (NULL: none, as in unit tests). -1 with @err, nothing left.
 */
int disk_pool_create(struct disk_pool *pool, const char *name, unsigned int nr,
		     const struct sandbox *sandbox, struct vm_error *err);

/* Ends the threads once all is done that was submitted. */
void disk_pool_destroy(struct disk_pool *pool);

/* Has @job->run called in one of the threads, after what was submitted earlier began. Any thread. */
void disk_pool_submit(struct disk_pool *pool, struct disk_job *job);

#endif
