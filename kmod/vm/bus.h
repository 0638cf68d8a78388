/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices in the kernel behind guest ports and guest-physical addresses without memory. Registered
 * by irq/; asked by run/io.c and run/mmio.c before an access goes to user space.
 */
#ifndef KVIRT_VM_BUS_H
#define KVIRT_VM_BUS_H

#include <linux/types.h>

struct vcpu;
struct vm;

enum bus_kind { BUS_PIO, BUS_MMIO, BUS_NR_KINDS };
enum bus_access { BUS_READ, BUS_WRITE };

#define BUS_MAX_RANGES	16384	/* of one kind in a VM */

/*
 * access() is called by @vcpu's owner, in a window or outside: 0, served; -ENOENT, not this
 * device's (the next one at @addr, then user space); in a window SLOW, nothing was done, call again
 * outside, where sleeping is allowed, but not bus_lock. @data is the kernel's own, left alone by a
 * write; @len 1 to 8 (ports 1, 2, 4), of any alignment.
 */
struct bus_device {
	int (*access)(struct bus_device *device, struct vcpu *vcpu, u64 addr, void *data, u32 len,
		      enum bus_access access);	/* constant */
};

/*
 * bus_add() - @device gets the accesses that lie within @len bytes at @addr, or with @len 0 those
 * of any length at @addr. Of several the one whose range begins lowest is asked first, then in the
 * order they came. A device may have several ranges. 0, -ENOMEM, -ENOSPC: too many. Does not wait
 * for vCPUs to go on. bus_remove() - it has none any more and nobody is in its access(); may sleep.
 * Both with vm->bus_lock held.
 */
int bus_add(struct vm *vm, enum bus_kind kind, u64 addr, u32 len, struct bus_device *device);
void bus_remove(struct vm *vm, struct bus_device *device);
/* Last use of the VM: forgets all devices, frees none. */
void bus_fini(struct vm *vm);

/* access() of the first device that takes it; -ENOENT: none, it is user space's. Owner. */
int bus_access(struct vcpu *vcpu, enum bus_kind kind, u64 addr, void *data, u32 len,
	       enum bus_access access);

#endif
