/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An I/O APIC with 24 pins as a pure model: no lock, no system call. Functions
 * that can cause interrupts return the pins whose message must be sent now.
 */
#ifndef VMRUN_DEV_IOAPIC_H
#define VMRUN_DEV_IOAPIC_H

#include "../types.h"

#define IOAPIC_PINS		24
#define IOAPIC_BASE		0xfec00000ull
#define IOAPIC_SIZE		0x1000

struct ioapic {
	u32 select;			/* IOREGSEL */
	u8 id;
	u64 redirection[IOAPIC_PINS];
	u32 lines;			/* level of each pin, one bit each */
};

/* A message-signalled interrupt, as a device would write it. */
struct ioapic_msi {
	u32 address;
	u32 data;
};

void ioapic_init(struct ioapic *ioapic);

/* Register access; accesses are whole registers, @offset as in the page. */
u32 ioapic_read(const struct ioapic *ioapic, u64 offset);
u32 ioapic_write(struct ioapic *ioapic, u64 offset, u32 value);

/* A device drives pin @pin; @pin must be less than IOAPIC_PINS. */
u32 ioapic_set_line(struct ioapic *ioapic, unsigned int pin, bool level);

/* A local APIC has finished a level-triggered interrupt with @vector. */
u32 ioapic_eoi(struct ioapic *ioapic, u8 vector);

/*
 * The message of @pin; false when the pin is masked or its delivery mode has
 * no message (reserved modes, and ExtINT, which needs a PIC).
 */
bool ioapic_message(const struct ioapic *ioapic, unsigned int pin,
		    struct ioapic_msi *msi);

#endif
