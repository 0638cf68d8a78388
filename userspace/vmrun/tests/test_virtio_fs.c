// SPDX-License-Identifier: GPL-2.0
/*
 * The device of a shared directory against a driver that this file plays; the requests
 * themselves are test_fuse.c's. Also a reset while its thread serves.
 */
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../virtio/fs.h"
#include "ktap.h"
#include "driver_queue.h"

#define SIZE		8
#define OUT		0x4000
#define IN		0x5000
#define MEMORY		0x10000

struct guest {
	struct driver driver;	/* the first: what the transport knows */
	struct virtio_fs fs;
	atomic_uint stopped;
	int kick_fd;
};

static char top[] = "/tmp/test_virtio_fs.XXXXXX";

static atomic_bool hangs;	/* the host */
static atomic_uint in_host;

/* In the C library's place: a host that does not answer for a while. */
int fstatvfs(int fd, struct statvfs *stat)
{
	(void)fd;
	in_host++;
	while (hangs)
		usleep(1000);
	memset(stat, 0, sizeof(*stat));
	return 0;
}

static void on_stopped(void *ctx)
{
	((struct guest *)ctx)->stopped++;
}

static struct guest *make(enum fs_access access)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct vm_error err = { 0 };

	ASSERT(mkdtemp(top));
	driver_memory_create(&g->driver, MEMORY);
	ASSERT_EQ(virtio_fs_create(&g->fs, "fs0", "root", top, access, &err), 0);
	driver_init(&g->driver, &g->fs.dev, SIZE);
	g->fs.dev.transport.stopped = on_stopped;
	driver_start(&g->driver, 2);
	return g;
}

static void destroy(struct guest *g)
{
	virtio_fs_destroy(&g->fs);
	EXPECT_OK(rmdir(top));
	driver_memory_destroy(&g->driver);
	free(g);
}

/* A request of two buffers, and of none for its reply where @room is 0. */
static void offer(struct guest *g, unsigned int q, const void *data, u32 len, u32 room)
{
	const struct desc desc[] = { { OUT, len, room ? F_NEXT : 0, 1 }, { IN, room, F_WRITE, 0 } };

	memcpy(driver_at(&g->driver, OUT, len), data, len);
	driver_offer(&g->driver, q, 0, desc, 2);
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
	const struct fuse_out_header *out = driver_at(&g->driver, IN, sizeof(*out));
	struct {
		struct fuse_in_header head;
		u64 nlookup;
	} forget = { { .len = sizeof(forget), .opcode = FUSE_FORGET, .nodeid = 1 }, 1 };

	offer_init(g);
	driver_kick(&g->driver, 1);
	EXPECT_EQ(driver_used(&g->driver, 1), 1);
	EXPECT_EQ(out->len, sizeof(*out) + sizeof(struct fuse_init_out));
	EXPECT_EQ(out->error, 0);
	EXPECT_EQ(out->unique, 7);
	/* Its length for the driver. */
	EXPECT_EQ(driver_used_elem(&g->driver, 1, 0).len, out->len);
	EXPECT_EQ(g->driver.interrupts, 1);
	offer(g, 0, &forget, sizeof(forget), 0);
	driver_kick(&g->driver, 0);
	EXPECT_EQ(driver_used(&g->driver, 0), 1);
	/* What is urgent is served with a kick of the other queue, too. */
	offer(g, 0, &forget, sizeof(forget), 0);
	driver_kick(&g->driver, 1);
	EXPECT_EQ(driver_used(&g->driver, 0), 2);
	EXPECT_EQ(g->driver.config_changes, 0);
	destroy(g);
}

static void nonsense_stops_the_device(void)
{
	struct guest *g = make(FS_READ_ONLY);

	offer(g, 1, "too short", 9, 64);
	driver_kick(&g->driver, 1);
	EXPECT_EQ(g->driver.config_changes, 1);
	EXPECT_EQ(driver_used(&g->driver, 1), 0);
	driver_stop(&g->driver);
	driver_start(&g->driver, 2);
	/* No room for a reply. */
	offer_init(g);
	driver_desc(&g->driver, 1, 1)->len = 15;
	driver_kick(&g->driver, 1);
	EXPECT_EQ(g->driver.config_changes, 2);
	driver_stop(&g->driver);
	driver_start(&g->driver, 2);
	offer_init(g);
	driver_desc(&g->driver, 1, 1)->addr = MEMORY;
	driver_kick(&g->driver, 1);
	EXPECT_EQ(g->driver.config_changes, 3);
	driver_stop(&g->driver);
	driver_start(&g->driver, 2);
	offer_init(g);
	driver_kick(&g->driver, 1);
	EXPECT_EQ(driver_used(&g->driver, 1), 1);
	EXPECT_EQ(g->driver.config_changes, 3);
	destroy(g);
}

