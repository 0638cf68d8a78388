// SPDX-License-Identifier: GPL-2.0
/*
 * Reads partition tables with the rules of Linux' own reader, since a number that is found
 * here is looked up there. Called by root.c; fuzzed.
 */
#include <string.h>
#include <unistd.h>

#include "../crc.h"
#include "partition.h"

#define MBR_SIZE	512
#define MBR_LINUX	0x83
#define MBR_GPT		0xee
#define FIRST_LOGICAL	5
#define MAX_LOGICAL	64
#define MAX_EMPTY	100		/* tables of logical ones in a row that have none */

#define GPT_MAX_BYTES	KIB(64)		/* of all entries: four times what partitioners make */
#define GPT_NO_AUTO	BIT_ULL(63)

struct mbr_entry {
	u8 active;
	u8 first[3];
	u8 type;
	u8 last[3];
	u32 start;
	u32 count;
} __packed;

struct mbr {
	u8 code[446];
	struct mbr_entry entry[4];
	u8 signature[2];
} __packed;

struct gpt_header {
	char signature[8];
	u32 revision;
	u32 size;
	u32 crc;
	u32 reserved;
	u64 here;
	u64 other;
	u64 first_usable;
	u64 last_usable;
	u8 guid[16];
	u64 entries;
	u32 nr_entries;
	u32 entry_size;
	u32 entries_crc;
} __packed;

struct gpt_entry {
	u8 type[16];
	u8 guid[16];
	u64 first;
	u64 last;
	u64 attributes;
	u16 name[36];
} __packed;

_Static_assert(sizeof(struct mbr) == MBR_SIZE && sizeof(struct gpt_header) == 92 &&
	       sizeof(struct gpt_entry) == 128, "layout");

/* Discoverable Partitions Specification, as the bytes lie on the disk. */
static const u8 root_x86_64[16] = {
	0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09,
};
static const u8 linux_data[16] = {
	0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4,
};

struct reader {
	struct partition_table *table;
	int fd;
	u64 sectors;
	u32 sector;
	unsigned int next;	/* the number of the next logical one, of whatever extended one */
};

static bool read_at(const struct reader *r, u64 offset, void *buf, size_t len)
{
	return pread(r->fd, buf, len, offset) == (ssize_t)len;
}

/* A partition that reaches beyond the disk is none that Linux would use whole. */
static void add(struct reader *r, unsigned int number, enum partition_kind kind, u64 start, u64 count)
{
	struct partition_table *table = r->table;

	if (table->nr == PARTITION_MAX || !count || start > r->sectors || count > r->sectors - start)
		return;
	table->item[table->nr++] = (struct partition){
		number, kind, start * r->sector, count * r->sector,
	};
}

/* ---- MBR ---- */

static bool read_mbr(const struct reader *r, u64 sector, struct mbr *mbr)
{
	return sector < r->sectors && read_at(r, sector * r->sector, mbr, sizeof(*mbr)) &&
	       mbr->signature[0] == 0x55 && mbr->signature[1] == 0xaa;
}

static bool is_extended(u8 type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static enum partition_kind mbr_kind(u8 type)
{
	return type == MBR_LINUX ? PARTITION_LINUX : PARTITION_OTHER;
}

/* Where an extended partition lies, or the part of one that a table in it is about. */
struct span {
	u64 start, len;
};

/* The third and fourth entry of such a table should be empty: what does not fit in is nothing. */
static bool fits(const struct mbr_entry *e, const struct span *all, const struct span *part)
{
	u64 start = part->start + e->start;

	return (u64)e->start + e->count <= part->len && start >= all->start &&
	       start + e->count <= all->start + all->len;
}

/* Takes what the table of @part has, and says where the next is: false where there is none. */
static bool read_logical_table(struct reader *r, const struct span *all, struct span *part)
{
	const struct mbr_entry *next = NULL;
	struct mbr mbr;
	unsigned int i;

	if (!read_mbr(r, part->start, &mbr))
		return false;
	for (i = 0; i < 4; i++) {
		const struct mbr_entry *e = &mbr.entry[i];

		if (!e->count)
			continue;
		if (is_extended(e->type))
			next = next ? next : e;
		else if (i < 2 || fits(e, all, part))
			add(r, r->next++, mbr_kind(e->type), part->start + e->start, e->count);
	}
	if (next)
		*part = (struct span){ all->start + next->start, next->count };
	return next;
}

/*
 * Each has a table of its own: itself, and where the next one's is. They may go in a circle,
 * of empty ones too.
 */
static void read_logical(struct reader *r, const struct mbr_entry *extended)
{
	const struct span all = { extended->start, extended->count };
	struct span part = all;
	unsigned int empty = 0, before;

	while (r->next < FIRST_LOGICAL + MAX_LOGICAL && empty < MAX_EMPTY) {
		before = r->next;
		if (!read_logical_table(r, &all, &part))
			return;
		empty = r->next == before ? empty + 1 : 0;
	}
}

/* A boot sector of a file system has the signature too, and code where the table would be. */
static bool is_table(const struct mbr *mbr)
{
	unsigned int i, used = 0;

	for (i = 0; i < 4; i++) {
		if (mbr->entry[i].active & 0x7f)
			return false;
		used += mbr->entry[i].count != 0;
	}
	return used;
}

/* What speaks of a GPT is no MBR; where it has that at the wrong place Linux takes it for neither. */
static enum partition_table_kind mbr_table_kind(const struct mbr *mbr)
{
	enum partition_table_kind kind = PARTITION_TABLE_MBR;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (mbr->entry[i].type != MBR_GPT)
			continue;
		if (mbr->entry[i].start == 1)
			return PARTITION_TABLE_GPT;
		kind = PARTITION_TABLE_NONE;
	}
	return kind;
}

