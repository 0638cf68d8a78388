// SPDX-License-Identifier: GPL-2.0
/*
 * The block device against a driver that this file plays: every kind of request, each rule
 * that one can break, many at once, and a reset while they are on their way.
 */
#include <fcntl.h>
#include <unistd.h>

#include "../virtio/blk.h"
#include "../virtio/blk_request.h"
#include "ktap.h"
#include "driver_queue.h"

#define SIZE		128	/* of the queue */
#define TABLES		0x10000	/* an indirect table a request */
#define HEADERS		0x20000	/* a page a request: header, ranges; its end: the status */
#define BUFFERS		0x100000
#define BUFFER		0x2000
#define MEMORY		MIB(4)
#define SECTORS		2048

#define NOT_YET		0xee

struct guest {
	struct driver driver;	/* first: callbacks get it */
	struct loop loop;	/* nobody runs it */
	struct blk blk;
	unsigned int stopped;
};

static bool threads_alone;

static char path[] = "/tmp/test_blk.XXXXXX";

static void on_stopped(void *ctx)
{
	((struct guest *)ctx)->stopped++;
}

static void start_driver(struct guest *g)
{
	g->blk.dev.features = g->blk.dev.offered;
	driver_start(&g->driver, 1);
}

static struct guest *make(enum disk_mode mode)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct vm_error err = { 0 };
	int fd = mkstemp(path);

	ASSERT(fd >= 0 && !ftruncate(fd, SECTORS * 512));
	close(fd);
	driver_memory_create(&g->driver, MEMORY);
	ASSERT_EQ(blk_create(&g->blk, 1, path, mode, &g->loop, &err), 0);
	if (threads_alone)
		disk_uring_destroy(&g->blk.uring);
	ASSERT_EQ(blk_start(&g->blk, NULL, &err), 0);
	driver_init(&g->driver, &g->blk.dev, SIZE);
	g->blk.dev.transport.stopped = on_stopped;
	start_driver(g);
	return g;
}

