// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259 pair with ELCR in the kernel, register by register as a guest drives it, with lines that the VMM sets between; how
 * INTR reaches the CPU. unit/chip_pic.c has what KVM does otherwise than the data sheet.
 */
#include "irq/chips.h"

static void guest_pic_registers(void)
{
	guest_begin();
	GUEST_EXPECT_EQ(inb(0x21), 0xff);
	GUEST_EXPECT_EQ(inb(0xa1), 0xff);
	outb(0x21, 0xfb);
	outb(0xa1, 0x5a);
	GUEST_EXPECT_EQ(inb(0x21), 0xfb);
	GUEST_EXPECT_EQ(inb(0xa1), 0x5a);
	GUEST_EXPECT_EQ(inb(0x20), 0);
	/* ELCR: five of the sixteen lines are edge-triggered for good. */
	outb(0x4d0, 0xff);
	outb(0x4d1, 0xff);
	GUEST_EXPECT_EQ(inb(0x4d0), 0xf8);
	GUEST_EXPECT_EQ(inb(0x4d1), 0xde);
	outb(0x4d0, 0);
	outb(0x4d1, 0);
	/* Initialization clears the mask. */
	outb(0x20, 0x11);
	outb(0x21, PIC_BASE);
	outb(0x21, 4);
	outb(0x21, 1);
	GUEST_EXPECT_EQ(inb(0x21), 0);
	/* Without ICW4 it is one word shorter. */
	outb(0xa0, 0x10);
	outb(0xa1, PIC_BASE + 8);
	outb(0xa1, 2);
	outb(0xa1, 0x77);
	GUEST_EXPECT_EQ(inb(0xa1), 0x77);
	/* Words are dropped. */
	outw(0x20, 0xffff);
	GUEST_EXPECT_EQ(inb(0x21), 0);
	GUEST_EXPECT_EQ(inw(0x20), 0);
	guest_done();
}

static void pic_registers(void)
{
	vcpu_finish(vcpu_new(vm_new_irqchip(), 0, guest_pic_registers));
}

static uint8_t in_service(uint16_t port)
{
	uint8_t v;

	outb(port, 0x0b);
	v = inb(port);
	outb(port, 0x0a);
	return v;
}

static void guest_pic_priorities(void)
{
	guest_begin();
	pic_init(1, 0x00, 0x00);
	keep_isr = true;
	guest_stage(1);				/* lines 5, 3, 10 have pulsed */
	GUEST_EXPECT_EQ(inb(0x20), 0x2c);
	GUEST_EXPECT_EQ(inb(0xa0), 0x04);
	let_in();				/* 10 comes by line 2 */
	GUEST_EXPECT_EQ(last_vector, PIC_BASE + 10);
	GUEST_EXPECT_EQ(taken, 1);
	GUEST_EXPECT_EQ(in_service(0x20), 0x04);
	GUEST_EXPECT_EQ(in_service(0xa0), 0x04);
	GUEST_EXPECT_EQ(inb(0x20), 0x28);
	let_in();				/* lower ones wait */
	GUEST_EXPECT_EQ(taken, 1);
	outb(0xa0, 0x20);			/* non-specific end */
	outb(0x20, 0x62);			/* specific: line 2 */
	GUEST_EXPECT_EQ(in_service(0x20), 0);
	let_in();
	GUEST_EXPECT_EQ(last_vector, PIC_BASE + 3);
	GUEST_EXPECT_EQ(taken, 2);
	outb(0x20, 0x20);
	let_in();
	GUEST_EXPECT_EQ(last_vector, PIC_BASE + 5);
	outb(0x20, 0xa0);			/* end and rotate: 5 is the lowest now */
	guest_stage(2);				/* lines 5 and 6 */
	let_in();
	GUEST_EXPECT_EQ(last_vector, PIC_BASE + 6);
	outb(0x20, 0x20);
	let_in();
	GUEST_EXPECT_EQ(last_vector, PIC_BASE + 5);
	outb(0x20, 0x20);
	outb(0x20, 0xc7);			/* 7 is the lowest again */
	GUEST_EXPECT_EQ(taken, 5);
	guest_stage(3);				/* line 4, then it is masked */
	outb(0x21, 0x10);
	let_in();
	GUEST_EXPECT_EQ(taken, 5);
	outb(0x21, 0);
	let_in();
	GUEST_EXPECT_EQ(taken, 6);
	GUEST_EXPECT_EQ(last_vector, PIC_BASE + 4);
	/* A higher one comes into the handler of a lower one. */
	guest_stage(4);				/* line 1 */
	let_in();
	GUEST_EXPECT_EQ(last_vector, PIC_BASE + 1);
	GUEST_EXPECT_EQ(in_service(0x20), 0x12);
	outb(0x20, 0x20);
	GUEST_EXPECT_EQ(in_service(0x20), 0x10);
	outb(0x20, 0x64);
	/* Automatic end. */
	pic_init(3, 0, 0);
	guest_stage(5);				/* lines 7, 14 */
	let_in();
	let_in();
	GUEST_EXPECT_EQ(lines_taken[14], 1);
	GUEST_EXPECT_EQ(lines_taken[7], 1);
	GUEST_EXPECT_EQ(in_service(0x20) | in_service(0xa0), 0);
	GUEST_EXPECT_EQ(taken, 9);
	guest_done();
}

