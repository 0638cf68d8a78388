/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The I/O APIC as a model: Intel 82093AA, 24 pins, functions over one state struct. Not here: locks,
 * vCPUs, who drives a line; irq/irqchip.c calls it, and sends what it asks for.
 */
#ifndef KVIRT_CHIP_IOAPIC_H
#define KVIRT_CHIP_IOAPIC_H

#include <linux/kvirt.h>
#include "lapic.h"

#define IOAPIC_BASE	0xfec00000ULL
#define IOAPIC_SIZE	0x100
#define IOAPIC_PINS	KVIRT_IOAPIC_NUM_PINS

struct chip_ioapic {
	u64 entry[32];		/* the redirection table; a guessed index stays inside */
	u32 irr;		/* pins that are high */
	u32 delivered;		/* of the edge-triggered ones, those whose edge was sent */
	u32 select, id;
};

/* Sets of pins. */
struct ioapic_fx {
	u32 service;	/* ask chip_ioapic_message() */
	u32 unmasked;	/* were masked, and are not now */
};

void chip_ioapic_reset(struct chip_ioapic *io);

/* The registers at @offset in the page: the select register at 0, the window at 16. */
u32 chip_ioapic_read(const struct chip_ioapic *io, u32 offset);
void chip_ioapic_write(struct chip_ioapic *io, u32 offset, u32 value, struct ioapic_fx *fx);

/*
 * The level of @pin: 1, it went or stays low; 0, an edge that merges with one before;
 * IOAPIC_SERVICE: ask for the message, without one the answer is -1, ignored.
 */
enum { IOAPIC_SERVICE = -2 };
int chip_ioapic_set_line(struct chip_ioapic *io, unsigned int pin, bool level);
/* Is a message due for @pin? Then it is in @m, but for dest8. Next tell how many CPUs took it. */
bool chip_ioapic_message(const struct chip_ioapic *io, unsigned int pin, struct irq_message *m);
void chip_ioapic_sent(struct chip_ioapic *io, unsigned int pin, int taken);

/* The pins with @vector; and: a LAPIC's EOI of it, whose TMR bit says it was level-triggered. */
u32 chip_ioapic_pins(const struct chip_ioapic *io, u8 vector);
void chip_ioapic_eoi(struct chip_ioapic *io, u8 vector, struct ioapic_fx *fx);

/* KVM_GET_IRQCHIP, KVM_SET_IRQCHIP; what was pending is to be served again. Any state is valid. */
void chip_ioapic_save(const struct chip_ioapic *io, struct kvirt_ioapic_state *state);
void chip_ioapic_restore(struct chip_ioapic *io, const struct kvirt_ioapic_state *state,
			 struct ioapic_fx *fx);

#endif
