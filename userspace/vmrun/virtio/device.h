/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every virtio device is, apart from how the guest reaches it (pci.c) and
 * what it does (blk.c, net.c, ...). Virtio specification 1.2, section 2.
 *
 * A device embeds struct virtio_device, fills in what is const with
 * virtio_device_init() and is added to the machine by virtio_pci_add().
 */
#ifndef VMRUN_VIRTIO_DEVICE_H
#define VMRUN_VIRTIO_DEVICE_H

#include <pthread.h>

#include "../log.h"
#include "../loop.h"
#include "../types.h"
#include "ring.h"

#define VIRTIO_MAX_QUEUES	16

#define VIRTIO_F_INDIRECT_DESC	BIT_ULL(28)
#define VIRTIO_F_EVENT_IDX	BIT_ULL(29)
#define VIRTIO_F_VERSION_1	BIT_ULL(32)

/* Device types, section 5. */
enum virtio_id {
	VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_ENTROPY = 4,
	VIRTIO_ID_BALLOON = 5, VIRTIO_ID_VSOCK = 19, VIRTIO_ID_FS = 26,
};

struct virtio_device;

/* All are called with the device's lock held. Those that may be NULL say so. */
struct virtio_device_ops {
	/*
	 * The device's own configuration, little endian, @offset and @len as the guest
	 * gave them: what lies behind its end reads as 0. NULL: there is none.
	 */
	void (*read_config)(struct virtio_device *dev, u64 offset, u8 *data, unsigned int len);
	void (*write_config)(struct virtio_device *dev, u64 offset, const u8 *data,
			     unsigned int len);	/* NULL: read-only */
	/* The driver is ready: features are agreed on, queues that it set up are started. May be NULL. */
	void (*start)(struct virtio_device *dev);
	/*
	 * The driver resets the device, or the machine ends; started is false already, so that
	 * nothing is signalled. The queues are reset behind this call: afterwards no thread of the
	 * device's touches a queue or guest memory. The lock may be dropped to wait for one, for a
	 * second at most: a device that is not through by then sets dev->busy, and calls
	 * virtio_stopped() when it is. May be NULL.
	 */
	void (*stop)(struct virtio_device *dev);
	/* The driver kicked @queue, which is started. In the thread of dev->loop. */
	void (*kick)(struct virtio_device *dev, unsigned int queue);
};

/* How the transport is reached from a device; filled in by pci.c. */
struct virtio_transport {
	void (*interrupt)(void *ctx, unsigned int queue);
	void (*config_changed)(void *ctx);
	void *ctx;
	void (*kick)(void *ctx, unsigned int queue);
	void (*stopped)(void *ctx);
};

struct virtio_device {
	/* const once it is added to the machine */
	const char *name;		/* "blk0": for messages and thread names */
	enum virtio_id id;
	u64 offered;			/* features, VERSION_1, INDIRECT_DESC, EVENT_IDX included */
	unsigned int nr_queues;
	const struct virtio_device_ops *ops;
	struct loop *loop;		/* serves the kicks: the main thread's or the device's own */
	struct virtio_transport transport;

	pthread_mutex_t lock;		/* all below, and the device's own state */
	u64 features;			/* as agreed on; 0 before */
	bool started;
	bool busy;			/* stop() was called, virtio_stopped() not yet */
	bool needs_reset;		/* until the driver resets it; kicks are dropped */
	unsigned int nr_told;		/* faults of the guest in the log: bounded */
	struct ring queue[VIRTIO_MAX_QUEUES];
};

/*
 * Fills in all but what virtio_pci_add() does (transport, the rings' memory). @name, @ops and
 * @loop must outlive @dev.
 * @sizes: the maximum of each queue, a power of two up to RING_MAX_SIZE.
 */
void virtio_device_init(struct virtio_device *dev, const char *name, enum virtio_id id,
			const struct virtio_device_ops *ops, u64 features,
			const u16 *sizes, unsigned int nr_queues, struct loop *loop);
void virtio_device_destroy(struct virtio_device *dev);

/* What a device calls, with its lock held, from any thread, while it is started. */

/* After a batch of ring_push(): interrupts the driver if it wants that. */
void virtio_signal(struct virtio_device *dev, unsigned int queue);

/*
 * Has ops->kick called for @queue once more, after dev->loop has looked at what else there
 * is: for a device that bounds what it does at once, so that no guest keeps its thread busy.
 */
void virtio_kick_again(struct virtio_device *dev, unsigned int queue);

/* The configuration changed: the driver is told to read it again. */
void virtio_config_changed(struct virtio_device *dev);

/* The end of a stop() that had left dev->busy set: only now the driver's reset is done. */
void virtio_stopped(struct virtio_device *dev);

/*
 * The guest broke a rule (a ring that is broken, a request that makes no sense):
 * DEVICE_NEEDS_RESET, told to the log once for each start (of the first few). No kick comes
 * until it is reset.
 */
void virtio_needs_reset(struct virtio_device *dev, const char *why);

#endif
