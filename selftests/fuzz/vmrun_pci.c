// SPDX-License-Identifier: GPL-2.0
/*
 * vmrun's PCI bus, virtio's transport and MSI-X against a guest that writes what it likes where it likes: configuration space by
 * both ways, the BARs wherever they are, the rings. Without the bus master bit no device takes a request, writes to memory or
 * sends a message; none is sent that MSI-X does not let through; devices start and stop in turn; doorbells are where the BAR
 * is, of devices that run; and nothing is left behind.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fuzz.h"
#include "tests/fake_kvirt.h"
#include "virtio/pci.h"

#define DEVICES	2
#define QUEUES	2
#define SIZE	8
#define MEMORY	0x2000
#define NOTIFY	0x3000
#define TABLE	0x4000
#define MSIX	0x98	/* of configuration space; create() looks */

/* Those from SIGNAL on are short: one byte for who, where and value. */
enum { CONFIG, PORT, COMMON, VECTOR, ANYWHERE, RAM, SIGNAL, TURN, DRIVE, COMMAND, MASK, OFFER, NR_OPS };

struct step {
	u8 what, who;
	u16 where;
	u32 value;
};

struct device {
	struct virtio_device dev;
	struct virtio_pci *vpci;
	bool running;	/* between start and stop */
};

static struct world {
	struct bus mmio, ports;
	struct memory mem;
	struct pci pci;
	struct irq irq;
	struct loop loop;
	int end_fd;
	struct device device[DEVICES];
} w;

static u64 config_addr(unsigned int i, unsigned int reg)
{
	return PCI_ECAM_BASE + ((u64)(i + 1) << 15) + reg;
}

static u64 get(u64 addr, unsigned int len)
{
	u64 value = 0;

	bus_read(&w.mmio, addr, (u8 *)&value, len);
	return value;
}

static void put(u64 addr, u64 value, unsigned int len)
{
	bus_write(&w.mmio, addr, (u8 *)&value, len);
}

static bool is_master(unsigned int i)
{
	return get(config_addr(i, 4), 2) & BIT(2);
}

static unsigned int index_of(const struct virtio_device *dev)
{
	return (const struct device *)dev - w.device;
}

static void on_start(struct virtio_device *dev)
{
	struct device *d = &w.device[index_of(dev)];

	MUST(dev->started && !d->running && is_master(index_of(dev)));
	d->running = true;
}

static void on_stop(struct virtio_device *dev)
{
	MUST(!dev->started);
	w.device[index_of(dev)].running = false;
}

static void on_kick(struct virtio_device *dev, unsigned int queue)
{
	struct ring *ring = &dev->queue[queue];
	struct ring_chain chain;
	unsigned int n;

	MUST(queue < QUEUES && w.device[index_of(dev)].running && ring->started && is_master(index_of(dev)));
	for (n = 0; n < SIZE && ring_pop(ring, &chain) > 0; n++)
		ring_push(ring, &chain, ring_copy_to(&chain, 0, "0123456789abcdef", 16));
	virtio_signal(dev, queue);
}

static const struct virtio_device_ops ops = { .start = on_start, .stop = on_stop, .kick = on_kick };

static void end_turn(void *ctx, u32 events)
{
	u64 count;

	(void)events;
	MUST(read(w.end_fd, &count, sizeof(count)) == sizeof(count));
	loop_stop(ctx);
}

static void turn(void)
{
	struct vm_error err = { 0 };

	eventfd_write(w.end_fd, 1);
	MUST(!loop_run(&w.loop, &err));
	w.loop.stop = false;
}