static void on_kick(void *ctx, u32 events)
{
	struct guest *g = ctx;
	u64 count;

	(void)events;
	if (read(g->kick_fd, &count, sizeof(count)) < 0)
		return;
	driver_kick(&g->driver, 1);
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
		driver_stop(&g->driver);
		memset(driver_at(&g->driver, IN, 64), 0x5a, 64);
		served += driver_used(&g->driver, 1);
		EXPECT_EQ(*(u8 *)driver_at(&g->driver, IN, 1), 0x5a);
		driver_start(&g->driver, 2);
	}
	test_note("%u of %u requests were served before the reset", served, i);
	EXPECT(served > 0);
	driver_stop(&g->driver);
	destroy(g);
}

/* A driver whose request is with a host that does not answer, and which resets the device. */
static struct guest *make_hung(void)
{
	struct fuse_in_header statfs = {
		.len = sizeof(statfs), .opcode = FUSE_STATFS, .nodeid = 1,
	};
	struct guest *g = make(FS_READ_ONLY);
	struct vm_error err = { 0 };
	u64 one = 1;

	/* Who waits for it without an end fails. */
	alarm(20);
	g->kick_fd = eventfd(0, EFD_NONBLOCK);
	ASSERT(loop_watch(&g->fs.worker.loop, g->kick_fd, 1, on_kick, g) >= 0);
	ASSERT_EQ(virtio_fs_start(&g->fs, NULL, &err), 0);
	offer_init(g);
	ASSERT_EQ(write(g->kick_fd, &one, sizeof(one)), sizeof(one));
	while (driver_used(&g->driver, 1) < 1)
		usleep(1000);
	hangs = true;
	in_host = 0;
	offer(g, 1, &statfs, sizeof(statfs), 4096);
	ASSERT_EQ(write(g->kick_fd, &one, sizeof(one)), sizeof(one));
	while (!in_host)
		usleep(1000);
	driver_stop(&g->driver);
	EXPECT(g->fs.dev.busy);
	EXPECT_EQ(g->stopped, 0);
	return g;
}

static void reset_while_the_host_hangs(void)
{
	struct guest *g = make_hung();
	u64 one = 1;

	hangs = false;
	while (!g->stopped)
		usleep(1000);
	driver_start(&g->driver, 2);
	EXPECT(!g->fs.dev.busy);
	EXPECT_EQ(driver_used(&g->driver, 1), 0);
	offer_init(g);
	ASSERT_EQ(write(g->kick_fd, &one, sizeof(one)), sizeof(one));
	while (driver_used(&g->driver, 1) < 1)
		usleep(1000);
	driver_stop(&g->driver);
	EXPECT(!g->fs.dev.busy);
	EXPECT_EQ(g->stopped, 1);
	virtio_fs_stop(&g->fs);
	EXPECT(!g->fs.abandoned);
	destroy(g);
}

/* vmrun ends; the thread is left, and tells nobody when the host answers after all. */
static void end_while_the_host_hangs(void)
{
	static struct guest *g;

	g = make_hung();
	virtio_fs_stop(&g->fs);
	EXPECT(g->fs.abandoned);
	hangs = false;
	usleep(200000);
	pthread_mutex_lock(&g->fs.dev.lock);
	EXPECT_EQ(driver_used(&g->driver, 1), 1);
	EXPECT_EQ(g->stopped, 0);
	pthread_mutex_unlock(&g->fs.dev.lock);
	EXPECT_OK(rmdir(top));
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
		TEST(resets_under_way), TEST(reset_while_the_host_hangs),
		TEST(end_while_the_host_hangs), TEST(bad_shares_are_refused),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