static void destroy(struct guest *g)
{
	driver_stop(&g->driver);
	blk_destroy(&g->blk);
	unlink(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
	driver_memory_destroy(&g->driver);
	free(g);
}

/* Request @n from a table of its own. */
static void offer(struct guest *g, unsigned int n, const struct desc *desc, unsigned int nr)
{
	u64 table = TABLES + n * 256;
	struct desc head = { table, nr * sizeof(*desc), F_INDIRECT, 0 };

	memcpy(driver_at(&g->driver, table, head.len), desc, head.len);
	driver_offer(&g->driver, 0, n, &head, 1);
}

static void wait_used(struct guest *g, u16 n)
{
	unsigned int i;

	for (i = 0; i < 5000 && driver_used(&g->driver, 0) != n; i++)
		usleep(1000);
	ASSERT_EQ(driver_used(&g->driver, 0), n);
}

/* A request as most drivers make them: header, @len bytes of data, status. */
static void ask(struct guest *g, unsigned int n, u32 type, u64 sector, u32 len)
{
	struct { u32 type, reserved; u64 sector; } header = { type, 0, sector };
	u64 page = HEADERS + n * 0x100, data = BUFFERS + n * BUFFER;
	bool in = type == BLK_T_IN || type == BLK_T_GET_ID;
	struct desc desc[] = {
		{ page, sizeof(header), F_NEXT, 1 },
		{ data, len, F_NEXT | (in ? F_WRITE : 0), 2 },
		{ page + 0x80, 1, F_WRITE, 0 },
	};

	memcpy(driver_at(&g->driver, page, sizeof(header)), &header, sizeof(header));
	*(u8 *)driver_at(&g->driver, page + 0x80, 1) = NOT_YET;
	offer(g, n, desc, 3);
}

static u8 status(struct guest *g, unsigned int n)
{
	return *(u8 *)driver_at(&g->driver, HEADERS + n * 0x100 + 0x80, 1);
}

static u8 *buffer(struct guest *g, unsigned int n)
{
	return driver_at(&g->driver, BUFFERS + n * BUFFER, BUFFER);
}

/* One request from beginning to end. */
static u8 do_one(struct guest *g, u32 type, u64 sector, u32 len)
{
	ask(g, 0, type, sector, len);
	driver_kick(&g->driver, 0);
	wait_used(g, g->driver.avail[0]);
	return status(g, 0);
}

static u8 do_range(struct guest *g, u32 type, struct blk_range range)
{
	memcpy(buffer(g, 0), &range, sizeof(range));
	return do_one(g, type, 0, sizeof(range));
}

static void every_kind(void)
{
	struct guest *g = make(DISK_RW);
	u8 sector[512];
	int fd;

	memset(buffer(g, 0), 0x5a, 4096);
	EXPECT_EQ(do_one(g, BLK_T_OUT, 8, 4096), BLK_S_OK);
	EXPECT_EQ(do_one(g, BLK_T_FLUSH, 0, 0), BLK_S_OK);
	fd = open(path, O_RDONLY);
	EXPECT_EQ(pread(fd, sector, 512, 15 * 512), 512);
	EXPECT_EQ(sector[511], 0x5a);
	memset(buffer(g, 0), 0, BUFFER);
	EXPECT_EQ(do_one(g, BLK_T_IN, 7, 1536), BLK_S_OK);
	EXPECT_EQ(buffer(g, 0)[511], 0);
	EXPECT_EQ(buffer(g, 0)[512], 0x5a);
	EXPECT_EQ(buffer(g, 0)[1535], 0x5a);
	EXPECT_EQ(buffer(g, 0)[1536], 0);
	EXPECT_EQ(driver_used_elem(&g->driver, 0, 2).len, 1537);
	EXPECT_EQ(do_range(g, BLK_T_WRITE_ZEROES, (struct blk_range){ 8, 1, BLK_RANGE_UNMAP }), BLK_S_OK);
	EXPECT_EQ(do_range(g, BLK_T_WRITE_ZEROES, (struct blk_range){ 9, 1, 0 }), BLK_S_OK);
	EXPECT_EQ(do_range(g, BLK_T_DISCARD, (struct blk_range){ 0, SECTORS, 0 }), BLK_S_OK);
	EXPECT_EQ(do_range(g, BLK_T_DISCARD, (struct blk_range){ SECTORS, 0, 0 }), BLK_S_OK);
	EXPECT_EQ(pread(fd, sector, 512, 9 * 512), 512);
	EXPECT_EQ(sector[0], 0);
	close(fd);
	memset(buffer(g, 0), 0xff, BUFFER);
	EXPECT_EQ(do_one(g, BLK_T_GET_ID, 0, BLK_ID_SIZE), BLK_S_OK);
	EXPECT(!memcmp(buffer(g, 0), "vdb\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff", 21));
	EXPECT_EQ(do_one(g, BLK_T_GET_ID, 0, 2), BLK_S_OK);
	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 0), BLK_S_OK);
	EXPECT(g->driver.interrupts > 0);
	EXPECT_EQ(g->driver.config_changes, 0);
	destroy(g);
}

/* What /dev/null takes cannot be flushed: so it shows who did. */
static void no_flush_no_cache(void)
{
	struct guest *g;
	int fd = open("/dev/null", O_RDWR);

	/* A ring has the image for good. */
	threads_alone = true;
	g = make(DISK_RW);
	threads_alone = false;
	ASSERT(fd >= 0 && dup2(fd, g->blk.disk.fd) >= 0);
	close(fd);
	EXPECT_EQ(do_one(g, BLK_T_OUT, 0, 512), BLK_S_OK);
	EXPECT_EQ(do_one(g, BLK_T_FLUSH, 0, 0), BLK_S_IOERR);
	pthread_mutex_lock(&g->blk.dev.lock);
	g->blk.dev.features &= ~BIT_ULL(BLK_F_FLUSH);
	pthread_mutex_unlock(&g->blk.dev.lock);
	EXPECT_EQ(do_one(g, BLK_T_OUT, 0, 512), BLK_S_IOERR);
	/* That one is how long, of a read that fails: nothing is promised. */
	EXPECT_EQ(do_one(g, BLK_T_IN, SECTORS, 512), BLK_S_IOERR);
	EXPECT_EQ(driver_used_elem(&g->driver, 0, 2).len, 1);
	EXPECT_EQ(driver_used_elem(&g->driver, 0, 3).len, 0);
	destroy(g);
}

