// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC model: registers, edge and level, EOI, and random accesses.
 */
#include <stdlib.h>

#include "../dev/ioapic.h"
#include "ktap.h"

#define SELECT	0x00
#define WINDOW	0x10
#define EOI	0x40
#define MASKED	BIT(16)
#define LEVEL	BIT(15)

static u32 read_reg(struct ioapic *a, u32 index)
{
	ioapic_write(a, SELECT, index);
	return ioapic_read(a, WINDOW);
}

static u32 write_reg(struct ioapic *a, u32 index, u32 value)
{
	ioapic_write(a, SELECT, index);
	return ioapic_write(a, WINDOW, value);
}

static u32 set_pin(struct ioapic *a, unsigned int pin, u32 low, u32 dest)
{
	return write_reg(a, 0x11 + 2 * pin, dest << 24) |
	       write_reg(a, 0x10 + 2 * pin, low);
}

static void registers_after_reset(void)
{
	struct ioapic a;
	unsigned int pin;

	ioapic_init(&a);
	EXPECT_EQ(read_reg(&a, 0), 0);
	EXPECT_EQ(read_reg(&a, 1), 0x00170020);
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		EXPECT_EQ(read_reg(&a, 0x10 + 2 * pin), MASKED);
		EXPECT_EQ(read_reg(&a, 0x11 + 2 * pin), 0);
	}
	EXPECT_EQ(read_reg(&a, 0x40), 0);
	EXPECT_EQ(read_reg(&a, 0xff), 0);
}

static void reserved_bits_stay_zero(void)
{
	struct ioapic a;

	ioapic_init(&a);
	write_reg(&a, 0, 0xffffffff);
	EXPECT_EQ(read_reg(&a, 0), 0x0f000000);
	set_pin(&a, 3, 0xffffffff, 0xff);
	EXPECT_EQ(read_reg(&a, 0x16), 0x0001afff);
	EXPECT_EQ(read_reg(&a, 0x17), 0xff000000);
}

static void message_says_what_the_entry_says(void)
{
	struct ioapic_msi msi;
	struct ioapic a;

	ioapic_init(&a);
	EXPECT(!ioapic_message(&a, 4, &msi));
	/* Vector 0x31, lowest priority, logical, edge, destination 0x42. */
	set_pin(&a, 4, 0x31 | 1 << 8 | 1 << 11, 0x42);
	ASSERT(ioapic_message(&a, 4, &msi));
	EXPECT_EQ(msi.address, 0xfee42004);
	EXPECT_EQ(msi.data, 0x0131);
	set_pin(&a, 4, 0x31 | LEVEL, 0);
	ASSERT(ioapic_message(&a, 4, &msi));
	EXPECT_EQ(msi.address, 0xfee00000);
	EXPECT_EQ(msi.data, 0xc031);
	/* ExtINT and the reserved modes have no message. */
	set_pin(&a, 4, 0x31 | 7 << 8, 0);
	EXPECT(!ioapic_message(&a, 4, &msi));
	set_pin(&a, 4, 0x31 | 3 << 8, 0);
	EXPECT(!ioapic_message(&a, 4, &msi));
}

static void edge_sends_once(void)
{
	struct ioapic a;

	ioapic_init(&a);
	set_pin(&a, 4, 0x31, 0);
	EXPECT_EQ(ioapic_set_line(&a, 4, true), 1 << 4);
	EXPECT_EQ(ioapic_set_line(&a, 4, true), 0);
	EXPECT_EQ(ioapic_set_line(&a, 4, false), 0);
	EXPECT_EQ(ioapic_set_line(&a, 4, true), 1 << 4);
	EXPECT_EQ(ioapic_eoi(&a, 0x31), 0);
}

static void masked_edge_is_lost(void)
{
	struct ioapic a;

	ioapic_init(&a);
	set_pin(&a, 4, 0x31 | MASKED, 0);
	EXPECT_EQ(ioapic_set_line(&a, 4, true), 0);
	EXPECT_EQ(set_pin(&a, 4, 0x31, 0), 0);
	EXPECT_EQ(ioapic_set_line(&a, 4, false), 0);
	EXPECT_EQ(ioapic_set_line(&a, 4, true), 1 << 4);
}