static void read_mbr_table(struct reader *r, const struct mbr *mbr)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		const struct mbr_entry *e = &mbr->entry[i];

		if (!e->count)
			continue;
		if (is_extended(e->type))
			read_logical(r, e);
		else
			add(r, i + 1, mbr_kind(e->type), e->start, e->count);
	}
}

/* ---- GPT ---- */

static bool header_is_whole(const struct reader *r, struct gpt_header *header)
{
	u32 crc = header->crc;
	u8 block[4096];

	if (memcmp(header->signature, "EFI PART", 8) || header->here != 1 ||
	    header->size < sizeof(*header) || header->size > r->sector ||
	    header->size > sizeof(block) || header->entry_size != sizeof(struct gpt_entry) ||
	    (u64)header->nr_entries * sizeof(struct gpt_entry) > GPT_MAX_BYTES ||
	    header->first_usable > header->last_usable || header->last_usable >= r->sectors ||
	    header->entries >= r->sectors || !read_at(r, r->sector, block, header->size))
		return false;
	/* The sum is of a header without its sum. */
	memset(block + offsetof(struct gpt_header, crc), 0, sizeof(crc));
	return ~crc32_go_on(~0u, block, header->size) == crc;
}

static enum partition_kind gpt_kind(const struct gpt_entry *e)
{
	if (e->attributes & GPT_NO_AUTO)
		return PARTITION_OTHER;
	if (!memcmp(e->type, root_x86_64, sizeof(e->type)))
		return PARTITION_ROOT;
	return memcmp(e->type, linux_data, sizeof(e->type)) ? PARTITION_OTHER : PARTITION_LINUX;
}

static bool read_gpt(struct reader *r)
{
	static const u8 unused[16];
	struct gpt_header header;
	struct gpt_entry e;
	u32 crc = ~0u, i;

	if (!read_at(r, r->sector, &header, sizeof(header)) || !header_is_whole(r, &header))
		return false;
	for (i = 0; i < header.nr_entries; i++) {
		if (!read_at(r, header.entries * r->sector + i * sizeof(e), &e, sizeof(e)))
			return false;
		crc = crc32_go_on(crc, &e, sizeof(e));
		if (memcmp(e.type, unused, sizeof(unused)) && e.first <= e.last &&
		    e.last < r->sectors)
			add(r, i + 1, gpt_kind(&e), e.first, e.last - e.first + 1);
	}
	return ~crc == header.entries_crc;
}

void partition_read(struct partition_table *table, int fd, u64 size, u32 sector)
{
	struct reader r = { table, fd, size / sector, sector, FIRST_LOGICAL };
	struct mbr mbr;

	*table = (struct partition_table){ .kind = PARTITION_TABLE_NONE };
	if (!read_mbr(&r, 0, &mbr) || !is_table(&mbr))
		return;
	table->kind = mbr_table_kind(&mbr);
	if (table->kind == PARTITION_TABLE_MBR) {
		read_mbr_table(&r, &mbr);
	} else if (table->kind == PARTITION_TABLE_GPT && !read_gpt(&r)) {
		table->kind = PARTITION_TABLE_BROKEN;
		table->nr = 0;
	}
}
