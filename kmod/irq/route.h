/* SPDX-License-Identifier: GPL-2.0 */
/*
 * GSI routes and MSI messages: KVM_SET_GSI_ROUTING, KVM_SIGNAL_MSI, KVM_IRQ_LINE.
 * In the split form a GSI has at most one route, to an MSI.
 */
#ifndef KVIRT_IRQ_ROUTE_H
#define KVIRT_IRQ_ROUTE_H

#include <uapi/linux/kvirt.h>
#include "../vm/vcpu.h"
#include "../vm/vm.h"

#define ROUTES_MAX	4096	/* KVM_CAP_IRQ_ROUTING; GSIs are below it too */

/*
 * routes_set() - replace all routes by @entries (a kernel copy). 0; -EINVAL without
 * in-kernel LAPICs, for @flags, a GSI too large, routed twice, or to what the VM does not
 * have; -ENOMEM. Process context; waits for no grace period. routes_free(): last use.
 */
int routes_set(struct vm *vm, const struct kvirt_irq_routing_entry *entries, u32 nr, u32 flags);
void routes_free(struct vm *vm);

/*
 * msi_signal() - KVM_SIGNAL_MSI: irq_deliver()'s answer, or -EINVAL.
 * irq_line() - KVM_IRQ_LINE: 0 and @status as irq_deliver() gives it; -ENXIO without
 * an irqchip. Any context but NMI.
 */
int msi_signal(struct vm *vm, const struct kvirt_msi *msi);
int irq_line(struct vm *vm, u32 gsi, u32 level, s32 *status);

/*
 * On REQUEST_ROUTES: which vectors' EOIs leave to the IOAPIC in user space, for
 * vcpu->eoi_exits: the level-triggered routes of its pins. Owner, process context.
 */
void eoi_scan(struct vcpu *vcpu);

#endif
