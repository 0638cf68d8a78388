// SPDX-License-Identifier: GPL-2.0
/*
 * See irqchip.h. An edge that comes to a masked pin is lost; a level that is still there
 * when its pin is unmasked, or its interrupt has ended, is delivered again.
 */
#include "irqchip.h"

#define VERSION		(0x11 | (IOAPIC_PINS - 1) << 16)

enum { SELECT = 0x00, WINDOW = 0x10 };
enum { REG_ID, REG_VERSION, REG_ARBITRATION, REG_ENTRIES = 0x10 };

/* A redirection entry. */
#define LOGICAL		BIT_ULL(11)
#define STATUS		BIT_ULL(12)	/* read-only */
#define REMOTE_IRR	BIT_ULL(14)	/* read-only: sent, and its EOI not seen */
#define LEVEL		BIT_ULL(15)
#define MASKED		BIT_ULL(16)

void chip_ioapic_reset(struct chip_ioapic *io)
{
	int pin;

	memset(io, 0, sizeof(*io));
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		io->entry[pin] = MASKED;
}

bool chip_ioapic_message(const struct chip_ioapic *io, unsigned int pin, struct irq_message *m)
{
	u64 e = io->entry[pin];

	if (e & MASKED || !(io->irr & ~io->delivered & BIT(pin)) ||
	    (e & (LEVEL | REMOTE_IRR)) == (LEVEL | REMOTE_IRR))
		return false;
	*m = (struct irq_message){
		.dest = e >> 56, .vector = e & 0xff, .mode = e >> 8 & 7, .logical = e & LOGICAL,
		.level = e & LEVEL,
	};
	return true;
}

void chip_ioapic_sent(struct chip_ioapic *io, unsigned int pin, int taken)
{
	if (!(io->entry[pin] & LEVEL))
		io->delivered |= BIT(pin);
	else if (taken > 0)
		io->entry[pin] |= REMOTE_IRR;
}

int chip_ioapic_set_line(struct chip_ioapic *io, unsigned int pin, bool level)
{
	u32 before = io->irr, bit = BIT(pin);

	if (!level) {
		io->irr &= ~bit;
		io->delivered &= ~bit;
		return 1;
	}
	io->irr |= bit;
	return before & bit && !(io->entry[pin] & LEVEL) ? 0 : IOAPIC_SERVICE;
}

u32 chip_ioapic_pins(const struct chip_ioapic *io, u8 vector)
{
	u32 pin, pins = 0;

	for (pin = 0; pin < IOAPIC_PINS; pin++)
		if ((u8)io->entry[pin] == vector)
			pins |= BIT(pin);
	return pins;
}

void chip_ioapic_eoi(struct chip_ioapic *io, u8 vector)
{
	u32 pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		if ((u8)io->entry[pin] != vector || !(io->entry[pin] & LEVEL))
			continue;
		io->entry[pin] &= ~REMOTE_IRR;
		io->fx.service |= BIT(pin);
	}
}

/* One half of an entry. Made edge-triggered it forgets what was sent: the old way to end it. */
static void write_entry(struct chip_ioapic *io, u32 reg, u32 value)
{
	u32 pin = (reg - REG_ENTRIES) / 2 & 31, shift = reg % 2 * 32;
	u64 old = io->entry[pin], writable = (0xffffffffULL << shift) & ~(STATUS | REMOTE_IRR);
	u64 new = (old & ~writable) | ((u64)value << shift & writable);

	if (new & LEVEL) {
		io->delivered &= ~BIT(pin);
		io->fx.service |= BIT(pin);
	} else {
		new &= ~REMOTE_IRR;
	}
	io->entry[pin] = new;
	if (old & ~new & MASKED)
		io->fx.unmasked |= BIT(pin);
}

u32 chip_ioapic_read(const struct chip_ioapic *io, u32 offset)
{
	u32 reg = io->select;

	if (offset == SELECT)
		return reg;
	if (offset != WINDOW)
		return 0;
	if (reg == REG_VERSION)
		return VERSION;
	if (reg == REG_ID || reg == REG_ARBITRATION)
		return io->id << 24;
	if (reg < REG_ENTRIES || reg >= REG_ENTRIES + 2 * IOAPIC_PINS)
		return ~0U;
	return io->entry[(reg - REG_ENTRIES) / 2 & 31] >> reg % 2 * 32;
}

void chip_ioapic_write(struct chip_ioapic *io, u32 offset, u32 value)
{
	u32 reg = io->select;

	if (offset == SELECT)
		io->select = value & 0xff;
	else if (offset != WINDOW)
		return;
	else if (reg == REG_ID)
		io->id = value >> 24 & 0xf;
	else if (reg >= REG_ENTRIES && reg < REG_ENTRIES + 2 * IOAPIC_PINS)
		write_entry(io, reg, value);
}

void chip_ioapic_save(const struct chip_ioapic *io, struct kvirt_ioapic_state *state)
{
	int pin;

	*state = (struct kvirt_ioapic_state){
		.base_address = IOAPIC_BASE, .ioregsel = io->select, .id = io->id,
		.irr = io->irr & ~io->delivered,
	};
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		state->redirtbl[pin].bits = io->entry[pin];
}

void chip_ioapic_restore(struct chip_ioapic *io, const struct kvirt_ioapic_state *state)
{
	int pin;

	io->select = state->ioregsel & 0xff;
	io->id = state->id & 0xf;
	io->irr = state->irr & (BIT(IOAPIC_PINS) - 1);
	io->delivered = 0;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		io->entry[pin] = state->redirtbl[pin].bits;
	io->fx.service |= io->irr;
}
