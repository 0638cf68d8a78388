// SPDX-License-Identifier: GPL-2.0
/*
 * The block device's queue: requests are taken in the thread of the loop, carried out by an
 * io_uring (reads) or in the pool's threads, and given back in whatever order they end. What
 * a request is, is blk_request.c's; what a disk is, disk/'s. Made by machine.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "blk.h"
#include "blk_request.h"

#define QUEUE_SIZE	128
#define STOP_SECONDS	1	/* as virtio_device_ops.stop may take */

/* Section 5.2.4. Little endian. */
struct config {
	u64 capacity;
	u32 size_max;
	u32 seg_max;
	u16 cylinders;
	u8 heads;
	u8 sectors;
	u32 blk_size;
	u8 physical_block_exp;
	u8 alignment_offset;
	u16 min_io_size;
	u32 opt_io_size;
	u8 writeback;
	u8 unused0;
	u16 num_queues;
	u32 max_discard_sectors;
	u32 max_discard_seg;
	u32 discard_sector_alignment;
	u32 max_write_zeroes_sectors;
	u32 max_write_zeroes_seg;
	u8 write_zeroes_may_unmap;
	u8 unused1[3];
} __packed;

/* A request on its way. */
struct blk_work {
	struct disk_job job;
	struct blk *blk;
	struct blk_work *next;	/* of the free ones */
	struct blk_target target;
	struct blk_request request;
	struct ring_chain chain;
};

static struct blk *to_blk(struct virtio_device *dev)
{
	return (struct blk *)((u8 *)dev - offsetof(struct blk, dev));
}

static void read_config(struct virtio_device *dev, u64 offset, u8 *data, unsigned int len)
{
	const struct disk *disk = &to_blk(dev)->disk;
	/* The page cache's and the overlay's block: smaller writes have to read first. */
	u32 block = disk->block_size > OVERLAY_BLOCK ? disk->block_size : OVERLAY_BLOCK;
	struct config config = {
		.capacity = disk->size / DISK_SECTOR,
		/* A whole chain may have as many descriptors as the queue: two are no data. */
		.seg_max = QUEUE_SIZE - 2,
		.blk_size = disk->block_size,
		.physical_block_exp = __builtin_ctz(block / disk->block_size),
		.min_io_size = block / disk->block_size,
		.max_discard_sectors = BLK_MAX_DISCARD,
		.max_discard_seg = BLK_MAX_RANGES,
		.discard_sector_alignment = block / DISK_SECTOR,
		.max_write_zeroes_sectors = BLK_MAX_ZEROES,
		.max_write_zeroes_seg = BLK_MAX_RANGES,
		.write_zeroes_may_unmap = 1,
	};

	memset(data, 0, len);
	if (offset < sizeof(config))
		memcpy(data, (u8 *)&config + offset, min_u64(len, sizeof(config) - offset));
}

static void put_work(struct blk_work *work)
{
	work->next = work->blk->free;
	work->blk->free = work;
}

/* Gives a request back to the driver and its place to the next. */
static void finish(struct blk_work *work, u8 status)
{
	u32 in_len = work->chain.in_len;

	*work->request.status = status;
	/* The status is the last of its bytes. What came before one that failed is unknown. */
	ring_push(&work->blk->dev.queue[0], &work->chain,
		  status == BLK_S_OK || in_len == 1 ? in_len : 0);
	put_work(work);
}

static void tell_error(struct blk *blk, int error)
{
	bool full = error == -ENOSPC || error == -EDQUOT || error == -EFBIG;

	if (error && !full && !atomic_exchange(&blk->error_told, true))
		log_note("%s: the host cannot read or write it (%s); the guest gets I/O errors",
			 blk->name, strerror(-error));
	if (full && !atomic_exchange(&blk->full_told, true))
		log_note("%s: what the guest writes does not fit on the host any more (%s); it gets I/O errors",
			 blk->name, strerror(-error));
}

/* A request that was under way is not any more. */
static void end_one(struct blk *blk)
{
	if (--blk->nr_running)
		return;
	pthread_cond_broadcast(&blk->idle);
	if (blk->dev.busy)
		virtio_stopped(&blk->dev);
}

/* In a thread of the pool's. */
static void run_job(struct disk_job *job)
{
	struct blk_work *work = (struct blk_work *)job;
	struct blk *blk = work->blk;
	u8 status = BLK_S_IOERR;
	int error = 0;

	if (!blk->dropping)
		status = blk_request_run(&work->request, &work->target, &error);
	tell_error(blk, error);
	pthread_mutex_lock(&blk->dev.lock);
	/* Too late: nobody is there any more. */
	if (blk->abandoned)
		goto out;
	finish(work, status);
	virtio_signal(&blk->dev, 0);
	end_one(blk);
out:
	pthread_mutex_unlock(&blk->dev.lock);
}

