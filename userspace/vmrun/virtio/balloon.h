/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio memory balloon (virtio specification 1.2, section 5.5): memory that the guest
 * does not use is given back to the host. The guest's kernel reports what is free by
 * itself (free page reporting); beyond that it can be asked to give up some. In the main
 * thread.
 */
#ifndef VMRUN_VIRTIO_BALLOON_H
#define VMRUN_VIRTIO_BALLOON_H

#include "device.h"
#include "pci.h"

#define BALLOON_PAGE	4096

struct balloon {
	struct virtio_device dev;	/* its lock: all below that is not const */
	struct memory *mem;		/* const */
	struct virtio_pci *vpci;	/* const; NULL: not on the bus */
	u32 target;			/* pages that the guest is asked to give up */
	u32 actual;			/* those it says it has given up */
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

/* How much it has given up, as it says. The same. */
u64 balloon_actual(struct balloon *balloon);

#endif
