// SPDX-License-Identifier: GPL-2.0
/*
 * The device of a shared directory: requests from the rings to fs/serve.c and replies
 * back, in a thread of its own, so that a slow disk stops nobody but who reads it. What a
 * request says is fs/'s affair. Called by the transport and, for its life, machine.c.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "fs.h"

/*
 * Queue 0 is for what must not wait behind requests: FORGET and INTERRUPT. One queue of
 * requests, as there is one thread that serves them.
 */
enum { QUEUE_HIPRIO, QUEUE_REQUEST, NR_QUEUES };

/* Requests served before the thread's loop is asked what else there is. */
#define MAX_TURN	64

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

	fs->serving = true;
	pthread_mutex_unlock(&fs->dev.lock);
	take_umask(fs);
	len = fs_serve(fs->server, &request);
	pthread_mutex_lock(&fs->dev.lock);
	fs->serving = false;
	pthread_cond_signal(&fs->idle);
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

/* The worker may be in the server, and with it in the guest's buffers: wait for it. */
static void stop(struct virtio_device *dev)
{
	struct virtio_fs *fs = fs_of(dev);

	fs->stopping = true;
	while (fs->serving)
		pthread_cond_wait(&fs->idle, &dev->lock);
	fs->stopping = false;
	fs_reset(fs->server);
}

static const struct virtio_device_ops fs_ops = {
	.read_config = read_config,
	.stop = stop,
	.kick = kick,
};

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
	if (worker_create(&fs->worker, name, err)) {
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
	worker_stop(&fs->worker);
}

void virtio_fs_destroy(struct virtio_fs *fs)
{
	worker_destroy(&fs->worker);
	fs_close(fs->server);
	virtio_device_destroy(&fs->dev);
	pthread_cond_destroy(&fs->idle);
}
