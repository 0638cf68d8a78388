/* SPDX-License-Identifier: GPL-2.0 */
/*
 * GSI routes and MSI messages: KVM_SET_GSI_ROUTING, KVM_SIGNAL_MSI, KVM_IRQ_LINE. A GSI
 * leads to one MSI, or to a pin of each of the chips in the kernel.
 */
#ifndef KVIRT_IRQ_ROUTE_H
#define KVIRT_IRQ_ROUTE_H

#include <uapi/linux/kvirt.h>
#include "../vm/vcpu.h"
#include "../vm/vm.h"

#define ROUTES_MAX	4096	/* KVM_CAP_IRQ_ROUTING; GSIs are below it too */

/* Who drives a line; it is high while one does. */
enum irq_source { IRQ_SOURCE_USER, IRQ_SOURCE_RESAMPLER, IRQ_SOURCE_PIT };

/*
 * routes_set() - replace all routes by @entries (a kernel copy). 0; -EINVAL without
 * in-kernel LAPICs, for @flags, a GSI too large, routed twice, or to what the VM does not
 * have; -ENOMEM. Process context; waits for no grace period. routes_free(): last use.
 * routes_set_default() - KVM_CREATE_IRQCHIP's: each GSI to the pins of its number. Or -ENOMEM.
 */
int routes_set(struct vm *vm, const struct kvirt_irq_routing_entry *entries, u32 nr, u32 flags);
int routes_set_default(struct vm *vm);
void routes_free(struct vm *vm);
/* Does @gsi lead to one of @pins of @chip? */
bool route_has(struct vm *vm, u32 gsi, u32 chip, u32 pins);

/*
 * msi_signal() - KVM_SIGNAL_MSI: irq_deliver()'s answer, or -EINVAL.
 * irq_set() - the level of a GSI: the sum of what irq_deliver() gives; 0: merged with one
 * before; -1: ignored. Any context but NMI.
 */
long msi_signal(struct vm *vm, void *data);
int irq_set(struct vm *vm, enum irq_source source, u32 gsi, bool level);

/*
 * On REQUEST_ROUTES: which vectors' EOIs leave to the IOAPIC in user space, for
 * vcpu->eoi_exits: the level-triggered routes of its pins. Owner, process context.
 */
void eoi_scan(struct vcpu *vcpu);

#endif
