// SPDX-License-Identifier: GPL-2.0
/*
 * gpt IMAGE SECTORS:TYPE... gives a disk image a partition table: a protective MBR, the GPT and its copy. The
 * partitions lie one behind the other from sector 2048 on; TYPE is root, linux or other. Called by disk_root.sh.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR		512
#define NR_ENTRIES	128
#define FIRST		2048

struct header {
	char signature[8];
	uint32_t revision, size, crc, reserved;
	uint64_t here, other, first_usable, last_usable;
	uint8_t guid[16];
	uint64_t entries;
	uint32_t nr_entries, entry_size, entries_crc;
} __attribute__((packed));

struct entry {
	uint8_t type[16], guid[16];
	uint64_t first, last, attributes;
	uint16_t name[36];
} __attribute__((packed));

static const struct { const char *name; uint8_t guid[16]; } types[] = {
	{ "root", { 0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09 } },
	{ "linux", { 0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4 } },
	{ "other", { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b } },
};

static uint32_t crc32(const void *data, size_t len)
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

static void put(int fd, uint64_t sector, const void *data, size_t len)
{
	if (pwrite(fd, data, len, sector * SECTOR) == (ssize_t)len)
		return;
	perror("gpt");
	exit(1);
}

static void put_header(int fd, struct header *h, uint64_t here, uint64_t other, uint64_t entries)
{
	uint8_t sector[SECTOR] = { 0 };

	h->here = here;
	h->other = other;
	h->entries = entries;
	h->crc = 0;
	h->crc = crc32(h, sizeof(*h));
	memcpy(sector, h, sizeof(*h));
	put(fd, here, sector, sizeof(sector));
}

int main(int argc, char **argv)
{
	static struct entry entry[NR_ENTRIES];
	uint8_t mbr[SECTOR] = { 0 };
	uint64_t sectors, at = FIRST;
	struct header h = { .signature = "EFI PART", .revision = 0x10000, .size = sizeof(h),
		.nr_entries = NR_ENTRIES, .entry_size = sizeof(struct entry) };
	struct stat st;
	unsigned int t;
	int fd, i;

	fd = argc > 2 ? open(argv[1], O_RDWR) : -1;
	if (fd < 0 || fstat(fd, &st)) {
		fprintf(stderr, "gpt IMAGE SECTORS:root|linux|other...\n");
		return 2;
	}
	sectors = st.st_size / SECTOR;
	for (i = 2; i < argc && i - 2 < NR_ENTRIES; i++) {
		uint64_t n = strtoull(argv[i], NULL, 0);
		const char *type = strchr(argv[i], ':');

		for (t = 0; type && t < 2 && strcmp(types[t].name, type + 1); t++)
			;
		memcpy(entry[i - 2].type, types[t].guid, 16);
		memset(entry[i - 2].guid, i, 16);
		entry[i - 2].first = at;
		entry[i - 2].last = at + n - 1;
		at += n;
	}
	memset(h.guid, 1, sizeof(h.guid));
	h.first_usable = 34;
	h.last_usable = sectors - 34;
	h.entries_crc = crc32(entry, sizeof(entry));
	put(fd, 2, entry, sizeof(entry));
	put_header(fd, &h, 1, sectors - 1, 2);
	put(fd, sectors - 33, entry, sizeof(entry));
	put_header(fd, &h, sectors - 1, 1, sectors - 33);
	mbr[450] = 0xee;
	mbr[454] = 1;
	memset(mbr + 458, 0xff, 4);
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	put(fd, 0, mbr, sizeof(mbr));
	return 0;
}
