// SPDX-License-Identifier: GPL-2.0
/*
 * Disk images: which are refused, who may share one, that an overlay keeps what is written
 * and the image stays as it is, whatever is cut where, and that holes come to be.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../disk/disk.h"
#include "../disk/pool.h"
#include "ktap.h"

#define SIZE	(300 * 1024 + 512)	/* its last block is not whole */

static char path[] = "/tmp/test_disk.XXXXXX";

static u8 pattern(u64 offset)
{
	return offset / 512 * 7 + offset;
}

/* An image where each byte tells where it is. */
static void make_image(u64 size)
{
	u8 *data = malloc(size);
	int fd = mkstemp(path);
	u64 i;

	ASSERT(fd >= 0);
	for (i = 0; i < size; i++)
		data[i] = pattern(i);
	ASSERT_EQ(write(fd, data, size), size);
	close(fd);
	free(data);
}

static void open_disk(struct disk *disk, enum disk_mode mode)
{
	struct vm_error err = { 0 };

	ASSERT_EQ(disk_open(disk, path, mode, &err), 0);
}

static void expect_refused(enum disk_mode mode, const char *why)
{
	struct vm_error err = { 0 };
	struct disk disk;

	EXPECT_EQ(disk_open(&disk, path, mode, &err), -1);
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
	if (!EXPECT(strstr(err.text, why)))
		test_note("%s", err.text);
}

static int move(struct disk *disk, enum disk_direction direction, u64 offset, void *data, size_t len)
{
	/* Cut where nothing is aligned. */
	size_t first = len / 3, second = len - first > 100 ? 100 : len - first;
	struct iovec iov[] = {
		{ data, first }, { (u8 *)data + first, second },
		{ (u8 *)data + first + second, len - first - second },
	};
	struct disk_vec vec = { iov, 3 };

	return direction == DISK_READ ? disk_read(disk, &vec, offset) :
	       disk_write(disk, &vec, offset);
}

static void expect_content(struct disk *disk, const u8 *want)
{
	u8 *got = malloc(disk->size);

	ASSERT_EQ(move(disk, DISK_READ, 0, got, disk->size), 0);
	EXPECT(!memcmp(got, want, disk->size));
	free(got);
}

static void expect_image_untouched(void)
{
	u8 *data = malloc(SIZE);
	int fd = open(path, O_RDONLY);
	u64 i, wrong = 0;

	ASSERT_EQ(read(fd, data, SIZE), SIZE);
	for (i = 0; i < SIZE; i++)
		wrong += data[i] != pattern(i);
	EXPECT_EQ(wrong, 0);
	close(fd);
	free(data);
}

static void arguments(void)
{
	enum disk_mode mode;

	EXPECT_EQ(disk_split("a", &mode), 1);
	EXPECT_EQ(mode, DISK_RW);
	EXPECT_EQ(disk_split("a:ro", &mode), 1);
	EXPECT_EQ(mode, DISK_RO);
	EXPECT_EQ(disk_split("/b:x:cow", &mode), 4);
	EXPECT_EQ(mode, DISK_COW);
	EXPECT_EQ(disk_split("a:ro:rw", &mode), 4);
	EXPECT_EQ(mode, DISK_RW);
	EXPECT_EQ(disk_split(":cow", &mode), 0);
	EXPECT_EQ(disk_split("", &mode), 0);
	EXPECT_EQ(disk_split("a:cox", &mode), 5);
	EXPECT_EQ(mode, DISK_RW);
}

static void raw_is_written(void)
{
	struct disk disk;
	u8 data[1536], got[512];
	int fd;

	make_image(SIZE);
	open_disk(&disk, DISK_RW);
	EXPECT_EQ(disk.size, SIZE);
	memset(data, 0xaa, sizeof(data));
	EXPECT_EQ(move(&disk, DISK_WRITE, 1024, data, sizeof(data)), 0);
	EXPECT_EQ(disk_flush(&disk), 0);
	EXPECT_EQ(disk_write_zeroes(&disk, 1536, 512, DISK_ZERO_ALLOCATED), 0);
	EXPECT_EQ(disk_write_zeroes(&disk, 2048, 512, DISK_ZERO_UNMAP), 0);
	fd = open(path, O_RDONLY);
	EXPECT_EQ(pread(fd, data, sizeof(data), 1024), sizeof(data));
	EXPECT_EQ(data[0], 0xaa);
	EXPECT_EQ(data[511], 0xaa);
	EXPECT_EQ(data[512], 0);
	EXPECT_EQ(data[1535], 0);
	close(fd);
	/* Somebody cuts the image short: an error, not zeroes. */
	ASSERT_EQ(truncate(path, 4096), 0);
	EXPECT_EQ(move(&disk, DISK_READ, 8192, got, 512), -EIO);
	disk_close(&disk);
	unlink(path);
}

