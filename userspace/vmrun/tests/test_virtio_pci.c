// SPDX-License-Identifier: GPL-2.0
/*
 * A virtio device over PCI, driven as a guest would by accesses to the buses: capabilities,
 * negotiation, the order of things, doorbells that follow the BAR, MSI-X with its masks and
 * pending bits, reset; and what a driver must not do. The accelerator is fake_kvirt.c.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../virtio/pci.h"
#include "fake_kvirt.h"
#include "ktap.h"

#define CONFIG		(PCI_ECAM_BASE + (1 << 15))	/* the device is in slot 1 */
#define RAM		0x40000
#define COMMON		0x0000
#define ISR		0x1000
#define DEVICE		0x2000
#define NOTIFY		0x3000
#define MSIX		0x4000
#define PENDING		0x5000

#define FEATURE_OWN	BIT_ULL(5)
#define VERSION_1	BIT_ULL(32)

static struct machine {
	struct kvirt kvirt;
	struct memory mem;
	struct bus mmio, ports;
	struct irq irq;
	struct pci pci;
	struct loop loop;
	struct virtio_device dev;
	struct virtio_pci *vpci;
	u64 bar;
	unsigned int starts, stops, kicks, last_queue;
	bool slow;	/* to stop */
	u8 config[8];
} m;

static void read_config(struct virtio_device *dev, u64 offset, u8 *data, unsigned int len)
{
	EXPECT(dev == &m.dev);
	if (offset < sizeof(m.config) && len <= sizeof(m.config) - offset)
		memcpy(data, m.config + offset, len);
}

static void write_config(struct virtio_device *dev, u64 offset, const u8 *data, unsigned int len)
{
	EXPECT(dev == &m.dev);
	if (offset < sizeof(m.config) && len <= sizeof(m.config) - offset)
		memcpy(m.config + offset, data, len);
}

static void on_start(struct virtio_device *dev)
{
	EXPECT(dev->started);
	m.starts++;
}

static void on_stop(struct virtio_device *dev)
{
	EXPECT(!dev->started);
	m.stops++;
	dev->busy = m.slow;
}

static void on_kick(struct virtio_device *dev, unsigned int queue)
{
	struct ring_chain chain;

	m.kicks++;
	m.last_queue = queue;
	while (ring_pop(&dev->queue[queue], &chain) > 0)
		ring_push(&dev->queue[queue], &chain, 0);
	virtio_signal(dev, queue);
}

static const struct virtio_device_ops ops = {
	.read_config = read_config, .write_config = write_config,
	.start = on_start, .stop = on_stop, .kick = on_kick,
};

static u32 get(u64 addr, unsigned int len)
{
	u32 value = 0;

	bus_read(&m.mmio, addr, (u8 *)&value, len);
	return value;
}

static void put(u64 addr, u32 value, unsigned int len)
{
	bus_write(&m.mmio, addr, (u8 *)&value, len);
}

#define common_get(offset, len)		get(m.bar + COMMON + (offset), len)
#define common_put(offset, value, len)	put(m.bar + COMMON + (offset), value, len)

static void setup(void)
{
	static const u16 sizes[] = { 16, 8 };
	struct vm_error err = { 0 };

	memset(&m, 0, sizeof(m));
	memset(&fake, 0, sizeof(fake));
	m.mem.region[0] = (struct memory_region){
		.size = RAM, .host_addr = aligned_alloc(4096, RAM),
	};
	memset(m.mem.region[0].host_addr, 0, RAM);
	m.mem.nr_regions = 1;
	m.ports.bytes = true;
	irq_init(&m.irq, &m.kvirt);
	ASSERT_EQ(loop_create(&m.loop, &err), 0);
	ASSERT_EQ(pci_create(&m.pci, &m.mem, &err), 0);
	ASSERT_EQ(pci_attach(&m.pci, &m.mmio, &m.ports), 0);
	virtio_device_init(&m.dev, "test", VIRTIO_ID_BLOCK, &ops, FEATURE_OWN, sizes, 2, &m.loop);
	m.vpci = virtio_pci_add(&m.pci, &m.irq, &m.dev, &err);
	ASSERT(m.vpci);
	EXPECT_EQ(fake.nr_irqfds, 3);
	put(CONFIG + 4, 6, 2);
	m.bar = get(CONFIG + 0x10, 4) & ~0xfu;
}

