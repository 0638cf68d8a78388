/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The MSI-X table of one PCI function: what the guest writes there becomes masks and
 * messages of irq.c's sources. After the PCI Local Bus specification 3.0, section 6.8.2.
 */
#ifndef VMRUN_VIRTIO_MSIX_H
#define VMRUN_VIRTIO_MSIX_H

#include <pthread.h>

#include "../irq.h"
#include "../log.h"
#include "../types.h"

#define MSIX_MAX_VECTORS	32
#define MSIX_ENTRY_SIZE		16

/* Of the capability's control word; the rest is the table's size, less one. */
#define MSIX_CONTROL_ENABLE	BIT(15)
#define MSIX_CONTROL_MASK	BIT(14)

struct msix_entry {
	u32 word[4];	/* address, its upper half, data, control */
};

struct msix {
	struct irq *irq;
	unsigned int nr;	/* vectors */
	int msi[MSIX_MAX_VECTORS];

	pthread_mutex_t lock;	/* all below; outside of irq->lock and pci->lock */
	bool may_send;
	u16 control;
	struct msix_entry entry[MSIX_MAX_VECTORS];
};

/* @nr vectors, all masked. Returns 0, or -1 with @err filled in and nothing left behind. */
int msix_create(struct msix *msix, struct irq *irq, unsigned int nr, struct vm_error *err);
void msix_destroy(struct msix *msix);

/* The guest's accesses to the table: any thread, several at once. Odd ones read as 0. */
void msix_table_read(struct msix *msix, u64 offset, u8 *data, unsigned int len);
void msix_table_write(struct msix *msix, u64 offset, const u8 *data, unsigned int len);

/* The array of pending bits, which is read-only. */
void msix_pending_read(struct msix *msix, u64 offset, u8 *data, unsigned int len);

/* The capability's control word is now @control. */
void msix_set_control(struct msix *msix, u16 control);

/*
 * Whether the function may write to memory, which a message is; not so at first. What is
 * signalled meanwhile is remembered.
 */
void msix_set_bus_master(struct msix *msix, bool on);

/*
 * The device was reset, the function was not: the table stays as the driver wrote it. But
 * what was pending is over, and section 6.8.3.5 wants the bit of such an event cleared, lest
 * the next unmasking sends a message for nothing. Virtio 1.2, section 2.4.1, forbids that
 * one too.
 */
void msix_forget_pending(struct msix *msix);

/* Interrupts the guest by @vector, below nr; remembers it while that is masked. */
void msix_signal(struct msix *msix, unsigned int vector);

#endif
