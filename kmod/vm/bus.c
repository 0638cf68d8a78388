// SPDX-License-Identifier: GPL-2.0
/*
 * The in-kernel bus of a VM: which device answers a port or an address that is no memory. The
 * devices are irq/'s. Called by irq/, run/io.c, run/mmio.c.
 *
 * One array for each kind, sorted by address. A window reads it without any lock: who changes it
 * then brings all vCPUs out of their windows, and waits for the readers outside (vm->srcu) only
 * when a device goes.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/srcu.h>
#include "bus.h"
#include "vcpu.h"
#include "vm.h"

struct bus_range {
	u64 addr;
	u64 max_last;		/* highest address of the ranges up to this one */
	u32 len;
	struct bus_device *device;	/* NULL: gone, until the next copy */
};

struct bus {
	struct rcu_head rcu;
	u32 nr;
	struct bus_range range[];
};

/* The first range that can reach up to @addr: none before it does. */
static u32 bus_first(const struct bus *bus, u64 addr)
{
	u32 low = 0, high = bus->nr;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (bus->range[array_index_nospec(middle, bus->nr)].max_last < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static noinline int bus_ask(struct vcpu *vcpu, enum bus_kind kind, u64 addr, void *data, u32 len,
			    enum bus_access access)
{
	const struct bus *bus = srcu_dereference_check(vcpu->vm->bus[kind], &vcpu->vm->srcu,
						       vcpu->in_window);
	u32 i;

	if (!bus)
		return -ENOENT;
	for (i = bus_first(bus, addr); i < bus->nr; i++) {
		const struct bus_range *range = &bus->range[array_index_nospec(i, bus->nr)];
		struct bus_device *device = READ_ONCE(range->device);
		int err;

		if (range->addr > addr)
			break;
		if (!device || (range->len ? addr - range->addr + len > range->len :
					     addr != range->addr))
			continue;
		err = device->access(device, vcpu, addr, data, len, access);
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

int bus_access(struct vcpu *vcpu, enum bus_kind kind, u64 addr, void *data, u32 len,
	       enum bus_access access)
{
	int err, index;

	if (vcpu->in_window)
		return bus_ask(vcpu, kind, addr, data, len, access);
	index = srcu_read_lock(&vcpu->vm->srcu);
	err = bus_ask(vcpu, kind, addr, data, len, access);
	srcu_read_unlock(&vcpu->vm->srcu, index);
	return err;
}

/* No window that began before this is open any more: what is in it has seen the change. */
static void leave_windows(struct vm *vm)
{
	/* A vCPU that is just being published sees the change, or is seen. */
	smp_mb();
	vm_request_all(vm, REQUEST_BUS);
}

static void free_bus(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct bus, rcu));
}

int bus_add(struct vm *vm, enum bus_kind kind, u64 addr, u32 len, struct bus_device *device)
{
	struct bus *old = rcu_dereference_protected(vm->bus[kind],
						    lockdep_is_held(&vm->bus_lock));
	u32 i, nr = old ? old->nr : 0;
	u64 last = 0;
	struct bus *bus;

	bus = kvmalloc(struct_size(bus, range, nr + 1), GFP_KERNEL_ACCOUNT);
	if (!bus)
		return -ENOMEM;
	bus->nr = 0;
	for (i = 0; i < nr; i++)
		if (old->range[i].device)
			bus->range[bus->nr++] = old->range[i];
	for (i = bus->nr++; i && bus->range[i - 1].addr > addr; i--)
		bus->range[i] = bus->range[i - 1];
	bus->range[i] = (struct bus_range){ .addr = addr, .len = len, .device = device };
	if (bus->nr > BUS_MAX_RANGES) {
		kvfree(bus);
		return -ENOSPC;
	}
	for (i = 0; i < bus->nr; i++) {
		last = max(last, bus->range[i].addr + max(bus->range[i].len, 1U) - 1);
		bus->range[i].max_last = last;
	}
	rcu_assign_pointer(vm->bus[kind], bus);
	if (old) {
		leave_windows(vm);
		call_srcu(&vm->srcu, &old->rcu, free_bus);
	}
	return 0;
}

void bus_remove(struct vm *vm, struct bus_device *device)
{
	struct bus *bus;
	u32 i, kind;

	for (kind = 0; kind < BUS_NR_KINDS; kind++) {
		bus = rcu_dereference_protected(vm->bus[kind], lockdep_is_held(&vm->bus_lock));
		for (i = 0; bus && i < bus->nr; i++)
			if (bus->range[i].device == device)
				WRITE_ONCE(bus->range[i].device, NULL);
	}
	leave_windows(vm);
	synchronize_srcu_expedited(&vm->srcu);
}

void bus_fini(struct vm *vm)
{
	u32 kind;

	for (kind = 0; kind < BUS_NR_KINDS; kind++)
		kvfree(rcu_dereference_protected(vm->bus[kind], true));
}
