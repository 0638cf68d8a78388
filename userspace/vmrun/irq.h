/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt lines of devices -> I/O APIC -> local APICs in the accelerator, and messages
 * (MSI-X) -> local APICs. The accelerator has one table of routes for both, kept here: its
 * first entries are the I/O APIC's pins, the others messages.
 */
#ifndef VMRUN_IRQ_H
#define VMRUN_IRQ_H

#include <pthread.h>

#include "bus.h"
#include "dev/ioapic.h"
#include "kvirt.h"
#include "types.h"

#define IRQ_MAX_MSI	256

/* The source of a message: an eventfd that is an interrupt, which the guest can mask. */
struct irq_msi {
	bool used;
	bool masked;
	bool pending;	/* signalled while it was masked */
	bool routed;	/* the message is one that a local APIC takes */
	int fd;
	u32 address;	/* as it was last unmasked */
	u32 data;
};

struct irq {
	pthread_mutex_t lock;	/* all but kvirt; inside of devices' locks */
	struct ioapic ioapic;
	struct irq_msi msi[IRQ_MAX_MSI];
	struct kvirt_route route[IOAPIC_PINS + IRQ_MAX_MSI];	/* what the accelerator knows */
	unsigned int nr_routes;
	unsigned int nr_pins;	/* of them, those of the I/O APIC */
	bool used;	/* some pin was unmasked once */
	struct kvirt *kvirt;
};

extern const struct bus_ops irq_ioapic_bus_ops;

void irq_init(struct irq *irq, struct kvirt *kvirt);
void irq_destroy(struct irq *irq);

/* Drives line @gsi (less than IOAPIC_PINS). Any thread; takes irq->lock. */
void irq_set_line(struct irq *irq, unsigned int gsi, bool level);

/* The accelerator's local APIC saw an EOI for a level-triggered @vector. */
void irq_eoi(struct irq *irq, u8 vector);

/*
 * A source of messages, masked and without one. Returns its number, or -1 with @err filled
 * in. irq_free_msi() gives it back.
 */
int irq_alloc_msi(struct irq *irq, struct vm_error *err);
void irq_free_msi(struct irq *irq, int msi);

/*
 * Interrupts the guest, or when masked remembers it until it is unmasked. Any thread; all
 * of them take irq->lock.
 */
void irq_signal_msi(struct irq *irq, int msi);
void irq_mask_msi(struct irq *irq, int msi);

/* Unmasks, with the message that is sent from now on: both are the guest's. */
void irq_unmask_msi(struct irq *irq, int msi, u64 address, u32 data);

/* True while a signal waits for the unmasking. */
bool irq_msi_is_pending(struct irq *irq, int msi);

/* What it was signalled for is over: nothing comes at the unmasking. */
void irq_forget_msi(struct irq *irq, int msi);

/* True when the guest has used the I/O APIC and has masked all of it again. */
bool irq_was_shut_down(struct irq *irq);

#endif
