// SPDX-License-Identifier: GPL-2.0
/*
 * The device of a shared directory: requests from the rings to fs/serve.c and replies
 * back, in a thread of its own, so that a slow disk stops nobody but who reads it. What a
 * request says is fs/'s affair. Called by the transport and, for its life, machine.c.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fs.h"

/*
 * Queue 0 is for what must not wait behind requests: FORGET and INTERRUPT. One queue of
 * requests, as there is one thread that serves them.
 */
enum { QUEUE_HIPRIO, QUEUE_REQUEST, NR_QUEUES };

/* Requests served before the thread's loop is asked what else there is. */
#define MAX_TURN	64
#define STOP_SECONDS	1	/* as virtio_device_ops.stop may take */

struct fs_config {
	u8 tag[VIRTIO_FS_TAG_SIZE];
	u8 num_request_queues[4];	/* little endian */
};

static struct virtio_fs *fs_of(struct virtio_device *dev)
{
	return (struct virtio_fs *)((u8 *)dev - offsetof(struct virtio_fs, dev));
}

static void read_config(struct virtio_device *dev, u64 offset, u8 *data, unsigned int len)
{
	struct fs_config config = { .num_request_queues = { NR_QUEUES - QUEUE_REQUEST } };

	memcpy(config.tag, fs_of(dev)->tag, sizeof(config.tag));
	memset(data, 0, len);
	if (offset < sizeof(config))
		memcpy(data, (u8 *)&config + offset, min_u64(len, sizeof(config) - offset));
}

/* Modes come from the guest with its own umask applied; the thread needs one of its own. */
static void take_umask(struct virtio_fs *fs)
{
	if (fs->own_umask)
		return;
	fs->own_umask = true;
	if (unshare(CLONE_FS)) {
		log_note("%s: new files lose what vmrun's umask forbids: %s", fs->dev.name,
			 strerror(errno));
		return;
	}
	umask(0);
}

/*
 * Serves the chain that was taken from @queue, without the lock: a vCPU may need it, to
 * move an interrupt say. False: the driver has reset the device meanwhile, or must.
 */
static bool serve(struct virtio_fs *fs, unsigned int queue)
{
	struct ring_chain *chain = &fs->chain;
	const struct fs_request request = {
		.out = chain->iov, .nr_out = chain->nr_out, .out_len = chain->out_len,
		.in = chain->iov + chain->nr_out, .nr_in = chain->nr_in, .in_len = chain->in_len,
	};
	ssize_t len;

	pthread_mutex_unlock(&fs->dev.lock);
	take_umask(fs);
	len = fs_serve(fs->server, &request);
	pthread_mutex_lock(&fs->dev.lock);
	if (fs->stopping)
		return false;
	if (len < 0) {
		virtio_needs_reset(&fs->dev, "it sent a request without a header");
		return false;
	}
	ring_push(&fs->dev.queue[queue], chain, len);
	virtio_signal(&fs->dev, queue);
	return true;
}

/* Takes and serves one: 1; none there: 0; no more until the next start: -1. */
static int serve_one(struct virtio_fs *fs, unsigned int queue)
{
	int ret = ring_pop(&fs->dev.queue[queue], &fs->chain);

	if (ret < 0)
		virtio_needs_reset(&fs->dev, "its ring is broken");
	if (ret <= 0)
		return ret;
	return serve(fs, queue) ? 1 : -1;
}

/* What must not wait first: a guest that never pauses would else keep what it forgets. */
static int serve_next(struct virtio_fs *fs, unsigned int queue)
{
	int ret = 0;

	if (fs->dev.queue[QUEUE_HIPRIO].started)
		ret = serve_one(fs, QUEUE_HIPRIO);
	return ret || queue == QUEUE_HIPRIO ? ret : serve_one(fs, queue);
}

static void kick(struct virtio_device *dev, unsigned int queue)
{
	struct virtio_fs *fs = fs_of(dev);
	struct ring *ring = &dev->queue[queue];
	unsigned int served = 0;
	int ret;

	do {
		ring_disable_kicks(ring);
		do {
			/* The loop has an end to look for, too. */
			if (served++ == MAX_TURN) {
				virtio_kick_again(dev, queue);
				return;
			}
			ret = serve_next(fs, queue);
		} while (ret > 0);
	} while (!ret && ring_enable_kicks(ring));
}

