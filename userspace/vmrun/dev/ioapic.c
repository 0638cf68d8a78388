// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of Intel's 82093AA, with the EOI register of its successors
 * (version 0x20), which spares the guest the edge/level trick. irq.c is the
 * only caller: it locks, sends the messages and tells the accelerator.
 */
#include <string.h>

#include "ioapic.h"

#define REG_SELECT	0x00
#define REG_WINDOW	0x10
#define REG_EOI		0x40

#define INDEX_ID	0x00
#define INDEX_VERSION	0x01
#define INDEX_ARB	0x02
#define INDEX_TABLE	0x10

#define VERSION		(0x20 | (IOAPIC_PINS - 1) << 16)

#define RTE_VECTOR	0xffull
#define RTE_MODE_SHIFT	8
#define RTE_LOGICAL	BIT_ULL(11)
#define RTE_REMOTE_IRR	BIT_ULL(14)
#define RTE_LEVEL	BIT_ULL(15)
#define RTE_MASKED	BIT_ULL(16)
#define RTE_DEST_SHIFT	56
/* Delivery status and remote IRR are the chip's; 17 to 55 are reserved. */
#define RTE_WRITABLE	0xff0000000001afffull

#define MSI_BASE	0xfee00000u

enum { MODE_RESERVED3 = 3, MODE_RESERVED6 = 6, MODE_EXTINT = 7 };

void ioapic_init(struct ioapic *ioapic)
{
	unsigned int i;

	memset(ioapic, 0, sizeof(*ioapic));
	for (i = 0; i < IOAPIC_PINS; i++)
		ioapic->redirection[i] = RTE_MASKED;
}

bool ioapic_message(const struct ioapic *ioapic, unsigned int pin,
		    struct ioapic_msi *msi)
{
	u64 rte = ioapic->redirection[pin];
	unsigned int mode = rte >> RTE_MODE_SHIFT & 7;

	if ((rte & RTE_MASKED) || mode == MODE_RESERVED3 ||
	    mode == MODE_RESERVED6 || mode == MODE_EXTINT)
		return false;
	msi->address = MSI_BASE | (u32)(rte >> RTE_DEST_SHIFT) << 12;
	if (rte & RTE_LOGICAL)
		msi->address |= BIT(2);
	msi->data = (rte & RTE_VECTOR) | mode << 8;
	if (rte & RTE_LEVEL)
		msi->data |= BIT(15) | BIT(14);
	return true;
}

/* A level-triggered pin sends while its line is up and no EOI is owed. */
static u32 offer_level(struct ioapic *ioapic, unsigned int pin)
{
	u64 *rte = &ioapic->redirection[pin];
	struct ioapic_msi msi;

	if (!(*rte & RTE_LEVEL) || (*rte & RTE_REMOTE_IRR) ||
	    !(ioapic->lines & BIT(pin)) || !ioapic_message(ioapic, pin, &msi))
		return 0;
	*rte |= RTE_REMOTE_IRR;
	return BIT(pin);
}

static u32 write_redirection(struct ioapic *ioapic, unsigned int half,
			     u32 value)
{
	unsigned int pin = half / 2;
	u64 *rte = &ioapic->redirection[pin];
	u64 wanted;

	if (half & 1)
		wanted = (*rte & 0xffffffffull) | (u64)value << 32;
	else
		wanted = (*rte & ~0xffffffffull) | value;
	*rte = (wanted & RTE_WRITABLE) | (*rte & RTE_REMOTE_IRR);
	/* An edge-triggered pin owes no EOI. */
	if (!(*rte & RTE_LEVEL))
		*rte &= ~RTE_REMOTE_IRR;
	return offer_level(ioapic, pin);
}

u32 ioapic_read(const struct ioapic *ioapic, u64 offset)
{
	unsigned int half;

	if (offset == REG_SELECT)
		return ioapic->select;
	if (offset != REG_WINDOW)
		return 0;
	switch (ioapic->select) {
	case INDEX_ID:
	case INDEX_ARB:
		return (u32)ioapic->id << 24;
	case INDEX_VERSION:
		return VERSION;
	default:
		half = ioapic->select - INDEX_TABLE;
		if (half >= 2 * IOAPIC_PINS)
			return 0;
		return ioapic->redirection[half / 2] >> (half & 1 ? 32 : 0);
	}
}

u32 ioapic_write(struct ioapic *ioapic, u64 offset, u32 value)
{
	unsigned int half;

	switch (offset) {
	case REG_SELECT:
		ioapic->select = value & 0xff;
		return 0;
	case REG_EOI:
		return ioapic_eoi(ioapic, value);
	case REG_WINDOW:
		break;
	default:
		return 0;
	}
	if (ioapic->select == INDEX_ID) {
		ioapic->id = value >> 24 & 0x0f;
		return 0;
	}
	half = ioapic->select - INDEX_TABLE;
	if (half >= 2 * IOAPIC_PINS)
		return 0;
	return write_redirection(ioapic, half, value);
}

u32 ioapic_set_line(struct ioapic *ioapic, unsigned int pin, bool level)
{
	bool rising = level && !(ioapic->lines & BIT(pin));
	struct ioapic_msi msi;

	if (level)
		ioapic->lines |= BIT(pin);
	else
		ioapic->lines &= ~BIT(pin);
	if (ioapic->redirection[pin] & RTE_LEVEL)
		return offer_level(ioapic, pin);
	/* An edge on a masked pin is lost, as the data sheet says. */
	if (rising && ioapic_message(ioapic, pin, &msi))
		return BIT(pin);
	return 0;
}

u32 ioapic_eoi(struct ioapic *ioapic, u8 vector)
{
	unsigned int pin;
	u32 send = 0;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 *rte = &ioapic->redirection[pin];

		if (!(*rte & RTE_REMOTE_IRR) || (*rte & RTE_VECTOR) != vector)
			continue;
		*rte &= ~RTE_REMOTE_IRR;
		send |= offer_level(ioapic, pin);
	}
	return send;
}
