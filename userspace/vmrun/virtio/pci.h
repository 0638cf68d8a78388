/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio over PCI, modern only (virtio specification 1.2, section 4.1): capability
 * structures and an MSI-X table in one BAR, doorbells that end in eventfds inside
 * the accelerator, interrupts as messages. What a device does is in its own file.
 */
#ifndef VMRUN_VIRTIO_PCI_H
#define VMRUN_VIRTIO_PCI_H

#include "../dev/pci.h"
#include "../irq.h"
#include "device.h"

struct virtio_pci;

/*
 * Makes @dev a function of @pci's bus, with its doorbells and vectors. @dev must
 * outlive what is returned. NULL with @err filled in.
 */
struct virtio_pci *virtio_pci_add(struct pci *pci, struct irq *irq, struct kvirt *kvirt,
				  struct virtio_device *dev, struct vm_error *err);

/* Stops the device (its ops->stop) if it runs, and gives back what add took. */
void virtio_pci_remove(struct virtio_pci *vpci);

#endif