static void level_waits_for_eoi(void)
{
	struct ioapic a;

	ioapic_init(&a);
	set_pin(&a, 9, 0x41 | LEVEL, 0);
	EXPECT_EQ(ioapic_set_line(&a, 9, true), 1 << 9);
	EXPECT_EQ(read_reg(&a, 0x22) >> 14 & 1, 1);
	EXPECT_EQ(ioapic_set_line(&a, 9, true), 0);
	EXPECT_EQ(ioapic_eoi(&a, 0x42), 0);
	/* Still asserted: it comes again; released: it does not. */
	EXPECT_EQ(ioapic_eoi(&a, 0x41), 1 << 9);
	EXPECT_EQ(ioapic_set_line(&a, 9, false), 0);
	EXPECT_EQ(ioapic_eoi(&a, 0x41), 0);
	EXPECT_EQ(read_reg(&a, 0x22) >> 14 & 1, 0);
	EXPECT_EQ(ioapic_set_line(&a, 9, true), 1 << 9);
}

static void masked_level_comes_when_unmasked(void)
{
	struct ioapic a;

	ioapic_init(&a);
	set_pin(&a, 9, 0x41 | LEVEL | MASKED, 0);
	EXPECT_EQ(ioapic_set_line(&a, 9, true), 0);
	EXPECT_EQ(write_reg(&a, 0x22, 0x41 | LEVEL), 1 << 9);
}

static void eoi_register_and_edge_trick(void)
{
	struct ioapic a;

	ioapic_init(&a);
	set_pin(&a, 9, 0x41 | LEVEL, 0);
	EXPECT_EQ(ioapic_set_line(&a, 9, true), 1 << 9);
	EXPECT_EQ(ioapic_write(&a, EOI, 0x41), 1 << 9);
	/* Switching to edge and back forgets the EOI that is owed. */
	write_reg(&a, 0x22, 0x41 | MASKED);
	EXPECT_EQ(read_reg(&a, 0x22) >> 14 & 1, 0);
	EXPECT_EQ(write_reg(&a, 0x22, 0x41 | LEVEL), 1 << 9);
}

static void shared_vector_serves_all_pins(void)
{
	struct ioapic a;

	ioapic_init(&a);
	set_pin(&a, 9, 0x41 | LEVEL, 0);
	set_pin(&a, 10, 0x41 | LEVEL, 0);
	EXPECT_EQ(ioapic_set_line(&a, 9, true), 1 << 9);
	EXPECT_EQ(ioapic_set_line(&a, 10, true), 1 << 10);
	EXPECT_EQ(ioapic_eoi(&a, 0x41), 1 << 9 | 1 << 10);
}

/* The invariant: a masked or edge pin never owes; no access leaves the table. */
static void random_accesses(void)
{
	struct ioapic_msi msi;
	struct ioapic a;
	unsigned int i, pin;
	u32 sent;

	srand(1);
	ioapic_init(&a);
	for (i = 0; i < 1000000; i++) {
		pin = rand() % IOAPIC_PINS;
		switch (rand() % 4) {
		case 0:
			sent = ioapic_set_line(&a, pin, rand() & 1);
			ASSERT(!(sent & ~(1u << pin)));
			break;
		case 1:
			ioapic_write(&a, SELECT, rand() % 0x48);
			sent = ioapic_write(&a, WINDOW, rand() * 2654435761u);
			break;
		case 2:
			sent = ioapic_eoi(&a, rand());
			break;
		default:
			sent = ioapic_write(&a, rand() % 0x1000, rand());
			ioapic_read(&a, rand() % 0x1000);
			break;
		}
		ASSERT(!(sent & ~0xffffffu));
		for (pin = 0; pin < IOAPIC_PINS; pin++) {
			if (sent & (1u << pin))
				ASSERT(ioapic_message(&a, pin, &msi));
			if (a.redirection[pin] & 1 << 14)
				ASSERT(a.redirection[pin] & LEVEL);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(registers_after_reset), TEST(reserved_bits_stay_zero),
		TEST(message_says_what_the_entry_says), TEST(edge_sends_once),
		TEST(masked_edge_is_lost), TEST(level_waits_for_eoi),
		TEST(masked_level_comes_when_unmasked),
		TEST(eoi_register_and_edge_trick),
		TEST(shared_vector_serves_all_pins), TEST(random_accesses),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