/* In the worker, which so is not in the server any more, nor in the guest's buffers. */
static void on_reset(void *ctx, u32 events)
{
	struct virtio_fs *fs = ctx;
	u64 count;

	(void)events;
	if (read(fs->reset_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&fs->dev.lock);
	if (!fs->stopping || fs->abandoned)
		goto out;
	pthread_mutex_unlock(&fs->dev.lock);
	/* To close a file can take as long as to write it. */
	fs_reset(fs->server);
	pthread_mutex_lock(&fs->dev.lock);
	if (fs->abandoned)
		goto out;
	fs->stopping = false;
	pthread_cond_signal(&fs->idle);
	if (fs->dev.busy)
		virtio_stopped(&fs->dev);
out:
	pthread_mutex_unlock(&fs->dev.lock);
}

static void stop(struct virtio_device *dev)
{
	struct virtio_fs *fs = fs_of(dev);
	struct timespec until;
	u64 one = 1;

	if (!fs->worker.started) {
		fs_reset(fs->server);
		return;
	}
	fs->stopping = true;
	/* Cannot fail: the counter takes 2^64 - 1 of them. */
	if (write(fs->reset_fd, &one, sizeof(one)) < 0)
		log_note("%s: cannot wake its thread: %s", dev->name, strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_SECONDS;
	/* A host that hangs (a file server that is gone) must not take the vCPU with it. */
	while (fs->stopping)
		if (pthread_cond_clockwait(&fs->idle, &dev->lock, CLOCK_MONOTONIC, &until))
			break;
	dev->busy = fs->stopping;
}

static const struct virtio_device_ops fs_ops = {
	.read_config = read_config,
	.stop = stop,
	.kick = kick,
};

static int make_worker(struct virtio_fs *fs, const char *name, struct vm_error *err)
{
	if (worker_create(&fs->worker, name, err))
		return -1;
	fs->reset_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fs->reset_fd >= 0 &&
	    loop_watch(&fs->worker.loop, fs->reset_fd, EPOLLIN, on_reset, fs) >= 0)
		return 0;
	vm_fail(err, VM_STATUS_FAILURE, "are too many files open?", "cannot set up %s: %s", name,
		strerror(errno));
	if (fs->reset_fd >= 0)
		close(fs->reset_fd);
	worker_destroy(&fs->worker);
	return -1;
}

int virtio_fs_create(struct virtio_fs *fs, const char *name, const char *tag, const char *path,
		     enum fs_access access, struct vm_error *err)
{
	static const u16 sizes[NR_QUEUES] = { RING_MAX_SIZE, RING_MAX_SIZE };
	size_t len = strlen(tag);

	memset(fs, 0, sizeof(*fs));
	if (!len || len > VIRTIO_FS_TAG_SIZE)
		return vm_fail(err, VM_STATUS_FAILURE, NULL,
			       "a share's tag has 1 to %d bytes, not %zu", VIRTIO_FS_TAG_SIZE, len);
	memcpy(fs->tag, tag, len);
	fs->policy = access == FS_READ_ONLY ? SANDBOX_FS : SANDBOX_FS_WRITE;
	fs->server = fs_open(path, access, err);
	if (!fs->server)
		return -1;
	if (make_worker(fs, name, err)) {
		fs_close(fs->server);
		return -1;
	}
	pthread_cond_init(&fs->idle, NULL);
	virtio_device_init(&fs->dev, name, VIRTIO_ID_FS, &fs_ops, 0, sizes, NR_QUEUES,
			   &fs->worker.loop);
	return 0;
}

int virtio_fs_start(struct virtio_fs *fs, const struct sandbox *sandbox, struct vm_error *err)
{
	return worker_start(&fs->worker, sandbox, fs->policy, err);
}

void virtio_fs_stop(struct virtio_fs *fs)
{
	pthread_mutex_lock(&fs->dev.lock);
	fs->abandoned = fs->dev.busy;
	pthread_mutex_unlock(&fs->dev.lock);
	if (fs->abandoned)
		log_note("%s: the host's folder does not answer; what the guest wrote last may not be there",
			 fs->dev.name);
	else
		worker_stop(&fs->worker);
}

void virtio_fs_destroy(struct virtio_fs *fs)
{
	worker_destroy(&fs->worker);
	close(fs->reset_fd);
	fs_close(fs->server);
	virtio_device_destroy(&fs->dev);
	pthread_cond_destroy(&fs->idle);
}