static void rules_of_requests(void)
{
	struct guest *g = make(DISK_RW);
	unsigned int i;

	EXPECT_EQ(do_one(g, BLK_T_IN, SECTORS - 1, 512), BLK_S_OK);
	EXPECT_EQ(do_one(g, BLK_T_IN, SECTORS - 1, 1024), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_IN, SECTORS, 512), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_IN, UINT64_MAX, 512), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_IN, UINT64_MAX / 512 + 1, 512), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_OUT, UINT64_MAX - 1, 1024), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 511), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_OUT, 0, 513), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, 2, 0, 512), BLK_S_UNSUPP);
	EXPECT_EQ(do_one(g, 14, 0, 16), BLK_S_UNSUPP);	/* secure erase */
	EXPECT_EQ(do_one(g, BLK_T_DISCARD, 0, 0), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_DISCARD, 0, 15), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_DISCARD, 0, 16 * (BLK_MAX_RANGES + 1)), BLK_S_IOERR);
	EXPECT_EQ(do_range(g, BLK_T_DISCARD, (struct blk_range){ 1, SECTORS, 0 }), BLK_S_IOERR);
	EXPECT_EQ(do_range(g, BLK_T_DISCARD, (struct blk_range){ UINT64_MAX, 1, 0 }), BLK_S_IOERR);
	EXPECT_EQ(do_range(g, BLK_T_DISCARD, (struct blk_range){ 0, 8, 1 }), BLK_S_UNSUPP);
	EXPECT_EQ(do_range(g, BLK_T_WRITE_ZEROES, (struct blk_range){ 0, 8, 2 }), BLK_S_UNSUPP);
	EXPECT_EQ(do_range(g, BLK_T_WRITE_ZEROES, (struct blk_range){ 0, UINT32_MAX, 0 }), BLK_S_IOERR);
	g->blk.dev.features = 0;
	EXPECT_EQ(do_range(g, BLK_T_DISCARD, (struct blk_range){ 0, 8, 0 }), BLK_S_UNSUPP);
	EXPECT_EQ(do_range(g, BLK_T_WRITE_ZEROES, (struct blk_range){ 0, 8, 0 }), BLK_S_UNSUPP);
	/* Several ranges, the last of them wrong. */
	g->blk.dev.features = g->blk.dev.offered;
	for (i = 0; i < 3; i++)
		((struct blk_range *)buffer(g, 0))[i] = (struct blk_range){ i * 1000, 8, 0 };
	EXPECT_EQ(do_one(g, BLK_T_DISCARD, 0, 3 * 16), BLK_S_OK);
	((struct blk_range *)buffer(g, 0))[2].sector = SECTORS;
	EXPECT_EQ(do_one(g, BLK_T_DISCARD, 0, 3 * 16), BLK_S_IOERR);
	EXPECT_EQ(g->driver.config_changes, 0);
	destroy(g);
}

/* Data where the other direction's belongs. */
static void wrong_way(void)
{
	struct guest *g = make(DISK_RW);
	u64 page = HEADERS;
	struct desc desc[] = {
		{ page, 16, F_NEXT, 1 },
		{ BUFFERS, 512, F_NEXT, 2 },
		{ BUFFERS + 512, 512, F_NEXT | F_WRITE, 3 },
		{ page + 0x80, 1, F_WRITE, 0 },
	};
	u32 type;

	for (type = BLK_T_IN; type <= BLK_T_WRITE_ZEROES; type++) {
		if (type == BLK_T_FLUSH || type == BLK_T_GET_ID)
			continue;
		ask(g, 0, type, 0, 512);
		g->driver.avail[0]--;
		offer(g, 0, desc, 4);
		driver_kick(&g->driver, 0);
		wait_used(g, g->driver.avail[0]);
		EXPECT(status(g, 0) == BLK_S_IOERR || status(g, 0) == BLK_S_UNSUPP);
	}
	destroy(g);
}

