// SPDX-License-Identifier: GPL-2.0
/*
 * The ports of a PC that a guest reads and writes as it likes: serial port, clock, power registers, pvpanic, 8042 and the reset
 * control, on a bus as the machine has them, while bytes come for the serial port and the button is pressed. Registers
 * of a byte stay within it, the FIFO holds what it can, and an interrupt's line is only told when it changes.
 */
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "dev/power.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "fuzz.h"

#define COM1	0x3f8
#define RESET	0xcf9

enum { READ, WRITE, RECEIVE, READY, BUTTON, TIME, NR_OPS };

struct step {
	u8 what, port, len, flags;
	u8 data[8];
};

static struct world {
	struct bus ports;
	struct serial serial;
	struct rtc rtc;
	struct power power;
	bool irq, sci;
} w;

static u64 time_now;

static u64 now(void)
{
	return time_now;
}

static bool transmit(void *ctx, u8 byte)
{
	/* Said to who is full it is lost. */
	return byte & 1;
}

static void receive_ready(void *ctx)
{
}

static void set_irq(void *ctx, bool level)
{
	MUST(level != w.irq);
	w.irq = level;
}

static void set_sci(void *ctx, bool level)
{
	MUST(level != w.sci);
	w.sci = level;
}

static void event(void *ctx, enum power_event event)
{
	MUST(event <= POWER_CRASH_LOADED);
}

static const struct serial_ops ops = { transmit, receive_ready, set_irq };

static u16 port_of(const struct step *s)
{
	static const u16 first[] = { COM1, RTC_PORT, POWER_PORT, PVPANIC_PORT, KEYBOARD_PORT, RESET, 0xfffc, 0 };

	return first[s->port >> 5] + (s->port & 0x1f) % 12 - 1;
}

static void access_port(const struct step *s)
{
	unsigned int len = 1 << s->len % 4;
	u8 data[BUS_MAX_ACCESS + 1];

	memcpy(data, s->data, sizeof(s->data));
	data[len] = 0x5a;
	if (s->what % NR_OPS == WRITE)
		bus_write(&w.ports, port_of(s), data, len);
	else
		bus_read(&w.ports, port_of(s), data, len);
	MUST(data[len] == 0x5a);
}

static void receive(const struct step *s)
{
	unsigned int room = serial_room(&w.serial), len = s->len % (room + 1);
	u8 data[SERIAL_FIFO_SIZE];

	MUST(room <= SERIAL_FIFO_SIZE);
	memset(data, s->flags, sizeof(data));
	serial_receive(&w.serial, data, len);
	MUST(w.serial.rx_count <= SERIAL_FIFO_SIZE);
}

static void step(const struct step *s)
{
	switch (s->what % NR_OPS) {
	case READ:
	case WRITE:
		access_port(s);
		break;
	case RECEIVE:
		receive(s);
		break;
	case READY:
		serial_transmit_ready(&w.serial);
		break;
	case BUTTON:
		power_press_button(&w.power);
		break;
	case TIME:
		memcpy(&time_now, s->data, sizeof(time_now));
		break;
	}
	MUST(w.serial.rx_count <= SERIAL_FIFO_SIZE && w.serial.rx_head < SERIAL_FIFO_SIZE);
	MUST(w.serial.irq_level == w.irq && w.power.sci == w.sci);
	MUST(w.rtc.index < RTC_SIZE);
}

void fuzz_input(const uint8_t *data, size_t size)
{
	struct step s;

	memset(&w, 0, sizeof(w));
	time_now = 0;
	w.ports.bytes = true;
	serial_init(&w.serial, &ops, &w);
	rtc_init(&w.rtc, now);
	power_init(&w.power, event, set_sci, &w);
	MUST(!bus_add(&w.ports, COM1, SERIAL_PORTS, &serial_bus_ops, &w.serial));
	MUST(!bus_add(&w.ports, RTC_PORT, RTC_PORTS, &rtc_bus_ops, &w.rtc));
	MUST(!bus_add(&w.ports, POWER_PORT, POWER_PORTS, &power_bus_ops, &w.power));
	MUST(!bus_add(&w.ports, PVPANIC_PORT, 1, &pvpanic_bus_ops, &w.power));
	MUST(!bus_add(&w.ports, KEYBOARD_PORT, 1, &keyboard_bus_ops, &w.power));
	MUST(!bus_add(&w.ports, RESET, 1, &reset_control_bus_ops, &w.power));
	while (size >= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		data += sizeof(s);
		size -= sizeof(s);
		step(&s);
	}
	serial_destroy(&w.serial);
	rtc_destroy(&w.rtc);
	power_destroy(&w.power);
}
