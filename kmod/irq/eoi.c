// SPDX-License-Identifier: GPL-2.0
/*
 * EOIs of level-triggered interrupts, on their way from the LAPIC to the IOAPIC in user
 * space. A VMM says which vectors those are by MSI routes for the pins it reserved,
 * with the trigger mode set. lapic.c calls this for each EOI, run/ makes the exit.
 *
 * As under KVM 6.1 the exit comes although SVR bit 12 asks the LAPIC to keep the EOI
 * to itself: IOAPICs without an EOI register of their own count on it.
 */
#include <linux/srcu.h>
#include "eoi.h"
#include "lapic.h"
#include "route.h"

void eoi_scan(struct vcpu *vcpu)
{
	unsigned long found[4] = { 0 };
	struct vm *vm = vcpu->vm;
	struct irq_message m;
	struct routes *routes;
	u32 gsi, pins = 0;
	int index, i;

	if (!vcpu->lapic)
		return;
	index = srcu_read_lock(&vm->srcu);
	routes = srcu_dereference(vm->routes, &vm->srcu);
	if (routes)
		pins = min(routes->nr_gsis, READ_ONCE(vm->reserved_pins));
	for (gsi = 0; gsi < pins; gsi++) {
		if (!routes->gsi[gsi].valid)
			continue;
		msi_decode(vm, routes->gsi[gsi].address, routes->gsi[gsi].data, &m);
		if (m.level && chip_lapic_match(vcpu->irq_address, &m))
			__set_bit(m.vector, found);
	}
	srcu_read_unlock(&vm->srcu, index);
	/* One that moved away while it is being served still has to end. */
	for (i = 0; i < 4; i++) {
		found[i] |= vcpu->eoi_exits[i] & vcpu->lapic->tmr[i] &
			    (vcpu->lapic->isr[i] | vcpu->lapic->irr[i]);
		vcpu->eoi_exits[i] = found[i];
	}
}

void eoi_notify(struct vcpu *vcpu, u8 vector)
{
	if (!eoi_leaves(vcpu, vector))
		return;
	vcpu->eoi_vector = vector;
	set_bit(REQUEST_EOI_EXIT, &vcpu->requests);
}
