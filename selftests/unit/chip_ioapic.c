// SPDX-License-Identifier: GPL-2.0
/* The I/O APIC model (kmod/chip/ioapic.c): what the 82093AA's data sheet says, case by case. */
#include <string.h>

#include "chip/irqchip.h"
#include "ktap.h"

#define MASKED		0x10000u
#define LEVEL		0x8000u
#define REMOTE_IRR	0x4000u

static struct chip_ioapic io;
static struct irq_message m;

static void wr(u32 reg, u32 value)
{
	memset(&io.fx, 0, sizeof(io.fx));
	chip_ioapic_write(&io, 0, reg);
	chip_ioapic_write(&io, 0x10, value);
}

static u32 rd(u32 reg)
{
	chip_ioapic_write(&io, 0, reg);
	return chip_ioapic_read(&io, 0x10);
}

static void eoi(u8 vector)
{
	memset(&io.fx, 0, sizeof(io.fx));
	chip_ioapic_eoi(&io, vector);
}

static void registers(void)
{
	chip_ioapic_reset(&io);
	EXPECT_EQ(rd(1), 0x170011);
	wr(0, ~0u);
	EXPECT_EQ(rd(0), 0x0f000000);
	EXPECT_EQ(rd(2), 0x0f000000);
	EXPECT_EQ(rd(3), ~0u);
	EXPECT_EQ(rd(0x40), ~0u);
	wr(0x40, 0);
	wr(2, 0);
	EXPECT_EQ(rd(2), 0x0f000000);
	EXPECT_EQ(chip_ioapic_read(&io, 0), 2);
	EXPECT_EQ(chip_ioapic_read(&io, 0x20), 0);
	chip_ioapic_write(&io, 0x20, 77);
	for (u32 pin = 0; pin < IOAPIC_PINS; pin++) {
		EXPECT_EQ(rd(0x10 + 2 * pin), MASKED);
		wr(0x11 + 2 * pin, pin << 24);
		EXPECT_EQ(io.fx.unmasked, 0);
		wr(0x10 + 2 * pin, 0x40 + pin);
		EXPECT_EQ(io.fx.unmasked, 1u << pin);
		EXPECT_EQ(io.entry[pin], (u64)pin << 56 | (0x40 + pin));
		EXPECT_EQ(chip_ioapic_pins(&io, 0x40 + pin), 1u << pin);
	}
}

static void message_is_the_entry(void)
{
	chip_ioapic_reset(&io);
	wr(0x15, 0x7a000000);
	wr(0x14, LEVEL | 0x800 | 0x100 | 0x99);
	EXPECT(!chip_ioapic_message(&io, 2, &m));
	EXPECT_EQ(chip_ioapic_set_line(&io, 2, true), IOAPIC_SERVICE);
	EXPECT(chip_ioapic_message(&io, 2, &m));
	EXPECT_EQ(m.dest, 0x7a);
	EXPECT_EQ(m.vector, 0x99);
	EXPECT_EQ(m.mode, IRQ_LOWEST);
	EXPECT(m.logical && m.level && !m.redirect && !m.dest8);
	EXPECT_EQ(m.shorthand, IRQ_TO_DEST);
}

static void edges(void)
{
	chip_ioapic_reset(&io);
	wr(0x10, 0x50);
	EXPECT_EQ(chip_ioapic_set_line(&io, 0, false), 1);
	EXPECT_EQ(chip_ioapic_set_line(&io, 0, true), IOAPIC_SERVICE);
	EXPECT(chip_ioapic_message(&io, 0, &m));
	chip_ioapic_sent(&io, 0, 1);
	EXPECT(!chip_ioapic_message(&io, 0, &m));
	EXPECT_EQ(chip_ioapic_set_line(&io, 0, true), 0);
	/* Its end changes nothing, and unmasking does not make an edge. */
	eoi(0x50);
	EXPECT_EQ(io.fx.service, 0);
	wr(0x10, MASKED | 0x50);
	wr(0x10, 0x50);
	EXPECT_EQ(io.fx.service, 0);
	EXPECT_EQ(chip_ioapic_set_line(&io, 0, false), 1);
	EXPECT_EQ(chip_ioapic_set_line(&io, 0, true), IOAPIC_SERVICE);
	/* One that no CPU took is over too. */
	chip_ioapic_sent(&io, 0, 0);
	EXPECT(!chip_ioapic_message(&io, 0, &m));
	/* Masked: lost. */
	chip_ioapic_set_line(&io, 0, false);
	wr(0x10, MASKED | 0x50);
	EXPECT_EQ(chip_ioapic_set_line(&io, 0, true), IOAPIC_SERVICE);
	EXPECT(!chip_ioapic_message(&io, 0, &m));
	wr(0x10, 0x50);
	EXPECT_EQ(io.fx.service, 0);
}

