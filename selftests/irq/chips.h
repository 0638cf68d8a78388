/* SPDX-License-Identifier: GPL-2.0 */
/* What irq/ioapic.c, irq/pic.c and irq/pit.c share: handlers that count, the chips' registers as a guest reaches them, lines. */
#ifndef SELFTESTS_IRQ_CHIPS_H
#define SELFTESTS_IRQ_CHIPS_H

#include <stdlib.h>

#include "guest.h"
#include "vm.h"

#define IOAPIC		0xfec00000ull
#define VECTOR		0x61	/* of an I/O APIC pin */
#define VECTOR2		0x71
#define PIC_BASE	0x30	/* vectors of the 8259s: 0x30 to 0x3f */
#define MASKED		(1u << 16)
#define LEVEL		(1u << 15)
#define REMOTE_IRR	(1u << 14)

static volatile uint32_t taken, lines_taken[16], last_vector;
static volatile bool keep_isr;	/* the handler leaves the interrupt in service ... */
static volatile uint32_t limit;	/* ... and so it does with this one, which ends a storm */

static inline void handle_apic(struct guest_frame *frame)
{
	taken++;
	last_vector = frame->vector;
	if (!keep_isr && taken != limit)
		xapic_write(APIC_EOI, 0);
}

static inline void handle_pic(struct guest_frame *frame)
{
	uint32_t line = frame->vector - PIC_BASE;

	lines_taken[line]++;
	taken++;
	last_vector = frame->vector;
	if (keep_isr || taken == limit)
		return;
	if (line >= 8)
		outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static inline void let_in(void)
{
	sti();
	cli();
}

static inline uint32_t ioapic_read(uint32_t reg)
{
	mmio_write32(IOAPIC, reg);
	return mmio_read32(IOAPIC + 0x10);
}

static inline void ioapic_write(uint32_t reg, uint32_t v)
{
	mmio_write32(IOAPIC, reg);
	mmio_write32(IOAPIC + 0x10, v);
}

static inline void ioapic_pin(uint32_t pin, uint32_t low)
{
	ioapic_write(0x11 + 2 * pin, 0);
	ioapic_write(0x10 + 2 * pin, low);
}

/* ICW1 to ICW4 and the masks. */
static inline void pic_init(uint8_t icw4, uint8_t master_mask, uint8_t slave_mask)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, PIC_BASE);
	outb(0xa1, PIC_BASE + 8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, icw4);
	outb(0xa1, icw4);
	outb(0x21, master_mask);
	outb(0xa1, slave_mask);
}

static inline void guest_begin(void)
{
	guest_idt_load();
	guest_handle(VECTOR, handle_apic);
	guest_handle(VECTOR2, handle_apic);
	for (int line = 0; line < 16; line++)
		guest_handle(PIC_BASE + line, handle_pic);
	xapic_write(APIC_SVR, 0x1ff);
	pic_init(1, 0xff, 0xff);
}

/* --- the host's side --- */

static inline struct vm *vm_new_irqchip(void)
{
	struct vm *vm = vm_new();

	ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_IRQCHIP, 0));
	return vm;
}

static inline struct vm *vm_new_pit(uint32_t flags)
{
	struct kvirt_pit_config config = { .flags = flags };
	struct vm *vm = vm_new_irqchip();

	ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_PIT2, &config));
	return vm;
}

static inline int set_line(struct vm *vm, uint32_t gsi, uint32_t level)
{
	struct kvirt_irq_level l = { .irq = gsi, .level = level };

	ASSERT_OK(ioctl(vm->fd, KVIRT_IRQ_LINE_STATUS, &l));
	return l.status;
}

static inline void pulse(struct vm *vm, uint32_t gsi)
{
	set_line(vm, gsi, 1);
	set_line(vm, gsi, 0);
}

#endif
