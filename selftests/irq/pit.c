// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 and port 0x61 in the kernel, as a guest drives them: counters, ticks, reinjection. unit/chip_pit.c has what KVM does
 * otherwise than the data sheet.
 */
#include "irq/chips.h"

static void pit_load(uint8_t channel, uint8_t mode, uint16_t count)
{
	outb(0x43, channel << 6 | 0x30 | mode << 1);
	outb(0x40 + channel, count);
	outb(0x40 + channel, count >> 8);
}

static uint16_t pit_count(uint8_t channel)
{
	uint16_t low;

	outb(0x43, channel << 6);
	low = inb(0x40 + channel);
	return low | inb(0x40 + channel) << 8;
}

static void guest_pit_registers(void)
{
	uint16_t before = 0, after = 0;
	uint32_t toggles = 0;

	/* A two-byte count runs down from what was written. A host that is busy may let it run out between. */
	outb(0x61, 1);
	for (int tries = 0; tries < 20 && after >= before; tries++) {
		pit_load(2, 2, 60000);
		before = pit_count(2);
		for (volatile int i = 0; i < 1000; i++)
			;
		after = pit_count(2);
		GUEST_EXPECT(before <= 60000 && after <= 60000);
	}
	GUEST_EXPECT(after < before);
	/* Bytes of one half. */
	outb(0x43, 0x94);			/* the low half, mode 2 */
	outb(0x42, 0x77);
	GUEST_EXPECT(inb(0x42) <= 0x77);
	outb(0x43, 0xa4);			/* the high half, mode 2 */
	outb(0x42, 0x12);
	GUEST_EXPECT(inb(0x42) <= 0x12);
	/* A latched count stays, whatever comes after it, until it has been read. */
	pit_load(2, 2, 60000);
	outb(0x43, 0x80);
	before = inb(0x42);
	outb(0x43, 0x80);
	before |= inb(0x42) << 8;
	GUEST_EXPECT(before > 0 && before <= 60000);
	/* Read back: status of channel 2, then its count; the status comes first. */
	outb(0x43, 0xc8);
	GUEST_EXPECT_EQ(inb(0x42) & 0x3f, 0x34);
	outb(0x43, 0xd8);			/* count of channel 2 */
	before = inb(0x42);
	before |= inb(0x42) << 8;
	GUEST_EXPECT(before <= 60000);
	/* Modes 6 and 7 are 2 and 3. */
	outb(0x43, 0xbe);
	outb(0x43, 0xe8);
	GUEST_EXPECT_EQ(inb(0x42) & 0x3f, 0x36);
	/* Mode 0 of channel 2 ends with OUT high, which port 0x61 shows in bit 5. */
	outb(0x61, 1);
	pit_load(2, 0, 2000);
	GUEST_EXPECT_EQ(inb(0x61) & 3, 1);
	while (!(inb(0x61) & 0x20))
		;
	outb(0x61, 2);
	GUEST_EXPECT_EQ(inb(0x61) & 0x0f, 2);
	outb(0x61, 3);
	GUEST_EXPECT_EQ(inb(0x61) & 0x0f, 3);
	/* Memory refresh: bit 4 toggles. */
	while (toggles < 4) {
		uint8_t bit = inb(0x61) & 0x10;

		while ((inb(0x61) & 0x10) == bit)
			;
		toggles++;
	}
	GUEST_EXPECT_EQ(toggles, 4);
	guest_done();
}

static void pit_registers(void)
{
	vcpu_finish(vcpu_new(vm_new_pit(KVIRT_PIT_SPEAKER_DUMMY), 0, guest_pit_registers));
}

static void guest_pit_ticks(void)
{
	guest_begin();
	pic_init(1, 0xfe, 0xff);
	pit_load(0, 2, 11932);			/* 100 a second */
	while (taken < 5)
		sti_hlt_cli();
	GUEST_EXPECT_EQ(last_vector, PIC_BASE);
	GUEST_EXPECT(pit_count(0) <= 11932);
	/* One shot. */
	pit_load(0, 0, 5000);
	taken = 0;
	sti_hlt_cli();
	GUEST_EXPECT_EQ(taken, 1);
	/* Through the I/O APIC. */
	outb(0x21, 0xff);
	ioapic_pin(0, VECTOR);
	pit_load(0, 3, 11932);
	taken = 0;
	while (taken < 3)
		sti_hlt_cli();
	GUEST_EXPECT_EQ(last_vector, VECTOR);
	pit_load(0, 0, 1);			/* the last */
	sti_hlt_cli();
	guest_done();
}

