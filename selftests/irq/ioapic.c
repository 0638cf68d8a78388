// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC in the kernel, register by register as a guest drives it, with lines that the VMM sets between; GSI routes to
 * chips; chips moved to another VM. What the manual says and KVM does otherwise is in unit/chip_ioapic.c, the ioctls themselves
 * in abi/irqchip.c.
 */
#include "irq/chips.h"

static void guest_ioapic_registers(void)
{
	GUEST_EXPECT_EQ(ioapic_read(1), 0x170011);
	ioapic_write(1, 0);
	GUEST_EXPECT_EQ(ioapic_read(1), 0x170011);
	GUEST_EXPECT_EQ(mmio_read32(IOAPIC), 1);
	ioapic_write(0, 0x05000000);
	GUEST_EXPECT_EQ(ioapic_read(0), 0x05000000);
	GUEST_EXPECT_EQ(ioapic_read(2), 0x05000000);
	for (uint32_t pin = 0; pin < 24; pin++) {
		GUEST_EXPECT_EQ(ioapic_read(0x10 + 2 * pin), MASKED);
		GUEST_EXPECT_EQ(ioapic_read(0x11 + 2 * pin), 0);
		ioapic_write(0x10 + 2 * pin, MASKED | (0x40 + pin));
		ioapic_write(0x11 + 2 * pin, pin << 24);
	}
	for (uint32_t pin = 0; pin < 24; pin++) {
		GUEST_EXPECT_EQ(ioapic_read(0x10 + 2 * pin), MASKED | (0x40 + pin));
		GUEST_EXPECT_EQ(ioapic_read(0x11 + 2 * pin), pin << 24);
	}
	/* Delivery status and remote IRR are read-only. */
	ioapic_write(0x10, 0xffff);
	ioapic_write(0x10, MASKED | 0xffff);
	GUEST_EXPECT_EQ(ioapic_read(0x10) & (REMOTE_IRR | 1u << 12), 0);
	GUEST_EXPECT_EQ(ioapic_read(0x10) & ~0xfffe0000, MASKED | 0xafff);
	/* Nothing is behind the last entry; the select register has eight bits. */
	ioapic_write(0x40, 0x12345678);
	GUEST_EXPECT_EQ(ioapic_read(0x40), ~0u);
	GUEST_EXPECT_EQ(ioapic_read(0xff), ~0u);
	mmio_write32(IOAPIC, 0x101);
	GUEST_EXPECT_EQ(mmio_read32(IOAPIC), 1);
	GUEST_EXPECT_EQ(mmio_read32(IOAPIC + 0x20), 0);
	/* The window in other sizes. */
	GUEST_EXPECT_EQ(*(volatile uint8_t *)(IOAPIC + 0x10), 0x11);
	GUEST_EXPECT_EQ(*(volatile uint16_t *)(IOAPIC + 0x10), 0x11);
	GUEST_EXPECT_EQ(*(volatile uint64_t *)(IOAPIC + 0x10), 0x170011);
	*(volatile uint8_t *)IOAPIC = 0x10;
	GUEST_EXPECT_EQ(mmio_read32(IOAPIC), 0x10);
	/* The page goes on in user space. */
	mmio_read32(IOAPIC + 0x100);
	guest_done();
}

static void ioapic_registers(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_irqchip(), 0, guest_ioapic_registers);

	vcpu_expect_exit(vcpu, KVIRT_EXIT_MMIO);
	EXPECT_EQ(vcpu->run->mmio.phys_addr, IOAPIC + 0x100);
	vcpu_finish(vcpu);
}

/* Stage by stage: the host sets lines, the guest lets interrupts in. */
static void guest_ioapic_edge(void)
{
	guest_begin();
	ioapic_pin(4, VECTOR);
	for (long stage = 1; stage < 6; stage++) {
		guest_stage(stage);
		let_in();
	}
	/* An edge that comes to a masked pin is lost. */
	ioapic_pin(4, MASKED | VECTOR);
	guest_stage(6);
	ioapic_pin(4, VECTOR);
	let_in();
	guest_stage(7);
	let_in();
	guest_done();
}

