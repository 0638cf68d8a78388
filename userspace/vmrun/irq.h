/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt lines of devices -> I/O APIC -> local APICs in the accelerator.
 */
#ifndef VMRUN_IRQ_H
#define VMRUN_IRQ_H

#include <pthread.h>

#include "bus.h"
#include "dev/ioapic.h"
#include "kvirt.h"
#include "types.h"

struct irq {
	pthread_mutex_t lock;	/* all but kvirt */
	struct ioapic ioapic;
	struct kvirt_route route[IOAPIC_PINS];	/* what the accelerator knows */
	unsigned int nr_routes;
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

/* True when the guest has used the I/O APIC and has masked all of it again. */
bool irq_was_shut_down(struct irq *irq);

#endif