/* A place for the next request; there is one more than can run. */
static struct blk_work *get_work(struct blk *blk)
{
	struct blk_work *work = blk->free;

	if (work) {
		blk->free = work->next;
		return work;
	}
	work = &blk->work[blk->nr_made++];
	work->job.run = run_job;
	work->blk = blk;
	return work;
}

/* ---- the ring; with the lock held ---- */

/* Hands @work to the ring: false when it is not for one. */
static bool give_to_ring(struct blk *blk, struct blk_work *work)
{
	if (!blk->uring.there || work->request.type != BLK_T_IN)
		return false;
	disk_uring_prepare(&blk->uring, &work->request.data,
			   work->request.sector * DISK_SECTOR, work);
	return true;
}

/* What the ring began and did not end, or could not do just then: true, and the pool does the rest. */
static bool is_left_over(struct blk *blk, struct blk_work *work, s64 result)
{
	struct blk_request *request = &work->request;
	u64 done = result > 0 ? align_down(result, DISK_SECTOR) : 0;

	if (result < 0 && result != -EAGAIN && result != -EINTR)
		return false;
	if (result >= 0 && (u64)result == disk_vec_len(&request->data))
		return false;
	disk_vec_skip(&request->data, done);
	request->sector += done / DISK_SECTOR;
	disk_pool_submit(&blk->pool, &work->job);
	return true;
}

static void reap(struct blk *blk)
{
	struct blk_work *work;
	s64 result;

	while ((work = disk_uring_reap(&blk->uring, &result))) {
		if (blk->abandoned || is_left_over(blk, work, result))
			continue;
		if (result < 0)
			tell_error(blk, result);
		finish(work, result < 0 ? BLK_S_IOERR : BLK_S_OK);
		end_one(blk);
	}
}

static void on_ring(void *ctx, u32 events)
{
	struct blk *blk = ctx;

	(void)events;
	pthread_mutex_lock(&blk->dev.lock);
	reap(blk);
	if (!blk->abandoned)
		virtio_signal(&blk->dev, 0);
	pthread_mutex_unlock(&blk->dev.lock);
}

/*
 * Sends off what the ring was given. What it does not take (the kernel has no memory for it,
 * say) is the pool's, and not to be tried again: a driver's reset waits for all of it.
 */
static void submit(struct blk *blk)
{
	struct blk_work *work;

	if (disk_uring_submit(&blk->uring))
		while ((work = disk_uring_take_back(&blk->uring)))
			disk_pool_submit(&blk->pool, &work->job);
}

/* ---- the queue ---- */

/* What can be answered at once is; the rest goes to the ring or the pool. */
static void take(struct blk *blk, struct blk_work *work)
{
	int status;

	work->target = (struct blk_target){ &blk->disk, blk->dev.features, blk->name };
	status = blk_request_parse(&work->request, &work->chain, &work->target);
	if (status == BLK_S_OK) {
		blk->nr_running++;
		if (!give_to_ring(blk, work))
			disk_pool_submit(&blk->pool, &work->job);
	} else if (status > 0) {
		finish(work, status);
	} else {
		put_work(work);
		virtio_needs_reset(&blk->dev, "a request has no header or no room for an answer");
	}
}

/* Takes the next request: true when there was one, and more may come. */
static bool take_next(struct blk *blk)
{
	struct blk_work *work = get_work(blk);
	int ret = ring_pop(&blk->dev.queue[0], &work->chain);

	/* A driver has no more descriptors than that before one comes back. */
	if (ret > 0 && blk->nr_running < QUEUE_SIZE) {
		take(blk, work);
		return !blk->dev.needs_reset;
	}
	put_work(work);
	if (ret)
		virtio_needs_reset(&blk->dev, ret < 0 ? "its queue is broken" :
				   "more requests than its queue has room for");
	return false;
}

static void kick(struct virtio_device *dev, unsigned int queue)
{
	struct blk *blk = to_blk(dev);
	unsigned int n = 0;

	while (n < QUEUE_SIZE && !blk->stopping && take_next(blk))
		n++;
	if (blk->uring.there) {
		submit(blk);
		reap(blk);
	}
	virtio_signal(dev, queue);
	if (n == QUEUE_SIZE)
		virtio_kick_again(dev, queue);
}

static void start(struct virtio_device *dev)
{
	struct blk *blk = to_blk(dev);

	blk->stopping = false;
	blk->dropping = false;
}

static void stop(struct virtio_device *dev)
{
	struct blk *blk = to_blk(dev);
	struct timespec until;

	blk->stopping = true;
	blk->dropping = true;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_SECONDS;
	/* A host that hangs (a file server that is gone) must not take the vCPU with it. */
	while (blk->nr_running)
		if (pthread_cond_clockwait(&blk->idle, &dev->lock, CLOCK_MONOTONIC, &until))
			break;
	dev->busy = blk->nr_running;
}

