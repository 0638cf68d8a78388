/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ACPI fixed hardware (PM1 event and control blocks), the reset register,
 * and pvpanic: the ways in which a guest says that it is done. Port numbers
 * are free choices; boot/acpi.c tells them to the guest. pvpanic's port is the
 * one its users expect. So are those of the PC's older ways to restart, the keyboard
 * controller's command (there is no keyboard) and the chipset's reset control register.
 */
#ifndef VMRUN_DEV_POWER_H
#define VMRUN_DEV_POWER_H

#include <pthread.h>

#include "../bus.h"
#include "../types.h"

#define POWER_PORT		0x600
#define POWER_PM1_EVENT		(POWER_PORT + 0)	/* status, enable */
#define POWER_PM1_CONTROL	(POWER_PORT + 4)
#define POWER_RESET		(POWER_PORT + 6)
#define POWER_PORTS		8

#define POWER_RESET_VALUE	0x01
#define POWER_SLEEP_S5		5	/* the SLP_TYP that _S5 names */
#define POWER_SCI		9	/* the interrupt: level, of the power button alone */

#define PVPANIC_PORT		0x505
#define KEYBOARD_PORT		0x64	/* status and command */

enum power_event {
	POWER_OFF,
	POWER_RESTART,
	POWER_PANICKED,		/* pvpanic */
	POWER_CRASH_LOADED,	/* pvpanic: a crash kernel takes over */
};

/* Called by the vCPU that wrote the register, without a lock. */
typedef void power_event_fn(void *ctx, enum power_event event);

/* Drives the SCI's line. Called with the device's lock held. */
typedef void power_sci_fn(void *ctx, bool level);

struct power {
	pthread_mutex_t lock;	/* status, enable, control, reset_control, sci */
	u16 status;
	u16 enable;
	u16 control;
	u8 reset_control;
	bool sci;		/* the line's level */
	power_event_fn *event;
	power_sci_fn *set_sci;
	void *ctx;
};

extern const struct bus_ops power_bus_ops;
extern const struct bus_ops pvpanic_bus_ops;
extern const struct bus_ops keyboard_bus_ops;
/* Port 0xcf9, one byte, which lies among the host bridge's: pci.h's reset. */
extern const struct bus_ops reset_control_bus_ops;

void power_init(struct power *power, power_event_fn *event, power_sci_fn *set_sci, void *ctx);

/* Presses the power button, and lets it go; whether the guest listens to it. Any thread. */
bool power_press_button(struct power *power);

void power_destroy(struct power *power);

#endif