static void teardown(void)
{
	virtio_pci_remove(m.vpci);
	virtio_device_destroy(&m.dev);
	EXPECT_EQ(fake.nr_irqfds, 0);
	EXPECT_EQ(fake.nr_doorbells, 0);
	EXPECT_EQ(get(CONFIG, 4), 0xffffffff);
	pci_destroy(&m.pci);
	loop_destroy(&m.loop);
	irq_destroy(&m.irq);
	free(m.mem.region[0].host_addr);
}

static void set_features(u64 features)
{
	common_put(8, 0, 4);
	common_put(12, features, 4);
	common_put(8, 1, 4);
	common_put(12, features >> 32, 4);
}

static void set_queue(unsigned int queue, u64 addr)
{
	common_put(22, queue, 2);
	common_put(32, addr, 4);
	common_put(40, addr + 0x400, 4);
	common_put(48, addr + 0x800, 4);
	common_put(26, queue + 1, 2);
	common_put(28, 1, 2);
}

/* Up to DRIVER_OK, with the first queue alone. */
static void drive(void)
{
	common_put(20, 1, 1);
	common_put(20, 3, 1);
	set_features(VERSION_1 | FEATURE_OWN);
	common_put(20, 11, 1);
	EXPECT_EQ(common_get(20, 1), 11);
	common_put(16, 0, 2);
	set_queue(0, 0x1000);
	common_put(20, 15, 1);
}

/* As many rounds of the loop as there is something in it. */
static void stop_loop(void *ctx, u32 events)
{
	(void)ctx;
	(void)events;
	loop_stop(&m.loop);
}

static void turn(void)
{
	struct vm_error err = { 0 };
	int fd = eventfd(1, EFD_CLOEXEC), watch;

	watch = loop_watch(&m.loop, fd, EPOLLIN, stop_loop, NULL);
	ASSERT(watch >= 0);
	EXPECT_EQ(loop_run(&m.loop, &err), 0);
	m.loop.stop = false;
	loop_unwatch(&m.loop, watch);
	close(fd);
}

/* What the interrupt with @gsi was signalled since the last look. */
static u64 signals(u32 vector)
{
	u64 count = 0;
	unsigned int i;

	for (i = 0; i < fake.nr_irqfds; i++)
		if (fake.irqfd[i].gsi == IOAPIC_PINS + vector &&
		    read(fake.irqfd[i].fd, &count, sizeof(count)) < 0)
			count = 0;
	return count;
}

static void offer(unsigned int n)
{
	u16 *avail = guest_buf(&m.mem, 0x1400, 64);

	avail[1] += n;
}

