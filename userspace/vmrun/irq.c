// SPDX-License-Identifier: GPL-2.0
/*
 * The glue around the I/O APIC model: it locks, tells the accelerator which
 * messages the pins send (that is how its local APICs learn which vectors are
 * level-triggered and want an EOI exit), and sends them.
 */
#include <string.h>

#include "irq.h"

/*
 * Keep the accelerator's table equal to the unmasked pins. A change costs it
 * a grace period, so nothing is sent when nothing changed.
 */
static void update_routes(struct irq *irq)
{
	struct kvirt_route route[IOAPIC_PINS];
	unsigned int pin, n = 0;
	struct ioapic_msi msi;

	memset(route, 0, sizeof(route));
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		if (!ioapic_message(&irq->ioapic, pin, &msi))
			continue;
		route[n].gsi = pin;
		route[n].address = msi.address;
		route[n].data = msi.data;
		n++;
	}
	irq->used |= n > 0;
	if (n == irq->nr_routes && !memcmp(route, irq->route, sizeof(route)))
		return;
	memcpy(irq->route, route, sizeof(route));
	irq->nr_routes = n;
	kvirt_set_routes(irq->kvirt, route, n);
}

static void send_pins(struct irq *irq, u32 pins)
{
	struct ioapic_msi msi;
	unsigned int pin;

	for (pin = 0; pins; pin++, pins >>= 1)
		if ((pins & 1) && ioapic_message(&irq->ioapic, pin, &msi))
			kvirt_signal_msi(irq->kvirt, msi.address, msi.data);
}

void irq_set_line(struct irq *irq, unsigned int gsi, bool level)
{
	pthread_mutex_lock(&irq->lock);
	send_pins(irq, ioapic_set_line(&irq->ioapic, gsi, level));
	pthread_mutex_unlock(&irq->lock);
}

void irq_eoi(struct irq *irq, u8 vector)
{
	pthread_mutex_lock(&irq->lock);
	send_pins(irq, ioapic_eoi(&irq->ioapic, vector));
	pthread_mutex_unlock(&irq->lock);
}

bool irq_was_shut_down(struct irq *irq)
{
	bool ret;

	pthread_mutex_lock(&irq->lock);
	ret = irq->used && !irq->nr_routes;
	pthread_mutex_unlock(&irq->lock);
	return ret;
}

/* Registers are 32 bits wide; of a wider read the rest is zero. */
static void ioapic_bus_read(void *dev, u64 offset, u8 *data, unsigned int len)
{
	struct irq *irq = dev;
	u32 value;

	pthread_mutex_lock(&irq->lock);
	value = ioapic_read(&irq->ioapic, offset);
	pthread_mutex_unlock(&irq->lock);
	memset(data, 0, len);
	memcpy(data, &value, min_u64(len, sizeof(value)));
}

static void ioapic_bus_write(void *dev, u64 offset, const u8 *data,
			     unsigned int len)
{
	struct irq *irq = dev;
	u32 value = 0, pins;

	memcpy(&value, data, min_u64(len, sizeof(value)));
	pthread_mutex_lock(&irq->lock);
	pins = ioapic_write(&irq->ioapic, offset, value);
	/* The EOI of what is sent below must find its route. */
	update_routes(irq);
	send_pins(irq, pins);
	pthread_mutex_unlock(&irq->lock);
}

const struct bus_ops irq_ioapic_bus_ops = {
	.read = ioapic_bus_read,
	.write = ioapic_bus_write,
};

void irq_init(struct irq *irq, struct kvirt *kvirt)
{
	memset(irq, 0, sizeof(*irq));
	pthread_mutex_init(&irq->lock, NULL);
	ioapic_init(&irq->ioapic);
	irq->kvirt = kvirt;
}

void irq_destroy(struct irq *irq)
{
	pthread_mutex_destroy(&irq->lock);
}