/* A device is rarely set up by chance. */
static void drive(unsigned int i, u32 value)
{
	u64 bar = pci_bar_addr(w.pci.function[i + 1], 0);
	unsigned int q;

	put(bar + 0x14, 0, 1);
	put(bar + 0x14, 3, 1);
	put(bar + 0x08, 1, 4);
	put(bar + 0x0c, 1, 4);
	put(bar + 0x14, 0x0b, 1);
	for (q = 0; q < QUEUES; q++) {
		put(bar + 0x16, q, 2);
		put(bar + 0x1a, value >> (8 * q) & 3, 2);
		put(bar + 0x20, 0x1000 * q, 8);
		put(bar + 0x28, 0x1000 * q + 0x400, 8);
		put(bar + 0x30, 0x1000 * q + 0x800, 8);
		put(bar + 0x1c, 1, 2);
		put(bar + TABLE + 16 * q, 0xfee00000, 8);
		put(bar + TABLE + 16 * q + 8, 0x30, 8);
	}
	put(config_addr(i, MSIX + 2), BIT(15), 2);
	put(bar + 0x10, QUEUES, 2);
	put(bar + TABLE + 16 * QUEUES, 0xfee00000, 8);
	put(bar + TABLE + 16 * QUEUES + 8, 0x31, 8);
	put(bar + 0x14, 0x0f, 1);
}

/* One more request, whose descriptor is what lies there. */
static void offer(unsigned int queue, u32 value)
{
	u8 *ring = w.mem.region[0].host_addr + 0x1000 * queue;
	const struct { u64 addr; u32 len; u16 flags, next; } desc = { value % MEMORY, 16, 2, 0 };
	u16 idx;

	memcpy(ring, &desc, sizeof(desc));
	memcpy(&idx, ring + 0x402, sizeof(idx));
	idx++;
	memcpy(ring + 0x402, &idx, sizeof(idx));
}

static void touch(u64 addr, const struct step *s, struct bus *bus)
{
	unsigned int len = 1u << (s->who >> 1 & 3);
	u8 data[16];

	/* Ports are four bytes at most. */
	if (bus == &w.ports && len > 4)
		len = 4;
	memset(data, 0xa5, sizeof(data));
	memcpy(data, &s->value, sizeof(s->value));
	if (s->who & 0x80)
		bus_read(bus, addr, data, len);
	else
		bus_write(bus, addr, data, len);
	for (; len < sizeof(data); len++)
		MUST(data[len] == (len < sizeof(s->value) ? ((const u8 *)&s->value)[len] : 0xa5));
}

static void do_step(const struct step *s)
{
	unsigned int i = s->who & 1;
	u64 bar = pci_bar_addr(w.pci.function[i + 1], 0);
	struct virtio_device *dev = &w.device[i].dev;

	switch (s->what) {
	case CONFIG:
		touch(PCI_ECAM_BASE + (s->where & 0x8000 ? (u32)s->where << 4 : (i + 1) << 15 | (s->where & 0x1ff)), s, &w.mmio);
		break;
	case PORT:
		touch(PCI_CONFIG_PORT + s->where % 10, s, &w.ports);
		break;
	case COMMON:
		touch(bar + s->where % 64, s, &w.mmio);
		break;
	case VECTOR:
		touch(bar + TABLE + s->where % 64, s, &w.mmio);
		break;
	case ANYWHERE:
		touch(PCI_WINDOW_BASE + s->where, s, &w.mmio);
		break;
	case RAM:
		memcpy(w.mem.region[0].host_addr + s->where % (MEMORY - 4), &s->value, 4);
		break;
	case SIGNAL:
		pthread_mutex_lock(&dev->lock);
		if (s->value & 1)
			virtio_signal(dev, s->where % QUEUES);
		else
			virtio_config_changed(dev);
		pthread_mutex_unlock(&dev->lock);
		break;
	case TURN:
		turn();
		break;
	case DRIVE:
		drive(i, s->value);
		break;
	case COMMAND:
		put(config_addr(i, 4), s->value & 7, 2);
		break;
	case MASK:
		put(bar + TABLE + 16 * (s->where % (QUEUES + 1)) + 12, s->value & 1, 4);
		break;
	case OFFER:
		offer(s->where % QUEUES, s->value);
		break;
	}
}

/* Which device an irqfd belongs to, and its vector: they were made in order, three a device. */
static void check_messages(const bool *before)
{
	unsigned int n;
	u64 count;

	for (n = 0; n < fake.nr_irqfds; n++) {
		unsigned int i = n / (QUEUES + 1);

		if (read(fake.irqfd[n].fd, &count, sizeof(count)) < 0)
			continue;
		MUST(before[i] || is_master(i));
	}
}