static void capabilities(void)
{
	static const struct { u8 type; u32 offset, length; } wanted[] = {
		{ 1, COMMON, 60 }, { 3, ISR, 1 }, { 4, DEVICE, 4096 }, { 2, NOTIFY, 8 }, { 5, 0, 0 },
	};
	unsigned int at, i = 0;

	setup();
	EXPECT_EQ(get(CONFIG, 4), 0x10421af4);
	EXPECT_EQ(get(CONFIG + 8, 1), 1);
	EXPECT_EQ(get(CONFIG + 6, 2) & 0x10, 0x10);
	for (at = get(CONFIG + 0x34, 1); at && i < COUNT(wanted); at = get(CONFIG + at + 1, 1), i++) {
		EXPECT_EQ(get(CONFIG + at, 1), 9);
		EXPECT_EQ(get(CONFIG + at + 3, 1), wanted[i].type);
		EXPECT_EQ(get(CONFIG + at + 2, 1), wanted[i].type == 2 || wanted[i].type == 5 ? 20 : 16);
		EXPECT_EQ(get(CONFIG + at + 4, 1), 0);
		EXPECT_EQ(get(CONFIG + at + 8, 4), wanted[i].offset);
		EXPECT_EQ(get(CONFIG + at + 12, 4), wanted[i].length);
		if (wanted[i].type == 2)
			EXPECT_EQ(get(CONFIG + at + 16, 4), 4);
	}
	/* Then MSI-X, with a vector for each queue and one more. */
	EXPECT_EQ(get(CONFIG + at, 1), 0x11);
	EXPECT_EQ(get(CONFIG + at + 1, 1), 0);
	EXPECT_EQ(get(CONFIG + at + 2, 2), 2);
	EXPECT_EQ(get(CONFIG + at + 4, 4), MSIX);
	EXPECT_EQ(get(CONFIG + at + 8, 4), PENDING);
	teardown();
}

static void negotiation(void)
{
	setup();
	common_put(0, 0, 4);
	EXPECT_EQ(common_get(4, 4), BIT(5) | BIT(28) | BIT(29));
	common_put(0, 1, 4);
	EXPECT_EQ(common_get(4, 4), 1);
	common_put(0, 2, 4);
	EXPECT_EQ(common_get(4, 4), 0);
	common_put(20, 3, 1);
	/* Without VERSION_1; with what was not offered. */
	set_features(FEATURE_OWN);
	common_put(20, 11, 1);
	EXPECT_EQ(common_get(20, 1), 3);
	set_features(VERSION_1 | BIT(6));
	common_put(20, 11, 1);
	EXPECT_EQ(common_get(20, 1), 3);
	/* No start without agreement. */
	common_put(20, 7, 1);
	EXPECT_EQ(common_get(20, 1), 3);
	EXPECT(!m.dev.started);
	set_features(VERSION_1 | FEATURE_OWN);
	common_put(20, 11, 1);
	EXPECT_EQ(common_get(20, 1), 11);
	EXPECT_EQ(m.dev.features, VERSION_1 | FEATURE_OWN);
	/* Settled: what is written now counts no more. */
	set_features(VERSION_1);
	common_put(20, 15, 1);
	EXPECT_EQ(m.dev.features, VERSION_1 | FEATURE_OWN);
	/* The driver cannot set the device's bit, nor take one of its own back. */
	common_put(20, 0x41, 1);
	EXPECT_EQ(common_get(20, 1), 15);
	common_put(20, 0, 1);
	EXPECT_EQ(common_get(20, 1), 0);
	EXPECT_EQ(m.dev.features, 0);
	teardown();
}

static void start_and_reset(void)
{
	unsigned int round;

	setup();
	EXPECT_EQ(common_get(18, 2), 2);
	for (round = 1; round <= 3; round++) {
		EXPECT_EQ(common_get(26, 2), 0xffff);
		drive();
		EXPECT_EQ(common_get(20, 1), 15);
		EXPECT_EQ(m.starts, round);
		EXPECT(m.dev.queue[0].started && !m.dev.queue[1].started);
		EXPECT_EQ(common_get(24, 2), 16);
		EXPECT_EQ(common_get(26, 2), 1);
		EXPECT_EQ(common_get(28, 2), 1);
		EXPECT_EQ(common_get(30, 2), 0);
		EXPECT_EQ(common_get(32, 4), 0x1000);
		/* In use: not to be moved, resized or switched off. */
		common_put(32, 0x9000, 4);
		common_put(24, 4, 2);
		common_put(28, 0, 2);
		EXPECT_EQ(common_get(32, 4), 0x1000);
		EXPECT_EQ(common_get(24, 2), 16);
		EXPECT_EQ(common_get(28, 2), 1);
		/* Too late for the other one. */
		set_queue(1, 0x3000);
		EXPECT_EQ(common_get(28, 2), 0);
		EXPECT_EQ(common_get(24, 2), 8);
		common_put(22, 2, 2);
		EXPECT_EQ(common_get(24, 2), 0);
		common_put(20, 0, 1);
		EXPECT_EQ(common_get(20, 1), 0);
		EXPECT_EQ(m.stops, round);
		EXPECT(!m.dev.queue[0].started);
		EXPECT_EQ(common_get(32, 4), 0);
	}
	/* The machine's end is a stop too. */
	drive();
	teardown();
	EXPECT_EQ(m.stops, 4);
}

