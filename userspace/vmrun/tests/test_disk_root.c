// SPDX-License-Identifier: GPL-2.0
/*
 * Finding a root on a disk: tables and superblocks as others write them, what is chosen among
 * several, and tables that lie. That Linux agrees is disk_root.sh's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../disk/disk.h"
#include "../disk/partition.h"
#include "../disk/root.h"
#include "gpt.h"
#include "ktap.h"

#define SIZE	MIB(8)

struct image {
	int fd;
	u8 *data;
};

static struct image make(void)
{
	struct image image = { memfd_create("disk", 0), NULL };

	ASSERT(image.fd >= 0 && !ftruncate(image.fd, SIZE));
	image.data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, image.fd, 0);
	ASSERT(image.data != MAP_FAILED);
	return image;
}

static void drop(struct image *image)
{
	munmap(image->data, SIZE);
	close(image->fd);
}

static void ext4(struct image *image, u64 at)
{
	memcpy(image->data + at + 1080, "\x53\xef", 2);
}

static void put32(u8 *to, u32 value)
{
	memcpy(to, &value, sizeof(value));
}

/* Sectors of 512 bytes. */
static void mbr_entry(struct image *image, u64 table, unsigned int i, u8 type, u32 start, u32 count)
{
	u8 *e = image->data + table * 512 + 446 + 16 * i;

	e[4] = type;
	put32(e + 8, start);
	put32(e + 12, count);
	memcpy(image->data + table * 512 + 510, "\x55\xaa", 2);
}

static const char root_type[] = GPT_TYPE_ROOT;
static const char linux_type[] = GPT_TYPE_LINUX;

static void gpt_entry(struct image *image, unsigned int i, const char *type, u64 first, u64 last)
{
	struct gpt_entry *e = (struct gpt_entry *)(image->data + 1024) + i;

	memcpy(e->type, type, sizeof(e->type));
	e->first = first;
	e->last = last;
}

/* Sums last, over @nr entries. */
static void gpt_header(struct image *image, u32 nr)
{
	struct gpt_header *h = (void *)(image->data + 512);

	gpt_protect(image->data);
	memcpy(h->signature, "EFI PART", 8);
	h->size = sizeof(*h);
	h->here = 1;
	h->entries = 2;
	h->nr_entries = nr;
	h->entry_size = sizeof(struct gpt_entry);
	gpt_sum(h, image->data + 1024);
}

static int find(struct image *image, struct disk_root *root, struct vm_error *err)
{
	memset(err, 0, sizeof(*err));
	memset(root, 0, sizeof(*root));
	return disk_find_root_in(root, image->fd, SIZE, 512, "disk", err);
}

static void expect(struct image *image, unsigned int partition, const char *fs)
{
	struct disk_root root;
	struct vm_error err;

	if (find(image, &root, &err)) {
		test_fail(__FILE__, __LINE__, "no %s in partition %u: %s", fs, partition, err.text);
		return;
	}
	EXPECT_EQ(root.partition, partition);
	EXPECT(!strcmp(root.fs, fs));
}

static void expect_error(struct image *image, const char *text)
{
	struct disk_root root;
	struct vm_error err;

	EXPECT_EQ(find(image, &root, &err), -1);
	if (!strstr(err.text, text))
		test_fail(__FILE__, __LINE__, "'%s' is not in '%s'", text, err.text);
	EXPECT_EQ(err.status, VM_STATUS_FAILURE);
	EXPECT(err.hint[0]);
}

static void whole_disks(void)
{
	static const struct { const char *fs; u64 at; const char *magic; bool writable; } all[] = {
		{ "ext4", 1080, "\x53\xef", true }, { "xfs", 0, "XFSB", true },
		{ "btrfs", 0x10040, "_BHRfS_M", true }, { "squashfs", 0, "hsqs", false },
		{ "erofs", 1024, "\xe2\xe1\xf5\xe0", false }, { "f2fs", 1024, "\x10\x20\xf5\xf2", true },
	};
	struct disk_root root;
	struct vm_error err;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		struct image image = make();

		memcpy(image.data + all[i].at, all[i].magic, strlen(all[i].magic));
		expect(&image, 0, all[i].fs);
		EXPECT_EQ(find(&image, &root, &err), 0);
		EXPECT_EQ(root.writable, all[i].writable);
		drop(&image);
	}
}

