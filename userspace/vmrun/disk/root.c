// SPDX-License-Identifier: GPL-2.0
/*
 * Tells disk images with a root file system from everything else that a user may name, by
 * what is in them. Partition tables are partition.c's. Called by system.c; fuzzed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "partition.h"
#include "root.h"

/* A superblock's magic; those that the guest can have as its root come first. */
static const struct filesystem {
	const char *name;
	u32 offset;
	u8 len;
	const char *magic;
	enum { ROOT_WRITABLE, ROOT_FIXED, NO_ROOT } use;
} filesystems[] = {
	{ "xfs", 0, 4, "XFSB", ROOT_WRITABLE },
	{ "btrfs", 0x10040, 8, "_BHRfS_M", ROOT_WRITABLE },
	{ "squashfs", 0, 4, "hsqs", ROOT_FIXED },
	{ "erofs", 1024, 4, "\xe2\xe1\xf5\xe0", ROOT_FIXED },
	{ "f2fs", 1024, 4, "\x10\x20\xf5\xf2", ROOT_WRITABLE },
	/* Its magic is short; also ext2 and ext3, whose driver it is. */
	{ "ext4", 1024 + 56, 2, "\x53\xef", ROOT_WRITABLE },
	{ "LUKS (encrypted)", 0, 6, "LUKS\xba\xbe", NO_ROOT },
	{ "LVM2", 512, 8, "LABELONE", NO_ROOT },
	{ "swap", 4086, 10, "SWAPSPACE2", NO_ROOT },
	{ "NTFS", 3, 8, "NTFS    ", NO_ROOT },
	{ "FAT", 82, 5, "FAT32", NO_ROOT },
	{ "FAT", 54, 4, "FAT1", NO_ROOT },
	{ "ISO 9660", 0x8001, 5, "CD001", NO_ROOT },
};

#define KNOWN "ext4 (ext2, ext3), xfs, btrfs, f2fs, squashfs, erofs"

/* What an image may be packed by: it could be a raw one inside. */
static const struct { const char *name, *magic, *unpack; } packers[] = {
	{ "xz", "\xfd" "7zXZ", "unpack it first: xz -dk IMAGE" },
	{ "zstd", "\x28\xb5\x2f\xfd", "unpack it first: zstd -d IMAGE" },
	{ "gzip", "\x1f\x8b\x08", "unpack it first: gzip -dk IMAGE" },
	{ "bzip2", "BZh", "unpack it first: bzip2 -dk IMAGE" },
	{ "zip", "PK\x03\x04", "unpack it first: unzip IMAGE" },
};

/* The file system in @len bytes at @offset, or NULL. */
static const struct filesystem *probe(int fd, u64 offset, u64 len)
{
	char magic[16];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(filesystems); i++) {
		const struct filesystem *f = &filesystems[i];

		if (f->offset + f->len <= len &&
		    pread(fd, magic, f->len, offset + f->offset) == f->len &&
		    !memcmp(magic, f->magic, f->len))
			return f;
	}
	return NULL;
}

static void take(struct disk_root *root, unsigned int partition, const struct filesystem *f)
{
	*root = (struct disk_root){ partition, f->name, f->use == ROOT_WRITABLE };
}

/* A partition with a file system that can be the root. */
static const struct filesystem *probe_root(int fd, const struct partition *p)
{
	const struct filesystem *f = probe(fd, p->offset, p->len);

	return f && f->use != NO_ROOT ? f : NULL;
}

/* None of the partitions will do: the most that can be said of them. */
static int tell_no_root(const struct partition_table *table, int fd, const char *path,
			struct vm_error *err)
{
	const struct filesystem *f = NULL;
	unsigned int i;

	for (i = 0; i < table->nr && !f; i++)
		if (table->item[i].kind != PARTITION_OTHER)
			f = probe(fd, table->item[i].offset, table->item[i].len);
	if (f)
		return vm_fail(err, VM_STATUS_FAILURE, "a root can be on " KNOWN,
			       "cannot use '%.200s': no root file system is on it, but %s in partition %u",
			       path, f->name, table->item[i - 1].number);
	return vm_fail(err, VM_STATUS_FAILURE, "a root can be on " KNOWN,
		       "cannot use '%.200s': of its %u partitions none is of Linux and has a root file system",
		       path, table->nr);
}

