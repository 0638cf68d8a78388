/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A shared directory (virtio specification 1.2, section 5.11): the queues by which the
 * guest's virtiofs sends requests to the server of fs/, and the thread that serves them.
 */
#ifndef VMRUN_VIRTIO_FS_H
#define VMRUN_VIRTIO_FS_H

#include "../fs/fs.h"
#include "../worker.h"
#include "device.h"

/* Of the tag, by which the guest mounts it; as long as that, no 0 at its end. */
#define VIRTIO_FS_TAG_SIZE	36

struct virtio_fs {
	struct virtio_device dev;

	/* const */
	u8 tag[VIRTIO_FS_TAG_SIZE];
	struct worker worker;
	enum sandbox_thread policy;	/* const; the worker's */

	int reset_fd;		/* const; an eventfd: the worker is to reset the server */

	/* the worker's */
	struct fs *server;
	bool own_umask;
	struct ring_chain chain;

	/* under dev.lock */
	bool stopping;		/* until the worker has reset the server */
	bool abandoned;		/* the host did not answer: the worker is left to die with vmrun */
	pthread_cond_t idle;	/* stopping became false */
};

/*
 * Makes the device that shares directory @path as @tag, which has 1 to 36 bytes. @fs and
 * @name must not move until destroyed. Then virtio_pci_add(&fs->dev) and, when all of the
 * machine is built and before a vCPU runs, virtio_fs_start(). Returns 0, or -1 with @err
 * filled in and nothing left behind.
 */
int virtio_fs_create(struct virtio_fs *fs, const char *name, const char *tag, const char *path,
		     enum fs_access access, struct vm_error *err);

/*
 * Starts its thread, which blocks where the host's files do; worker_start() says what
 * @sandbox is. Returns 0, or -1 with @err.
 */
int virtio_fs_start(struct virtio_fs *fs, const struct sandbox *sandbox, struct vm_error *err);

/*
 * Ends the thread. After virtio_pci_stop(), and before virtio_pci_remove(). When the host
 * did not answer that one it is abandoned: @fs, its function on the bus and the guest's
 * memory must stay as they are until vmrun ends.
 */
void virtio_fs_stop(struct virtio_fs *fs);

/* After virtio_pci_remove(). Not of one that was abandoned. */
void virtio_fs_destroy(struct virtio_fs *fs);

#endif
