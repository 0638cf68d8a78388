/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 16550A serial port. Where its bytes go to and come from, and what its
 * interrupt line does, is told by struct serial_ops.
 */
#ifndef VMRUN_DEV_SERIAL_H
#define VMRUN_DEV_SERIAL_H

#include <pthread.h>

#include "../bus.h"
#include "../types.h"

#define SERIAL_PORTS		8
#define SERIAL_FIFO_SIZE	16

/* All are called with the port's lock held: they must not call back into it. */
struct serial_ops {
	/* Takes one byte; true while there is room for another. */
	bool (*transmit)(void *ctx, u8 byte);
	/* The guest has made room (serial_room() is not 0 any more). */
	void (*receive_ready)(void *ctx);
	void (*set_irq)(void *ctx, bool level);
};

struct serial {
	pthread_mutex_t lock;	/* everything below */
	const struct serial_ops *ops;
	void *ctx;

	u8 ier, lcr, mcr, scr, dll, dlm;
	u8 lsr_errors;		/* overrun, until LSR is read */
	bool fifo_enabled;
	u8 fifo_trigger;	/* bytes that make "data available" of a timeout */
	bool transmit_room;	/* the far end takes bytes: THR is empty */
	bool transmit_pending;	/* "THR empty" waits to be reported */
	bool irq_level;
	bool starved;		/* the far end found no room and waits */

	u8 rx[SERIAL_FIFO_SIZE];
	unsigned int rx_head, rx_count;
};

extern const struct bus_ops serial_bus_ops;

void serial_init(struct serial *s, const struct serial_ops *ops, void *ctx);
void serial_destroy(struct serial *s);

/*
 * How many bytes the port takes now. None before the guest raises RTS: what
 * comes earlier would be lost when its driver clears the FIFO. When the answer
 * is 0, receive_ready() follows later.
 */
unsigned int serial_room(struct serial *s);

/* Hands over @len received bytes, at most what serial_room() said. */
void serial_receive(struct serial *s, const u8 *data, unsigned int len);

/* The far end, whose transmit() said that it is full, has room again. */
void serial_transmit_ready(struct serial *s);

#endif
