// SPDX-License-Identifier: GPL-2.0
/*
 * The power registers and pvpanic, as Linux writes them.
 */
#include <stdlib.h>

#include "../dev/power.h"
#include "ktap.h"

static void record(void *ctx, enum power_event event)
{
	*(int *)ctx = event;
}

static void no_sci(void *ctx, bool level)
{
	(void)ctx;
	(void)level;
}

static void write_byte(struct power *p, u64 offset, u8 value)
{
	power_bus_ops.write(p, offset, &value, 1);
}

static u8 read_byte(struct power *p, u64 offset)
{
	u8 value = 0x77;

	power_bus_ops.read(p, offset, &value, 1);
	return value;
}

/* A device of one port. */
static void write_port(const struct bus_ops *ops, struct power *p, u8 value)
{
	ops->write(p, 0, &value, 1);
}

static u8 read_port(const struct bus_ops *ops, struct power *p)
{
	u8 value = 0x77;

	ops->read(p, 0, &value, 1);
	return value;
}

static void only_s5_powers_off(void)
{
	struct power p;
	int event = -1, typ;

	power_init(&p, record, no_sci, &event);
	/* First the type alone, then with SLP_EN: ACPICA's two writes. */
	write_byte(&p, 4, 0x01);
	write_byte(&p, 5, POWER_SLEEP_S5 << 2);
	EXPECT_EQ(event, -1);
	write_byte(&p, 5, POWER_SLEEP_S5 << 2 | 0x20);
	EXPECT_EQ(event, POWER_OFF);
	for (typ = 0; typ < 8; typ++) {
		event = -1;
		write_byte(&p, 5, typ << 2 | 0x20);
		EXPECT_EQ(event, typ == POWER_SLEEP_S5 ? POWER_OFF : -1);
	}
}

static void acpi_mode_is_always_on(void)
{
	struct power p;
	int event = -1;

	power_init(&p, record, no_sci, &event);
	write_byte(&p, 4, 0);
	EXPECT_EQ(read_byte(&p, 4), 1);
	write_byte(&p, 5, 0x20);
	EXPECT_EQ(read_byte(&p, 5) & 0x20, 0);
	write_byte(&p, 3, 0x5a);
	EXPECT_EQ(read_byte(&p, 3), 0x5a);
	EXPECT_EQ(event, -1);
}

static void reset_register(void)
{
	struct power p;
	int event = -1;

	power_init(&p, record, no_sci, &event);
	write_byte(&p, 6, 0);
	EXPECT_EQ(event, -1);
	write_byte(&p, 6, POWER_RESET_VALUE);
	EXPECT_EQ(event, POWER_RESTART);
}

/* The status is read until it says that the controller is ready. */
static void keyboard_controller(void)
{
	struct power p;
	int event = -1;

	power_init(&p, record, no_sci, &event);
	EXPECT_EQ(read_port(&keyboard_bus_ops, &p), 0);
	write_port(&keyboard_bus_ops, &p, 0xaa);
	EXPECT_EQ(event, -1);
	write_port(&keyboard_bus_ops, &p, 0xfe);
	EXPECT_EQ(event, POWER_RESTART);
}

/* What kind of reset first, then the edge. */
static void reset_control(void)
{
	static const u8 writes[] = { 0x02, 0x00, 0xf3, 0x06 };
	struct power p;
	int event = -1;
	unsigned int i;

	power_init(&p, record, no_sci, &event);
	for (i = 0; i < COUNT(writes); i++) {
		EXPECT_EQ(event, -1);
		write_port(&reset_control_bus_ops, &p, writes[i]);
		EXPECT_EQ(read_port(&reset_control_bus_ops, &p), writes[i] & 0x0e);
	}
	EXPECT_EQ(event, POWER_RESTART);
}

static void pvpanic(void)
{
	struct power p;
	int event = -1;

	power_init(&p, record, no_sci, &event);
	EXPECT_EQ(read_port(&pvpanic_bus_ops, &p), 3);
	write_port(&pvpanic_bus_ops, &p, 0xfc);
	EXPECT_EQ(event, -1);
	write_port(&pvpanic_bus_ops, &p, 2);
	EXPECT_EQ(event, POWER_CRASH_LOADED);
	write_port(&pvpanic_bus_ops, &p, 1);
	EXPECT_EQ(event, POWER_PANICKED);
}

static void set_level(void *ctx, bool level)
{
	*(int *)ctx = level;
}

static void power_button(void)
{
	struct power p;
	int level = 0;

	power_init(&p, record, set_level, &level);
	/* Nobody listens: the event stays until somebody does. */
	EXPECT(!power_press_button(&p));
	EXPECT_EQ(level, 0);
	EXPECT_EQ(read_byte(&p, 1), 1);
	write_byte(&p, 3, 1);
	EXPECT_EQ(level, 1);
	/* Zeroes clear nothing, the one does, once and for all. */
	write_byte(&p, 1, 0xfe);
	write_byte(&p, 0, 0xff);
	EXPECT_EQ(level, 1);
	write_byte(&p, 1, 1);
	EXPECT_EQ(level, 0);
	EXPECT_EQ(read_byte(&p, 1), 0);
	EXPECT(power_press_button(&p));
	EXPECT_EQ(level, 1);
	/* Switched off, it is quiet, and not forgotten. */
	write_byte(&p, 3, 0);
	EXPECT_EQ(level, 0);
	write_byte(&p, 3, 1);
	EXPECT_EQ(level, 1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(only_s5_powers_off), TEST(acpi_mode_is_always_on),
		TEST(reset_register), TEST(pvpanic),
		TEST(power_button), TEST(keyboard_controller), TEST(reset_control),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
