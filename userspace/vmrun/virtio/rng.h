/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio entropy (virtio specification 1.2, section 5.4): the guest's requests are filled
 * from the host kernel's random numbers. In the main thread.
 */
#ifndef VMRUN_VIRTIO_RNG_H
#define VMRUN_VIRTIO_RNG_H

#include "device.h"
#include "pci.h"

struct rng {
	struct virtio_device dev;
	struct virtio_pci *vpci;
};

/* Adds the device to the bus. Returns 0, or -1 with @err filled in. */
int rng_create(struct rng *rng, struct pci *pci, struct irq *irq, struct loop *loop,
	       struct vm_error *err);
void rng_destroy(struct rng *rng);

#endif