static void through(void)
{
	pthread_mutex_lock(&m.dev.lock);
	virtio_stopped(&m.dev);
	pthread_mutex_unlock(&m.dev.lock);
}

/* A device that cannot stop at once: its driver sees a reset that is not done, and waits. */
static void a_slow_reset(void)
{
	setup();
	m.slow = true;
	drive();
	common_put(20, 0, 1);
	EXPECT_EQ(common_get(20, 1), 15);
	EXPECT(m.dev.queue[0].started && !m.dev.started);
	/* Neither asking again nor going on makes a difference. */
	common_put(20, 0, 1);
	common_put(20, 0x1f, 1);
	EXPECT_EQ(common_get(20, 1), 15);
	EXPECT_EQ(m.stops, 1);
	through();
	EXPECT_EQ(common_get(20, 1), 0);
	EXPECT(!m.dev.queue[0].started);
	drive();
	EXPECT_EQ(m.starts, 2);
	/* The same when memory is taken from it; then it waits for a reset, which may come first. */
	put(CONFIG + 4, 2, 2);
	EXPECT_EQ(common_get(20, 1), 15);
	through();
	EXPECT_EQ(common_get(20, 1), 0x4f);
	put(CONFIG + 4, 6, 2);
	common_put(20, 0, 1);
	EXPECT_EQ(common_get(20, 1), 0);
	drive();
	put(CONFIG + 4, 2, 2);
	common_put(20, 0, 1);
	EXPECT_EQ(common_get(20, 1), 15);
	through();
	EXPECT_EQ(common_get(20, 1), 0);
	put(CONFIG + 4, 6, 2);
	drive();
	EXPECT_EQ(m.starts, 4);
	m.slow = false;
	teardown();
}

static void doorbells(void)
{
	u64 first;

	setup();
	drive();
	first = m.bar + NOTIFY;
	EXPECT_EQ(fake.nr_doorbells, 2);
	EXPECT(fake_doorbell(first) >= 0 && fake_doorbell(first + 4) >= 0);
	/* The device looks once by itself. */
	turn();
	EXPECT_EQ(m.kicks, 1);
	eventfd_write(fake_doorbell(first), 1);
	turn();
	EXPECT_EQ(m.kicks, 2);
	EXPECT_EQ(m.last_queue, 0);
	/* A queue that was not set up. */
	eventfd_write(fake_doorbell(first + 4), 1);
	turn();
	EXPECT_EQ(m.kicks, 2);
	/* One that comes out of the accelerator. */
	put(first, 0, 2);
	turn();
	EXPECT_EQ(m.kicks, 3);
	put(first + 8, 0, 2);
	turn();
	EXPECT_EQ(m.kicks, 3);
	/* They follow the BAR, and go with decoding. */
	put(CONFIG + 0x10, 0xd0000000, 4);
	EXPECT_EQ(fake.nr_doorbells, 2);
	EXPECT(fake_doorbell(0xd0000000 + NOTIFY) >= 0);
	put(CONFIG + 4, 4, 2);
	EXPECT_EQ(fake.nr_doorbells, 0);
	/* Where the accelerator has none the write still rings. */
	fake.no_doorbells = true;
	put(CONFIG + 4, 6, 2);
	put(0xd0000000 + NOTIFY, 0, 2);
	turn();
	EXPECT_EQ(m.kicks, 4);
	fake.no_doorbells = false;
	put(CONFIG + 0x10, m.bar, 4);
	EXPECT_EQ(fake.nr_doorbells, 2);
	common_put(20, 0, 1);
	EXPECT_EQ(fake.nr_doorbells, 0);
	/* A kick that was under way. */
	put(first, 0, 2);
	turn();
	EXPECT_EQ(m.kicks, 4);
	teardown();
}

