// SPDX-License-Identifier: GPL-2.0
/*
 * GSI routes: a table by GSI, replaced as a whole and freed after an SRCU grace period
 * that nobody waits for, since VMMs replace it hundreds of times as they start. Called
 * by api/, and by run/ for the EOIs that leave.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include "irqchip.h"
#include "lapic.h"

/* SDM vol. 3, 10.11: MSI address and data. */
#define MSI_REDIRECT	BIT(3)
#define MSI_LOGICAL	BIT(2)
#define MSI_LEVEL	BIT(15)

enum route_kind { ROUTE_NONE, ROUTE_MSI, ROUTE_PINS };

struct route {
	u64 address;
	u32 data;
	u8 kind;		/* enum route_kind */
	u8 pin[KVIRT_NR_IRQCHIPS];	/* of each chip, and one: 0 is none */
};

struct routes {
	struct rcu_head rcu;
	u32 nr_gsis;
	struct route gsi[];
};

/* With 32-bit ids the high word has the id's upper 24 bits, and nothing below. */
static bool msi_valid(const struct vm *vm, u64 address)
{
	return !READ_ONCE(vm->x2apic_32bit) || !(address >> 32 & 0xff);
}

static void msi_decode(const struct vm *vm, u64 address, u32 data, struct irq_message *m)
{
	*m = (struct irq_message){
		.dest = address >> 12 & 0xff,
		.vector = data & 0xff,
		.mode = data >> 8 & 7,
		.logical = address & MSI_LOGICAL,
		.level = data & MSI_LEVEL,
		.redirect = address & MSI_REDIRECT,
		.dest8 = !READ_ONCE(vm->x2apic_no_broadcast_quirk),
	};
	if (READ_ONCE(vm->x2apic_32bit))
		m->dest |= address >> 32 & 0xffffff00;
}

/* One entry into the table: -EINVAL for what KVM refuses. */
static int set_route(const struct vm *vm, struct routes *routes,
		     const struct kvirt_irq_routing_entry *entry)
{
	u64 address = entry->u.msi.address_lo | (u64)entry->u.msi.address_hi << 32;
	u32 chip = entry->u.irqchip.irqchip, pin = entry->u.irqchip.pin;
	struct route *route = &routes->gsi[array_index_nospec(entry->gsi, routes->nr_gsis)];

	if (entry->type == KVIRT_IRQ_ROUTING_MSI) {
		if (entry->flags & ~KVIRT_MSI_VALID_DEVID || !msi_valid(vm, address) ||
		    route->kind != ROUTE_NONE)
			return -EINVAL;
		route->kind = ROUTE_MSI;
		route->address = address;
		route->data = entry->u.msi.data;
		return 0;
	}
	if (entry->type != KVIRT_IRQ_ROUTING_IRQCHIP || entry->flags || !vm->chips ||
	    chip >= KVIRT_NR_IRQCHIPS || pin >= (chip == KVIRT_IRQCHIP_IOAPIC ? IOAPIC_PINS : 8) ||
	    route->kind == ROUTE_MSI || route->pin[chip])
		return -EINVAL;
	route->kind = ROUTE_PINS;
	route->pin[chip] = pin + 1;
	return 0;
}

static void free_routes(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct routes, rcu));
}

int routes_set(struct vm *vm, const struct kvirt_irq_routing_entry *entries, u32 nr)
{
	struct routes *routes, *old;
	struct vcpu *vcpu;
	u32 i, nr_gsis = 0;

	for (i = 0; i < nr; i++) {
		if (entries[i].gsi >= ROUTES_MAX)
			return -EINVAL;
		nr_gsis = max(nr_gsis, entries[i].gsi + 1);
	}
	routes = kvzalloc(struct_size(routes, gsi, nr_gsis), GFP_KERNEL_ACCOUNT);
	if (!routes)
		return -ENOMEM;
	routes->nr_gsis = nr_gsis;
	for (i = 0; i < nr; i++) {
		if (set_route(vm, routes, &entries[i])) {
			kvfree(routes);
			return -EINVAL;
		}
	}
	mutex_lock(&vm->routes_lock);
	old = rcu_replace_pointer(vm->routes, routes, lockdep_is_held(&vm->routes_lock));
	mutex_unlock(&vm->routes_lock);
	if (old)
		call_srcu(&vm->srcu, &old->rcu, free_routes);
	/* Which EOIs leave may have changed. */
	if (READ_ONCE(vm->reserved_pins))
		vm_for_each_vcpu(vm, i, vcpu)
			vcpu_request(vcpu, REQUEST_ROUTES);
	return 0;
}

