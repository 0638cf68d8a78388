// SPDX-License-Identifier: GPL-2.0
/*
 * The glue around the I/O APIC model: it locks, tells the accelerator which
 * messages the pins send (that is how its local APICs learn which vectors are
 * level-triggered and want an EOI exit), and sends them. Sources of messages (the MSI-X
 * vectors of virtio/pci.c) are eventfds that the accelerator turns into interrupts.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "irq.h"

#define MSI_ADDRESS_MASK	0xfffffffffff00000ull
#define MSI_ADDRESS		0xfee00000ull

_Static_assert(IOAPIC_PINS + IRQ_MAX_MSI <= KVIRT_MAX_ROUTES, "the table takes all routes");

/*
 * Keep the accelerator's table equal to the unmasked pins and to the messages. A change
 * costs it a grace period, so nothing is sent when nothing changed. A message that is masked
 * stays in: it is not sent meanwhile, one on its way still arrives, and the common case, that
 * it is unmasked as it was, costs nothing.
 */
static void update_routes(struct irq *irq)
{
	struct kvirt_route route[IOAPIC_PINS + IRQ_MAX_MSI];
	unsigned int pin, i, n = 0;
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
	irq->nr_pins = n;
	irq->used |= n > 0;
	for (i = 0; i < IRQ_MAX_MSI; i++)
		if (irq->msi[i].routed)
			route[n++] = (struct kvirt_route){
				IOAPIC_PINS + i, irq->msi[i].address, irq->msi[i].data,
			};
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
	ret = irq->used && !irq->nr_pins;
	pthread_mutex_unlock(&irq->lock);
	return ret;
}

int irq_alloc_msi(struct irq *irq, struct vm_error *err)
{
	int i, fd;

	for (i = 0; i < IRQ_MAX_MSI && irq->msi[i].used; i++)
		;
	if (i == IRQ_MAX_MSI)
		return vm_fail(err, VM_STATUS_FAILURE, "give the machine fewer devices",
			       "the devices want more than %u interrupts", IRQ_MAX_MSI);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE, "are too many files open?",
			       "cannot create an interrupt: %s", strerror(errno));
	if (kvirt_assign_irqfd(irq->kvirt, fd, IOAPIC_PINS + i, err)) {
		close(fd);
		return -1;
	}
	pthread_mutex_lock(&irq->lock);
	irq->msi[i] = (struct irq_msi){ .used = true, .masked = true, .fd = fd };
	pthread_mutex_unlock(&irq->lock);
	return i;
}

void irq_free_msi(struct irq *irq, int msi)
{
	struct irq_msi *m = &irq->msi[msi];

	pthread_mutex_lock(&irq->lock);
	kvirt_deassign_irqfd(irq->kvirt, m->fd, IOAPIC_PINS + msi);
	close(m->fd);
	*m = (struct irq_msi){ .used = false };
	update_routes(irq);
	pthread_mutex_unlock(&irq->lock);
}

/* With irq->lock held, so that no mask comes between the look and the signal. */
static void send_msi(const struct irq_msi *m)
{
	u64 one = 1;

	/* It can only fail when the counter is full: then a signal is there. */
	if (m->routed && write(m->fd, &one, sizeof(one)) < 0)
		return;
}

void irq_signal_msi(struct irq *irq, int msi)
{
	struct irq_msi *m = &irq->msi[msi];

	pthread_mutex_lock(&irq->lock);
	if (m->masked)
		m->pending = true;
	else
		send_msi(m);
	pthread_mutex_unlock(&irq->lock);
}

void irq_mask_msi(struct irq *irq, int msi)
{
	pthread_mutex_lock(&irq->lock);
	irq->msi[msi].masked = true;
	pthread_mutex_unlock(&irq->lock);
}

void irq_unmask_msi(struct irq *irq, int msi, u64 address, u32 data)
{
	struct irq_msi *m = &irq->msi[msi];

	pthread_mutex_lock(&irq->lock);
	m->masked = false;
	/* Another address is memory's, or another machine's: nobody takes it. */
	m->routed = (address & MSI_ADDRESS_MASK) == MSI_ADDRESS;
	m->address = address;
	m->data = data;
	update_routes(irq);
	if (m->pending)
		send_msi(m);
	m->pending = false;
	pthread_mutex_unlock(&irq->lock);
}

bool irq_msi_is_pending(struct irq *irq, int msi)
{
	bool ret;

	pthread_mutex_lock(&irq->lock);
	ret = irq->msi[msi].pending;
	pthread_mutex_unlock(&irq->lock);
	return ret;
}

void irq_forget_msi(struct irq *irq, int msi)
{
	pthread_mutex_lock(&irq->lock);
	irq->msi[msi].pending = false;
	pthread_mutex_unlock(&irq->lock);
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
