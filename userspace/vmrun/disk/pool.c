// SPDX-License-Identifier: GPL-2.0
/*
 * A queue of jobs and the threads that take them, first come, first served. Called by the
 * block device. What an io_uring is good for is done there (uring.c), but many systems
 * forbid it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"

static struct disk_job *next_job(struct disk_pool *pool)
{
	struct disk_job *job;

	pthread_mutex_lock(&pool->lock);
	while (!pool->first && !pool->stopping)
		pthread_cond_wait(&pool->wake, &pool->lock);
	job = pool->first;
	if (job) {
		pool->first = job->next;
		if (!pool->first)
			pool->last = &pool->first;
	}
	pthread_mutex_unlock(&pool->lock);
	return job;
}

static void *serve(void *arg)
{
	struct disk_pool *pool = arg;
	struct disk_job *job;
	char name[16];

	/* Another thread would have to open a file for it, which it cannot in the sandbox. */
	pthread_mutex_lock(&pool->lock);
	snprintf(name, sizeof(name), "%.8s-%u", pool->name, pool->nr_named++);
	pthread_mutex_unlock(&pool->lock);
	pthread_setname_np(pthread_self(), name);
	sandbox_enter(pool->sandbox, SANDBOX_BLK);
	while ((job = next_job(pool)))
		job->run(job);
	return NULL;
}

int disk_pool_create(struct disk_pool *pool, const char *name, unsigned int nr,
		     const struct sandbox *sandbox, struct vm_error *err)
{
	sigset_t all, before;
	int error = 0;

	memset(pool, 0, sizeof(*pool));
	pool->sandbox = sandbox;
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->last = &pool->first;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	/* A thread inherits its mask: no signal may come before it could set its own. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->nr_threads < nr && !error) {
		error = pthread_create(&pool->thread[pool->nr_threads], NULL, serve, pool);
		pool->nr_threads += !error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		return 0;
	vm_fail(err, VM_STATUS_FAILURE, "are too many processes running?",
		"cannot start the threads of %s: %s", name, strerror(error));
	disk_pool_destroy(pool);
	return -1;
}

void disk_pool_destroy(struct disk_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	while (pool->nr_threads)
		pthread_join(pool->thread[--pool->nr_threads], NULL);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
}

void disk_pool_submit(struct disk_pool *pool, struct disk_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&pool->lock);
	*pool->last = job;
	pool->last = &job->next;
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}
