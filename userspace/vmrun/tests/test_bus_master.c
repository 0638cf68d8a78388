// SPDX-License-Identifier: GPL-2.0
/*
 * What stands between a virtio device and memory: the bus master bit, without which neither
 * a request is taken nor a message sent, queues that lie nowhere, and a stop that another
 * CPU's reset meets. The device takes requests and gives them back.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../virtio/pci.h"
#include "fake_kvirt.h"
#include "ktap.h"

#define SIZE		8
#define QUEUES		2
#define RING(q)		(0x1000ull * (q))
#define AVAIL		0x400
#define USED		0x800
#define BUFFER		0x4000
#define MEMORY		0x10000

#define ECAM(reg)	(PCI_ECAM_BASE + (1ull << 15) + (reg))
#define MASTER		BIT(2)
#define DECODE		BIT(1)

/* Of the BAR. */
enum {
	STATUS = 0x14, SELECT = 0x16, QUEUE_SIZE = 0x18, QUEUE_VECTOR = 0x1a, ENABLE = 0x1c,
	DESC = 0x20, DRIVER = 0x28, DEVICE = 0x30, NOTIFY = 0x3000, TABLE = 0x4000,
};

#define DRIVER_OK	0x0f
#define NEEDS_RESET	0x40

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

static struct machine {
	struct bus mmio, ports;
	struct memory mem;
	struct pci pci;
	struct irq irq;
	struct loop loop;
	struct virtio_device dev;
	struct virtio_pci *vpci;
	unsigned int msix, starts, stops, kicks;
	bool reset_in_stop;
} m;

static u64 get(u64 addr, unsigned int len)
{
	u64 value = 0;

	bus_read(&m.mmio, addr, (u8 *)&value, len);
	return value;
}

static void put(u64 addr, u64 value, unsigned int len)
{
	bus_write(&m.mmio, addr, (u8 *)&value, len);
}

static u64 bar(void)
{
	return get(ECAM(0x10), 4) & ~0xfull;
}

static void on_start(struct virtio_device *dev)
{
	EXPECT(dev == &m.dev && dev->started);
	m.starts++;
}

/* As one that waits for its thread, and another CPU of the guest's does not wait. */
static void on_stop(struct virtio_device *dev)
{
	EXPECT(!dev->started);
	m.stops++;
	if (!m.reset_in_stop)
		return;
	pthread_mutex_unlock(&dev->lock);
	put(bar() + STATUS, 0, 1);
	EXPECT(get(bar() + STATUS, 1));
	put(bar() + STATUS, 0xff, 1);
	put(bar() + SELECT, 0, 2);
	put(bar() + QUEUE_SIZE, 2, 2);
	pthread_mutex_lock(&dev->lock);
}

static void on_kick(struct virtio_device *dev, unsigned int queue)
{
	struct ring_chain chain;

	m.kicks++;
	while (ring_pop(&dev->queue[queue], &chain) > 0)
		ring_push(&dev->queue[queue], &chain, 0);
	virtio_signal(dev, queue);
}

static const struct virtio_device_ops ops = {
	.start = on_start, .stop = on_stop, .kick = on_kick,
};

static void setup(void)
{
	static const u16 sizes[QUEUES] = { SIZE, SIZE };
	struct vm_error err = { 0 };

	memset(&m, 0, sizeof(m));
	memset(&fake, 0, sizeof(fake));
	m.mem.region[0] = (struct memory_region){ .size = MEMORY, .host_addr = calloc(1, MEMORY) };
	m.mem.nr_regions = 1;
	irq_init(&m.irq, NULL);
	ASSERT_EQ(loop_create(&m.loop, &err), 0);
	ASSERT_EQ(pci_create(&m.pci, &m.mem, &err), 0);
	ASSERT_EQ(pci_attach(&m.pci, &m.mmio, &m.ports), 0);
	virtio_device_init(&m.dev, "test", VIRTIO_ID_ENTROPY, &ops, 0, sizes, QUEUES, &m.loop);
	m.vpci = virtio_pci_add(&m.pci, &m.irq, &m.dev, &err);
	ASSERT(m.vpci);
	for (m.msix = get(ECAM(0x34), 1); get(ECAM(m.msix), 1) != 0x11; )
		m.msix = get(ECAM(m.msix + 1), 1);
	EXPECT_EQ(get(ECAM(m.msix + 2), 2), QUEUES);
}

