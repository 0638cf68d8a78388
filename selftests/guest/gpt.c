// SPDX-License-Identifier: GPL-2.0
/*
 * gpt IMAGE SECTORS:TYPE... gives a disk image a partition table: a protective MBR, the GPT and its copy. The
 * partitions lie one behind the other from sector 2048 on; TYPE is root, linux or other. Called by disk_root.sh.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpt.h"

#define SECTOR		512
#define NR_ENTRIES	128
#define FIRST		2048

static const struct { const char *name, *guid; } types[] = {
	{ "root", GPT_TYPE_ROOT }, { "linux", GPT_TYPE_LINUX },
	{ "other", "\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b" },
};

static void put(int fd, uint64_t sector, const void *data, size_t len)
{
	if (pwrite(fd, data, len, sector * SECTOR) == (ssize_t)len)
		return;
	perror("gpt");
	exit(1);
}

static void put_table(int fd, struct gpt_header *h, uint64_t here, uint64_t other, uint64_t at, const struct gpt_entry *entries)
{
	uint8_t sector[SECTOR] = { 0 };

	h->here = here;
	h->other = other;
	h->entries = at;
	gpt_sum(h, entries);
	memcpy(sector, h, sizeof(*h));
	put(fd, here, sector, sizeof(sector));
	put(fd, at, entries, NR_ENTRIES * sizeof(*entries));
}

int main(int argc, char **argv)
{
	static struct gpt_entry entry[NR_ENTRIES];
	uint8_t mbr[SECTOR] = { 0 };
	uint64_t sectors, at = FIRST;
	struct gpt_header h = { .signature = "EFI PART", .revision = 0x10000, .size = sizeof(h),
		.nr_entries = NR_ENTRIES, .entry_size = sizeof(struct gpt_entry) };
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
	put_table(fd, &h, 1, sectors - 1, 2, entry);
	put_table(fd, &h, sectors - 1, 1, sectors - 33, entry);
	gpt_protect(mbr);
	put(fd, 0, mbr, sizeof(mbr));
	return 0;
}