static void check_doorbells(void)
{
	unsigned int n, i, found = 0;

	for (i = 0; i < DEVICES; i++) {
		u64 bar = pci_bar_addr(w.pci.function[i + 1], 0);

		if (!w.device[i].running || bar == PCI_BAR_OFF)
			continue;
		for (n = 0; n < QUEUES; n++)
			MUST(fake_doorbell(bar + NOTIFY + 4 * n) >= 0);
		found += QUEUES;
	}
	MUST(fake.nr_doorbells == found);
}

/* Without master no step changes what a device would: its used rings. */
static void check_memory(const bool *before, const struct step *s, const u8 *old)
{
	if (s->what != RAM && s->what != OFFER && !before[0] && !before[1] && !is_master(0) && !is_master(1))
		MUST(!memcmp(old, w.mem.region[0].host_addr, MEMORY));
}

static void create(void)
{
	static const u16 sizes[QUEUES] = { SIZE, SIZE };
	struct vm_error err = { 0 };
	unsigned int i;

	memset(&w, 0, sizeof(w));
	memset(&fake, 0, sizeof(fake));
	w.ports.bytes = true;
	w.mem.region[0] = (struct memory_region){ .size = MEMORY, .host_addr = calloc(1, MEMORY) };
	w.mem.nr_regions = 1;
	irq_init(&w.irq, NULL);
	MUST(!loop_create(&w.loop, &err) && !pci_create(&w.pci, &w.mem, &err) && !pci_attach(&w.pci, &w.mmio, &w.ports));
	w.end_fd = eventfd(0, EFD_NONBLOCK);
	for (i = 0; i < DEVICES; i++) {
		struct device *d = &w.device[i];

		virtio_device_init(&d->dev, "fuzz", VIRTIO_ID_ENTROPY, &ops, 0, sizes, QUEUES, &w.loop);
		/* The log is not for fuzzers. */
		d->dev.nr_told = 1000;
		d->vpci = virtio_pci_add(&w.pci, &w.irq, &d->dev, &err);
		MUST(d->vpci && get(config_addr(i, MSIX), 1) == 0x11);
		put(config_addr(i, 4), 6, 2);
		drive(i, 0x0100);
	}
	MUST(loop_watch(&w.loop, w.end_fd, EPOLLIN, end_turn, &w.loop) >= 0);
}

static void destroy(void)
{
	unsigned int i;

	for (i = 0; i < DEVICES; i++) {
		virtio_pci_remove(w.device[i].vpci);
		MUST(!w.device[i].running);
		virtio_device_destroy(&w.device[i].dev);
	}
	MUST(!fake.nr_irqfds && !fake.nr_doorbells && !fake.nr_routes);
	pci_destroy(&w.pci);
	irq_destroy(&w.irq);
	loop_destroy(&w.loop);
	close(w.end_fd);
	free(w.mem.region[0].host_addr);
}

/* The next step of the input: few bytes, so that short inputs go far. */
static size_t take(const uint8_t *data, size_t size, struct step *s)
{
	*s = (struct step){ .what = data[0] % NR_OPS };
	if (size < 2)
		return 1;
	s->who = data[1];
	if (s->what >= SIGNAL) {
		s->where = s->value = s->who >> 1;
		return 2;
	}
	memcpy(&s->where, data + 2, size < 4 ? size - 2 : 2);
	if (size > 4)
		memcpy(&s->value, data + 4, size < 8 ? size - 4 : 4);
	return size < 8 ? size : 8;
}

void fuzz_input(const uint8_t *data, size_t size)
{
	static u8 old[MEMORY];
	bool before[DEVICES];
	struct step s;
	size_t n;

	create();
	for (; size; data += n, size -= n) {
		n = take(data, size, &s);
		before[0] = is_master(0);
		before[1] = is_master(1);
		memcpy(old, w.mem.region[0].host_addr, MEMORY);
		do_step(&s);
		check_messages(before);
		check_doorbells();
		check_memory(before, &s, old);
	}
	destroy();
}
