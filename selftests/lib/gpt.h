/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A GPT as tests write it (UEFI specification 2.10, section 5.3), for guest/gpt.c, fuzz/vmrun_root.c and vmrun's
 * test_disk_root.c: its two records, the types they ask for, and its sums. Nothing here is vmrun's, which is what reads it.
 */
#ifndef SELFTESTS_LIB_GPT_H
#define SELFTESTS_LIB_GPT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct gpt_header {
	char signature[8];	/* "EFI PART" */
	uint32_t revision, size, crc, reserved;
	uint64_t here, other, first_usable, last_usable;
	uint8_t guid[16];
	uint64_t entries;
	uint32_t nr_entries, entry_size, entries_crc;
} __attribute__((packed));

struct gpt_entry {
	uint8_t type[16], guid[16];
	uint64_t first, last, attributes;
	uint16_t name[36];
} __attribute__((packed));

/* A root of x86-64's, and any file system of Linux', after the Discoverable Partitions Specification. */
#define GPT_TYPE_ROOT	"\xe3\xbc\x68\x4f\xcd\xe8\xb1\x4d\x96\xe7\xfb\xca\xf9\x84\xb7\x09"
#define GPT_TYPE_LINUX	"\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4"

static inline uint32_t gpt_crc(const void *data, size_t len)
{
	const uint8_t *at = data;
	uint32_t crc = ~0u;
	int bit;

	while (len--) {
		crc ^= *at++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* Sets both sums of @h right, last of all. */
static inline void gpt_sum(struct gpt_header *h, const void *entries)
{
	h->entries_crc = gpt_crc(entries, (size_t)h->nr_entries * h->entry_size);
	h->crc = 0;
	h->crc = gpt_crc(h, sizeof(*h));
}

/* The protective MBR in the first sector: one partition over all of the disk. */
static inline void gpt_protect(uint8_t *sector)
{
	memcpy(sector + 450, "\xee\0\0\0\1\0\0\0\xff\xff\xff\xff", 12);
	memcpy(sector + 510, "\x55\xaa", 2);
}

#endif