static void ioapic_edge(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_ioapic_edge);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(set_line(vm, 4, 0), 1);	/* of the I/O APIC; the 8259 has it masked */
	EXPECT_EQ(set_line(vm, 4, 1), 1);
	EXPECT_EQ(set_line(vm, 4, 1), 0);	/* no edge: it merges */
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(*vm_var(vm, taken), 1);
	EXPECT_EQ(*vm_var(vm, last_vector), VECTOR);
	EXPECT_EQ(set_line(vm, 4, 1), 0);	/* still high */
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*vm_var(vm, taken), 1);
	EXPECT_EQ(set_line(vm, 4, 0), 1);
	EXPECT_EQ(set_line(vm, 4, 1), 1);
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(*vm_var(vm, taken), 2);
	/* Two edges before the guest looks are one in the LAPIC. */
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(set_line(vm, 4, 0), 1);
		EXPECT_EQ(set_line(vm, 4, 1), 1);
	}
	vcpu_expect_stage(vcpu, 5);
	EXPECT_EQ(*vm_var(vm, taken), 3);
	EXPECT_EQ(set_line(vm, 4, 0), 1);
	vcpu_expect_stage(vcpu, 6);
	EXPECT_EQ(set_line(vm, 4, 1), -1);
	EXPECT_EQ(set_line(vm, 24, 1), -1);	/* no route */
	vcpu_expect_stage(vcpu, 7);
	EXPECT_EQ(*vm_var(vm, taken), 3);
	EXPECT_EQ(set_line(vm, 4, 0), 1);
	EXPECT_EQ(set_line(vm, 4, 1), 1);
	vcpu_finish(vcpu);
	EXPECT_EQ(*vm_var(vm, taken), 4);
}

static void guest_ioapic_level(void)
{
	guest_begin();
	ioapic_pin(20, LEVEL | VECTOR);
	keep_isr = true;
	guest_stage(1);
	let_in();
	GUEST_EXPECT_EQ(taken, 1);
	GUEST_EXPECT_EQ(ioapic_read(0x10 + 40), LEVEL | REMOTE_IRR | VECTOR);
	GUEST_EXPECT_EQ(xapic_read(APIC_TMR + VECTOR / 32 * 16), 1u << VECTOR % 32);
	guest_stage(2);
	/* It is not sent again before its end, and then at once, since the line is high. */
	GUEST_EXPECT_EQ(xapic_read(APIC_IRR + VECTOR / 32 * 16), 0);
	xapic_write(APIC_EOI, 0);
	GUEST_EXPECT_EQ(xapic_read(APIC_IRR + VECTOR / 32 * 16), 1u << VECTOR % 32);
	let_in();
	GUEST_EXPECT_EQ(taken, 2);
	guest_stage(3);
	/* The line is low. */
	xapic_write(APIC_EOI, 0);
	let_in();
	GUEST_EXPECT_EQ(taken, 2);
	GUEST_EXPECT_EQ(ioapic_read(0x10 + 40), LEVEL | VECTOR);
	/* A level that came to a masked pin is there when it is unmasked. */
	ioapic_pin(20, MASKED | LEVEL | VECTOR);
	guest_stage(4);
	let_in();
	GUEST_EXPECT_EQ(taken, 2);
	ioapic_pin(20, LEVEL | VECTOR);
	let_in();
	GUEST_EXPECT_EQ(taken, 3);
	/* The end of an I/O APIC without a register for it: edge-triggered for a moment. */
	ioapic_pin(20, MASKED | VECTOR);
	GUEST_EXPECT_EQ(ioapic_read(0x10 + 40), MASKED | VECTOR);
	ioapic_pin(20, LEVEL | VECTOR);
	GUEST_EXPECT_EQ(ioapic_read(0x10 + 40), LEVEL | REMOTE_IRR | VECTOR);
	xapic_write(APIC_EOI, 0);
	let_in();
	GUEST_EXPECT_EQ(taken, 4);
	guest_stage(5);
	xapic_write(APIC_EOI, 0);
	let_in();
	GUEST_EXPECT_EQ(taken, 4);
	guest_done();
}

static void ioapic_level(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_ioapic_level);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(set_line(vm, 20, 1), 1);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(set_line(vm, 20, 1), -1);	/* it is high and waits for its end */
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(set_line(vm, 20, 0), 1);
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(set_line(vm, 20, 1), -1);
	vcpu_expect_stage(vcpu, 5);
	EXPECT_EQ(set_line(vm, 20, 0), 1);
	vcpu_finish(vcpu);
}

