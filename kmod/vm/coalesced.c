// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced writes: zones of ports or addresses whose writes are kept in a ring that user
 * space maps, and reads at its next exit for another reason. Called by api/vm_fd.c.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <uapi/linux/kvirt.h>
#include "bus.h"
#include "vcpu.h"
#include "vm.h"

#define ZONES_MAX	1000	/* as KVM */

struct write_zone {
	struct list_head link;		/* in vm->zones, under bus_lock */
	struct bus_device device;
	struct kvirt_coalesced_mmio_zone range;	/* constant */
};

/* Full is user space's, as without a zone. Its indices are user space's to change, too. */
static int zone_access(struct bus_device *device, struct vcpu *vcpu, u64 addr, void *data, u32 len,
		       enum bus_access access)
{
	const struct write_zone *zone = container_of(device, struct write_zone, device);
	struct kvirt_coalesced_mmio_ring *ring = vcpu->vm->ring;
	struct kvirt_coalesced_mmio *entry;
	unsigned long flags;
	int err = -ENOENT;
	u32 last, next;

	if (access == BUS_READ || !zone->range.size)
		return err;
	raw_spin_lock_irqsave(&vcpu->vm->ring_lock, flags);
	last = READ_ONCE(ring->last);
	next = (last + 1) % KVIRT_COALESCED_MMIO_MAX;
	if (last < KVIRT_COALESCED_MMIO_MAX && next != READ_ONCE(ring->first)) {
		last = array_index_nospec(last, KVIRT_COALESCED_MMIO_MAX);
		entry = &ring->coalesced_mmio[last];
		entry->phys_addr = addr;
		entry->len = len;
		entry->pio = zone->range.pio;
		memcpy(entry->data, data, len);
		/* The entry before the index that shows it. */
		smp_store_release(&ring->last, next);
		err = 0;
	}
	raw_spin_unlock_irqrestore(&vcpu->vm->ring_lock, flags);
	return err;
}

long coalesced_register(struct vm *vm, void *data)
{
	const struct kvirt_coalesced_mmio_zone *range = data;
	struct write_zone *zone, *other;
	u32 nr = 0;
	long err = -ENOSPC;

	if (range->pio > 1)
		return -EINVAL;
	zone = kzalloc(sizeof(*zone), GFP_KERNEL_ACCOUNT);
	if (!zone)
		return -ENOMEM;
	zone->device.access = zone_access;
	zone->range = *range;
	mutex_lock(&vm->bus_lock);
	list_for_each_entry(other, &vm->zones, link)
		nr++;
	if (nr < ZONES_MAX)
		err = bus_add(vm, range->pio ? BUS_PIO : BUS_MMIO, range->addr, range->size,
			      &zone->device);
	if (err)
		kfree(zone);
	else
		list_add_tail(&zone->link, &vm->zones);
	mutex_unlock(&vm->bus_lock);
	return err;
}

/* All zones that @data lies in, as KVM. */
long coalesced_unregister(struct vm *vm, void *data)
{
	const struct kvirt_coalesced_mmio_zone *range = data;
	struct write_zone *zone, *next;

	if (range->pio > 1)
		return -EINVAL;
	mutex_lock(&vm->bus_lock);
	list_for_each_entry_safe(zone, next, &vm->zones, link) {
		u64 end = zone->range.addr + zone->range.size;

		if (range->pio != zone->range.pio || range->addr < zone->range.addr ||
		    range->addr + range->size < range->addr || range->addr + range->size > end)
			continue;
		bus_remove(vm, &zone->device);
		list_del(&zone->link);
		kfree(zone);
	}
	mutex_unlock(&vm->bus_lock);
	return 0;
}

void coalesced_free(struct vm *vm)
{
	struct write_zone *zone, *next;

	list_for_each_entry_safe(zone, next, &vm->zones, link)
		kfree(zone);
	free_page((unsigned long)vm->ring);
}
