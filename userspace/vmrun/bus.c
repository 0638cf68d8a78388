// SPDX-License-Identifier: GPL-2.0
/*
 * Range to device. Called by vcpu.c with addresses the guest chose, by
 * machine.c to build the buses. What a device does is its own business.
 */
#include <string.h>

#include "bus.h"

int bus_add(struct bus *bus, u64 base, u64 size, const struct bus_ops *ops,
	    void *dev)
{
	unsigned int i;

	if (!size || base + size - 1 < base || bus->nr_ranges == BUS_MAX_RANGES)
		return -1;
	for (i = 0; i < bus->nr_ranges; i++) {
		const struct bus_range *r = &bus->range[i];

		if (base <= r->base + (r->size - 1) && r->base <= base + (size - 1))
			return -1;
	}
	bus->range[bus->nr_ranges++] = (struct bus_range){
		.base = base, .size = size, .ops = ops, .dev = dev,
	};
	return 0;
}

static const struct bus_range *bus_find(const struct bus *bus, u64 addr,
					unsigned int len)
{
	unsigned int i;

	for (i = 0; i < bus->nr_ranges; i++) {
		const struct bus_range *r = &bus->range[i];

		if (addr >= r->base && addr - r->base < r->size &&
		    len <= r->size - (addr - r->base))
			return r;
	}
	return NULL;
}

/* How much of an access is one call to a device. */
static unsigned int bus_step(const struct bus *bus, u64 addr, unsigned int len)
{
	const struct bus_range *r;

	if (!bus->bytes)
		return len;
	r = bus_find(bus, addr, len);
	return r && r->ops->whole ? len : 1;
}

void bus_read(struct bus *bus, u64 addr, u8 *data, unsigned int len)
{
	unsigned int step = bus_step(bus, addr, len);

	memset(data, 0xff, len);
	for (; len >= step && step; addr += step, data += step, len -= step) {
		const struct bus_range *r = bus_find(bus, addr, step);

		if (r)
			r->ops->read(r->dev, addr - r->base, data, step);
	}
}

void bus_write(struct bus *bus, u64 addr, const u8 *data, unsigned int len)
{
	unsigned int step = bus_step(bus, addr, len);

	for (; len >= step && step; addr += step, data += step, len -= step) {
		const struct bus_range *r = bus_find(bus, addr, step);

		if (r)
			r->ops->write(r->dev, addr - r->base, data, step);
	}
}
