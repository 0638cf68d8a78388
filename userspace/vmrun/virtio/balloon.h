/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio memory balloon (virtio specification 1.2, section 5.5): memory that the guest
 * does not use is given back to the host. The guest's kernel reports what is free by
 * itself (free page reporting); beyond that it can be asked to give up some. In the main
 * thread.
 */
#ifndef VMRUN_VIRTIO_BALLOON_H
#define VMRUN_VIRTIO_BALLOON_H

#include "balloon_pages.h"
#include "device.h"
#include "pci.h"

/* What a guest tells of itself: section 5.5.6.3, its tags in their order. */
enum balloon_stat {
	BALLOON_SWAP_IN, BALLOON_SWAP_OUT, BALLOON_MAJOR_FAULTS, BALLOON_MINOR_FAULTS,
	BALLOON_FREE, BALLOON_TOTAL, BALLOON_AVAILABLE, BALLOON_CACHES,
	BALLOON_STATS
};

struct balloon_stats {
	u64 value[BALLOON_STATS];	/* bytes, or how often */
	u32 known;			/* BIT(BALLOON_...) of those that were told */
	u32 told;			/* how many times; a driver that comes begins anew */
};

/* How things are, at one moment. */
struct balloon_view {
	bool driven;		/* a driver of the guest's listens */
	u64 target;		/* bytes that it is asked to give up */
	u64 actual;		/* bytes that it has given up, as it says */
	u64 reported;		/* bytes that went back since they were free, one as often as it did */
	struct balloon_stats stats;
};

struct balloon {
	struct virtio_device dev;	/* its lock: all below that is not const */
	struct memory *mem;		/* const */
	struct virtio_pci *vpci;	/* const; NULL: not on the bus */
	u32 target;			/* pages that the guest is asked to give up */
	u32 actual;			/* those it says it has given up */
	u64 reported;			/* bytes */
	struct balloon_pages pages;
	struct balloon_stats stats;
	bool stats_wait;		/* the driver waits to be asked for them again, */
	u16 stats_head;			/* with this buffer */
};

void balloon_init(struct balloon *balloon, struct memory *mem, struct loop *loop);

/* Adds the device to the bus: 0, or -1 with @err filled in; destroy it all the same. */
int balloon_attach(struct balloon *balloon, struct pci *pci, struct irq *irq, struct vm_error *err);

/* Once neither the vCPUs nor the loop run. */
void balloon_destroy(struct balloon *balloon);

/*
 * Asks the guest to give up @bytes of its memory in all; it does so when it can, and takes
 * them back when it would have to kill processes otherwise. Takes the device's lock, any thread.
 */
void balloon_set_target(struct balloon *balloon, u64 bytes);

/*
 * What is known now; the guest is asked for new statistics, which it tells when it gets to it.
 * The same.
 */
void balloon_look(struct balloon *balloon, struct balloon_view *view);

#endif