static int choose(struct disk_root *root, const struct partition_table *table, int fd,
		  const char *path, struct vm_error *err)
{
	const struct partition *best = NULL, *equal = NULL;
	unsigned int i;

	for (i = 0; i < table->nr; i++) {
		const struct partition *p = &table->item[i];

		if (p->kind == PARTITION_OTHER || !probe_root(fd, p))
			continue;
		/* The first root counts, as its specification says; of others the largest. */
		if (!best || p->kind > best->kind ||
		    (p->kind == PARTITION_LINUX && p->kind == best->kind && p->len > best->len)) {
			best = p;
			equal = NULL;
		} else if (p->kind == PARTITION_LINUX && p->kind == best->kind &&
			   p->len == best->len) {
			equal = p;
		}
	}
	if (!best)
		return tell_no_root(table, fd, path, err);
	if (equal)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "give the right one the type of a root: sgdisk -t NUMBER:8304 IMAGE (of an MBR, copy it to an image of its own)",
			       "cannot tell which partition of '%.200s' is the root: %u and %u are as large",
			       path, best->number, equal->number);
	take(root, best->number, probe_root(fd, best));
	return 0;
}

static int check_packed(int fd, const char *path, struct vm_error *err)
{
	char head[8] = "";
	unsigned int i;

	if (pread(fd, head, sizeof(head), 0) < 0)
		return vm_fail(err, VM_STATUS_FAILURE, "is the disk damaged? dmesg tells",
			       "cannot read '%.200s': %s", path, strerror(errno));
	for (i = 0; i < ARRAY_SIZE(packers); i++)
		if (!memcmp(head, packers[i].magic, strlen(packers[i].magic)))
			return vm_fail(err, VM_STATUS_FAILURE, packers[i].unpack,
				       "cannot use '%.200s': it is packed by %s", path,
				       packers[i].name);
	return 0;
}

int disk_find_root_in(struct disk_root *root, int fd, u64 size, u32 sector, const char *path,
		      struct vm_error *err)
{
	struct partition_table table;
	const struct filesystem *f;

	if (disk_check_format(fd, path, err) || check_packed(fd, path, err))
		return -1;
	partition_read(&table, fd, size, sector);
	/* Who makes a file system of a whole disk takes the table away, but not the other way round. */
	if (table.kind == PARTITION_TABLE_GPT)
		return choose(root, &table, fd, path, err);
	if (table.kind == PARTITION_TABLE_BROKEN)
		return vm_fail(err, VM_STATUS_FAILURE, "'sgdisk -e IMAGE' mends what a copy cut short; 'gdisk -l IMAGE' looks",
			       "cannot use '%.200s': its partition table (GPT) is damaged", path);
	if (table.kind == PARTITION_TABLE_MBR && table.nr)
		return choose(root, &table, fd, path, err);
	f = probe(fd, 0, size);
	if (f && f->use == NO_ROOT)
		return vm_fail(err, VM_STATUS_FAILURE, "a root can be on " KNOWN,
			       "cannot use '%.200s': it holds %s and no root file system", path,
			       f->name);
	if (!f)
		return vm_fail(err, VM_STATUS_FAILURE,
			       "name a folder with a root file system, a bzImage or an ELF vmlinux, or a raw disk image",
			       "cannot use '%.200s': it is no kernel, and no disk with partitions or a root file system",
			       path);
	take(root, 0, f);
	return 0;
}

static int look(struct disk_root *root, int fd, const char *path, struct vm_error *err)
{
	int sector = DISK_SECTOR;
	struct stat st;
	off_t size;

	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return vm_fail(err, VM_STATUS_FAILURE, "name a folder, a kernel or a disk image",
			       "cannot use '%.200s': it is no file and no block device", path);
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0)
		return vm_fail(err, VM_STATUS_FAILURE, "name a folder, a kernel or a disk image",
			       "cannot use '%.200s': it is empty", path);
	if (S_ISBLK(st.st_mode) && (ioctl(fd, BLKSSZGET, &sector) || sector < DISK_SECTOR))
		sector = DISK_SECTOR;
	return disk_find_root_in(root, fd, size, sector, path, err);
}

int disk_find_root(struct disk_root *root, const char *path, struct vm_error *err)
{
	/* Not to wait for the other end of a fifo. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int ret;

	if (fd < 0)
		return vm_fail(err, VM_STATUS_FAILURE, errno == EACCES ?
			       "make it readable: chmod u+r FILE, or of a block device, join its group (ls -l names it)" :
			       "check the path", "cannot open '%.200s': %s", path, strerror(errno));
	ret = look(root, fd, path, err);
	close(fd);
	return ret;
}