static void teardown(void)
{
	virtio_pci_remove(m.vpci);
	virtio_device_destroy(&m.dev);
	pci_destroy(&m.pci);
	irq_destroy(&m.irq);
	loop_destroy(&m.loop);
	free(m.mem.region[0].host_addr);
	EXPECT_EQ(m.starts, m.stops);
	EXPECT_EQ(fake.nr_irqfds, 0);
	EXPECT_EQ(fake.nr_doorbells, 0);
}

/* Everything but the last step. */
static void prepare(void)
{
	unsigned int q, i;

	put(bar() + STATUS, 0, 1);
	EXPECT_EQ(get(bar() + STATUS, 1), 0);
	put(bar() + STATUS, 3, 1);
	put(bar() + 0x08, 1, 4);
	put(bar() + 0x0c, 1, 4);
	put(bar() + STATUS, 0x0b, 1);
	EXPECT_EQ(get(bar() + STATUS, 1), 0x0b);
	for (q = 0; q < QUEUES; q++) {
		memset(m.mem.region[0].host_addr + RING(q), 0, 0x1000);
		put(bar() + SELECT, q, 2);
		EXPECT_EQ(get(bar() + QUEUE_SIZE, 2), SIZE);
		put(bar() + QUEUE_VECTOR, q, 2);
		put(bar() + DESC, RING(q), 8);
		put(bar() + DRIVER, RING(q) + AVAIL, 8);
		put(bar() + DEVICE, RING(q) + USED, 8);
		put(bar() + ENABLE, 1, 2);
	}
	put(ECAM(m.msix + 2), BIT(15), 2);
	for (i = 0; i <= QUEUES; i++) {
		put(bar() + TABLE + 16 * i, 0xfee00000, 8);
		put(bar() + TABLE + 16 * i + 8, 0x30 + i, 8);
	}
	put(bar() + 0x10, QUEUES, 2);
}

static void start(void)
{
	put(ECAM(4), MASTER | DECODE, 2);
	prepare();
	put(bar() + STATUS, DRIVER_OK, 1);
	EXPECT(m.dev.started);
}

static void offer(void)
{
	u8 *ring = m.mem.region[0].host_addr;
	const struct desc desc = { BUFFER, 16, 2, 0 };
	u16 idx;

	memcpy(&idx, ring + AVAIL + 2, 2);
	idx++;
	memcpy(ring, &desc, sizeof(desc));
	memcpy(ring + AVAIL + 2, &idx, 2);
}

static u16 used(void)
{
	u16 idx;

	memcpy(&idx, m.mem.region[0].host_addr + USED + 2, 2);
	return idx;
}

static void end_turn(void *ctx, u32 events)
{
	(void)events;
	loop_stop(ctx);
}

/* The device's thread has a turn, and comes to all that was rung. */
static void turn(void)
{
	struct vm_error err = { 0 };
	int fd[2], watch;
	unsigned int i;

	ASSERT(!pipe(fd) && write(fd[1], "x", 1) == 1);
	watch = loop_watch(&m.loop, fd[0], 1, end_turn, &m.loop);
	for (i = 0; i < 2; i++) {
		m.loop.stop = false;
		EXPECT_EQ(loop_run(&m.loop, &err), 0);
	}
	loop_unwatch(&m.loop, watch);
	close(fd[0]);
	close(fd[1]);
}

/* How often vector @i was sent since the last look. */
static unsigned int sent(unsigned int i)
{
	u64 count = 0;

	ASSERT(i < fake.nr_irqfds);
	return read(fake.irqfd[i].fd, &count, sizeof(count)) < 0 ? 0 : count;
}