static void pit_ticks(void)
{
	vcpu_finish(vcpu_new(vm_new_pit(0), 0, guest_pit_ticks));
}

/* Periods of a 1000 Hz tick by another clock of the VM, the local APIC's timer: it is masked and counts 128 ns a step. */
#define TICK_COUNT	1193

static uint32_t ticks_due(void)
{
	return (0xffffffff - (uint64_t)xapic_read(APIC_TIMER_CURRENT)) * 128 * 1193182 / 1000000000 / TICK_COUNT;
}

/*
 * Ticks that came while the guest was in the handler of one come after its end, each; or never. How many came is held against the
 * time that passed and not against a number, since a busy host may take the CPU away for any time anywhere here.
 */
static volatile bool reinjected;

static void guest_pit_reinjection(void)
{
	int lost;

	guest_begin();
	pic_init(1, 0xfe, 0xff);
	keep_isr = true;
	pit_load(0, 2, TICK_COUNT);
	xapic_write(APIC_TIMER_DIVIDE, 0xa);
	xapic_write(APIC_TIMER_INITIAL, 0xffffffff);
	while (!taken && ticks_due() < 5000)
		let_in();
	for (uint32_t enough = ticks_due() + 12; ticks_due() < enough; )
		let_in();
	GUEST_EXPECT_EQ(taken, 1);
	keep_isr = false;
	outb(0x20, 0x20);
	if (reinjected) {
		/* All that are owed, while new ones become due. */
		for (int i = 0; i < 100000; i++) {
			let_in();
			lost = ticks_due() - taken;
			if (lost <= 1)
				break;
		}
		GUEST_EXPECT(lost <= 1);
	} else {
		/* The first was taken, and one may have been pending in the 8259. */
		for (uint32_t enough = ticks_due() + 3; ticks_due() < enough; )
			let_in();
		lost = ticks_due() - taken;
		GUEST_EXPECT(lost >= 9);
	}
	guest_done();
}

static void pit_reinjection(void)
{
	for (int on = 0; on < 2; on++) {
		struct vm *vm = vm_new_pit(KVIRT_PIT_SPEAKER_DUMMY);
		struct kvirt_reinject_control control = { .pit_reinject = on };
		struct vcpu *vcpu;

		ASSERT_OK(ioctl(vm->fd, KVIRT_REINJECT_CONTROL, &control));
		vcpu = vcpu_new(vm, 0, guest_pit_reinjection);
		*vm_var(vm, reinjected) = on;
		vcpu_finish(vcpu);
		vcpu_free(vcpu);
		vm_free(vm);
	}
}

/* A VM without a PIT has these ports in user space. */
static void guest_no_pit(void)
{
	inb(0x40);
	inb(0x61);
	guest_done();
}

static void no_pit(void)
{
	struct vcpu *vcpu = vcpu_new(vm_new_irqchip(), 0, guest_no_pit);
	struct vm *vm;

	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.port, 0x40);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.port, 0x61);
	vcpu_finish(vcpu);
	vcpu = vcpu_new(vm_new_pit(0), 0, guest_no_pit);
	vcpu_expect_exit(vcpu, KVIRT_EXIT_IO);
	EXPECT_EQ(vcpu->run->io.port, 0x61);
	vcpu_finish(vcpu);
	/* The older call always makes it with that port. */
	vm = vm_new_irqchip();
	ASSERT_OK(ioctl(vm->fd, KVIRT_CREATE_PIT, 0));
	vcpu_finish(vcpu_new(vm, 0, guest_no_pit));
}

static const struct test tests[] = {
	TEST(pit_registers),
	TEST(pit_ticks),
	TEST(pit_reinjection),
	TEST(no_pit),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
