// SPDX-License-Identifier: GPL-2.0
/*
 * The end of an interrupt, from where the guest says it to whom it concerns: a LAPIC's EOI to
 * the I/O APIC, and that of any pin to who waits for it. Called by lapic.c and irqchip.c.
 */
#include "eventfd.h"
#include "irqchip.h"
#include "lapic.h"

/* Who waits for the end goes first: he may lower the line, which would else come again. */
void irq_eoi(struct vm *vm, u8 vector, bool level)
{
	u32 pins = ioapic_pins(vm, vector);

	if (!pins)
		return;
	irq_acked(vm, KVIRT_IRQCHIP_IOAPIC, pins);
	if (level)
		ioapic_eoi(vm, vector);
}

void irq_acked(struct vm *vm, u32 chip, u32 pins)
{
	if (!pins)
		return;
	if (route_has(vm, 0, chip, pins))
		pit_acked(vm);
	irqfds_acked(vm, chip, pins);
}