static void what_is_no_root(void)
{
	static const struct { u64 at; const char *magic, *text; } all[] = {
		{ 0, "LUKS\xba\xbe", "LUKS (encrypted)" }, { 512, "LABELONE", "LVM2" },
		{ 4086, "SWAPSPACE2", "swap" }, { 0x8001, "CD001", "ISO 9660" },
		{ 0, "QFI\xfb", "qcow2" }, { 0, "<<< Oracle VM VirtualBox", "VDI" },
		{ 0, "\x28\xb5\x2f\xfd", "zstd" }, { 0, "\x1f\x8b\x08", "gzip" },
		{ 0, "", "no kernel, and no disk" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		struct image image = make();

		memcpy(image.data + all[i].at, all[i].magic, strlen(all[i].magic));
		expect_error(&image, all[i].text);
		drop(&image);
	}
}

static void mbr_partitions(void)
{
	struct image image = make();

	mbr_entry(&image, 0, 0, 0x07, 64, 4096);
	ext4(&image, 64 * 512);
	expect_error(&image, "of its 1 partitions none is of Linux");
	mbr_entry(&image, 0, 2, 0x83, 5000, 100);
	expect_error(&image, "none is of Linux and has a root");
	ext4(&image, 5000 * 512);
	expect(&image, 3, "ext4");
	/* A larger one, in an extended partition: the second there. */
	mbr_entry(&image, 0, 3, 0x05, 6000, 4000);
	mbr_entry(&image, 6000, 0, 0x82, 10, 50);
	mbr_entry(&image, 6000, 1, 0x05, 500, 1000);
	mbr_entry(&image, 6500, 0, 0x83, 20, 800);
	ext4(&image, 6520 * 512);
	expect(&image, 6, "ext4");
	/* As large: it cannot be told. */
	mbr_entry(&image, 0, 2, 0x83, 5000, 800);
	expect_error(&image, "cannot tell which partition");
	drop(&image);
}

static void mbr_that_lies(void)
{
	struct image image = make();

	/* A circle, a table behind the end, partitions behind the end. */
	mbr_entry(&image, 0, 0, 0x05, 100, 1000);
	mbr_entry(&image, 100, 0, 0x83, 1, 10);
	mbr_entry(&image, 100, 1, 0x05, 100, 10);
	mbr_entry(&image, 200, 0, 0x83, ~0u, ~0u);
	mbr_entry(&image, 200, 1, 0x0f, 0, 10);
	mbr_entry(&image, 0, 1, 0x85, ~0u, 10);
	mbr_entry(&image, 0, 2, 0x83, 16380, 100);
	expect_error(&image, "none is of Linux");
	drop(&image);
}

/* Two tables that have nothing but each other. */
static void a_circle_of_empty_tables_ends(void)
{
	struct image image = make();

	mbr_entry(&image, 0, 0, 0x05, 100, 1000);
	mbr_entry(&image, 100, 1, 0x05, 100, 10);
	mbr_entry(&image, 200, 1, 0x05, 0, 10);
	mbr_entry(&image, 0, 1, 0x83, 2048, 4096);
	ext4(&image, 2048 * 512);
	expect(&image, 2, "ext4");
	drop(&image);
}

/* What Linux makes of tables that no partitioner of today would. */
static void logical_partitions_are_counted_as_linux_does(void)
{
	struct image image = make();

	/* Two extended ones: their numbers go on. */
	mbr_entry(&image, 0, 0, 0x05, 100, 900);
	mbr_entry(&image, 100, 0, 0x82, 10, 10);
	mbr_entry(&image, 0, 1, 0x0f, 1000, 9000);
	mbr_entry(&image, 1000, 0, 0x83, 100, 100);
	ext4(&image, 1100 * 512);
	expect(&image, 6, "ext4");
	/* A third and a fourth entry count when they lie inside. */
	mbr_entry(&image, 1000, 2, 0x83, 200, 9000);
	ext4(&image, 1200 * 512);
	expect(&image, 6, "ext4");
	mbr_entry(&image, 1000, 3, 0x83, 200, 8000);
	expect(&image, 7, "ext4");
	drop(&image);
}

/* Linux looks for no partitions then, nor does it take the table for an MBR. */
static void a_gpt_at_the_wrong_place(void)
{
	struct image image = make();

	mbr_entry(&image, 0, 0, 0xee, 2, 8000);
	mbr_entry(&image, 0, 1, 0x83, 8192, 1000);
	ext4(&image, 8192 * 512);
	expect_error(&image, "no disk with partitions");
	ext4(&image, 0);
	expect(&image, 0, "ext4");
	drop(&image);
}

static void a_boot_sector_is_no_table(void)
{
	struct image image = make();

	memset(image.data + 446, 0x55, 64);
	memcpy(image.data + 510, "\x55\xaa", 2);
	ext4(&image, 0);
	expect(&image, 0, "ext4");
	drop(&image);
}

static void gpt_partitions(void)
{
	struct image image = make();

	gpt_entry(&image, 0, linux_type, 2048, 8191);
	gpt_entry(&image, 4, root_type, 9000, 9999);
	gpt_entry(&image, 5, root_type, 10000, 12999);
	gpt_header(&image, 128);
	ext4(&image, 2048 * 512);
	expect(&image, 1, "ext4");
	/* The first root is it, however large the others are; one without a file system is none. */
	memcpy(image.data + 10000 * 512, "XFSB", 4);
	expect(&image, 6, "xfs");
	ext4(&image, 9000 * 512);
	expect(&image, 5, "ext4");
	/* "Not to be mounted by itself". */
	image.data[1024 + 4 * 128 + 48 + 7] = 0x80;
	gpt_header(&image, 128);
	expect(&image, 6, "xfs");
	drop(&image);
}

static void gpt_that_is_broken(void)
{
	static const struct { unsigned int at; const char *what; } bytes[] = {
		{ 512, "signature" }, { 512 + 12, "size" }, { 512 + 16, "sum" }, { 512 + 24, "place" },
		{ 512 + 72, "entries" }, { 512 + 82, "number" }, { 512 + 84, "entry size" },
		{ 512 + 88, "entries' sum" }, { 1024 + 60, "an entry" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct image image = make();

		gpt_entry(&image, 0, root_type, 2048, 8191);
		ext4(&image, 2048 * 512);
		gpt_header(&image, 128);
		expect(&image, 1, "ext4");
		image.data[bytes[i].at] ^= 0x40;
		expect_error(&image, "(GPT) is damaged");
		drop(&image);
	}
}

/* Linux reads none of it, so that its partitions would be looked for in vain. */
static void gpt_that_was_cut_short(void)
{
	struct image image = make();
	u64 last = SIZE / 512;

	gpt_entry(&image, 0, root_type, 2048, 8191);
	ext4(&image, 2048 * 512);
	memcpy(image.data + 512 + 48, &last, 8);
	gpt_header(&image, 128);
	expect_error(&image, "(GPT) is damaged");
	last--;
	memcpy(image.data + 512 + 48, &last, 8);
	gpt_header(&image, 128);
	expect(&image, 1, "ext4");
	memcpy(image.data + 512 + 40, &last, 8);
	last--;
	memcpy(image.data + 512 + 48, &last, 8);
	gpt_header(&image, 128);
	expect_error(&image, "(GPT) is damaged");
	drop(&image);
}

/* Sums that are right do not make the rest so. */
static void gpt_that_lies(void)
{
	struct image image = make();
	struct partition_table table;

	gpt_entry(&image, 0, root_type, 2048, ~0ull);
	gpt_entry(&image, 1, root_type, 8000, 7000);
	gpt_entry(&image, 2, root_type, ~0ull, ~0ull);
	gpt_entry(&image, 3, root_type, 16383, 16383);
	gpt_header(&image, 4);
	partition_read(&table, image.fd, SIZE, 512);
	EXPECT_EQ(table.nr, 1);
	EXPECT_EQ(table.item[0].number, 4);
	drop(&image);
}

static void sectors_of_4096(void)
{
	struct image image = make();
	struct disk_root root;
	struct vm_error err = { 0 };

	mbr_entry(&image, 0, 0, 0x83, 256, 512);
	ext4(&image, MIB(1));
	EXPECT_EQ(disk_find_root_in(&root, image.fd, SIZE, 4096, "disk", &err), 0);
	EXPECT_EQ(root.partition, 1);
	drop(&image);
}

static void files_that_are_none(void)
{
	struct disk_root root;
	struct vm_error err = { 0 };

	EXPECT_EQ(disk_find_root(&root, "/dev/null", &err), -1);
	EXPECT(strstr(err.text, "no file and no block device"));
	err = (struct vm_error){ 0 };
	EXPECT_EQ(disk_find_root(&root, "/nowhere/at/all", &err), -1);
	EXPECT(strstr(err.text, "No such file") && err.hint[0]);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(whole_disks), TEST(what_is_no_root), TEST(mbr_partitions),
		TEST(mbr_that_lies), TEST(a_circle_of_empty_tables_ends),
		TEST(logical_partitions_are_counted_as_linux_does), TEST(a_gpt_at_the_wrong_place),
		TEST(a_boot_sector_is_no_table), TEST(gpt_partitions),
		TEST(gpt_that_is_broken), TEST(gpt_that_was_cut_short), TEST(gpt_that_lies), TEST(sectors_of_4096),
		TEST(files_that_are_none),
	};

	return test_main(argc, argv, tests, COUNT(tests));
}