static void set_vector(unsigned int vector, u64 address, u32 data)
{
	put(m.bar + MSIX + vector * 16, address, 4);
	put(m.bar + MSIX + vector * 16 + 4, address >> 32, 4);
	put(m.bar + MSIX + vector * 16 + 8, data, 4);
}

static void mask_vector(unsigned int vector, bool masked)
{
	put(m.bar + MSIX + vector * 16 + 12, masked, 4);
}

static unsigned int msix_cap(void)
{
	unsigned int at = get(CONFIG + 0x34, 1);

	while (get(CONFIG + at, 1) != 0x11)
		at = get(CONFIG + at + 1, 1);
	return at;
}

static void interrupt(void)
{
	pthread_mutex_lock(&m.dev.lock);
	m.dev.queue[0].unsignalled = 1;
	virtio_signal(&m.dev, 0);
	pthread_mutex_unlock(&m.dev.lock);
}

static void interrupts(void)
{
	unsigned int cap, sets;

	setup();
	cap = msix_cap();
	EXPECT_EQ(get(m.bar + MSIX + 12, 4), 1);
	drive();
	turn();
	/* Switched off; on, but masked: it is remembered. */
	interrupt();
	put(CONFIG + cap + 2, 0x8000, 2);
	EXPECT_EQ(signals(1), 0);
	interrupt();
	EXPECT_EQ(get(m.bar + PENDING, 4), 2);
	set_vector(1, 0xfee01000, 0x4031);
	EXPECT_EQ(fake.nr_routes, 0);
	mask_vector(1, false);
	EXPECT_EQ(signals(1), 1);
	EXPECT_EQ(get(m.bar + PENDING, 4), 0);
	EXPECT_EQ(fake.nr_routes, 1);
	EXPECT_EQ(fake.route[0].gsi, IOAPIC_PINS + 1);
	EXPECT_EQ(fake.route[0].address, 0xfee01000);
	EXPECT_EQ(fake.route[0].data, 0x4031);
	interrupt();
	EXPECT_EQ(signals(1), 1);
	/* Masked and unmasked as it was: the accelerator's table does not change. */
	sets = fake.routes_set;
	mask_vector(1, true);
	interrupt();
	interrupt();
	EXPECT_EQ(signals(1), 0);
	mask_vector(1, false);
	EXPECT_EQ(signals(1), 1);
	EXPECT_EQ(fake.routes_set, sets);
	/* All of the function at once. */
	put(CONFIG + cap + 2, 0xc000, 2);
	interrupt();
	EXPECT_EQ(signals(1), 0);
	EXPECT_EQ(get(m.bar + PENDING, 4), 2);
	put(CONFIG + cap + 2, 0x8000, 2);
	EXPECT_EQ(signals(1), 1);
	/* Another message. */
	mask_vector(1, true);
	set_vector(1, 0xfee02000, 0x4032);
	mask_vector(1, false);
	EXPECT_EQ(fake.route[0].address, 0xfee02000);
	/* One that goes nowhere: the others' routes stay whole. */
	set_vector(0, 0x12345678fee00000, 0x4033);
	mask_vector(0, false);
	EXPECT_EQ(fake.nr_routes, 1);
	set_vector(0, 0xfee00000, 0x4033);
	EXPECT_EQ(fake.nr_routes, 2);
	/* The driver wants no interrupt for this queue. */
	common_put(22, 0, 2);
	common_put(26, 3, 2);
	EXPECT_EQ(common_get(26, 2), 0xffff);
	interrupt();
	EXPECT_EQ(signals(0) + signals(1) + signals(2), 0);
	teardown();
	EXPECT_EQ(fake.nr_routes, 0);
}

