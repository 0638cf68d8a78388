/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a level-triggered interrupt, told to the IOAPIC in user space (split
 * irqchip): which vectors concern it, and the exit that carries one.
 */
#ifndef KVIRT_IRQ_EOI_H
#define KVIRT_IRQ_EOI_H

#include "../vm/vcpu.h"

/*
 * eoi_scan() - on REQUEST_ROUTES: find the vectors whose EOI leaves to user space, in the
 * MSI routes of the reserved pins. Owner, process context.
 */
void eoi_scan(struct vcpu *vcpu);

static inline bool eoi_leaves(const struct vcpu *vcpu, u8 vector)
{
	return test_bit(vector, vcpu->eoi_exits);
}

/* eoi_notify() - the guest ended @vector: ask for the exit if it is one of those. Owner. */
void eoi_notify(struct vcpu *vcpu, u8 vector);

#endif