/* Header, data and status cut at will: a status that shares a buffer with data is its last byte. */
static void any_framing(void)
{
	struct guest *g = make(DISK_RW);
	struct { u32 type, reserved; u64 sector; } header = { BLK_T_OUT, 0, 3 };
	struct desc write[] = {
		{ HEADERS, 5, F_NEXT, 1 },
		{ HEADERS + 5, 11 + 100, F_NEXT, 2 },
		{ BUFFERS, 412, F_NEXT, 3 },
		{ HEADERS + 0x1000, 1, F_WRITE, 0 },
	};
	struct desc read[] = {
		{ HEADERS, 16, F_NEXT, 1 },
		{ BUFFERS, 1, F_NEXT | F_WRITE, 2 },
		{ BUFFERS + 0x1000, 512, F_WRITE, 0 },
	};

	memcpy(driver_at(&g->driver, HEADERS, 16), &header, 16);
	memset(driver_at(&g->driver, HEADERS + 16, 100), 1, 100);
	memset(buffer(g, 0), 2, 412);
	offer(g, 0, write, 4);
	driver_kick(&g->driver, 0);
	wait_used(g, 1);
	EXPECT_EQ(*(u8 *)driver_at(&g->driver, HEADERS + 0x1000, 1), BLK_S_OK);
	header.type = BLK_T_IN;
	memcpy(driver_at(&g->driver, HEADERS, 16), &header, 16);
	memset(buffer(g, 0), NOT_YET, BUFFER);
	offer(g, 0, read, 3);
	driver_kick(&g->driver, 0);
	wait_used(g, 2);
	EXPECT_EQ(buffer(g, 0)[0], 1);
	EXPECT_EQ(buffer(g, 0)[1], NOT_YET);
	EXPECT_EQ(buffer(g, 0)[0x1000 + 98], 1);
	EXPECT_EQ(buffer(g, 0)[0x1000 + 99], 2);
	EXPECT_EQ(buffer(g, 0)[0x1000 + 510], 2);
	EXPECT_EQ(buffer(g, 0)[0x1000 + 511], BLK_S_OK);
	EXPECT_EQ(buffer(g, 0)[0x1000 + 512], NOT_YET);
	destroy(g);
}

static void no_way_to_answer(void)
{
	static const struct desc bad[][2] = {
		{ { HEADERS, 16, F_NEXT, 1 }, { BUFFERS, 512, 0, 0 } },		/* no status */
		{ { HEADERS, 15, F_NEXT, 1 }, { HEADERS + 0x80, 1, F_WRITE, 0 } },
		{ { HEADERS, 0, F_NEXT, 1 }, { HEADERS + 0x80, 1, F_WRITE, 0 } },
		{ { HEADERS, 16, F_NEXT, 1 }, { HEADERS + 0x80, 0, F_WRITE, 0 } },
		{ { HEADERS, 16, F_NEXT, 1 }, { MEMORY, 1, F_WRITE, 0 } },
	};
	struct guest *g = make(DISK_RW);
	unsigned int i;

	for (i = 0; i < COUNT(bad); i++) {
		offer(g, 0, bad[i], 2);
		driver_kick(&g->driver, 0);
		EXPECT_EQ(g->driver.config_changes, i + 1);
		EXPECT_EQ(driver_used(&g->driver, 0), 0);
		driver_stop(&g->driver);
		start_driver(g);
	}
	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 512), BLK_S_OK);
	destroy(g);
}

static void read_only_and_cow(void)
{
	struct guest *g = make(DISK_RO);

	EXPECT(g->blk.dev.offered & BIT_ULL(BLK_F_RO));
	EXPECT(!(g->blk.dev.offered & BIT_ULL(BLK_F_DISCARD)));
	EXPECT_EQ(do_one(g, BLK_T_OUT, 0, 512), BLK_S_IOERR);
	EXPECT_EQ(do_range(g, BLK_T_DISCARD, (struct blk_range){ 0, 8, 0 }), BLK_S_UNSUPP);
	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 512), BLK_S_OK);
	destroy(g);
	strcpy(path + strlen(path) - 6, "XXXXXX");
	g = make(DISK_COW);
	memset(buffer(g, 0), 7, 512);
	EXPECT_EQ(do_one(g, BLK_T_OUT, 1, 512), BLK_S_OK);
	memset(buffer(g, 0), 0, 512);
	EXPECT_EQ(do_one(g, BLK_T_IN, 1, 512), BLK_S_OK);
	EXPECT_EQ(buffer(g, 0)[511], 7);
	destroy(g);
}