/* A reset of the device is none of the function: masks and messages stay; what was to be told is over. */
static void a_reset_forgets_what_is_pending(void)
{
	unsigned int cap;

	setup();
	cap = msix_cap();
	put(CONFIG + cap + 2, 0x8000, 2);
	set_vector(1, 0xfee01000, 0x4031);
	drive();
	turn();
	interrupt();
	EXPECT_EQ(get(m.bar + PENDING, 4), 2);
	common_put(20, 0, 1);
	EXPECT_EQ(get(m.bar + PENDING, 4), 0);
	EXPECT_EQ(get(m.bar + MSIX + 16, 4), 0xfee01000);
	EXPECT_EQ(get(m.bar + MSIX + 24, 4), 0x4031);
	EXPECT_EQ(get(CONFIG + cap + 2, 2) & 0xc000, 0x8000);
	/* The next driver unmasks it, and gets what happens from then on. */
	mask_vector(1, false);
	EXPECT_EQ(signals(1), 0);
	drive();
	turn();
	interrupt();
	EXPECT_EQ(signals(1), 1);
	teardown();
}

static void pins_and_messages_share_the_routes(void)
{
	setup();
	/* Pin 4 of the I/O APIC: edge, vector 0x31, unmasked. */
	irq_ioapic_bus_ops.write(&m.irq, 0, (u8 *)"\x18\0\0\0", 4);
	irq_ioapic_bus_ops.write(&m.irq, 0x10, (u8 *)"\x31\0\0\0", 4);
	EXPECT_EQ(fake.nr_routes, 1);
	put(CONFIG + msix_cap() + 2, 0x8000, 2);
	set_vector(2, 0xfee00000, 0x40);
	mask_vector(2, false);
	EXPECT_EQ(fake.nr_routes, 2);
	EXPECT_EQ(fake.route[0].gsi, 4);
	EXPECT_EQ(fake.route[1].gsi, IOAPIC_PINS + 2);
	EXPECT(!irq_was_shut_down(&m.irq));
	/* An orderly restart masks the pins; messages do not count. */
	irq_ioapic_bus_ops.write(&m.irq, 0x10, (u8 *)"\x31\0\1\0", 4);
	EXPECT_EQ(fake.nr_routes, 1);
	EXPECT(irq_was_shut_down(&m.irq));
	teardown();
}

static void a_changed_configuration(void)
{
	u8 generation;

	setup();
	put(CONFIG + msix_cap() + 2, 0x8000, 2);
	set_vector(0, 0xfee00000, 0x40);
	mask_vector(0, false);
	drive();
	m.config[0] = 0x17;
	generation = common_get(21, 1);
	pthread_mutex_lock(&m.dev.lock);
	virtio_config_changed(&m.dev);
	pthread_mutex_unlock(&m.dev.lock);
	EXPECT(common_get(21, 1) != generation);
	EXPECT_EQ(signals(0), 1);
	EXPECT_EQ(get(m.bar + DEVICE, 4), 0x17);
	EXPECT_EQ(get(m.bar + DEVICE + 8, 4), 0);
	put(m.bar + DEVICE + 4, 0x12, 1);
	EXPECT_EQ(m.config[4], 0x12);
	EXPECT_EQ(get(m.bar + ISR, 1), 2);
	EXPECT_EQ(get(m.bar + ISR, 1), 0);
	teardown();
}

