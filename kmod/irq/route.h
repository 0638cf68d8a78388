/* SPDX-License-Identifier: GPL-2.0 */
/*
 * GSI routes and MSI messages: KVM_SET_GSI_ROUTING, KVM_SIGNAL_MSI, KVM_IRQ_LINE.
 * In the split form a GSI has at most one route, to an MSI.
 */
#ifndef KVIRT_IRQ_ROUTE_H
#define KVIRT_IRQ_ROUTE_H

#include <uapi/linux/kvirt.h>
#include "../chip/lapic.h"
#include "../vm/vm.h"

#define ROUTES_MAX	4096	/* KVM_CAP_IRQ_ROUTING; GSIs are below it too */

struct route {
	u64 address;
	u32 data;
	bool valid;
};

struct routes {
	struct rcu_head rcu;
	u32 nr_gsis;
	struct route gsi[];
};

/*
 * routes_set() - replace all routes by @entries (a kernel copy). 0; -EINVAL without
 * in-kernel LAPICs, for @flags, a GSI too large, routed twice, or to what the VM does not
 * have; -ENOMEM. Process context; waits for no grace period. routes_free(): last use.
 */
int routes_set(struct vm *vm, const struct kvirt_irq_routing_entry *entries, u32 nr, u32 flags);
void routes_free(struct vm *vm);

/* The message that a write of @data to @address means in this VM. */
void msi_decode(const struct vm *vm, u64 address, u32 data, struct irq_message *m);

/*
 * msi_signal() - KVM_SIGNAL_MSI: irq_deliver()'s answer, or -EINVAL.
 * irq_line() - KVM_IRQ_LINE: 0 and @status as irq_deliver() gives it; -ENXIO without
 * an irqchip. Any context but NMI.
 */
int msi_signal(struct vm *vm, const struct kvirt_msi *msi);
int irq_line(struct vm *vm, u32 gsi, u32 level, s32 *status);

#endif