static void many_at_once(void)
{
	struct guest *g = make(DISK_COW);
	unsigned int round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < SIZE; i++) {
			memset(buffer(g, i), i + round, 1024);
			ask(g, i, BLK_T_OUT, i * 2, 1024);
		}
		driver_kick(&g->driver, 0);
		wait_used(g, g->driver.avail[0]);
		for (i = 0; i < SIZE; i++) {
			EXPECT_EQ(status(g, i), BLK_S_OK);
			memset(buffer(g, i), 0, 1024);
			ask(g, i, BLK_T_IN, i * 2, 1024);
			driver_kick(&g->driver, 0);
		}
		wait_used(g, g->driver.avail[0]);
		for (i = 0; i < SIZE; i++) {
			EXPECT_EQ(status(g, i), BLK_S_OK);
			EXPECT_EQ(buffer(g, i)[1023], (u8)(i + round));
		}
	}
	destroy(g);
}

static void reset_in_flight(void)
{
	struct guest *g = make(DISK_RW);
	unsigned int round, i;

	for (round = 0; round < 100; round++) {
		for (i = 0; i < SIZE; i++)
			ask(g, i, i % 8 ? BLK_T_OUT : BLK_T_FLUSH, i, i % 8 ? 4096 : 0);
		driver_kick(&g->driver, 0);
		driver_stop(&g->driver);
		/* Nobody touches the guest's memory now: the sanitizer sees it who does. */
		memset(driver_at(&g->driver, 0, MEMORY), 0, MEMORY);
		EXPECT_EQ(g->blk.nr_running, 0);
		start_driver(g);
		EXPECT_EQ(do_one(g, BLK_T_IN, 0, 512), BLK_S_OK);
	}
	destroy(g);
}

/* A host that does not answer: a write to an overlay waits for the lock that is held here. */
static struct guest *make_hung(void)
{
	struct guest *g = make(DISK_COW);

	pthread_mutex_lock(&g->blk.disk.overlay.lock);
	ask(g, 0, BLK_T_OUT, 0, 4096);
	driver_kick(&g->driver, 0);
	/* What has not begun is not carried out. */
	usleep(200000);
	return g;
}

static void let_go(struct guest *g)
{
	pthread_mutex_unlock(&g->blk.disk.overlay.lock);
}

static bool is_busy(struct guest *g)
{
	bool busy;

	pthread_mutex_lock(&g->blk.dev.lock);
	busy = g->blk.dev.busy;
	pthread_mutex_unlock(&g->blk.dev.lock);
	return busy;
}

static void reset_while_the_host_hangs(void)
{
	struct guest *g = make_hung();
	struct virtio_device *dev = &g->blk.dev;

	pthread_mutex_lock(&dev->lock);
	dev->started = false;
	dev->ops->stop(dev);
	EXPECT(dev->busy);
	EXPECT_EQ(g->stopped, 0);
	pthread_mutex_unlock(&dev->lock);
	let_go(g);
	while (is_busy(g))
		usleep(1000);
	EXPECT_EQ(g->stopped, 1);
	EXPECT_EQ(g->blk.nr_running, 0);
	start_driver(g);
	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 512), BLK_S_OK);
	destroy(g);
}

/* vmrun ends; the thread is left, and touches nothing when the host answers after all. */
static void end_while_the_host_hangs(void)
{
	static struct guest *g;

	g = make_hung();
	pthread_mutex_lock(&g->blk.dev.lock);
	g->blk.dev.started = false;
	g->blk.dev.ops->stop(&g->blk.dev);
	pthread_mutex_unlock(&g->blk.dev.lock);
	blk_stop(&g->blk);
	EXPECT(g->blk.abandoned);
	blk_destroy(&g->blk);
	memset(driver_at(&g->driver, 0, BUFFERS), 0, BUFFERS);
	let_go(g);
	usleep(50000);
	EXPECT_EQ(driver_used(&g->driver, 0), 0);
	EXPECT_EQ(g->blk.nr_running, 1);
	unlink(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
}

/* The same descriptor over and over while it is in flight: bounded, then told. */
static void more_than_the_queue(void)
{
	struct guest *g = make(DISK_RW);
	unsigned int round, i;

	for (round = 0; round < 50 && !g->driver.config_changes; round++) {
		for (i = 0; i < SIZE; i++)
			ask(g, 0, i ? 99 : BLK_T_FLUSH, 0, 0);
		driver_kick(&g->driver, 0);
	}
	EXPECT(g->driver.config_changes || g->driver.again);
	driver_stop(&g->driver);
	EXPECT(g->blk.nr_made <= SIZE);
	start_driver(g);
	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 512), BLK_S_OK);
	destroy(g);
}

