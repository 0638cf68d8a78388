/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The chips of a PC besides its local APICs, as models: I/O APIC, 8259s and 8254, functions over
 * one struct for each. Not here: locks, vCPUs, the host's timer, who drives a line; irq/irqchip.c
 * calls them and does what they ask for. Time is in nanoseconds of a clock that does not go back.
 */
#ifndef KVIRT_CHIP_IRQCHIP_H
#define KVIRT_CHIP_IRQCHIP_H

#include <linux/kvirt.h>
#include "lapic.h"

/* What a call asks the caller to do: sets of pins, to which it adds; the caller clears. */
struct irqchip_fx {
	u32 service;	/* I/O APIC: ask chip_ioapic_message() */
	u32 acked;	/* 8259s: their interrupt has ended, or will never be */
	u32 unmasked;	/* were masked, and are not now */
};

/* The I/O APIC, an Intel 82093AA with 24 pins. */
#define IOAPIC_BASE	0xfec00000ULL
#define IOAPIC_SIZE	0x100
#define IOAPIC_PINS	KVIRT_IOAPIC_NUM_PINS

struct chip_ioapic {
	u64 entry[32];		/* the redirection table; a guessed index stays inside */
	u32 irr;		/* pins that are high */
	u32 delivered;		/* of the edge-triggered ones, those whose edge was sent */
	u32 select, id;
	struct irqchip_fx fx;
};

void chip_ioapic_reset(struct chip_ioapic *io);

/* The registers at @offset in the page: the select register at 0, the window at 16. */
u32 chip_ioapic_read(const struct chip_ioapic *io, u32 offset);
void chip_ioapic_write(struct chip_ioapic *io, u32 offset, u32 value);

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
void chip_ioapic_eoi(struct chip_ioapic *io, u8 vector);

/* KVM_GET_IRQCHIP, KVM_SET_IRQCHIP; what was pending is to be served again. Any state is valid. */
void chip_ioapic_save(const struct chip_ioapic *io, struct kvirt_ioapic_state *state);
void chip_ioapic_restore(struct chip_ioapic *io, const struct kvirt_ioapic_state *state);

/* The pair of 8259As of a PC with its edge/level registers. INTR may change with any call. */
#define PIC_LINES	16

enum { PIC_MASTER_PORT = 0x20, PIC_SLAVE_PORT = 0xa0, PIC_ELCR_PORT = 0x4d0 };

struct chip_pic {
	struct kvirt_pic_state chip[2];
	struct irqchip_fx fx;
};

void chip_pic_reset(struct chip_pic *pic);

/* The ports named above and the one after each. */
u8 chip_pic_read(struct chip_pic *pic, u16 port);
void chip_pic_write(struct chip_pic *pic, u16 port, u8 value);

/* The level of @line: 1, taken; 0, merged with a request before; -1, masked. */
int chip_pic_set_line(struct chip_pic *pic, u32 line, bool level);
/* INTR, and the CPU's answer to it: the vector. */
bool chip_pic_output(const struct chip_pic *pic);
u8 chip_pic_acknowledge(struct chip_pic *pic);

/* KVM_SET_IRQCHIP of the chip @which: any state is made a valid one. */
void chip_pic_restore(struct chip_pic *pic, u32 which, const struct kvirt_pic_state *state);

/* The 8254 and port 0x61. Its counters count in binary, also where BCD was asked for. */
enum { PIT_PORT = 0x40, PIT_CONTROL_PORT = 0x43, PIT_SPEAKER_PORT = 0x61 };

/*
 * Reinjection: a tick comes while the guest has not ended the interrupt of the one before;
 * it is kept in @pending, which counts that one too, and comes when it has.
 */
struct chip_pit {
	struct kvirt_pit_state2 state;
	u32 pending;		/* ticks without their EOI */
	bool reinject;
	bool acked;		/* the last tick had its EOI: the next may come at once */
	u64 deadline;		/* the next tick of channel 0, ~0: none */
};

void chip_pit_reset(struct chip_pit *pit, u64 now);
/* The ports named above; a write may change the deadline. */
u8 chip_pit_read(struct chip_pit *pit, u16 port, u64 now);
void chip_pit_write(struct chip_pit *pit, u16 port, u8 value, u64 now);

/*
 * true: pulse IRQ 0 now. chip_pit_expire() - the deadline may have come, the next is set;
 * chip_pit_ack() - the guest has ended IRQ 0.
 */
bool chip_pit_expire(struct chip_pit *pit, u64 now);
bool chip_pit_ack(struct chip_pit *pit);
/* The line was masked, or the mode changed: no tick waits for an EOI. */
void chip_pit_forget(struct chip_pit *pit);

/* KVM_SET_PIT2: counting begins anew. Any state is made a valid one. */
void chip_pit_restore(struct chip_pit *pit, const struct kvirt_pit_state2 *state, u64 now);

#endif