static void a_lying_driver(void)
{
	unsigned int round;

	setup();
	put(CONFIG + msix_cap() + 2, 0x8000, 2);
	set_vector(0, 0xfee00000, 0x40);
	mask_vector(0, false);
	for (round = 0; round < 20; round++) {
		memset(guest_buf(&m.mem, 0, RAM), 0, RAM);
		drive();
		turn();
		/* A descriptor of address 0 and length 0 is one; 17 of them are too many. */
		offer(17);
		put(m.bar + NOTIFY, 0, 2);
		turn();
		EXPECT_EQ(common_get(20, 1), 0x4f);
		EXPECT_EQ(signals(0), 1);
		m.kicks = 0;
		put(m.bar + NOTIFY, 0, 2);
		turn();
		EXPECT_EQ(m.kicks, 0);
		common_put(20, 0, 1);
		EXPECT_EQ(common_get(20, 1), 0);
	}
	EXPECT_EQ(m.stops, 20);
	/* A queue where there is no memory: the device does not come to see it. */
	m.starts = 0;
	common_put(20, 3, 1);
	set_features(VERSION_1);
	common_put(20, 11, 1);
	set_queue(0, RAM);
	common_put(20, 15, 1);
	EXPECT_EQ(common_get(20, 1), 0x4f);
	EXPECT_EQ(m.starts, 0);
	common_put(20, 0, 1);
	drive();
	EXPECT_EQ(common_get(20, 1), 15);
	teardown();
}

static void the_window_in_configuration_space(void)
{
	unsigned int at, next;

	setup();
	for (at = get(CONFIG + 0x34, 1); get(CONFIG + at + 3, 1) != 5; at = next) {
		next = get(CONFIG + at + 1, 1);
		ASSERT(next);
	}
	/* The number of queues, without the BAR. */
	put(CONFIG + at + 8, COMMON + 18, 4);
	put(CONFIG + at + 12, 2, 4);
	EXPECT_EQ(get(CONFIG + at + 16, 2), 2);
	put(CONFIG + at + 8, COMMON + 20, 4);
	put(CONFIG + at + 12, 1, 4);
	put(CONFIG + at + 16, 3, 1);
	EXPECT_EQ(common_get(20, 1), 3);
	/* Lengths, places and BARs that are none. */
	put(CONFIG + at + 12, 3, 4);
	put(CONFIG + at + 16, 0, 4);
	put(CONFIG + at + 12, 4, 4);
	put(CONFIG + at + 8, 0xfffffffc, 4);
	put(CONFIG + at + 16, 0, 4);
	put(CONFIG + at + 8, 2, 4);
	put(CONFIG + at + 16, 0, 4);
	put(CONFIG + at + 4, 4, 1);
	put(CONFIG + at + 8, COMMON + 20, 4);
	put(CONFIG + at + 16, 0, 4);
	EXPECT_EQ(common_get(20, 1), 3);
	teardown();
}

/* Every register, every length: nothing happens that a sanitizer would see. */
static void random_accesses(void)
{
	unsigned int i, seed = 1;

	setup();
	put(CONFIG + msix_cap() + 2, 0x8000, 2);
	for (i = 0; i < 200000; i++) {
		u32 r = rand_r(&seed), value = rand_r(&seed), len = 1u << (r & 3);
		u64 addr = r & 0x10 ? m.bar + (r >> 8) % 0x8000 : m.bar + (r >> 8) % 64;
		u8 data[8];

		if ((r & 0xe0) == 0xe0)
			addr = m.bar + MSIX + (r >> 8) % 64;
		memset(data, value, sizeof(data));
		if (r & 0x40)
			data[0] = data[1] = data[2] = 0;
		if (i % 1000 == 0) {
			common_put(20, 0, 1);
			drive();
		}
		if (r & 8)
			bus_read(&m.mmio, addr, data, len);
		else
			bus_write(&m.mmio, addr, data, len);
		if (i % 100 == 0)
			turn();
	}
	teardown();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(capabilities), TEST(negotiation), TEST(start_and_reset), TEST(a_slow_reset),
		TEST(doorbells), TEST(interrupts), TEST(a_reset_forgets_what_is_pending),
		TEST(pins_and_messages_share_the_routes),
		TEST(a_changed_configuration), TEST(a_lying_driver),
		TEST(the_window_in_configuration_space), TEST(random_accesses),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
