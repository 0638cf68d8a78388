// SPDX-License-Identifier: GPL-2.0
/*
 * Registers after the ACPI specification, "PM1 Event Grouping" and "PM1 Control
 * Grouping". The machine is always in ACPI mode (SCI_EN reads as one, there is
 * no SMI command port). Of the events there is one, the power button (4.8.2.2.1.1).
 */
#include <string.h>

#include "power.h"

enum { REG_STATUS = 0, REG_ENABLE = 2, REG_CONTROL = 4, REG_RESET = 6 };

#define EVENT_POWER_BUTTON	BIT(8)	/* PWRBTN_STS and PWRBTN_EN */

#define CONTROL_SCI_EN		BIT(0)
#define CONTROL_SLP_TYP_SHIFT	10
#define CONTROL_SLP_EN		BIT(13)

#define KEYBOARD_PULSE_RESET	0xfe	/* the 8042's command "pulse output line 0" */
#define RESET_CPU		BIT(2)	/* of the reset control register; its edge restarts */
#define RESET_KEPT		0x0e

#define PVPANIC_PANICKED	BIT(0)
#define PVPANIC_CRASH_LOADED	BIT(1)

static u8 read_reg(const struct power *power, u64 offset)
{
	switch (offset) {
	case REG_STATUS:
		return power->status;
	case REG_STATUS + 1:
		return power->status >> 8;
	case REG_ENABLE:
		return power->enable;
	case REG_ENABLE + 1:
		return power->enable >> 8;
	case REG_CONTROL:
		return power->control | CONTROL_SCI_EN;
	case REG_CONTROL + 1:
		return power->control >> 8;
	default:
		return 0;
	}
}

static void set_byte(u16 *reg, u64 offset, u8 value)
{
	unsigned int shift = offset & 1 ? 8 : 0;

	*reg = (*reg & ~(0xffu << shift)) | (u16)(value << shift);
}

/* The SCI is raised while an event that is enabled has happened. */
static void update_sci(struct power *power)
{
	bool level = power->status & power->enable;

	if (level != power->sci)
		power->set_sci(power->ctx, level);
	power->sci = level;
}

/* True when the write is an event, named in @event. */
static bool write_reg(struct power *power, u64 offset, u8 value,
		      enum power_event *event)
{
	switch (offset) {
	case REG_STATUS:
	case REG_STATUS + 1:
		/* Ones clear. */
		power->status &= ~(value << (offset & 1 ? 8 : 0));
		update_sci(power);
		return false;
	case REG_ENABLE:
	case REG_ENABLE + 1:
		set_byte(&power->enable, offset, value);
		update_sci(power);
		return false;
	case REG_CONTROL:
	case REG_CONTROL + 1:
		set_byte(&power->control, offset, value);
		if (!(power->control & CONTROL_SLP_EN))
			return false;
		/* SLP_EN is a trigger and reads as zero. */
		power->control &= ~CONTROL_SLP_EN;
		*event = POWER_OFF;
		return (power->control >> CONTROL_SLP_TYP_SHIFT & 7) ==
		       POWER_SLEEP_S5;
	case REG_RESET:
		*event = POWER_RESTART;
		return value == POWER_RESET_VALUE;
	default:
		return false;
	}
}

static void power_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct power *power = dev;
	unsigned int i;

	pthread_mutex_lock(&power->lock);
	for (i = 0; i < len; i++)
		data[i] = read_reg(power, offset + i);
	pthread_mutex_unlock(&power->lock);
}

static void power_write(void *dev, u64 offset, const u8 *data,
			unsigned int len)
{
	struct power *power = dev;
	enum power_event event;
	unsigned int i;

	for (i = 0; i < len; i++) {
		bool fire;

		pthread_mutex_lock(&power->lock);
		fire = write_reg(power, offset + i, data[i], &event);
		pthread_mutex_unlock(&power->lock);
		if (fire)
			power->event(power->ctx, event);
	}
}

const struct bus_ops power_bus_ops = {
	.read = power_read,
	.write = power_write,
};

/* Reading tells which events the device knows. */
static void pvpanic_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	(void)dev;
	(void)offset;
	memset(data, 0, len);
	data[0] = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(void *dev, u64 offset, const u8 *data,
			  unsigned int len)
{
	struct power *power = dev;

	(void)offset;
	(void)len;
	if (data[0] & PVPANIC_PANICKED)
		power->event(power->ctx, POWER_PANICKED);
	else if (data[0] & PVPANIC_CRASH_LOADED)
		power->event(power->ctx, POWER_CRASH_LOADED);
}

const struct bus_ops pvpanic_bus_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
};

/* Its buffers are always empty, so nobody waits before the command. */
static void keyboard_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	(void)dev;
	(void)offset;
	memset(data, 0, len);
}

static void keyboard_write(void *dev, u64 offset, const u8 *data, unsigned int len)
{
	struct power *power = dev;

	(void)offset;
	(void)len;
	if (data[0] == KEYBOARD_PULSE_RESET)
		power->event(power->ctx, POWER_RESTART);
}

const struct bus_ops keyboard_bus_ops = {
	.read = keyboard_read,
	.write = keyboard_write,
};

static void reset_control_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct power *power = dev;

	(void)offset;
	memset(data, 0, len);
	pthread_mutex_lock(&power->lock);
	data[0] = power->reset_control;
	pthread_mutex_unlock(&power->lock);
}

static void reset_control_write(void *dev, u64 offset, const u8 *data, unsigned int len)
{
	struct power *power = dev;
	bool fire;

	(void)offset;
	(void)len;
	pthread_mutex_lock(&power->lock);
	fire = (data[0] & RESET_CPU) && !(power->reset_control & RESET_CPU);
	power->reset_control = data[0] & RESET_KEPT;
	pthread_mutex_unlock(&power->lock);
	if (fire)
		power->event(power->ctx, POWER_RESTART);
}

const struct bus_ops reset_control_bus_ops = {
	.read = reset_control_read,
	.write = reset_control_write,
};

bool power_press_button(struct power *power)
{
	bool heard;

	pthread_mutex_lock(&power->lock);
	power->status |= EVENT_POWER_BUTTON;
	heard = power->enable & EVENT_POWER_BUTTON;
	update_sci(power);
	pthread_mutex_unlock(&power->lock);
	return heard;
}

void power_init(struct power *power, power_event_fn *event, power_sci_fn *set_sci, void *ctx)
{
	memset(power, 0, sizeof(*power));
	pthread_mutex_init(&power->lock, NULL);
	power->event = event;
	power->set_sci = set_sci;
	power->ctx = ctx;
}

void power_destroy(struct power *power)
{
	pthread_mutex_destroy(&power->lock);
}
