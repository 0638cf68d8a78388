/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio block device: one disk of the guest's. Virtio specification 1.2, section 5.2.
 */
#ifndef VMRUN_VIRTIO_BLK_H
#define VMRUN_VIRTIO_BLK_H

#include <stdatomic.h>

#include "../disk/disk.h"
#include "../disk/pool.h"
#include "../disk/uring.h"
#include "../worker.h"
#include "device.h"
#include "pci.h"

struct blk_work;

struct blk {
	struct virtio_device dev;	/* its lock: all below that is not const */
	/* const while the machine runs */
	char name[8];			/* "vda", as most guests will call it */
	struct disk disk;
	struct disk_pool pool;		/* for all but reads, or for everything */
	struct disk_uring uring;	/* where it is allowed and of use; used under the lock */
	struct worker worker;		/* serves kicks and the ring, when there is one */
	struct virtio_pci *vpci;	/* NULL: not on the bus yet */
	struct blk_work *work;		/* one for each entry of the queue, and one */

	struct blk_work *free;
	unsigned int nr_made;		/* of work: the first so many were in use once */
	unsigned int nr_running;	/* in the pool or waiting for it */
	pthread_cond_t idle;		/* nr_running became 0 */
	bool stopping;			/* nothing new is taken */
	atomic_bool dropping;		/* what has not begun is not carried out */
	bool has_threads;		/* the pool's */
	bool abandoned;			/* the host did not answer: its threads are left to die with vmrun */
	atomic_bool full_told;		/* that the host has no space left */
	atomic_bool error_told;		/* that the host's disk fails */
};

/*
 * Opens disk number @index of the machine. Kicks are served in @loop's thread, which
 * never waits for the disk, or in one of its own where there is io_uring. Returns 0, or -1
 * with @err filled in and nothing left open.
 */
int blk_create(struct blk *blk, unsigned int index, const char *path, enum disk_mode mode,
	       struct loop *loop, struct vm_error *err);

/* Adds the device to the bus: 0, or -1 with @err filled in; destroy it all the same. */
int blk_attach(struct blk *blk, struct pci *pci, struct irq *irq, struct vm_error *err);

/*
 * Starts the threads that wait for the disk; worker_start() says what @sandbox is. Before
 * a vCPU runs. Returns 0, or -1 with @err filled in.
 */
int blk_start(struct blk *blk, const struct sandbox *sandbox, struct vm_error *err);

/*
 * Ends them, when neither the vCPUs nor the loop run; blk_destroy() does so too. When the host
 * does not answer within a second they are abandoned: @blk and the guest's memory must
 * stay as they are until vmrun ends.
 */
void blk_stop(struct blk *blk);

/* Once neither the vCPUs nor the loop run. Does nothing to one that was abandoned. */
void blk_destroy(struct blk *blk);

#endif