static void pic_priorities(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_pic_priorities);

	vcpu_expect_stage(vcpu, 1);
	EXPECT_EQ(set_line(vm, 5, 1), 1);
	EXPECT_EQ(set_line(vm, 5, 0), 2);	/* the I/O APIC too */
	pulse(vm, 3);
	pulse(vm, 10);
	vcpu_expect_stage(vcpu, 2);
	EXPECT_EQ(set_line(vm, 5, 1), 1);
	EXPECT_EQ(set_line(vm, 5, 0), 2);
	EXPECT_EQ(set_line(vm, 5, 1), 0);	/* a second edge before the first is served */
	EXPECT_EQ(set_line(vm, 5, 0), 2);
	pulse(vm, 6);
	vcpu_expect_stage(vcpu, 3);
	pulse(vm, 4);
	vcpu_expect_stage(vcpu, 4);
	pulse(vm, 1);
	vcpu_expect_stage(vcpu, 5);
	pulse(vm, 7);
	pulse(vm, 14);
	vcpu_finish(vcpu);
}

static void guest_pic_level(void)
{
	guest_begin();
	outb(0x4d1, 0x08);			/* line 11 */
	pic_init(1, 0xfb, 0xf7);
	guest_stage(1);				/* high, and low again: nothing was there */
	let_in();
	GUEST_EXPECT_EQ(taken, 0);
	guest_stage(2);				/* high: it comes after each end */
	limit = 20;
	let_in();
	GUEST_EXPECT_EQ(lines_taken[11], 20);
	guest_stage(3);				/* low */
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
	let_in();
	GUEST_EXPECT_EQ(taken, 20);
	guest_done();
}

static void pic_level(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_pic_level);

	vcpu_expect_stage(vcpu, 1);
	vcpu_expect_stage(vcpu, 2);
	set_line(vm, 11, 1);
	vcpu_expect_stage(vcpu, 3);
	set_line(vm, 11, 0);
	vcpu_finish(vcpu);
}

/* INTR reaches the CPU by LINT0 as ExtINT, or without a LAPIC in the way; else it waits. */
static void guest_pic_lint0(void)
{
	guest_begin();
	pic_init(1, 0xf7, 0xff);
	GUEST_EXPECT_EQ(xapic_read(APIC_LVT_LINT0) & 0x107ff, 0x700);
	guest_stage(1);				/* line 3 */
	let_in();
	GUEST_EXPECT_EQ(taken, 1);
	xapic_write(APIC_LVT_LINT0, 0x10700);
	guest_stage(2);
	let_in();
	GUEST_EXPECT_EQ(taken, 1);
	GUEST_EXPECT_EQ(inb(0x20), 8);
	/* INTR goes up once LINT0 is open: KVM 6.1 does not look at one that was up before. */
	outb(0x21, 0xff);
	xapic_write(APIC_LVT_LINT0, 0x700);
	outb(0x21, 0xf7);
	let_in();
	GUEST_EXPECT_EQ(taken, 2);
	xapic_write(APIC_LVT_LINT0, 0x10700);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~0x800ull);
	guest_stage(3);
	let_in();
	GUEST_EXPECT_EQ(taken, 3);
	/* It wakes one that is halted, too. */
	guest_stage(4);
	sti_hlt_cli();
	GUEST_EXPECT_EQ(taken, 4);
	guest_done();
}

static void pic_lint0(void)
{
	struct vm *vm = vm_new_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0, guest_pic_lint0);

	for (int stage = 1; stage <= 4; stage++) {
		vcpu_expect_stage(vcpu, stage);
		pulse(vm, 3);
	}
	vcpu_finish(vcpu);
	EXPECT_EQ(vcpu->run->ready_for_interrupt_injection, 1);
}

static const struct test tests[] = {
	TEST(pic_registers),
	TEST(pic_priorities),
	TEST(pic_level),
	TEST(pic_lint0),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