static void queues_that_cannot_be(void)
{
	static const struct { unsigned int reg; u64 value; unsigned int len; } bad[] = {
		{ QUEUE_SIZE, 0, 2 }, { QUEUE_SIZE, 3, 2 }, { QUEUE_SIZE, 2 * SIZE, 2 },
		{ DESC, MEMORY, 8 }, { DESC, 8, 8 }, { DRIVER, ~0ull - 1, 8 }, { DEVICE, 2, 8 },
	};
	unsigned int i;

	for (i = 0; i < COUNT(bad); i++) {
		setup();
		put(ECAM(4), MASTER | DECODE, 2);
		prepare();
		/* The only one without it being enabled before. */
		put(bar() + STATUS, 0, 1);
		put(bar() + STATUS, 3, 1);
		put(bar() + 0x08, 1, 4);
		put(bar() + 0x0c, 1, 4);
		put(bar() + STATUS, 0x0b, 1);
		put(bar() + DRIVER, AVAIL, 8);
		put(bar() + DEVICE, USED, 8);
		put(bar() + bad[i].reg, bad[i].value, bad[i].len);
		put(bar() + ENABLE, 1, 2);
		put(bar() + STATUS, DRIVER_OK, 1);
		EXPECT_EQ(get(bar() + STATUS, 1), DRIVER_OK | NEEDS_RESET);
		EXPECT_EQ(m.starts, 0);
		put(bar() + NOTIFY, 0, 2);
		turn();
		EXPECT_EQ(m.kicks, 0);
		start();
		EXPECT_EQ(m.starts, 1);
		m.stops--;	/* of the one that did not start */
		teardown();
	}
}

static void no_bus_master_no_start(void)
{
	setup();
	put(ECAM(4), DECODE, 2);
	prepare();
	offer();
	put(bar() + STATUS, DRIVER_OK, 1);
	EXPECT_EQ(get(bar() + STATUS, 1), DRIVER_OK);
	put(bar() + NOTIFY, 0, 2);
	turn();
	EXPECT_EQ(m.starts + m.kicks, 0);
	EXPECT_EQ(used(), 0);
	/* Then it goes on where it was. */
	put(ECAM(4), DECODE | MASTER, 2);
	EXPECT_EQ(m.starts, 1);
	turn();
	EXPECT_EQ(used(), 1);
	EXPECT_EQ(sent(0), 1);
	teardown();
}

static void bus_master_taken_away(void)
{
	setup();
	start();
	put(ECAM(4), DECODE, 2);
	EXPECT_EQ(m.stops, 1);
	EXPECT_EQ(fake.nr_doorbells, 0);
	EXPECT_EQ(get(bar() + STATUS, 1), DRIVER_OK | NEEDS_RESET);
	offer();
	put(bar() + NOTIFY, 0, 2);
	turn();
	virtio_config_changed(&m.dev);
	EXPECT_EQ(m.kicks, 0);
	EXPECT_EQ(used(), 0);
	EXPECT_EQ(sent(0) + sent(1) + sent(2), 0);
	/* Told once it can be, and it works after a reset only. */
	put(ECAM(4), DECODE | MASTER, 2);
	EXPECT_EQ(sent(2), 1);
	turn();
	EXPECT_EQ(m.starts, 1);
	EXPECT_EQ(m.kicks, 0);
	start();
	offer();
	put(bar() + NOTIFY, 0, 2);
	turn();
	EXPECT_EQ(used(), 1);
	/* A message that waits does not leave without it either. */
	put(bar() + TABLE + 12, 1, 4);
	offer();
	put(bar() + NOTIFY, 0, 2);
	turn();
	sent(0);
	put(ECAM(4), DECODE, 2);
	put(bar() + TABLE + 12, 0, 4);
	EXPECT_EQ(sent(0), 0);
	put(ECAM(4), DECODE | MASTER, 2);
	EXPECT_EQ(sent(0), 1);
	teardown();
}

static void a_reset_while_it_stops(void)
{
	setup();
	start();
	m.reset_in_stop = true;
	/* By a reset on another CPU, and by the bus master bit. */
	put(bar() + STATUS, 0, 1);
	EXPECT_EQ(get(bar() + STATUS, 1), 0);
	EXPECT_EQ(m.stops, 1);
	start();
	put(ECAM(4), DECODE, 2);
	EXPECT_EQ(m.stops, 2);
	EXPECT_EQ(get(bar() + STATUS, 1), 0);
	m.reset_in_stop = false;
	start();
	teardown();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(queues_that_cannot_be), TEST(no_bus_master_no_start),
		TEST(bus_master_taken_away), TEST(a_reset_while_it_stops),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
