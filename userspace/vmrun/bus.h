/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bus finds the device that owns an address: one for ports, one for memory
 * that is not RAM. Devices learn an offset, never the address.
 */
#ifndef VMRUN_BUS_H
#define VMRUN_BUS_H

#include "types.h"

#define BUS_MAX_RANGES	16
#define BUS_MAX_ACCESS	8

/*
 * What a device does with an access of @len bytes (1 to BUS_MAX_ACCESS) at
 * @offset; the bus has checked that all of it lies in the device's range.
 * Called from vCPU threads, several at once: a device locks itself.
 */
struct bus_ops {
	void (*read)(void *dev, u64 offset, u8 *data, unsigned int len);
	void (*write)(void *dev, u64 offset, const u8 *data, unsigned int len);
	bool whole;	/* of ports: an access inside of the range comes in one piece */
};

struct bus_range {
	u64 base;
	u64 size;
	const struct bus_ops *ops;
	void *dev;
};

struct bus {
	struct bus_range range[BUS_MAX_RANGES];
	unsigned int nr_ranges;
	bool bytes;	/* ports: an access goes to the devices byte by byte; see whole */
};

/*
 * Gives [@base, @base + @size) to @dev. Only before the vCPUs run: afterwards
 * the bus is read without a lock. Returns 0, or -1 when the range is empty,
 * wraps, overlaps another or the bus is full.
 */
int bus_add(struct bus *bus, u64 base, u64 size, const struct bus_ops *ops,
	    void *dev);

/* What nobody owns reads as ones, and writes to it go nowhere. */
void bus_read(struct bus *bus, u64 addr, u8 *data, unsigned int len);
void bus_write(struct bus *bus, u64 addr, const u8 *data, unsigned int len);

#endif
