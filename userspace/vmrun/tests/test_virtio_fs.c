// SPDX-License-Identifier: GPL-2.0
/*
 * The device of a shared directory against a driver that this file plays; the requests
 * themselves are test_fuse.c's. Also a reset while its thread serves.
 */
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../virtio/fs.h"
#include "ktap.h"

#define SIZE		8
#define RING(q)		(0x1000ull * (q))
#define AVAIL		0x400
#define USED		0x800
#define OUT		0x4000
#define IN		0x5000
#define MEMORY		0x10000

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct guest {
	struct memory mem;
	struct virtio_fs fs;
	u16 avail[2];
	unsigned int interrupts, needs_reset;
	int kick_fd;
};

static char top[] = "/tmp/test_virtio_fs.XXXXXX";

static void *at(struct guest *g, u64 addr, u64 len)
{
	void *p = guest_buf(&g->mem, addr, len);

	ASSERT(p);
	return p;
}

static void on_interrupt(void *ctx, unsigned int queue)
{
	(void)queue;
	((struct guest *)ctx)->interrupts++;
}

static void on_config(void *ctx)
{
	((struct guest *)ctx)->needs_reset++;
}

static void start_driver(struct guest *g)
{
	unsigned int q;

	for (q = 0; q < 2; q++) {
		struct ring *ring = &g->fs.dev.queue[q];

		memset(at(g, RING(q), 0x1000), 0, 0x1000);
		g->avail[q] = 0;
		ring_reset(ring);
		ring->mem = &g->mem;
		ring->size = SIZE;
		ring->desc = RING(q);
		ring->avail = RING(q) + AVAIL;
		ring->used = RING(q) + USED;
		ASSERT_EQ(ring_start(ring, false), 0);
	}
	g->fs.dev.started = true;
	g->fs.dev.needs_reset = false;
}

static void stop_driver(struct guest *g)
{
	struct virtio_device *dev = &g->fs.dev;

	pthread_mutex_lock(&dev->lock);
	dev->ops->stop(dev);
	dev->started = false;
	pthread_mutex_unlock(&dev->lock);
}

static struct guest *make(enum fs_access access)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct vm_error err = { 0 };

	ASSERT(mkdtemp(top));
	g->mem.region[0] = (struct memory_region){ .size = MEMORY, .host_addr = calloc(1, MEMORY) };
	g->mem.nr_regions = 1;
	ASSERT_EQ(virtio_fs_create(&g->fs, "fs0", "root", top, access, &err), 0);
	g->fs.dev.transport.interrupt = on_interrupt;
	g->fs.dev.transport.config_changed = on_config;
	g->fs.dev.transport.ctx = g;
	start_driver(g);
	return g;
}

static void destroy(struct guest *g)
{
	virtio_fs_destroy(&g->fs);
	EXPECT_OK(rmdir(top));
	free(g->mem.region[0].host_addr);
	free(g);
}

/* A request of two buffers, and of none for its reply where @room is 0. */
static void offer(struct guest *g, unsigned int q, const void *data, u32 len, u32 room)
{
	struct desc *desc = at(g, RING(q), 2 * sizeof(*desc));

	memcpy(at(g, OUT, len), data, len);
	desc[0] = (struct desc){ OUT, len, room ? 1 : 0, 1 };
	desc[1] = (struct desc){ IN, room, 2, 0 };
	*(u16 *)at(g, RING(q) + AVAIL + 4 + g->avail[q] % SIZE * 2, 2) = 0;
	__atomic_store_n((u16 *)at(g, RING(q) + AVAIL + 2, 2), ++g->avail[q], __ATOMIC_RELEASE);
}

static void kick(struct guest *g, unsigned int q)
{
	pthread_mutex_lock(&g->fs.dev.lock);
	g->fs.dev.ops->kick(&g->fs.dev, q);
	pthread_mutex_unlock(&g->fs.dev.lock);
}

static u16 used(struct guest *g, unsigned int q)
{
	return __atomic_load_n((u16 *)at(g, RING(q) + USED + 2, 2), __ATOMIC_ACQUIRE);
}

static void offer_init(struct guest *g)
{
	struct {
		struct fuse_in_header head;
		struct fuse_init_in in;
	} init = {
		.head = { .len = sizeof(init), .opcode = FUSE_INIT, .unique = 7 },
		.in = { .major = 7, .minor = 36 },
	};

	offer(g, 1, &init, sizeof(init), 4096);
}

static void says_its_tag(void)
{
	struct guest *g = make(FS_READ_ONLY);
	u8 data[48];

	memset(data, 0xff, sizeof(data));
	g->fs.dev.ops->read_config(&g->fs.dev, 0, data, 48);
	EXPECT(!memcmp(data, "root\0", 5));
	EXPECT(!memcmp(data + 35, "\0\1\0\0\0\0", 6));
	g->fs.dev.ops->read_config(&g->fs.dev, 36, data, 4);
	EXPECT_EQ(data[0], 1);
	data[0] = 1;
	g->fs.dev.ops->read_config(&g->fs.dev, ~0ull, data, 1);
	EXPECT_EQ(data[0], 0);
	destroy(g);
}