static void levels(void)
{
	chip_ioapic_reset(&io);
	wr(0x3e, LEVEL | 0x50);
	EXPECT_EQ(chip_ioapic_set_line(&io, 23, true), IOAPIC_SERVICE);
	EXPECT(chip_ioapic_message(&io, 23, &m));
	chip_ioapic_sent(&io, 23, 1);
	EXPECT_EQ(rd(0x3e), LEVEL | REMOTE_IRR | 0x50);
	EXPECT(!chip_ioapic_message(&io, 23, &m));
	eoi(0x51);
	EXPECT_EQ(io.fx.service, 0);
	EXPECT_EQ(rd(0x3e), LEVEL | REMOTE_IRR | 0x50);
	eoi(0x50);
	EXPECT_EQ(io.fx.service, 1u << 23);
	EXPECT(chip_ioapic_message(&io, 23, &m));
	chip_ioapic_sent(&io, 23, 1);
	chip_ioapic_set_line(&io, 23, false);
	eoi(0x50);
	EXPECT(!chip_ioapic_message(&io, 23, &m));
	/* What nobody took is tried again when something changes. */
	chip_ioapic_set_line(&io, 23, true);
	chip_ioapic_sent(&io, 23, 0);
	EXPECT(chip_ioapic_message(&io, 23, &m));
	chip_ioapic_sent(&io, 23, -1);
	EXPECT_EQ(rd(0x3e), LEVEL | 0x50);
	/* Masked it waits. */
	wr(0x3e, MASKED | LEVEL | 0x50);
	EXPECT(!chip_ioapic_message(&io, 23, &m));
	wr(0x3e, LEVEL | 0x50);
	EXPECT_EQ(io.fx.service, 1u << 23);
	EXPECT(chip_ioapic_message(&io, 23, &m));
	/* Remote IRR is read-only, and goes with the trigger mode. */
	chip_ioapic_sent(&io, 23, 1);
	wr(0x3e, LEVEL | 0x50);
	EXPECT_EQ(rd(0x3e), LEVEL | REMOTE_IRR | 0x50);
	wr(0x3e, 0x50);
	EXPECT_EQ(rd(0x3e), 0x50);
	wr(0x3e, LEVEL | REMOTE_IRR | 0x50);
	EXPECT_EQ(rd(0x3e), LEVEL | 0x50);
	EXPECT(chip_ioapic_message(&io, 23, &m));
}

/* A line that is high as its pin changes from edge to level is a level. */
static void edge_becomes_level(void)
{
	chip_ioapic_reset(&io);
	wr(0x10, 0x50);
	chip_ioapic_set_line(&io, 0, true);
	chip_ioapic_sent(&io, 0, 1);
	wr(0x10, LEVEL | 0x50);
	EXPECT_EQ(io.fx.service, 1);
	EXPECT(chip_ioapic_message(&io, 0, &m));
}

static void saved_state(void)
{
	struct kvirt_ioapic_state state;
	struct chip_ioapic other;

	chip_ioapic_reset(&io);
	wr(0, 0x03000000);
	wr(0x10, 0x50);
	wr(0x12, LEVEL | 0x51);
	wr(0x14, 0x52);
	chip_ioapic_set_line(&io, 0, true);		/* sent */
	chip_ioapic_sent(&io, 0, 1);
	chip_ioapic_set_line(&io, 1, true);		/* sent, and waiting for its end */
	chip_ioapic_sent(&io, 1, 1);
	chip_ioapic_set_line(&io, 2, true);		/* not yet */
	chip_ioapic_save(&io, &state);
	EXPECT_EQ(state.irr, 6);
	EXPECT_EQ(state.base_address, IOAPIC_BASE);
	EXPECT_EQ(state.id, 3);
	EXPECT_EQ(state.ioregsel, 0x14);
	EXPECT_EQ(state.redirtbl[1].bits, LEVEL | REMOTE_IRR | 0x51);
	chip_ioapic_reset(&other);
	chip_ioapic_restore(&other, &state);
	EXPECT_EQ(other.fx.service, 6);
	EXPECT(!chip_ioapic_message(&other, 0, &m));
	EXPECT(!chip_ioapic_message(&other, 1, &m));
	EXPECT(chip_ioapic_message(&other, 2, &m));
	memset(&state, 0xff, sizeof(state));
	chip_ioapic_restore(&other, &state);
	EXPECT_EQ(other.irr, 0xffffff);
	EXPECT_EQ(other.select, 0xff);
	EXPECT_EQ(other.id, 0xf);
}

static const struct test tests[] = {
	TEST(registers),
	TEST(message_is_the_entry),
	TEST(edges),
	TEST(levels),
	TEST(edge_becomes_level),
	TEST(saved_state),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}