static const struct virtio_device_ops blk_ops = {
	.read_config = read_config,
	.start = start,
	.stop = stop,
	.kick = kick,
};

static u64 features(enum disk_mode mode)
{
	u64 all = BIT_ULL(BLK_F_SEG_MAX) | BIT_ULL(BLK_F_BLK_SIZE) |
		  BIT_ULL(BLK_F_TOPOLOGY);

	if (mode == DISK_RO)
		return all | BIT_ULL(BLK_F_RO);
	return all | BIT_ULL(BLK_F_FLUSH) | BIT_ULL(BLK_F_DISCARD) |
	       BIT_ULL(BLK_F_WRITE_ZEROES);
}

int blk_attach(struct blk *blk, struct pci *pci, struct irq *irq, struct vm_error *err)
{
	blk->vpci = virtio_pci_add(pci, irq, &blk->dev, err);
	return blk->vpci ? 0 : -1;
}

/* The ring, and the thread that serves it: 0 and none of it where it cannot be or is of no use. */
static int make_ring(struct blk *blk, struct vm_error *err)
{
	if (disk_uring_create(&blk->uring, &blk->disk, QUEUE_SIZE))
		return 0;
	if (worker_create(&blk->worker, blk->name, err))
		goto no_worker;
	if (loop_watch(&blk->worker.loop, disk_uring_fd(&blk->uring), EPOLLIN, on_ring, blk) >= 0)
		return 0;
	vm_fail(err, VM_STATUS_FAILURE, NULL, "cannot wait for %s", blk->name);
	worker_destroy(&blk->worker);
no_worker:
	disk_uring_destroy(&blk->uring);
	return -1;
}

int blk_create(struct blk *blk, unsigned int index, const char *path, enum disk_mode mode,
	       struct loop *loop, struct vm_error *err)
{
	static const u16 sizes[] = { QUEUE_SIZE };

	memset(blk, 0, sizeof(*blk));
	if (index >= 26)
		return vm_fail(err, VM_STATUS_FAILURE, "leave some out", "a machine has no more than 26 disks");
	snprintf(blk->name, sizeof(blk->name), "vd%c", 'a' + index);
	if (disk_open(&blk->disk, path, mode, err))
		return -1;
	/* Half a MiB, of which only what is ever in flight is touched. */
	blk->work = calloc(QUEUE_SIZE + 1, sizeof(*blk->work));
	if (!blk->work)
		vm_fail(err, VM_STATUS_FAILURE, NULL, "out of memory");
	if (!blk->work || make_ring(blk, err)) {
		free(blk->work);
		disk_close(&blk->disk);
		return -1;
	}
	pthread_cond_init(&blk->idle, NULL);
	virtio_device_init(&blk->dev, blk->name, VIRTIO_ID_BLOCK, &blk_ops, features(mode),
			   sizes, ARRAY_SIZE(sizes), blk->uring.there ? &blk->worker.loop : loop);
	return 0;
}

int blk_start(struct blk *blk, const struct sandbox *sandbox, struct vm_error *err)
{
	/* With a ring they read only what it leaves over. */
	if (disk_pool_create(&blk->pool, blk->name,
			     blk->uring.there ? DISK_POOL_WRITERS : DISK_POOL_THREADS, sandbox, err))
		return -1;
	if (blk->uring.there && worker_start(&blk->worker, sandbox, SANDBOX_RING, err)) {
		disk_pool_destroy(&blk->pool);
		return -1;
	}
	blk->has_threads = true;
	return 0;
}

void blk_stop(struct blk *blk)
{
	if (!blk->has_threads || blk->abandoned)
		return;
	if (blk->vpci)
		virtio_pci_stop(blk->vpci);
	pthread_mutex_lock(&blk->dev.lock);
	blk->abandoned = blk->dev.busy;
	pthread_mutex_unlock(&blk->dev.lock);
	if (blk->abandoned) {
		log_note("%s: the host's disk does not answer; what the guest wrote last may not be there",
			 blk->name);
		return;
	}
	if (blk->uring.there)
		worker_stop(&blk->worker);
	disk_pool_destroy(&blk->pool);
	blk->has_threads = false;
}

void blk_destroy(struct blk *blk)
{
	blk_stop(blk);
	if (blk->abandoned)
		return;
	if (blk->vpci)
		virtio_pci_remove(blk->vpci);
	if (blk->uring.there)
		worker_destroy(&blk->worker);
	disk_uring_destroy(&blk->uring);
	virtio_device_destroy(&blk->dev);
	pthread_cond_destroy(&blk->idle);
	free(blk->work);
	disk_close(&blk->disk);
}