int routes_set_default(struct vm *vm)
{
	u32 i, gsi, nr = IOAPIC_PINS + PIC_LINES;
	struct kvirt_irq_routing_entry *e = kcalloc(nr, sizeof(*e), GFP_KERNEL_ACCOUNT);
	int err;

	if (!e)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		gsi = i % IOAPIC_PINS;
		e[i].gsi = gsi;
		e[i].type = KVIRT_IRQ_ROUTING_IRQCHIP;
		e[i].u.irqchip.irqchip = i < IOAPIC_PINS ? KVIRT_IRQCHIP_IOAPIC : gsi / 8;
		e[i].u.irqchip.pin = i < IOAPIC_PINS ? gsi : gsi % 8;
	}
	err = routes_set(vm, e, nr);
	kfree(e);
	return err;
}

void routes_free(struct vm *vm)
{
	kvfree(rcu_dereference_protected(vm->routes, true));
}

static int msi_deliver(struct vm *vm, u64 address, u32 data)
{
	struct irq_message m;

	if (!msi_valid(vm, address))
		return -1;
	msi_decode(vm, address, data, &m);
	return irq_deliver(vm, NULL, &m);
}

long msi_signal(struct vm *vm, void *data)
{
	const struct kvirt_msi *msi = data;

	if (READ_ONCE(vm->irqchip) == IRQCHIP_NONE || msi->flags & ~KVIRT_MSI_VALID_DEVID)
		return -EINVAL;
	return msi_deliver(vm, msi->address_lo | (u64)msi->address_hi << 32, msi->data);
}

static struct route find(struct vm *vm, u32 gsi)
{
	struct route route = { 0 };
	struct routes *routes;
	int index;

	index = srcu_read_lock(&vm->srcu);
	routes = srcu_dereference(vm->routes, &vm->srcu);
	if (routes && gsi < routes->nr_gsis)
		route = routes->gsi[array_index_nospec(gsi, routes->nr_gsis)];
	srcu_read_unlock(&vm->srcu, index);
	return route;
}

bool route_has(struct vm *vm, u32 gsi, u32 chip, u32 pins)
{
	u32 pin = pins ? find(vm, gsi).pin[chip] : 0;

	return pin && pins & BIT(pin - 1);
}

int irq_set(struct vm *vm, enum irq_source source, u32 gsi, bool level)
{
	struct route route = find(vm, gsi);
	int chip, taken, status = -1;

	/* A message has no end: lowering the line of one reaches nobody. */
	if (route.kind == ROUTE_MSI && level)
		return msi_deliver(vm, route.address, route.data);
	for (chip = 0; chip < KVIRT_NR_IRQCHIPS; chip++) {
		if (!route.pin[chip])
			continue;
		taken = irqchip_set_line(vm, chip, route.pin[chip] - 1, source, level);
		if (taken >= 0)
			status = taken + max(status, 0);
	}
	return status;
}

/*
 * As under KVM 6.1 the exit comes although SVR bit 12 asks the LAPIC to keep the EOI
 * to itself: IOAPICs without an EOI register of their own count on it.
 */
void eoi_scan(struct vcpu *vcpu)
{
	unsigned long found[4] = { 0 };
	struct vm *vm = vcpu->vm;
	struct irq_message m;
	struct routes *routes;
	u32 gsi, pins = 0;
	int index;

	index = srcu_read_lock(&vm->srcu);
	routes = srcu_dereference(vm->routes, &vm->srcu);
	if (routes)
		pins = min(routes->nr_gsis, READ_ONCE(vm->reserved_pins));
	for (gsi = 0; gsi < pins; gsi++) {
		if (routes->gsi[gsi].kind != ROUTE_MSI)
			continue;
		msi_decode(vm, routes->gsi[gsi].address, routes->gsi[gsi].data, &m);
		if (m.level && chip_lapic_match(vcpu->irq_address, &m))
			__set_bit(m.vector, found);
	}
	srcu_read_unlock(&vm->srcu, index);
	memcpy(vcpu->eoi_exits, found, sizeof(found));
}