static void serves_both_queues(void)
{
	struct guest *g = make(FS_READ_ONLY);
	const struct fuse_out_header *out = at(g, IN, sizeof(*out));
	struct {
		struct fuse_in_header head;
		u64 nlookup;
	} forget = { { .len = sizeof(forget), .opcode = FUSE_FORGET, .nodeid = 1 }, 1 };

	offer_init(g);
	kick(g, 1);
	EXPECT_EQ(used(g, 1), 1);
	EXPECT_EQ(out->len, sizeof(*out) + sizeof(struct fuse_init_out));
	EXPECT_EQ(out->error, 0);
	EXPECT_EQ(out->unique, 7);
	/* Its length for the driver. */
	EXPECT_EQ(((u32 *)at(g, RING(1) + USED, 16))[2], out->len);
	EXPECT_EQ(g->interrupts, 1);
	offer(g, 0, &forget, sizeof(forget), 0);
	kick(g, 0);
	EXPECT_EQ(used(g, 0), 1);
	/* What is urgent is served with a kick of the other queue, too. */
	offer(g, 0, &forget, sizeof(forget), 0);
	kick(g, 1);
	EXPECT_EQ(used(g, 0), 2);
	EXPECT_EQ(g->needs_reset, 0);
	destroy(g);
}

static void nonsense_stops_the_device(void)
{
	struct guest *g = make(FS_READ_ONLY);

	offer(g, 1, "too short", 9, 64);
	kick(g, 1);
	EXPECT_EQ(g->needs_reset, 1);
	EXPECT_EQ(used(g, 1), 0);
	stop_driver(g);
	start_driver(g);
	/* No room for a reply. */
	offer_init(g);
	((struct desc *)at(g, RING(1), 32))[1].len = 15;
	kick(g, 1);
	EXPECT_EQ(g->needs_reset, 2);
	stop_driver(g);
	start_driver(g);
	offer_init(g);
	((struct desc *)at(g, RING(1), 32))[1].addr = MEMORY;
	kick(g, 1);
	EXPECT_EQ(g->needs_reset, 3);
	stop_driver(g);
	start_driver(g);
	offer_init(g);
	kick(g, 1);
	EXPECT_EQ(used(g, 1), 1);
	EXPECT_EQ(g->needs_reset, 3);
	destroy(g);
}

static void on_kick(void *ctx, u32 events)
{
	struct guest *g = ctx;
	u64 count;

	(void)events;
	if (read(g->kick_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&g->fs.dev.lock);
	if (g->fs.dev.started)
		g->fs.dev.ops->kick(&g->fs.dev, 1);
	pthread_mutex_unlock(&g->fs.dev.lock);
}

/* Nothing may be written once stop has returned, whatever the thread was about. */
static void resets_under_way(void)
{
	struct guest *g = make(FS_READ_ONLY);
	struct vm_error err = { 0 };
	unsigned int i, served = 0;
	u64 one = 1;

	g->kick_fd = eventfd(0, EFD_NONBLOCK);
	ASSERT(loop_watch(&g->fs.worker.loop, g->kick_fd, 1, on_kick, g) >= 0);
	ASSERT_EQ(virtio_fs_start(&g->fs, NULL, &err), 0);
	for (i = 0; i < 3000; i++) {
		offer_init(g);
		ASSERT_EQ(write(g->kick_fd, &one, sizeof(one)), sizeof(one));
		if (i % 3)
			usleep(i % 50);
		stop_driver(g);
		memset(at(g, IN, 64), 0x5a, 64);
		served += used(g, 1);
		EXPECT_EQ(*(u8 *)at(g, IN, 1), 0x5a);
		start_driver(g);
	}
	test_note("%u of %u requests were served before the reset", served, i);
	EXPECT(served > 0);
	stop_driver(g);
	destroy(g);
}

static void bad_shares_are_refused(void)
{
	struct vm_error err = { 0 };
	struct virtio_fs fs;

	EXPECT_EQ(virtio_fs_create(&fs, "fs0", "root", "/nowhere", FS_READ_ONLY, &err), -1);
	EXPECT(strstr(err.text, "/nowhere"));
	memset(&err, 0, sizeof(err));
	EXPECT_EQ(virtio_fs_create(&fs, "fs0", "", "/tmp", FS_READ_ONLY, &err), -1);
	memset(&err, 0, sizeof(err));
	EXPECT_EQ(virtio_fs_create(&fs, "fs0", "root", "/proc", FS_READ_ONLY, &err), -1);
	memset(&err, 0, sizeof(err));
	EXPECT_EQ(virtio_fs_create(&fs, "fs0", "root", "/etc/passwd", FS_READ_ONLY, &err), -1);
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(says_its_tag), TEST(serves_both_queues), TEST(nonsense_stops_the_device),
		TEST(resets_under_way), TEST(bad_shares_are_refused),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
