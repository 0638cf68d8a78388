// SPDX-License-Identifier: GPL-2.0
/*
 * Disks with any partition tables and superblocks: the input is what lies where on one, with a GPT's sums set right if it wishes so. What
 * is found must lie on the disk, and what is refused must be told with what to do.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "disk/partition.h"
#include "disk/root.h"
#include "fuzz.h"
#include "../lib/gpt.h"

#define SIZE	KIB(128)

struct piece {
	u8 block;	/* 512 bytes, or one of the places that matter */
	u8 at;		/* in units of two bytes */
	u8 len;
};

/* A protective MBR, and the sums of what is there. */
static void set_right(u8 *disk, u32 sector)
{
	struct gpt_header *h = (void *)(disk + sector);
	u32 nr = h->nr_entries % 32;
	u64 entries = 2 + h->entries % 6;

	gpt_protect(disk);
	*h = (struct gpt_header){
		.signature = "EFI PART", .revision = h->revision, .size = sizeof(*h), .here = 1, .entries = entries,
		.nr_entries = nr, .entry_size = sizeof(struct gpt_entry),
	};
	gpt_sum(h, disk + entries * sector);
}

void fuzz_input(const u8 *data, size_t size)
{
	static struct partition_table table;
	static u8 *disk;
	static int fd = -1;
	struct disk_root root = { 0 };
	struct vm_error err = { 0 };
	struct piece piece;
	unsigned int i;
	u32 sector;
	bool gpt;

	if (fd < 0) {
		fd = memfd_create("disk", 0);
		MUST(!ftruncate(fd, SIZE));
		disk = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		MUST(disk != MAP_FAILED);
	}
	if (!size)
		return;
	memset(disk, 0, SIZE);
	sector = *data & 1 ? 4096 : 512;
	gpt = *data & 2;
	data++;
	size--;
	while (fuzz_take(&data, &size, &piece, sizeof(piece))) {
		piece.len = piece.len % 64 < size ? piece.len % 64 : size;
		memcpy(disk + (piece.block % 200) * 512 + piece.at * 2, data, piece.len);
		data += piece.len;
		size -= piece.len;
	}
	if (gpt)
		set_right(disk, sector);
	partition_read(&table, fd, SIZE, sector);
	MUST(table.nr <= PARTITION_MAX);
	for (i = 0; i < table.nr; i++) {
		const struct partition *p = &table.item[i];

		MUST(p->number && p->len && p->offset < SIZE && p->len <= SIZE - p->offset);
	}
	MUST(!gpt || table.kind == PARTITION_TABLE_GPT || table.kind == PARTITION_TABLE_NONE);
	if (disk_find_root_in(&root, fd, SIZE, sector, "disk", &err)) {
		MUST(err.status == VM_STATUS_FAILURE && err.text[0] && err.hint[0]);
		return;
	}
	MUST(root.fs && !err.status);
	for (i = 0; i < table.nr && table.item[i].number != root.partition; i++)
		;
	MUST(!root.partition || i < table.nr);
}