static void config_space(void)
{
	struct guest *g = make(DISK_RW);
	const struct virtio_device_ops *ops = g->blk.dev.ops;
	u8 all[80], byte;
	unsigned int i;
	u64 capacity;

	ops->read_config(&g->blk.dev, 0, (u8 *)&capacity, 8);
	EXPECT_EQ(capacity, SECTORS);
	ops->read_config(&g->blk.dev, 0, all, sizeof(all));
	EXPECT_EQ(*(u32 *)(all + 12), SIZE - 2);
	EXPECT_EQ(*(u32 *)(all + 20), 512);
	EXPECT_EQ(all[24], 3);
	EXPECT_EQ(*(u32 *)(all + 40), BLK_MAX_RANGES);
	EXPECT_EQ(all[56], 1);
	for (i = 0; i < sizeof(all); i++) {
		ops->read_config(&g->blk.dev, i, &byte, 1);
		EXPECT_EQ(byte, all[i]);
	}
	ops->read_config(&g->blk.dev, UINT64_MAX, &byte, 1);
	EXPECT_EQ(byte, 0);
	destroy(g);
}

/* Behind the image's back: a ring reads a part of it, or nothing, and the pool what is left. */
static void an_image_cut_short(void)
{
	struct guest *g = make(DISK_RW);

	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 4096), BLK_S_OK);
	ASSERT(!truncate(path, 3 * 512 + 100));
	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 4096), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_IN, 100, 512), BLK_S_IOERR);
	EXPECT_EQ(do_one(g, BLK_T_IN, 1, 1024), BLK_S_OK);
	EXPECT_EQ(do_one(g, BLK_T_OUT, 7, 512), BLK_S_OK);
	EXPECT_EQ(do_one(g, BLK_T_IN, 0, 4096), BLK_S_OK);
	printf("# %s\n", g->blk.uring.there ? "by a ring" : "there is no io_uring here");
	destroy(g);
}

/* The kernel refuses what the ring has: the pool does it, and a reset finds an end. */
static void a_ring_that_takes_nothing(void)
{
	struct guest *g = make(DISK_RW);
	int *ring = &g->blk.uring.ring.enter_ring_fd, good = *ring;
	unsigned int i, round;

	memset(buffer(g, 0), 0x5a, 4096);
	EXPECT_EQ(do_one(g, BLK_T_OUT, 0, 4096), BLK_S_OK);
	for (round = 0; g->blk.uring.there && round < 3; round++) {
		*ring = -1;
		for (i = 0; i < SIZE; i++)
			ask(g, i, BLK_T_IN, 0, 4096);
		driver_kick(&g->driver, 0);
		wait_used(g, g->driver.avail[0]);
		for (i = 0; i < SIZE; i++)
			EXPECT(status(g, i) == BLK_S_OK && buffer(g, i)[4095] == 0x5a);
		for (i = 0; i < SIZE; i++)
			ask(g, i, BLK_T_IN, 0, 4096);
		driver_kick(&g->driver, 0);
		driver_stop(&g->driver);
		EXPECT(!g->blk.dev.busy);
		EXPECT_EQ(g->blk.nr_running, 0);
		/* The ring is as before. */
		*ring = good;
		start_driver(g);
		EXPECT_EQ(do_one(g, BLK_T_IN, 0, 4096), BLK_S_OK);
		EXPECT_EQ(buffer(g, 0)[4095], 0x5a);
	}
	printf("# %s\n", g->blk.uring.there ? "with a ring" : "there is no io_uring here");
	destroy(g);
}

/* What an io_uring does, where there is one, the pool does as well. */
static void without_a_ring(void)
{
	threads_alone = true;
	every_kind();
	any_framing();
	an_image_cut_short();
	many_at_once();
	reset_in_flight();
	threads_alone = false;
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(every_kind), TEST(no_flush_no_cache), TEST(rules_of_requests), TEST(wrong_way),
		TEST(any_framing), TEST(no_way_to_answer), TEST(read_only_and_cow),
		TEST(many_at_once),
		TEST(reset_in_flight), TEST(reset_while_the_host_hangs),
		TEST(end_while_the_host_hangs), TEST(more_than_the_queue), TEST(config_space),
		TEST(without_a_ring), TEST(an_image_cut_short),
		TEST(a_ring_that_takes_nothing),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