/* A level interrupt that stays high comes after each of a thousand EOIs. */
static void guest_ioapic_storm(void)
{
	guest_begin();
	guest_stage(1);
	limit = 1000;
	ioapic_pin(10, LEVEL | VECTOR);
	let_in();
	GUEST_EXPECT_EQ(taken, 1000);
	guest_stage(2);
	xapic_write(APIC_EOI, 0);
	let_in();
	GUEST_EXPECT_EQ(taken, 1000);
	guest_done();
}

static void ioapic_storm(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_ioapic_storm);

	vcpu_expect_stage(vcpu, 1);
	set_line(vm, 10, 1);
	vcpu_expect_stage(vcpu, 2);
	set_line(vm, 10, 0);
	vcpu_finish(vcpu);
}

/* Delivery modes and destinations: NMI, logical, one that nobody has; several pins with one vector. */
static void handle_nmi(struct guest_frame *frame)
{
	taken++;
}

static void guest_ioapic_modes(void)
{
	guest_begin();
	guest_handle(2, handle_nmi);
	xapic_write(APIC_LDR, 0x04000000);
	ioapic_pin(5, 4 << 8);				/* NMI */
	ioapic_pin(6, 1 << 11 | VECTOR);		/* logical, nobody yet */
	ioapic_write(0x11 + 12, 0x06000000);		/* members 1 and 2 */
	ioapic_pin(7, 1 << 8 | 1 << 11 | VECTOR);	/* lowest priority */
	ioapic_write(0x11 + 14, 0xff000000);
	ioapic_pin(8, VECTOR);
	ioapic_write(0x11 + 16, 0x09000000);		/* nobody */
	ioapic_pin(16, LEVEL | VECTOR2);
	ioapic_pin(17, LEVEL | VECTOR2);
	for (long stage = 1; stage < 8; stage++) {
		guest_stage(stage);
		let_in();
	}
	guest_done();
}

static void ioapic_modes(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_ioapic_modes);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(set_line(vm, 5, 1), 1);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(*vm_var(vm, taken), 1);
	EXPECT_EQ(set_line(vm, 6, 1), 1);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ(*vm_var(vm, taken), 2);
	EXPECT_EQ(set_line(vm, 7, 1), 1);
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(*vm_var(vm, taken), 3);
	set_line(vm, 8, 1);
	vcpu_expect_stage(vcpu, 5);
	EXPECT_EQ(*vm_var(vm, taken), 3);
	/* One vector, two levels: the end of it is the end of both. */
	EXPECT_EQ(set_line(vm, 16, 1), 1);
	set_line(vm, 17, 1);
	EXPECT_EQ(set_line(vm, 16, 0), 1);
	EXPECT_EQ(set_line(vm, 17, 0), 1);
	vcpu_expect_stage(vcpu, 6);
	EXPECT_EQ(*vm_var(vm, taken), 4);
	EXPECT_EQ(set_line(vm, 17, 1), 1);
	EXPECT_EQ(set_line(vm, 17, 0), 1);
	vcpu_expect_stage(vcpu, 7);
	EXPECT_EQ(*vm_var(vm, taken), 5);
	vcpu_finish(vcpu);
	EXPECT_EQ(*vm_var(vm, taken), 5);
}

/* --- routes --- */

static void guest_routes(void)
{
	guest_begin();
	ioapic_pin(9, VECTOR);
	ioapic_pin(2, VECTOR2);
	pic_init(1, 0xbf, 0xff);
	for (long stage = 1; stage < 5; stage++) {
		guest_stage(stage);
		let_in();
	}
	guest_done();
}