static void read_only_is_not(void)
{
	struct disk disk;
	u8 data[512] = "";

	make_image(SIZE);
	open_disk(&disk, DISK_RO);
	EXPECT_EQ(move(&disk, DISK_WRITE, 0, data, 512), -EROFS);
	EXPECT_EQ(disk_discard(&disk, 0, 4096), -EROFS);
	EXPECT_EQ(disk_write_zeroes(&disk, 0, 4096, DISK_ZERO_UNMAP), -EROFS);
	EXPECT_EQ(disk_flush(&disk), 0);
	EXPECT_EQ(move(&disk, DISK_READ, 512, data, 512), 0);
	EXPECT_EQ(data[1], pattern(513));
	disk_close(&disk);
	expect_image_untouched();
	unlink(path);
}

static void bad_images_are_refused(void)
{
	expect_refused(DISK_RW, "No such file");
	make_image(0);
	expect_refused(DISK_RW, "its size, 0,");
	ASSERT_EQ(truncate(path, 1000), 0);
	expect_refused(DISK_COW, "its size, 1000,");
	ASSERT_EQ(truncate(path, 1024), 0);
	ASSERT_EQ(truncate(path, 0), 0);
	unlink(path);
	ASSERT_EQ(mkfifo(path, 0600), 0);
	expect_refused(DISK_RO, "no file and no block device");
	unlink(path);
	ASSERT_EQ(mkdir(path, 0700), 0);
	expect_refused(DISK_RW, "Is a directory");
	expect_refused(DISK_RO, "no file and no block device");
	rmdir(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
	make_image(4096);
	int fd = open(path, O_WRONLY);

	ASSERT_EQ(pwrite(fd, "QFI\xfb", 4, 0), 4);
	close(fd);
	expect_refused(DISK_RW, "qcow2");
	unlink(path);
}

static void one_writes_or_many_read(void)
{
	struct disk first, second;

	make_image(SIZE);
	open_disk(&first, DISK_RW);
	expect_refused(DISK_RW, "is in use");
	expect_refused(DISK_RO, "being written");
	expect_refused(DISK_COW, "being written");
	disk_close(&first);
	open_disk(&first, DISK_COW);
	open_disk(&second, DISK_RO);
	expect_refused(DISK_RW, "is in use");
	disk_close(&first);
	disk_close(&second);
	open_disk(&first, DISK_RW);
	disk_close(&first);
	unlink(path);
}

static void overlay_keeps_what_is_written(void)
{
	u8 *want = malloc(SIZE), *data = malloc(SIZE);
	struct disk disk;
	unsigned int seed = 1, i;
	u64 offset, len, end, j;

	make_image(SIZE);
	open_disk(&disk, DISK_COW);
	for (j = 0; j < SIZE; j++)
		want[j] = pattern(j);
	expect_content(&disk, want);
	for (i = 0; i < 400; i++) {
		offset = rand_r(&seed) % (SIZE / 512) * 512;
		len = (rand_r(&seed) % (i % 2 ? 64 : 6) + 1) * 512;
		len = min_u64(len, SIZE - offset);
		end = offset + len;
		switch (i % 5) {
		case 0:
			EXPECT_EQ(disk_write_zeroes(&disk, offset, len, DISK_ZERO_UNMAP), 0);
			memset(want + offset, 0, len);
			break;
		case 1:
			EXPECT_EQ(disk_discard(&disk, offset, len), 0);
			offset = align_up(offset, OVERLAY_BLOCK);
			if (end != SIZE)
				end = align_down(end, OVERLAY_BLOCK);
			if (end > offset)
				memset(want + offset, 0, end - offset);
			break;
		default:
			memset(data, i, len);
			EXPECT_EQ(move(&disk, DISK_WRITE, offset, data, len), 0);
			memset(want + offset, i, len);
			break;
		}
		if (i % 40 == 0)
			expect_content(&disk, want);
	}
	expect_content(&disk, want);
	disk_close(&disk);
	expect_image_untouched();
	/* The next machine sees nothing of it. */
	open_disk(&disk, DISK_COW);
	for (j = 0; j < SIZE; j++)
		want[j] = pattern(j);
	expect_content(&disk, want);
	disk_close(&disk);
	unlink(path);
	free(want);
	free(data);
}

static u64 blocks_of(int fd)
{
	struct stat st;

	ASSERT_EQ(fstat(fd, &st), 0);
	return st.st_blocks;
}

static void discard_frees(void)
{
	struct disk disk;
	u8 *data;
	u64 before;

	make_image(MIB(1));
	data = calloc(1, MIB(1));
	memset(data, 1, MIB(1));
	open_disk(&disk, DISK_COW);
	EXPECT_EQ(blocks_of(disk.overlay.fd), 0);
	EXPECT_EQ(move(&disk, DISK_WRITE, 0, data, MIB(1)), 0);
	EXPECT(blocks_of(disk.overlay.fd) >= MIB(1) / 512);
	EXPECT_EQ(disk_discard(&disk, 0, MIB(1)), 0);
	EXPECT(blocks_of(disk.overlay.fd) <= 64);
	disk_close(&disk);
	open_disk(&disk, DISK_RW);
	before = blocks_of(disk.fd);
	EXPECT_EQ(disk_discard(&disk, KIB(64), KIB(512)), 0);
	EXPECT(blocks_of(disk.fd) <= before - KIB(448) / 512);
	disk_close(&disk);
	unlink(path);
	free(data);
}

static void no_room_for_an_overlay(void)
{
	make_image(SIZE);
	setenv("TMPDIR", "/proc/nowhere", 1);
	expect_refused(DISK_COW, "/proc/nowhere");
	unsetenv("TMPDIR");
	unlink(path);
}

/* ---- many at once ---- */

#define WRITERS	64

struct part {
	struct disk_job job;
	struct disk *disk;
	unsigned int sector;
	int ret;
};

static void write_part(struct disk_job *job)
{
	struct part *part = (struct part *)job;
	u8 data[512];

	memset(data, part->sector + 1, sizeof(data));
	part->ret = move(part->disk, DISK_WRITE, part->sector * 512, data, sizeof(data));
}

/* Each writes one sector of blocks that nobody has written yet: none may lose another's. */
static void sectors_of_one_block_at_once(void)
{
	struct part part[WRITERS];
	struct vm_error err = { 0 };
	struct disk_pool pool;
	struct disk disk;
	unsigned int round, i;
	u8 got[WRITERS * 512];

	make_image(SIZE);
	for (round = 0; round < 50; round++) {
		open_disk(&disk, DISK_COW);
		ASSERT_EQ(disk_pool_create(&pool, "test", DISK_POOL_THREADS, NULL, &err), 0);
		for (i = 0; i < WRITERS; i++) {
			part[i] = (struct part){ { .run = write_part }, &disk, i * 5 % WRITERS, -1 };
			disk_pool_submit(&pool, &part[i].job);
		}
		disk_pool_destroy(&pool);
		ASSERT_EQ(move(&disk, DISK_READ, 0, got, sizeof(got)), 0);
		for (i = 0; i < WRITERS; i++) {
			EXPECT_EQ(part[i].ret, 0);
			EXPECT_EQ(got[i * 512], i + 1);
			EXPECT_EQ(got[i * 512 + 511], i + 1);
		}
		disk_close(&disk);
	}
	expect_image_untouched();
	unlink(path);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(arguments), TEST(raw_is_written), TEST(read_only_is_not), TEST(bad_images_are_refused),
		TEST(one_writes_or_many_read), TEST(overlay_keeps_what_is_written),
		TEST(discard_frees), TEST(no_room_for_an_overlay),
		TEST(sectors_of_one_block_at_once),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
