/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The chips of the full in-kernel irqchip: glue that locks the models of chip/irqchip.h,
 * sends what they ask for, keeps their timer, and puts them on the bus.
 *
 * Unless said otherwise a function is for any context but NMI, a strict window too, and needs
 * vm->chips. Lines of a chip are its pins: 8 for each 8259, 24 for the I/O APIC.
 */
#ifndef KVIRT_IRQ_IRQCHIP_H
#define KVIRT_IRQ_IRQCHIP_H

#include <linux/hrtimer.h>
#include "../chip/irqchip.h"
#include "../vm/bus.h"
#include "route.h"

/* c: under lock, a leaf that hard interrupts take too; a: to read without it */
struct irqchips {
	struct vm *vm;			/* constant */
	struct bus_device device;	/* constant: all ports, and the I/O APIC's page */
	raw_spinlock_t lock;
	struct chip_ioapic ioapic;	/* c */
	struct chip_pic pic;		/* c */
	struct chip_pit pit;		/* c */
	u8 lines[3][IOAPIC_PINS];	/* c: by chip and pin: who holds it high, BIT(irq_source) */
	unsigned long vectors[4];	/* c, a: those that the I/O APIC's pins have */
	struct hrtimer timer;		/* c: for pit.deadline ... */
	u64 armed;			/* c: ... and what it was started for, ~0: it was not */
	bool has_pit;			/* vm->lock */
};

/*
 * The ioctls, given a kernel copy of their structure: 0, or the errno that the UAPI header tells.
 * May sleep; vm->chips is not needed. pit_create() takes NULL for KVM_CREATE_PIT. irqchips_free():
 * last use of the VM.
 */
long irqchips_create(struct vm *vm);
void irqchips_free(struct vm *vm);
long irqchip_get(struct vm *vm, void *data);
long irqchip_set(struct vm *vm, void *data);
long pit_create(struct vm *vm, void *data);
long pit_get(struct vm *vm, void *data);
long pit_set(struct vm *vm, void *data);
long pit_get2(struct vm *vm, void *data);
long pit_set2(struct vm *vm, void *data);
long pit_set_reinject(struct vm *vm, void *data);

/* What KVM_IRQ_LINE answers, for one pin. */
int irqchip_set_line(struct vm *vm, u32 chip, u32 pin, enum irq_source source, bool level);
/* The CPU takes the vector that vm->extint told of. */
u8 pic_acknowledge(struct vm *vm);

/* A LAPIC's EOI: tell the I/O APIC and who waits for it. The pins that have @vector. */
void irq_eoi(struct vm *vm, u8 vector, bool level);
u32 ioapic_pins(struct vm *vm, u8 vector);

#endif