static void routes(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_routes);
	struct kvirt_irq_routing *t = calloc(1, sizeof(*t) + 4 * sizeof(t->entries[0]));

	ASSERT(t);
	t->nr = 4;
	t->entries[0] = (struct kvirt_irq_routing_entry){
		.gsi = 40, .type = KVIRT_IRQ_ROUTING_IRQCHIP, .u.irqchip = { KVIRT_IRQCHIP_IOAPIC, 9 },
	};
	t->entries[1] = (struct kvirt_irq_routing_entry){
		.gsi = 0, .type = KVIRT_IRQ_ROUTING_IRQCHIP, .u.irqchip = { KVIRT_IRQCHIP_IOAPIC, 2 },
	};
	t->entries[2] = (struct kvirt_irq_routing_entry){
		.gsi = 0, .type = KVIRT_IRQ_ROUTING_IRQCHIP, .u.irqchip = { KVIRT_IRQCHIP_PIC_MASTER, 6 },
	};
	t->entries[3] = (struct kvirt_irq_routing_entry){
		.gsi = 41, .type = KVIRT_IRQ_ROUTING_MSI, .u.msi = { .address_lo = 0xfee00000, .data = VECTOR },
	};
	vcpu_expect_stage(vcpu, 1);
	EXPECT_OK(ioctl(vm->fd, KVIRT_SET_GSI_ROUTING, t));
	EXPECT_EQ(set_line(vm, 9, 1), -1);
	EXPECT_EQ(set_line(vm, 40, 1), 1);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(*vm_var(vm, taken), 1);
	EXPECT_EQ(*vm_var(vm, last_vector), VECTOR);
	EXPECT_EQ(set_line(vm, 0, 1), 2);
	vcpu_expect_stage(vcpu, 3);
	EXPECT_EQ((*vm_var(vm, lines_taken))[6], 1);
	vcpu_expect_stage(vcpu, 4);
	EXPECT_EQ(*vm_var(vm, taken), 3);
	EXPECT_EQ(set_line(vm, 41, 1), 1);
	vcpu_finish(vcpu);
	EXPECT_EQ(*vm_var(vm, taken), 4);
}

/* --- moving to another VM --- */

static void move_chip(struct vm *from, struct vm *to, uint32_t id)
{
	struct kvirt_irqchip a = { .chip_id = id }, b = { .chip_id = id };

	ASSERT_OK(ioctl(from->fd, KVIRT_GET_IRQCHIP, &a));
	ASSERT_OK(ioctl(to->fd, KVIRT_SET_IRQCHIP, &a));
	ASSERT_OK(ioctl(to->fd, KVIRT_GET_IRQCHIP, &b));
	EXPECT(!memcmp(&a, &b, sizeof(a)));
}

static void guest_moved_from(void)
{
	guest_begin();
	ioapic_pin(19, LEVEL | VECTOR);
	pic_init(1, 0xdf, 0xff);
	guest_stage(1);
}

static void guest_moved_to(void)
{
	guest_idt_load();
	guest_handle(VECTOR, handle_apic);
	for (int line = 0; line < 16; line++)
		guest_handle(PIC_BASE + line, handle_pic);
	guest_stage(1);
	limit = 2;
	let_in();
	GUEST_EXPECT_EQ(taken, 2);
	GUEST_EXPECT_EQ(lines_taken[5], 1);
	GUEST_EXPECT_EQ(last_vector, VECTOR);
	guest_stage(2);
	xapic_write(APIC_EOI, 0);
	let_in();
	GUEST_EXPECT_EQ(taken, 2);
	guest_done();
}

/* What is pending in one is delivered in the other; a level ends when the new VMM lowers it. */
static void moved(void)
{
	struct vm *from = vm_new_irqchip(), *to = vm_new_irqchip();
	struct vcpu *old = vcpu_new(from, 0, guest_moved_from), *new = vcpu_new(to, 0, guest_moved_to);
	struct kvirt_lapic_state lapic;

	vcpu_expect_stage(old, 1);
	pulse(from, 5);
	EXPECT_EQ(set_line(from, 19, 1), 1);
	ASSERT_OK(ioctl(old->fd, KVIRT_GET_LAPIC, &lapic));
	ASSERT_OK(ioctl(new->fd, KVIRT_SET_LAPIC, &lapic));
	for (uint32_t id = 0; id < KVIRT_NR_IRQCHIPS; id++)
		move_chip(from, to, id);
	vcpu_expect_stage(new, 1);
	vcpu_expect_stage(new, 2);
	set_line(to, 19, 0);
	vcpu_finish(new);
}

static const struct test tests[] = {
	TEST(ioapic_registers),
	TEST(ioapic_edge),
	TEST(ioapic_level),
	TEST(ioapic_storm),
	TEST(ioapic_modes),
	TEST(routes),
	TEST(moved),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
