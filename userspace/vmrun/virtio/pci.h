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
 * Makes @dev a function of @pci's bus, with its doorbells (watched in dev->loop) and
 * vectors; its rings lie in the bus' memory. Before the vCPUs and the loop run. @dev must
 * outlive what is returned. NULL with @err filled in.
 */
struct virtio_pci *virtio_pci_add(struct pci *pci, struct irq *irq, struct virtio_device *dev,
				  struct vm_error *err);

/*
 * The device's end while its thread still runs: ops->stop if it is started, and the guest
 * cannot start it again. With no lock held, once no vCPU runs.
 */
void virtio_pci_stop(struct virtio_pci *vpci);

/*
 * virtio_pci_stop(), then gives back what add took. dev->loop does not run any more: a
 * device with a worker calls virtio_pci_stop(), worker_stop(), virtio_pci_remove().
 */
void virtio_pci_remove(struct virtio_pci *vpci);

#endif
